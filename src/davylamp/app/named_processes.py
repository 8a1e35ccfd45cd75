"""What the evidence knows of the processes that findings name: the record that shows each, and what it has used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from davylamp.kit.detection import Row
from davylamp.kit.engine import Engine
from davylamp.kit.findings import instant, number_of, whole_of
from davylamp.kit.processes import process_asset, process_evidence, process_named, process_started_at
from davylamp.model.finding import EVIDENCE_SHOWN_COUNT, AssetRef, Evidence, Finding
from davylamp.model.usage import ComputeUsage

RECORD_COLUMNS = ("lineage", "container_uid", "image_state", "working_folder")
# A kernel's count of seconds before the window looked at is told apart from it only when it lasted this long.
BEFORE_LEAST_S = 1.0

Key = tuple[str, AssetRef]

# Arguments may be wiped later: the longest that were seen tell most.
_RECORDS = """
SELECT * FROM (
  SELECT
    asset, time, activity, process_pid, process_started_at, parent_process_pid, process_name, image_path, command_line,
    user_name, lineage, container_uid, image_state, working_folder, cpu_user_s, cpu_system_s, path, line, byte_offset,
    max(time) OVER (PARTITION BY asset, process_pid, process_started_at) AS last_at,
    max(cpu_user_s + cpu_system_s) OVER (PARTITION BY asset, process_pid, process_started_at) AS whole_cpu_s,
    max(CASE WHEN activity = 'terminate' THEN time END) OVER (
      PARTITION BY asset, process_pid, process_started_at
    ) AS ended_at,
    row_number() OVER (
      PARTITION BY asset, process_pid, process_started_at
      ORDER BY CASE WHEN activity = 'terminate' THEN 1 ELSE 0 END, length(coalesce(command_line, '')) DESC, time, path,
        byte_offset
    ) AS place
  FROM process_activity
  WHERE process_pid IN ({pids})
) WHERE place = 1
"""
# Workers count with the process of the same program that made them.
_USAGE = """
WITH named AS (
  SELECT asset, process_pid, process_started_at, max(parent_process_pid) AS parent_process_pid,
    max(image_path) AS image_path
  FROM process_activity
  WHERE process_pid IS NOT NULL AND process_started_at IS NOT NULL
  GROUP BY asset, process_pid, process_started_at
),
member AS (
  SELECT asset, process_pid, process_started_at, process_pid AS member_pid, process_started_at AS member_started_at
  FROM named WHERE process_pid IN ({pids})
  UNION ALL
  SELECT parent.asset, parent.process_pid, parent.process_started_at, child.process_pid, child.process_started_at
  FROM named AS parent
  JOIN named AS child ON child.asset = parent.asset AND child.parent_process_pid = parent.process_pid
    AND child.image_path = parent.image_path AND child.process_started_at >= parent.process_started_at
  WHERE parent.process_pid IN ({pids})
)
SELECT
  member.asset, member.process_pid, member.process_started_at,
  sum(used.cpu_user_s + used.cpu_system_s) AS cpu_s, min(used.time) AS first_at, max(used.end_time) AS last_at,
  count(DISTINCT member.member_pid) AS members_count,
  max(used.cpu_allowed_count) AS cpu_allowed_count, max(machine.cpu_count) AS cpu_count
FROM member
JOIN process_usage AS used ON used.asset = member.asset AND used.process_pid = member.member_pid
  AND used.process_started_at = member.member_started_at
LEFT JOIN (SELECT asset, max(cpu_count) AS cpu_count FROM resource_usage GROUP BY asset) AS machine
  ON machine.asset = member.asset
