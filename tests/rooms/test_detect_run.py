"""What one detection cannot do costs itself alone, and is told for what it is."""

from __future__ import annotations

from pathlib import Path

from davylamp.detect.run import run_detections
from davylamp.kit import registry
from davylamp.kit.detection import Detection
from davylamp.model.coverage import COULD_NOT_LOOK, NO
from davylamp.store.engine import MIN_MEMORY_BYTES, DuckEngine

UNITS = ("launch_dry_run", "quota_probe", "compute_launch_burst")
QUERIES = {
    "launch_dry_run": "SELECT list(range ORDER BY hash(range)) AS numbers FROM range(50_000_000)",
    "quota_probe": "SELECT * FROM no_such_relation",
    "compute_launch_burst": "SELECT 1 AS one WHERE false",
}


class AllEvidence:
    """Every class has rows."""

    def has_rows(self, event_class: str) -> bool:
        return True


def _query_of(detection: Detection) -> str:
    return QUERIES[detection.meta.uid]


def test_neither_a_defect_nor_scarce_memory_costs_the_other_detections(tmp_path: Path) -> None:
    engine = DuckEngine(MIN_MEMORY_BYTES, tmp_path)
    units = [unit for unit in registry.detections(frozenset(UNITS)) if unit.meta.uid in UNITS]
    detected = run_detections(units, _query_of, engine, AllEvidence())  # type: ignore[arg-type]
    engine.close()
    looks = {look.unit: look for look in detected.looks}
    assert looks["compute_launch_burst"].outcome == NO
    assert looks["launch_dry_run"].outcome == looks["quota_probe"].outcome == COULD_NOT_LOOK
    assert "memory" in looks["launch_dry_run"].reason
    assert detected.short_of_memory
    [failure] = detected.failures
    assert failure.startswith("quota_probe: CatalogException")
