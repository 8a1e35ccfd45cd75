"""What a group may still start: its upper limit stands, whatever runs now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from davylamp.kit.audit import failed, first_text, number, request, text_of, texts
from davylamp.kit.detection import Row
from davylamp.kit.launches import GROUP_OPERATIONS, launches_of
from davylamp.model.usage import ComputeUsage

GROWING = GROUP_OPERATIONS | {"CreateNodegroup"}


def limits_of(rows: Sequence[Row], templates: Mapping[str, str]) -> Iterable[ComputeUsage]:
    """Machines that each accepted group may start beyond those it asked for or has started.

    Args:
        rows: launching calls of one principal, with those of the groups' own.
        templates: as in `launches_of`.
    """
    newest = {_group(row): row for row in rows if text_of(row, "operation") in GROWING and not failed(row)}
    for (region, name), row in newest.items():
        own = [
            launch
            for each in rows
            if text_of(each, "operation") not in GROWING
            and (text_of(each, "region"), text_of(each, "group_name")) == (region, name)
            for launch in launches_of(each, templates)
            if launch.started
        ]
        asked = launches_of(row, templates)
        kind = next((launch.instance_type for launch in (*asked, *own) if launch.instance_type), "")
        most_count = max(map(number, texts(request(row), "maxSize")), default=0)
        running_count = sum(launch.count for launch in own)
        left_count = most_count - max(running_count, sum(launch.count for launch in asked))
        if name and kind and left_count > 0:
            yield ComputeUsage(
                model="limit",
                started_at=asked[0].at,
                basis=f"{name} may grow to {most_count}",
                instance_type=kind,
                region=region,
                count=left_count,
                resource=f"limit of {region}/{name}",
            )


def _group(row: Row) -> tuple[str, str]:
    return text_of(row, "region"), first_text(request(row), "autoScalingGroupName", "nodegroupName")
