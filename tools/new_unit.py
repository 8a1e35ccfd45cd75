"""Scaffolds a unit: a folder that imports, with cases that fail until the author writes it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

CATALOG = Path(__file__).resolve().parent.parent / "src" / "davylamp" / "catalog"
_NAME = re.compile(r"[a-z][a-z0-9_]{2,60}")

_DETECTION = '''"""{title}."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Technique
from davylamp.model.severity import Confidence, Severity


class {class_name}(Detection):
    """One sentence: what was seen.

    What it sees.
        Say it in the words of somebody who reads the evidence.

    Why it matters.
        Say what it costs when it is true.

    How it decides.
        Name every threshold and where its number comes from.

    What it misses.
        Name the evasion, and write a misses_ case for it.

    What looks like it and is not.
        Name the near miss, and write a quiet_on_ case for it.

    What to do.
        Name the next step.

    References.
        Papers, pages, measurements.
    """

    meta: ClassVar[DetectionMeta] = DetectionMeta(
        uid="{name}",
        title="{title}",
        group="name",
        stage="mining",
        severity=Severity.MEDIUM,
        techniques=(Technique("T1496.001", "Compute Hijacking"),),
        reads=("dns_activity",),
        maturity="experimental",
    )
    params: ClassVar[Mapping[str, object]] = {{"min_count": 1}}

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per asset."""
        for first, rows in candidates(candidates_rows, "asset"):
            yield build_finding(
                self.meta,
                fact_key="fact",
                assets=[AssetRef("host", str(first["asset"]))],
                because=f"{{first['asset']}} did it {{len(rows)}} times",
                first_seen=min(instant(row["time"]) for row in rows),
                last_seen=max(instant(row["time"]) for row in rows),
                llr=1.0,
                confidence=Confidence.LOW,
                evidence=evidence_of(rows, ("query_name",)),
            )
'''
_QUERY = """SELECT asset, time, query_name, path, line, frame, byte_offset
FROM dns_activity
WHERE query_name = 'write.the.query.example' AND $min_count > 0
"""
_SOURCE = '''"""{title}."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from davylamp.kit.metadata import SourceMeta
from davylamp.kit.sample import Sample
from davylamp.kit.source import SqlPlan, SqlSource


class {class_name}(SqlSource):
    """One sentence: what it reads.

    What it reads.
        The format and its variants.

    What it gives.
        The event classes.

    What it leaves out.
        What it does not read, and what becomes of it.

    References.
        Where the format is written down.
    """

    meta: ClassVar[SourceMeta] = SourceMeta(
        uid="{name}",
        title="{title}",
        formats=("lines that say EXAMPLE",),
        event_classes=("authentication",),
        maturity="experimental",
    )

    def recognize(self, sample: Sample) -> float:
        """By content, never by name."""
        return 0.0

    def plan(self, sample: Sample, modified_at: datetime) -> SqlPlan:
        """One SELECT over the lines."""
        return SqlPlan("lines", {{"authentication": "SELECT line, byte_offset, 'write me' AS reject FROM records"}})
'''


def main(arguments: list[str]) -> int:
    """Writes the folder; refuses a name that is taken or that says nothing."""
    kind, name = (*arguments, "", "")[:2]
    plural = f"{kind}s"
    if kind not in ("detection", "source") or not _NAME.fullmatch(name):
        sys.stderr.write("usage: make new KIND=detection|source NAME=lower_case_name_of_what_is_seen\n")
        return 2
    folder = CATALOG / plural / name
    if folder.exists():
        sys.stderr.write(f"{folder} exists already\n")
        return 2
    title = name.replace("_", " ").capitalize()
    class_name = "".join(word.capitalize() for word in name.split("_"))
    cases = folder / "cases"
    cases.mkdir(parents=True)
    (folder / "__init__.py").write_text(f'"""{title}."""\n', encoding="utf-8")
    template = _DETECTION if kind == "detection" else _SOURCE
    (folder / "unit.py").write_text(template.format(title=title, class_name=class_name, name=name), encoding="utf-8")
    if kind == "detection":
        (folder / "query.sql").write_text(_QUERY, encoding="utf-8")
    (cases / "fires_on_write_me.log").write_text("write the evidence this unit fires on\n", encoding="utf-8")
    (cases / "quiet_on_write_me.log").write_text("write its near miss\n", encoding="utf-8")
    sys.stdout.write(f"wrote {folder}\nnow: .venv/bin/python -m pytest tests/catalog -k {name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
