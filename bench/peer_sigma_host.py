"""Sigma's Linux rules over the same processes: `PYTHON bench/peer_sigma_host.py RULES FOLDER [ROWS]` (with pySigma).

RULES is a folder of Sigma rules of the user's own (process creation and auditd's EXECVE), FOLDER what
`python -m bench.score_sheet --keep FOLDER` kept. Each process of a drill is one event: image, command line, arguments,
parent. ROWS are its events as auditd wrote them, with the arguments from before a program wiped them:

    auditctl -a always,exit -F arch=b64 -S execve,execveat      (and auditd running, while the score sheet plays)
    davylamp scan /var/log/audit --case CASE; davylamp events process_activity --case CASE --format jsonl > ROWS

Without ROWS they are taken as `/proc` told them during the look.
"""

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError

ARGUMENTS = tuple(f"a{number}" for number in range(20))
COLUMNS = ("Image", "CommandLine", "ParentImage", "ParentCommandLine", "CurrentDirectory", "User", "type", *ARGUMENTS)


def events(run: Path, audited: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The drill's own processes, each program that one of them ran."""
    pids = set(json.loads((run / "pids.json").read_text(encoding="ascii")))
    records = [record for record in audited or _looked_at(run) if record.get("image_path")]
    by_pid = {record["process_pid"]: record for record in reversed(records)}
    return [
        _event(record, by_pid.get(int(record.get("parent_process_pid") or 0)))
        for record in records
        if record["process_pid"] in pids
    ]


def _looked_at(run: Path) -> list[dict[str, Any]]:
    files = sorted((run / "case" / "host").glob("*.jsonl"))
    records = [json.loads(line) for file in files for line in file.read_text(encoding="ascii").splitlines()]
    return [record for record in records if record["record"] == "process_activity"]


def _event(record: dict[str, Any], parent: dict[str, Any] | None) -> dict[str, Any]:
    command = record.get("command_line") or ""
    return {
        "Image": record["image_path"],
        "CommandLine": command,
        "ParentImage": (parent or {}).get("image_path"),
        "ParentCommandLine": (parent or {}).get("command_line"),
        "CurrentDirectory": record.get("working_folder"),
        "User": record.get("user_name"),
        "type": "EXECVE",
    } | dict(zip(ARGUMENTS, command.split(" "), strict=False))


def main() -> None:
    """Prints, for each run, the rules that matched one of its processes."""
    rules, folder = Path(sys.argv[1]), Path(sys.argv[2])
    lines = Path(sys.argv[3]).read_text(encoding="utf-8").splitlines() if len(sys.argv) > 3 else []
    audited: list[dict[str, Any]] = [json.loads(line) for line in lines]
    asked: list[tuple[str, str]] = []
    left_out_count = 0
    for path in sorted(rules.rglob("*.yml")):
        try:
            collection = SigmaCollection.from_yaml(path.read_text(encoding="utf-8"))
            asked += [(collection.rules[0].title, query) for query in sqliteBackend().convert(collection)]
        except SigmaError:
            left_out_count += 1
    print(f"{len(asked)} queries of {rules}; {left_out_count} rules could not be converted")
    for run in sorted(each for each in folder.iterdir() if (each / "pids.json").is_file()):
        base = sqlite3.connect(":memory:")
        base.execute(f"CREATE TABLE logs ({', '.join(COLUMNS)})")
        found = events(run, audited)
        marks = ", ".join("?" * len(COLUMNS))
        base.executemany(f"INSERT INTO logs VALUES ({marks})", [[each.get(name) for name in COLUMNS] for each in found])
        matched, without_field = [], 0
        for title, query in asked:
            try:
                if base.execute(query.replace("<TABLE_NAME>", "logs")).fetchone():
                    matched.append(title)
            except sqlite3.OperationalError:
                without_field += 1
        print(
            f"{run.name}: {len(found)} processes; matched: {', '.join(matched) or 'none'}; {without_field} not askable"
        )


if __name__ == "__main__":
    main()
