"""What is new on a host against its baseline, as a JSON document (`davylamp.drift/1`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from davylamp.model.baseline import Baseline, Entry
from davylamp.model.finding import Finding
from davylamp.report.document import Document, finding_record
from davylamp.report.json_safe import safe_text, safe_value

SCHEMA = "davylamp.drift/1"


class Gone(Protocol):
    """An entry of the baseline that a look did not see."""

    @property
    def list_name(self) -> str: ...
    @property
    def entry(self) -> Entry: ...


def drift_document(
    baseline: Baseline, findings: Iterable[Finding], gone: Sequence[Gone], refused: Iterable[tuple[str, str]]
) -> Document:
    """`new` holds findings as the scan document has them, `gone` entries as the baseline's file has them."""
    return {
        "schema": SCHEMA,
        "device_name": safe_text(baseline.device_name),
        "approved_at": safe_text(baseline.approved_at),
        "approved_by": safe_text(baseline.approved_by),
        "new": [finding_record(item) for item in sorted(findings, key=lambda item: (item.first_seen, item.uid))],
        "gone": [{"list": each.list_name, "entry": _safe(each.entry)} for each in gone],
        "could_not_look": [{"name": safe_text(name), "reason": safe_text(reason)} for name, reason in refused],
    }


def _safe(entry: Entry) -> dict[str, object]:
    return {name: safe_value(value) for name, value in entry.items()}
