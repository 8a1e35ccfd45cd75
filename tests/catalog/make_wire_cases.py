"""Writes the wire detections' cases from seeds and parameters: `python -m tests.catalog.make_wire_cases`.

Cases that are cut from public captures are not written here; their expect files name their origin.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.catalog import wire_dialogue_cases, wire_flow_cases, wire_rhythm_cases

DETECTIONS = Path(__file__).resolve().parents[2] / "src" / "davylamp" / "catalog" / "detections"


def wire_cases() -> Iterator[tuple[Path, bytes]]:
    """Path and bytes of every case that is written from seeds."""
    for module, unit in ((wire_dialogue_cases, "mining_dialogue"), (wire_rhythm_cases, "mining_message_rhythm")):
        for cases in (module.firing(), module.quiet(), module.hard()):
            yield from ((DETECTIONS / unit / "cases" / name, content) for name, content in cases)
    for name, content in wire_flow_cases.cases():
        yield DETECTIONS / "mining_flow_candidate" / "cases" / name, content


def main() -> None:
    """Writes them all."""
    for path, content in wire_cases():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
