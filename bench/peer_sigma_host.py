"""Sigma's Linux rules over the same processes: `PYTHON bench/peer_sigma_host.py RULES FOLDER [ROWS]` (with pySigma).

RULES is a folder of Sigma rules of the user's own (process creation and auditd), FOLDER what
`python -m bench.score_sheet --keep FOLDER` kept. A drill's processes are those it named and all that ran in its folder
or were told of it. Each execution is asked as a process creation (image, command line, parent) and as auditd's three
records of it (EXECVE, SYSCALL, PATH). ROWS are the executions that auditd wrote, with the arguments from before a
program wiped them:

    auditctl -a always,exit -F arch=b64 -S execve -S execveat      (and auditd running, while the score sheet plays)
    davylamp scan /var/log/audit --case CASE; davylamp events process_activity --case CASE --format jsonl > ROWS

Without ROWS they are taken as `/proc` told them during the look.
"""

import json
import re
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError

ARGUMENTS = tuple(f"a{number}" for number in range(20))
CREATION = ("Image", "CommandLine", "ParentImage", "ParentCommandLine", "CurrentDirectory", "User")
COLUMNS = (*CREATION, "type", "SYSCALL", "exe", "comm", "euid", "name", *ARGUMENTS)


def executions(run: Path, audited: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every program that one of the drill's own processes ran."""
    pids = set(json.loads((run / "pids.json").read_text(encoding="ascii")))
    records = [record for record in audited or _looked_at(run) if record.get("image_path")]
    folders = {str(record.get("working_folder") or "/") for record in records if record["process_pid"] in pids} - {"/"}
    return [
        record | {"parent": _before(records[:place], record.get("parent_process_pid"))}
        for place, record in enumerate(records)
        if record["process_pid"] in pids or any(folder in json.dumps(record) for folder in folders)
    ]


def _looked_at(run: Path) -> list[dict[str, Any]]:
    files = sorted((run / "case" / "host").glob("*.jsonl"))
    records = [json.loads(line) for file in files for line in file.read_text(encoding="ascii").splitlines()]
    return [record for record in records if record["record"] == "process_activity"]


def _before(records: list[dict[str, Any]], pid: int | None) -> dict[str, Any]:
    return next((record for record in reversed(records) if record["process_pid"] == pid), {})


def _rows(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What Sigma's rules ask of one execution."""
    command, image = record.get("command_line") or "", record["image_path"]
    yield {
        "Image": image,
        "CommandLine": command,
        "ParentImage": record["parent"].get("image_path"),
        "ParentCommandLine": record["parent"].get("command_line"),
        "CurrentDirectory": record.get("working_folder"),
        "User": record.get("user_name"),
        "type": "EXECVE",
    } | dict(zip(ARGUMENTS, command.split(" "), strict=False))
    called = {"exe": image, "comm": record.get("process_name"), "euid": record.get("user_uid")}
    yield {"type": "SYSCALL", "SYSCALL": "execve", **called}
    yield {"type": "PATH", "name": image}


def _base(rows: list[dict[str, Any]]) -> sqlite3.Connection:
    """The rows as Sigma compares them: as text, whatever the case."""
    base = sqlite3.connect(":memory:")
    base.create_function("REGEXP", 2, lambda pattern, value: re.search(pattern, value or "") is not None)
    base.execute(f"CREATE TABLE logs ({', '.join(f'{name} TEXT COLLATE NOCASE' for name in COLUMNS)})")
    marks = ", ".join("?" * len(COLUMNS))
    base.executemany(f"INSERT INTO logs VALUES ({marks})", [[row.get(name) for name in COLUMNS] for row in rows])
    return base


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
        found = executions(run, audited)
        base = _base([row for record in found for row in _rows(record)])
        matched, without_field = [], 0
        for title, query in asked:
            try:
                if base.execute(query.replace("<TABLE_NAME>", "logs")).fetchone():
                    matched.append(title)
            except sqlite3.OperationalError:
                without_field += 1
        print(
            f"{run.name}: {len(found)} executions; matched: {', '.join(matched) or 'none'}; {without_field} not askable"
        )


if __name__ == "__main__":
    main()