GROUP BY member.asset, member.process_pid, member.process_started_at
"""


@dataclass(frozen=True)
class _Known:
    records: Mapping[Key, Row]
    usages: Mapping[Key, tuple[ComputeUsage, ...]]


def with_named_processes(findings: Sequence[Finding], engine: Engine) -> tuple[Finding, ...]:
    """The findings, each with the record of the process it names and, where it mines, with what that has used."""
    pids = sorted({pid for finding in findings for process in _processes(finding) if (pid := _pid(process))})
    if not pids:
        return tuple(findings)
    known = _known(engine, pids)
    return tuple(_with_usage(_with_record(finding, known), known) for finding in findings)


def _known(engine: Engine, pids: Sequence[int]) -> _Known:
    listed = ", ".join(map(str, pids))
    records = {_key(row): row for row in engine.rows(_RECORDS.format(pids=listed))}
    used = {_key(row): row for row in engine.rows(_USAGE.format(pids=listed))}
    return _Known(records, {key: tuple(_usages(row, records.get(key))) for key, row in used.items()})


def _with_record(finding: Finding, known: _Known) -> Finding:
    """Cites the process's own record first, where the finding's evidence does not say whose image and arguments.

    Where it cites that record, all that the record tells of the process stands there.
    """
    told = {_place(row): row for key in _keys(finding) if (row := known.records.get(key)) is not None}
    finding = replace(finding, evidence=tuple(_told_in_full(item, told) for item in finding.evidence))
    if any("image_path" in item.columns or "command_line" in item.columns for item in finding.evidence):
        return finding
    rows = list(told.values())
    cited = (*process_evidence(rows, RECORD_COLUMNS), *finding.evidence)
    return replace(finding, evidence=cited[:EVIDENCE_SHOWN_COUNT], evidence_count=finding.evidence_count + len(rows))


def _told_in_full(item: Evidence, told: Mapping[tuple[object, ...], Row]) -> Evidence:
    row = told.get((item.path, item.line, item.byte_offset))
    if row is None:
        return item
    [whole] = process_evidence([row], RECORD_COLUMNS)
    return replace(item, columns={**whole.columns, **item.columns})


def _place(row: Row) -> tuple[object, ...]:
    return str(row["path"]), row.get("line"), row.get("byte_offset")


def _with_usage(finding: Finding, known: _Known) -> Finding:
    named = list(_keys(finding))
    counted = [key for key in named if not _counted_with_its_maker(key, named, known)]
    measured = tuple(usage for key in counted for usage in known.usages.get(key, ()))
    return replace(finding, compute=measured) if measured and finding.stage == "mining" else finding


def _counted_with_its_maker(key: Key, named: Sequence[Key], known: _Known) -> bool:
    """Whether this is a worker whose maker is named as well: what it used is in the maker's usage already."""
    record = known.records.get(key)
    makers = [known.records[each] for each in named if each != key and each in known.records]
    return record is not None and any(
        maker["process_pid"] == record["parent_process_pid"] and maker["image_path"] == record["image_path"]
        for maker in makers
    )


def _usages(used: Row, record: Row | None) -> Iterable[ComputeUsage]:
    """What it burns now, as measured in the windows looked at, and what it had burned before, as the kernel counted."""
    cpu_count = number_of(used, "cpu_count") or number_of(used, "cpu_allowed_count") or 1.0
    first_at, last_at = instant(used["first_at"]), instant(used["last_at"])
    length_s = (last_at - first_at).total_seconds()
    if length_s <= 0:
        return
    cpu_ratio = number_of(used, "cpu_s") / length_s
    named = process_named(used if record is None else record)
    workers = whole_of(used, "members_count") - 1
    team = f" and {workers} worker{'s' if workers > 1 else ''}" if workers > 0 else ""
    now = ComputeUsage(
        model="stolen",
        asset=str(used["asset"]),
        started_at=first_at,
        ended_at=None if record is None or record["ended_at"] is None else instant(record["ended_at"]),
        vcpu=cpu_count,
        share_ratio=round(min(1.0, cpu_ratio / cpu_count), 4),
        resource=process_asset(used).name,
        basis=f"{named}{team} used {cpu_ratio:.2f} of {cpu_count:g} CPUs in the window looked at",
    )
    yield now
    started_at = process_started_at(used)
    before_s = (first_at - started_at).total_seconds() if started_at is not None else 0.0
    if record is None or started_at is None or before_s < BEFORE_LEAST_S:
        return
    # The kernel's count is of the last record, which may lie in the window.
    within_s = min(length_s, max(0.0, (instant(record["last_at"]) - first_at).total_seconds()))
    whole_s = number_of(record, "whole_cpu_s") - cpu_ratio * within_s
    share = now.share_ratio if whole_s <= 0 and workers > 0 else round(min(1.0, whole_s / before_s / cpu_count), 4)
    if share and share > 0:
        said = f"{named} had used {max(0.0, whole_s):,.0f} s of CPU before" if whole_s > 0 else now.basis
        yield replace(now, started_at=started_at, ended_at=first_at, share_ratio=share, basis=said)


def _processes(finding: Finding) -> list[AssetRef]:
    return [asset for asset in finding.assets if asset.kind == "process"]


def _keys(finding: Finding) -> list[Key]:
    hosts = [asset.name for asset in finding.assets if asset.kind == "host"]
    return [(host, process) for host in hosts for process in _processes(finding)]


def _key(row: Row) -> Key:
    return str(row["asset"]), process_asset(row)


def _pid(process: AssetRef) -> int:
    text = process.name.partition("@")[0]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
