"""The terminal report: whole outputs as snapshots, and nothing from evidence acts on the terminal.

`DAVYLAMP_WRITE_SNAPSHOTS=1` writes the snapshots anew after a change that was meant.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from davylamp.errors import UsageError
from davylamp.kit.metadata import DetectionMeta, SourceMeta
from davylamp.model.finding import Technique
from davylamp.model.severity import Severity
from davylamp.report.terminal import (
    console_for,
    render_assets,
    render_coverage,
    render_incident,
    render_scan,
    render_unit_page,
    render_units,
)
from tests.rooms.hostile_document import EXAMPLE, hostile_document

SNAPSHOTS = Path(__file__).parent / "snapshots"
DETECTION = DetectionMeta(
    uid="pool_domain_lookup",
    title="A mining pool's name was looked up",
    group="name",
    stage="mining",
    severity=Severity.HIGH,
    techniques=(Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),),
    reads=("dns_activity",),
)
SOURCE = SourceMeta("sshd_syslog", "Logins over SSH", ("RFC 3164", "RFC 5424"), ("authentication",), "experimental")
PAGE = """Looks up names.

    What it sees.
    A query for a listed name: one sentence whose line in the source is longer than eighty columns are
    and which is wrapped anew.

    How it decides.
    Two grounds:

    - the name is listed, which is said in so many words that the line has to
      be wrapped;
    - the name is asked for.

    References.
    https://attack.mitre.org/techniques/T1496/001/
    https://example.org/second
    """


def _example() -> Any:
    return json.loads(EXAMPLE.read_text(encoding="utf-8"))


def _incident(scan: Any, console: Console) -> None:
    render_incident(scan, "a19f", console)


def _units(_scan: Any, console: Console) -> None:
    render_units([SOURCE, DETECTION], console)
    render_unit_page(DETECTION, PAGE, {"min_names_count": 2}, console)
    render_unit_page(SOURCE, PAGE, {}, console)


def _quiet(scan: Any, console: Console) -> None:
    read = [row for row in scan["coverage"] if row["state"] == "read" and not row["rejected_count"]]
    render_scan({**scan, "incidents": [], "findings": [], "coverage": read, "looks": []}, console)
    render_scan({**scan, "incidents": [], "findings": []}, console)
    render_scan({**scan, "incidents": [], "findings": [], "coverage": []}, console)


RENDERERS: dict[str, Callable[[Any, Console], None]] = {
    "scan": render_scan,
    "incident": _incident,
    "coverage": render_coverage,
    "assets": render_assets,
    "units": _units,
    "quiet": _quiet,
}


def _printed(render: Callable[[Any, Console], None], scan: Any, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict", newline="")
    render(scan, console_for(stream))
    stream.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("name", RENDERERS)
def test_whole_output(name: str) -> None:
    printed = _printed(RENDERERS[name], _example())
    snapshot = SNAPSHOTS / f"terminal_{name}.txt"
    if os.environ.get("DAVYLAMP_WRITE_SNAPSHOTS"):
        snapshot.write_text(printed, encoding="utf-8")
    assert printed == snapshot.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["scan", "incident", "coverage", "assets"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_hostile_text_cannot_act_on_a_terminal(name: str, encoding: str) -> None:
    scan = hostile_document()
    if name == "incident":
        scan["incidents"][0]["uid"] = "a19f"
    printed = _printed(RENDERERS[name], scan, encoding)
    assert not [letter for letter in printed if not letter.isprintable() and letter != "\n"]
    assert "\\x1b[2J" in printed.replace("\n", "").replace(" ", "")
    assert max(cell_len(line) for line in printed.splitlines()) <= 80


def test_lines_are_plain_and_at_most_eighty_columns() -> None:
    for name, render in RENDERERS.items():
        lines = _printed(render, _example()).splitlines()
        assert max(cell_len(line) for line in lines) <= 80, name
        assert [line for line in lines if line != line.rstrip()] == [], name


def test_without_utf8_every_sign_has_an_ascii_one() -> None:
    for render in RENDERERS.values():
        printed = _printed(render, _example(), "ascii")
        assert "\\u" not in printed
        assert printed.isascii()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_only_repeats_what_words_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    stream = _Terminal()
    render_scan(_example(), console_for(stream))
    coloured = stream.getvalue()
    assert "\x1b[" in coloured
    for red_or_green in ("\x1b[31", "\x1b[32", ";31m", ";32m", ";91m", ";92m"):
        assert red_or_green not in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    stream = _Terminal()
    render_scan(_example(), console_for(stream))
    assert "38;5" not in stream.getvalue()


def test_the_story_comes_first_then_money_then_steps_then_coverage() -> None:
    scan = _example()
    scan["incidents"] = scan["incidents"][:1]
    printed = _printed(render_scan, scan)
    assert printed.startswith("◆ CRITICAL  Mining on web1")
    headings = ["What happened", "How it got in", "What it costs", "What to do", "Findings that are", "What was read"]
    places = [printed.index(heading) for heading in headings]
    assert places == sorted(places)


def test_an_unknown_incident_is_a_usage_error() -> None:
    for uid in ("nothing", ""):
        with pytest.raises(UsageError, match="no single incident"):
            _printed(lambda scan, console, uid=uid: render_incident(scan, uid, console), _example())  # type: ignore[misc]


def _crowded(scan: Any) -> Any:
    """Long lists everywhere, as a campaign over a fleet makes them."""
    incident = scan["incidents"][0]
    incident["story"] = incident["story"] * 10
    incident["assets"] = [{"kind": "host", "name": f"web{number}"} for number in range(40)]
    scan["incidents"] = [incident]
    scan["findings"] = [{**finding, "uid": f"{number}"} for number in range(60) for finding in scan["findings"][:1]]
    rows = [{**row, "path": f"{row['path']}.{number}"} for number in range(60) for row in scan["coverage"]]
    scan["coverage"] = [{**row, "reason": f"{row['reason']} {number % 20}"} for number, row in enumerate(rows)]
    return scan


def test_long_lists_are_cut_and_say_so() -> None:
    printed = " ".join(_printed(render_scan, _crowded(_example())).split())
    assert len(printed) < 12_000
    assert "web5 and 34 more" in printed
    assert "and 30 more lines: davylamp show a19f3c60d7b2e584" in printed
    assert "and 57 more of this kind" in printed
    assert "60 findings in all: davylamp scan --format json has them" in printed
    assert re.search(r"and \d+ more files: davylamp coverage lists them all", printed)


def test_nothing_running_has_no_rate_in_the_headline() -> None:
    scan = _example()
    for incident in scan["incidents"]:
        incident["cost"]["run_rate_usd_per_hour"] = 0.0
    assert _printed(render_scan, scan).startswith("2 incidents, $166.40 so far.\n")


def test_a_units_page_is_never_cut() -> None:
    long = "What it sees.\n" + "word " * 900 + "\n" + "https://example.org/" + "a" * 300
    printed = _printed(lambda _scan, console: render_unit_page(DETECTION, long, {}, console), None)
    assert printed.split().count("word") == 900
    assert "more characters" not in printed
