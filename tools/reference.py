"""Writes docs/reference anew: unit pages from docstrings, event classes from their schema, exit codes.

The tests fail when what is written here is stale: `make docs` mends it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

from davylamp.app.exit_codes import MEANINGS
from davylamp.app.units import UnitPage, unit_pages
from davylamp.kit.drill import DrillMeta
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.relations import RELATIONS
from davylamp.model.events import EVENT_CLASSES

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
_BAR = r"\|"
_GENERATED = "<!-- Written by `make docs`; edit the docstring, not this page. -->\n\n"


def pages() -> dict[str, str]:
    """File name below docs/reference -> text."""
    units = unit_pages()
    made = {f"{page.meta.kind}s/{page.meta.uid}.md": _unit(page) for page in units}
    made["units.md"] = _index(units)
    made["events.md"] = "".join((*_events(), *_relations()))
    made["exit-codes.md"] = _exit_codes()
    return {name: _GENERATED + text for name, text in made.items()}


def _unit(page: UnitPage) -> str:
    meta = page.meta
    lines = [f"# {meta.uid}", "", f"**{meta.title}** ({meta.maturity})", ""]
    if isinstance(meta, DetectionMeta):
        techniques = ", ".join(f"{each.id} {each.name} (ATT&CK {each.attack_version})" for each in meta.techniques)
        lines += [
            f"- evidence group: `{meta.group}`; stage: `{meta.stage}`; severity: {meta.severity.word}",
            f"- reads: {', '.join(f'`{name}`' for name in meta.reads)}",
            f"- techniques: {techniques}",
        ]
    elif isinstance(meta, DrillMeta):
        lines += [f"- letter {meta.letter} of the score sheet; expected: {meta.expects}"]
    else:
        lines += [
            f"- formats: {', '.join(meta.formats)}",
            f"- gives: {', '.join(f'`{n}`' for n in meta.event_classes)}",
        ]
    lines += ["", *_body(page.docstring)]
    if page.params:
        lines += ["", "## Thresholds", "", "| name | value |", "|---|---|"]
        # A bar ends the cell, even within a code span.
        lines += [f"| `{name}` | `{str(value).replace('|', _BAR)}` |" for name, value in page.params.items()]
    return "\n".join(lines) + "\n"


def _body(docstring: str) -> Iterator[str]:
    """The docstring, its section lines as headings."""
    for line in inspect.cleandoc(docstring).splitlines():
        heading = line.endswith(".") and not line.startswith(" ") and line.rstrip(".") in SECTIONS
        yield f"## {line.rstrip('.')}" if heading else line


SECTIONS = frozenset(
    {
        "What it sees",
        "Why it matters",
        "How it decides",
        "What it misses",
        "What looks like it and is not",
        "What to do",
        "References",
        "What it reads",
        "What it gives",
        "What it leaves out",
        "What it plays",
        "What it proves",
    }
)


def _index(units: tuple[UnitPage, ...]) -> str:
    lines = ["# Units", "", "| unit | what | group | techniques |", "|---|---|---|---|"]
    for page in units:
        meta = page.meta
        group, techniques = "", ""
        if isinstance(meta, DetectionMeta):
            group, techniques = meta.group, ", ".join(each.id for each in meta.techniques)
        lines.append(f"| [{meta.uid}]({meta.kind}s/{meta.uid}.md) | {meta.title} | {group} | {techniques} |")
    return "\n".join(lines) + "\n"


def _events() -> Iterator[str]:
    yield "# Event classes\n\n"
    yield "Every row also carries `path` and `line`, `frame` or `byte_offset`, and in the views `asset`.\n"
    for event_class in EVENT_CLASSES.values():
        ocsf = f"OCSF {event_class.ocsf_uid}" if event_class.ocsf_uid else "extension of ours"
        yield f"\n## {event_class.name}\n\n{event_class.meaning} ({ocsf})\n\n"
        yield "| column | type | unit | meaning |\n|---|---|---|---|\n"
        for column in event_class.columns:
            unit = column.unit.replace("|", "\\|")
            yield f"| `{column.name}` | {column.type} | {unit} | {column.meaning} |\n"


def _relations() -> Iterator[str]:
    yield "\n## Beside the event classes\n\nQueries may also read these.\n\n"
    yield "| relation | of | columns | meaning |\n|---|---|---|---|\n"
    for each in RELATIONS:
        columns = "those stored" if len(each.columns) > 10 else ", ".join(f"`{name}`" for name in each.columns)
        yield f"| `{each.name}` | {f'`{each.of}`' if each.of else ''} | {columns} | {each.meaning} |\n"


def _exit_codes() -> str:
    rows = "\n".join(f"| {code} | {meaning} |" for code, meaning in MEANINGS)
    return f"# Exit codes\n\n| code | meaning |\n|---|---|\n{rows}\n"


def main() -> int:
    """Writes the pages, removing those of units that are gone."""
    wanted = pages()
    for folder in ("sources", "detections"):
        for stale in (REFERENCE / folder).glob("*.md"):
            if f"{folder}/{stale.name}" not in wanted:
                stale.unlink()
    for name, text in wanted.items():
        path = REFERENCE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    sys.stdout.write(f"wrote {len(wanted)} pages to docs/reference\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
