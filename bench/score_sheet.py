"""The score sheet of miners and look-alikes: `python -m bench.score_sheet [DRILL ...] [--seeds 3] [--observe 20s]`.

Plays every drill once for each seed and tells how often it came out as it should, by which detections, and after how
long. Run it as root on a machine that does nothing else; a whole seed takes about ten minutes, one drill after the
other. `--at-once 4` plays four side by side: miners and look-alikes then share the cores and see one another, which is
harder. `--write` puts the table into the README and the runs into `bench/results/`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.table import table_of
from davylamp.app.drill import COULD_NOT_PLAY, chosen_drills, run_drill
from davylamp.kit.drill import CAUGHT
from davylamp.units import parse_duration

HERE = Path(__file__).parent
RESULT = HERE / "results" / "score-sheet.json"
BEGIN, END = "<!-- score sheet begin -->", "<!-- score sheet end -->"
HEAD = [
    "",
    "what is played",
    "runs",
    "came out right",
    "by (runs)",
    "after, s (min / median / max)",
    "least probability",
]


@dataclass(frozen=True)
class Play:
    """One run of one drill.

    Args:
        keep: folder for the evidence, for peers.
    """

    uid: str
    seed: int
    observe_s: float | None
    keep: Path | None


def played(plays: Sequence[Play], at_once: int) -> list[dict[str, Any]]:
    """One record a run: the outcome, its seed, the load before it. Ctrl-C ends it with those that are done."""
    runs = []
    with ProcessPoolExecutor(at_once, max_tasks_per_child=1) as lanes:
        try:
            for run in lanes.map(_run, plays):
                runs.append(run)
                told = (run["letter"], run["uid"], run["verdict"], f"{run['after_s']:.0f} s", run["reason"])
                print(run["seed"], *told, file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            lanes.shutdown(cancel_futures=True)
    return runs


def _run(play: Play) -> dict[str, Any]:
    (drill,) = chosen_drills([play.uid])
    load = os.getloadavg()[0]
    place = None if play.keep is None else play.keep / f"{drill.meta.letter}-{play.uid}-{play.seed}"
    outcome = run_drill(drill, play.observe_s, play.seed, keep=place)
    if place is not None:
        (place / "pids.json").write_text(json.dumps(outcome.pids), encoding="ascii")
    return {**asdict(outcome), "seed": play.seed, "load": round(load, 1), "as_expected": outcome.as_expected}


def markdown(document: Mapping[str, Any]) -> str:
    """The table and what it rests on."""
    by_drill: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for run in document["runs"]:
        by_drill.setdefault((run["letter"], run["title"]), []).append(run)
    loads = [run["load"] for run in document["runs"]]
    beside = f", {document['at_once']} played side by side" if document.get("at_once", 1) > 1 else ""
    cores = f"{document['cores_count']} cores, {document['system']}"
    told = (
        f"{document['seeds']} seed(s) each{beside}, looked at for {document['observe']}; {cores}, "
        f"load before a run {min(loads):.1f} to {max(loads):.1f}; {document['at']}."
    )
    return f"{told}\n\n" + table_of(HEAD, [_row(letter, title, runs) for (letter, title), runs in by_drill.items()])


def _row(letter: str, title: str, runs: Sequence[Mapping[str, Any]]) -> list[str]:
    done = [run for run in runs if run["verdict"] != COULD_NOT_PLAY]
    if not done:
        return [letter, title, "0", f"could not play: {runs[0]['reason']}", "", "", ""]
    right = sum(run["as_expected"] for run in done)
    named = Counter(unit for run in done for unit in run["units"])
    units = ", ".join(f"`{unit}` ({count})" for unit, count in named.most_common()) or "nothing"
    caught = [run for run in done if run["verdict"] == CAUGHT]
    delays = sorted(run["after_s"] for run in caught)
    after = f"{delays[0]:.0f} / {statistics.median(delays):.0f} / {delays[-1]:.0f}" if delays else ""
    least = min((run["probability"] for run in caught), default=None)
    verdict = f"{right} {'caught' if runs[0]['expects'] == CAUGHT else 'quiet'}"
    return [letter, title, str(len(done)), verdict, units, after, "" if least is None else f"{least:.3f}"]


def _kept(document: Mapping[str, Any]) -> str:
    """As JSON, a line a run."""
    head = json.dumps({name: value for name, value in document.items() if name != "runs"})
    return f'{head[:-1]}, "runs": [\n' + ",\n".join(json.dumps(run) for run in document["runs"]) + "\n]}\n"


def write_into(readme: Path, document: Mapping[str, Any]) -> None:
    """Puts the table between the README's two markers."""
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n\n{markdown(document)}\n\n{END}{after}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Plays, prints the table, and keeps both where that is wanted."""
    parser = argparse.ArgumentParser(prog="python -m bench.score_sheet", description=__doc__.partition("\n")[0])
    parser.add_argument("drills", nargs="*", metavar="DRILL", help="a letter or name; all where none is named")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each (default 3)")
    parser.add_argument(
        "--observe", default="", metavar="DURATION", help="how long to look (default: as scan host does)"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep what each look saw (bench/peer_sigma_host.py)"
    )
    parser.add_argument("--write", action="store_true", help="keep the runs and put the table into the README")
    parser.add_argument("--at-once", type=int, default=1, help="how many are played side by side (default 1)")
    chosen = parser.parse_args(arguments)
    system = os.uname()
    observe_s = parse_duration(chosen.observe) if chosen.observe else None
    uids = [drill.meta.uid for drill in chosen_drills(chosen.drills)]
    plays = [Play(uid, seed, observe_s, chosen.keep) for seed in range(1, chosen.seeds + 1) for uid in uids]
    runs = played(plays, chosen.at_once)
    document = {
        "at": f"{datetime.now(UTC):%Y-%m-%d}",
        "seeds": len({run["seed"] for run in runs}),
        "observe": chosen.observe or "20 s, up to 60 s while a suspect is listened to",
        "cores_count": os.cpu_count(),
        "system": f"{system.sysname} {system.release.partition('-')[0]}",
        "at_once": chosen.at_once,
        "runs": runs,
    }
    print(markdown(document))
    if chosen.write:
        RESULT.write_text(_kept(document), encoding="utf-8")
        write_into(HERE / "README.md", document)
    return 0 if all(run["as_expected"] for run in document["runs"]) else 1


if __name__ == "__main__":
    sys.exit(main())
