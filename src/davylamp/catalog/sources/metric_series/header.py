"""What the head of a comma-separated series says: where its columns are and what they hold."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

_TIME_NAMES = frozenset(
    ("timestamp", "time", "date", "datetime", "date_time", "date/time", "ts", "utc", "epoch", "period", "start_time")
)
# In the order of preference: what a sample was on average says more than its extreme.
_BARE_NAMES = ("value", "average", "avg", "mean", "usage", "utilization", "percent", "p50", "maximum", "max")
_UNIT_NAMES = frozenset(("unit", "units"))
# What tells whose sample a row is, where one table lists several machines below one another.
_OWNER_NAMES = frozenset(
    ("instance", "instanceid", "host", "hostname", "machine", "node", "nodename", "server", "vm", "resourceid")
)
# "Full label" and "Label" head the two lines that the CloudWatch console writes above its columns; some downloads
# have further lines there, which say how a column was made and not what it is called.
_CONSOLE_LEADS = frozenset(("full label", "label"))
_CONSOLE_FURTHER_LEADS = frozenset(("id", "period", "stat", "statistic", "region", "unit", "namespace", "account"))
_CPU = re.compile(r"cpu", re.IGNORECASE)
# What stands after `cpu` when the number is no share in use: credits, idle time, allotments.
NOT_LOAD_PATTERN = (
    r"(?i)cpu[\w.]{0,40}[ -]?"
    r"(?:credit|idle|steal|iowait|count|cores|temp|quota|throttl|request|limit|load|reserv|second)"
    r"|(?:idle|steal|iowait)[ _-]?cpu"
)
_NOT_LOAD = re.compile(NOT_LOAD_PATTERN)
_INSTANCE = re.compile(r"\bi-[0-9a-f]{8,17}\b")
# Names of other metrics of an instance, as the console appends them to its id.
METRIC_PATTERN = r"(?i)network|disk|credit|status|memory|mem|bytes|packets|ops|latency|ebs|metadata|net"
_METRIC = re.compile(METRIC_PATTERN)
_METRIC_ALONE = frozenset(
    space + "cpu" + metric + statistic
    for space in ("", "awsec2", "ec2")
    for metric in ("", "utilization", "utilisation", "usage", "util", "percent", "used", "total")
    for statistic in ("", "average", "avg", "mean", "max", "maximum", "percent")
)
_BETWEEN_WORDS = re.compile(r"[\W_]+")
_STAMP = re.compile(r"^(?:\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[T ]\d{1,2}:\d\d.*)?|\d{9,19}(?:\.\d+)?)$")
_NUMBER = re.compile(r"^[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d{1,3})?$")
_LOOKED_AT_COUNT = 20
_HEADER_LINES_COUNT = 6
DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class ValueColumn:
    """A column of samples: its 1-based place, and what its label says."""

    place: int
    label: str
    instance_uid: str
    says_cpu: bool

    @property
    def series(self) -> str:
        """The label as a series' name; empty where it only names the metric."""
        tells_no_series = _squeezed(self.label) in _METRIC_ALONE or self.label.lower() in _BARE_NAMES
        return "" if tells_no_series else self.label


@dataclass(frozen=True)
class Table:
    """A recognised table of samples; places count from 1."""

    delimiter: str
    cell_count: int
    header_lines: tuple[str, ...]
    values: tuple[ValueColumn, ...]
    unit_place: int | None
    owner_place: int | None
    left_out: tuple[str, ...]


def _squeezed(label: str) -> str:
    return _BETWEEN_WORDS.sub("", label).lower()


def says_cpu(label: str) -> bool:
    """Whether a label says that its numbers are the use of a processor."""
    return _CPU.search(label) is not None and _NOT_LOAD.search(label) is None


def names_a_machine_alone(label: str, uid: str = "") -> bool:
    """Whether a label is an instance's id, with or without its name, and no other metric is named beside it."""
    return _INSTANCE.match(label) is not None and _METRIC.search(f"{label} {uid}") is None


def read_table(lines: Sequence[str]) -> Table | None:
    """The table that these first lines begin, or None when they begin none."""
    for delimiter in DELIMITERS:
        rows = [_cells(line, delimiter) for line in lines[:_LOOKED_AT_COUNT]]
        first = next((index for index, row in enumerate(rows) if _is_sample(row)), None)
        if first is not None and 0 < first <= _HEADER_LINES_COUNT:
            table = _table(delimiter, lines[:first], [row for row in rows[:first] if any(row)], len(rows[first]))
            if table is not None:
                return table
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    if "\x00" in line:
        return []
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _is_sample(row: Sequence[str]) -> bool:
    return len(row) > 1 and _STAMP.match(row[0]) is not None and any(_NUMBER.match(cell) for cell in row[1:])


def _table(delimiter: str, lines: Sequence[str], rows: Sequence[list[str]], count: int) -> Table | None:
    if any(row[0].lower() in _CONSOLE_LEADS for row in rows):
        rows = [row for row in rows if row[0].lower() not in _CONSOLE_FURTHER_LEADS]
    leads = {row[0].lower().replace(" ", "_") for row in rows}
    console = leads and all(row[0].lower() in _CONSOLE_LEADS or not row[0] for row in rows)
    if not console and (len(rows) != 1 or not leads <= _TIME_NAMES or len(rows[0]) != count):
        return None
    labels = [_label(rows, place) for place in range(1, count)]
    unit_place = next((place for place, label in enumerate(labels, 2) if label.lower() in _UNIT_NAMES), None)
    owner_place = next((place for place, label in enumerate(labels, 2) if _squeezed(label) in _OWNER_NAMES), None)
    named = [(place, label) for place, label in enumerate(labels, 2) if says_cpu(label)]
    bare = sorted(
        (_BARE_NAMES.index(label.lower()), place)
        for place, label in enumerate(labels, 2)
        if label.lower() in _BARE_NAMES
    )
    if named:
        values = tuple(_column(place, label, True) for place, label in named)
    elif bare:
        values = (_column(bare[0][1], labels[bare[0][1] - 2], False),)
    elif console and all(map(names_a_machine_alone, labels)):
        # A graph of one metric: the console names its columns for the machines alone.
        values = tuple(_column(place, label, False) for place, label in enumerate(labels, 2))
    else:
        return None
    taken = {value.place for value in values} | {unit_place, owner_place}
    left_out = tuple(label for place, label in enumerate(labels, 2) if place not in taken and label)
    return Table(delimiter, count, tuple(lines), values, unit_place, owner_place, left_out)


def _label(rows: Sequence[list[str]], place: int) -> str:
    """What the header lines say about a column, without what is said twice."""
    label = ""
    for row in rows:
        if place < len(row) and row[place] not in label:
            label = f"{label} {row[place]}".strip()
    return label


def _column(place: int, label: str, is_cpu: bool) -> ValueColumn:
    found = _INSTANCE.search(label)
    return ValueColumn(place, label, found.group() if found else "", is_cpu)
