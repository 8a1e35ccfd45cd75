"""The words and figures that the terminal and the page say alike, drawn from the scan document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from davylamp.model.coverage import COULD_NOT_LOOK, PARTIAL, READ, UNREADABLE, UNRECOGNIZED
from davylamp.units import format_usd

Record = Mapping[str, Any]

STATE_WORDS = {READ: "read", PARTIAL: "read in part", UNRECOGNIZED: "not recognised", UNREADABLE: "unreadable"}
STAGE_WORDS = {
    "reconnaissance": "probing",
    "access": "break-in",
    "discovery": "look around",
    "preparation": "preparation",
    "impairment": "blinding",
    "persistence": "foothold",
    "mining": "mining",
    "impact": "impact",
    "follow_on": "follow-on",
}
_GAPS_FIRST = (UNREADABLE, PARTIAL, UNRECOGNIZED, READ)
NO_ENTRY_POINT = "The evidence does not say."
NOT_CLEAN = "What could not be looked at is not clean: it is unknown."


@dataclass(frozen=True, slots=True)
class Money:
    """One incident's figures, or the sum over many.

    Args:
        runs: whether anything still costs by the hour.
        between: the bounds; empty where they are the same.
    """

    runs: bool
    run_rate: str
    so_far: str
    next_24h: str
    between: str
    split: str


def instant_of(text: str) -> datetime:
    """The instant a document writes as ISO text."""
    return datetime.fromisoformat(text)


def moment(text: str) -> str:
    """An instant for people: 2026-03-14 02:09:00."""
    return instant_of(text).strftime("%Y-%m-%d %H:%M:%S")


def span_s(record: Record) -> float:
    """Seconds from a record's `first_seen` to its `last_seen`."""
    return (instant_of(record["last_seen"]) - instant_of(record["first_seen"])).total_seconds()


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun: 1 file, 2 files."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def percent(ratio: float) -> str:
    """A probability for people, never rounded up to certainty."""
    if ratio > 0.999:
        return "over 99.9 %"
    return f"{ratio * 100:.1f} %".replace(".0 %", " %")


def asset_names(assets: Iterable[Record], shown_count: int = 6) -> str:
    """Assets by name; an account says that it is one."""
    named = [item["name"] if item["kind"] == "host" else f"{item['kind']} {item['name']}" for item in assets]
    rest_count = len(named) - shown_count
    return ", ".join(named[:shown_count]) + (f" and {rest_count} more" if rest_count > 0 else "")


def money(costs: Sequence[Record]) -> Money:
    """The figures of one or more incidents' costs, as text."""

    def total(key: str) -> float:
        return sum(float(cost[key] or 0) for cost in costs)

    billed_usd, lost_usd = total("billed_extra_usd"), total("capacity_lost_usd")
    low, high = format_usd(total("low_usd")), format_usd(total("high_usd"))
    return Money(
        runs=total("run_rate_usd_per_hour") > 0,
        run_rate=format_usd(total("run_rate_usd_per_hour")),
        so_far=format_usd(billed_usd + lost_usd),
        next_24h=format_usd(total("exposure_24h_usd")),
        between="" if low == high else f"between {low} and {high}",
        split=f"{format_usd(billed_usd)} on the bill, {format_usd(lost_usd)} in stolen capacity",
    )


def place(cited: Record) -> str:
    """Where a cited record stands: evidence/auth.log line 118."""
    for key, word in (("line", "line"), ("frame", "packet"), ("offset", "byte")):
        if key in cited:
            return f"{cited['path']} {word} {cited[key]}"
    return str(cited["path"])


def column_text(value: object) -> str:
    """A column's value as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(column_text(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={column_text(inner)}" for key, inner in value.items())
    return str(value)


def loose_findings(scan: Record) -> list[Record]:
    """Findings that are part of no incident, strongest evidence first."""
    taken = {uid for incident in scan["incidents"] for uid in incident["findings"]}
    loose = [item for item in scan["findings"] if item["uid"] not in taken]
    return sorted(loose, key=lambda item: (-(item["llr"] or 0), item["first_seen"], item["uid"]))


def headline(scan: Record) -> str:
    """What was found, in a sentence."""
    incidents = scan["incidents"]
    if not incidents:
        return "No incident found." if any_read(scan) else "Nothing could be read."
    figures = money([incident["cost"] for incident in incidents])
    cost = f"{figures.run_rate} an hour" if figures.runs else f"{figures.so_far} so far"
    return f"{plural(len(incidents), 'incident')}, {cost}."


def any_read(scan: Record) -> bool:
    """Whether any evidence was read at all."""
    return any(row["state"] in (READ, PARTIAL) for row in scan["coverage"])


def not_looked(scan: Record) -> list[Record]:
    """The detections that could not look."""
    return [look for look in scan["looks"] if look["outcome"] == COULD_NOT_LOOK]


def coverage_sentence(scan: Record) -> str:
    """How much of the evidence was read."""
    rows = scan["coverage"]
    states = [min((row["state"] for row in same), key=_GAPS_FIRST.index) for same in alike(rows, "path")]
    parts = [f"{plural(len(states), 'file')}: {states.count(READ):,} read"]
    parts += [f"{states.count(state):,} {STATE_WORDS[state]}" for state in (PARTIAL, UNRECOGNIZED, UNREADABLE)]
    kept_count = sum(count for row in rows for count in row["event_classes"].values())
    rejected_count = sum(row["rejected_count"] for row in rows)
    rejected = f"{plural(rejected_count, 'record')} rejected"
    return ", ".join(parts) + f"; {plural(kept_count, 'event row')} kept, {rejected}."


def files_count(scan: Record) -> int:
    """How many files there are; a file of which two sources read their own lines has two rows."""
    return len({row["path"] for row in scan["coverage"]})


def gaps_count(scan: Record) -> int:
    """How many files were not read whole and how many detections could not look."""
    gaps = [row for row in scan["coverage"] if row["state"] != READ or row["rejected_count"]]
    return len(not_looked(scan)) + len(gaps)


def what_none_means(scan: Record) -> str:
    """What it is worth that no incident was found."""
    if gaps_count(scan):
        return "That is said of what could be read and looked at only: see what was read, below."
    return "All evidence was read, and every detection could look."


def alike(records: Iterable[Record], *keys: str) -> list[list[Record]]:
    """Records grouped by what they say under the keys, in the order of their first."""
    grouped: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        grouped.setdefault(tuple(record[key] for key in keys), []).append(record)
    return list(grouped.values())


def coverage_gaps_first(scan: Record) -> list[Record]:
    """Files by how little of them was read: what a reader must know before what is well."""
    return sorted(
        scan["coverage"], key=lambda row: (_GAPS_FIRST.index(row["state"]), row["rejected_count"] == 0, row["path"])
    )
