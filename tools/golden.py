"""Writes tests/golden anew: what a scan of each data set counts. `make golden`; the tests compare.

A golden file holds, sorted: files by source and state, rows by source and class, rejected records by source,
findings by detection, incidents. `benign_findings.json` sums the findings of the sets without mining.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from davylamp.app.scan import ScanRequest, ScanResult, scan
from davylamp.kit import registry
from tools.data_sets import ROOT, SETS, DataSet, data_folder

GOLDEN = ROOT / "tests" / "golden"
BENIGN = "benign_findings"
_NOBODY = "no source"


def scanned(data_set: DataSet, scratch: Path) -> ScanResult:
    """A scan of the whole set into a case below `scratch`."""
    evidence = data_set.evidence(scratch / "evidence")
    return scan(ScanRequest(paths=(str(evidence),), case_folder=scratch / "cases" / data_set.name))


def counts(data_set: DataSet, document: Mapping[str, Any]) -> dict[str, Any]:
    """What the golden file of a set holds."""
    files: dict[str, Counter[str]] = {}
    rows: dict[str, Counter[str]] = {}
    rejected: Counter[str] = Counter()
    for row in document["coverage"]:
        source = row["source"] or _NOBODY
        files.setdefault(source, Counter())[row["state"]] += 1
        if row["event_classes"]:
            rows.setdefault(source, Counter()).update(row["event_classes"])
        rejected[source] += row["rejected_count"]
    return {
        "says": data_set.says,
        "files_count": _plain(files),
        "rows_count": _plain(rows),
        "rejected_count": {source: count for source, count in sorted(rejected.items()) if count},
        "findings_count": dict(sorted(Counter(each["unit"] for each in document["findings"]).items())),
        "incidents_count": len(document["incidents"]),
    }


def benign_findings(goldens: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Detection -> findings in each set without mining, and in all; a detection that is not named has none."""
    table: dict[str, dict[str, int]] = {}
    for unit in registry.detections():
        found = {each.name: goldens[each.name]["findings_count"].get(unit.meta.uid, 0) for each in SETS if each.benign}
        if any(found.values()):
            counted = {name: count for name, count in found.items() if count}
            table[unit.meta.uid] = {"all_sets": sum(counted.values()), **counted}
    return table


def read(name: str) -> Any:
    """A golden file.

    Raises:
        OSError: it was never written.
    """
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def differences(old: Any, new: Any, where: str = "") -> Iterator[str]:
    """What changed, one sentence for each value: `rows_count.pcap.dns_activity: 12 -> 13`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from differences(old.get(key), new.get(key), f"{where}.{key}" if where else key)
    elif old != new:
        yield f"{where}: {json.dumps(old)} -> {json.dumps(new)}"


def write(name: str, content: Any) -> None:
    GOLDEN.mkdir(exist_ok=True)
    (GOLDEN / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    missing = [reason for each in SETS if (reason := each.missing())]
    if missing:
        sys.stderr.write("\n".join([*missing, f"nothing was written; DAVYLAMP_DATA is {data_folder()}"]) + "\n")
        return 1
    goldens = {}
    for each in SETS:
        with tempfile.TemporaryDirectory(prefix="davylamp-golden-") as scratch:
            goldens[each.name] = counts(each, scanned(each, Path(scratch)).document)
        write(each.name, goldens[each.name])
    write(BENIGN, benign_findings(goldens))
    return 0


def _plain(counters: Mapping[str, Counter[str]]) -> dict[str, dict[str, int]]:
    return {source: dict(sorted(counter.items())) for source, counter in sorted(counters.items())}


if __name__ == "__main__":
    sys.exit(main())
