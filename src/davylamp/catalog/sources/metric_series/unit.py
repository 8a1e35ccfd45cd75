"""The source for series of CPU use."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import ClassVar

from davylamp.catalog.sources.metric_series.header import (
    METRIC_PATTERN,
    NOT_LOAD_PATTERN,
    Table,
    ValueColumn,
    names_a_machine_alone,
    read_table,
    says_cpu,
)
from davylamp.kit.engine import literal
from davylamp.kit.metadata import SourceMeta
from davylamp.kit.sample import Sample
from davylamp.kit.source import SqlPlan, SqlSource

_JSON_NAMES = re.compile(r'(?:"Id"\s*:\s*"([a-z][A-Za-z0-9_]{0,254})"\s*,\s*)?"Label"\s*:\s*"((?:[^"\\]|\\.){0,500})"')
_SURE, _LIKELY, _ASSUMED = 0.95, 0.8, 0.5
_LABELS_TOLD_COUNT = 5


class MetricSeries(SqlSource):
    """Reads series of CPU use in percent, from CSV files and from CloudWatch's answers.

    What it reads.
    CSV (also with semicolons or tabs) whose first column is a time and whose header names the others: `timestamp,value`
    as the Numenta benchmark and many exporters write it, `Timestamp,Average`, `time,cpu`, one column for each machine
    or one row (then a column such as `instance_id` or `host` tells whose), and the CloudWatch console's download with
    its label lines (columns that name only an instance are taken for CPU, with a note). Times are ISO 8601, `YYYY-MM-DD
    HH:MM:SS` (taken as UTC), or seconds or fractions of them since 1970. JSON as `aws cloudwatch get-metric-data` and
    `get-metric-statistics` answer.

    What it gives.
    `resource_usage`: one row a sample, `used_ratio` being the percentage over 100. `series` is the label where it says
    more than the metric's name, else null: then the file's name tells the series. `instance_uid` is taken from labels.

    What it leaves out.
    Columns and JSON series whose label names something else than CPU use (credits, idle time, bytes): a note tells
    which. A column that is only called `value` or `average` is taken for CPU percent, and a note says that this is
    assumed; where more than one sample in 1,000 exceeds 105 it is another metric (bytes, a count), and one note says
    that the whole column was left out: nothing in it is damaged. A series that says CPU and does the same is in a
    scale that is not known, and every sample is a reject. 105 is above what real exports reach (a few samples slightly
    above 100), and one in 1,000 lets a fortnight at five minutes keep its series in spite of four damaged samples.
    Another metric that stays within 0 to 105 (a temperature, a share of memory) cannot be told from CPU by its
    numbers, nor can a ratio of 0 to 1 from the percentage of an idle machine: it is read as percent, and a note says
    so. A table without a header line, and dates that begin with day or month, are not read.

    References.
    https://docs.aws.amazon.com/cli/latest/reference/cloudwatch/get-metric-data.html
    https://docs.aws.amazon.com/cli/latest/reference/cloudwatch/get-metric-statistics.html
    https://github.com/numenta/NAB
    """

    meta: ClassVar[SourceMeta] = SourceMeta(
        uid="metric_series",
        title="CPU metric series",
        formats=("CSV: time and percent", "get-metric-data JSON", "get-metric-statistics JSON"),
        event_classes=("resource_usage",),
        references=("https://docs.aws.amazon.com/cli/latest/reference/cloudwatch/get-metric-data.html",),
    )

    def recognize(self, sample: Sample) -> float:
        """Sure where a label says CPU, half sure where a column is only called value."""
        if sample.starts_json:
            return _SURE if _json_is_cpu(sample.text) else 0.0
        table = read_table(sample.lines)
        if table is None:
            return 0.0
        return _LIKELY if table.values[0].says_cpu else _ASSUMED

    def plan(self, sample: Sample, modified_at: datetime) -> SqlPlan:
        """The plan: samples are staged as text, so that each series can be judged before its samples are."""
        table = None if sample.starts_json else read_table(sample.lines)
        if table is None:
            return SqlPlan(
                "json_records",
                {"resource_usage": _samples("true")},
                staged=_sql("staged_json").replace("{not_load}", NOT_LOAD_PATTERN).replace("{metric}", METRIC_PATTERN),
                notes=_json_notes(sample.text),
                notes_select=_sql("judged") + _sql("small_scale"),
            )
        left_out = _left_out_note(table.left_out, "columns that do not say CPU are left out")
        if table.values[0].says_cpu:
            return SqlPlan(
                "lines",
                {"resource_usage": _samples("true")},
                staged=_staged_table(table),
                notes=left_out,
                notes_select=_sql("judged") + _sql("small_scale"),
            )
        note = _sql("other_metric").replace("{label}", table.values[0].label.replace("'", "''"))
        return SqlPlan(
            "lines",
            {"resource_usage": _samples("NOT judged.is_other_metric")},
            staged=_staged_table(table),
            notes=left_out,
            notes_select=_sql("judged") + note,
        )


def _json_is_cpu(text: str) -> bool:
    if '"MetricDataResults"' not in text and '"Datapoints"' not in text:
        return False
    return any(_is_cpu(uid, label) for uid, label in _JSON_NAMES.findall(text))


def _is_cpu(uid: str, label: str) -> bool:
    return says_cpu(f"{uid} {label}") or names_a_machine_alone(label, uid)


def _json_notes(text: str) -> tuple[str, ...]:
    found = _JSON_NAMES.findall(text)
    others = dict.fromkeys(label for uid, label in found if not _is_cpu(uid, label))
    assumed = dict.fromkeys(label for uid, label in found if _is_cpu(uid, label) and not says_cpu(f"{uid} {label}"))
    return (
        *_left_out_note(list(others), "series whose label and id do not say CPU are left out"),
        *_left_out_note(list(assumed), "series that are named for an instance alone are taken for CPU percent"),
    )


def _samples(kept: str) -> str:
    """The SELECT of event rows from staged samples that fulfil a condition."""
    return _sql("judged") + _sql("resource_usage").replace("{kept}", f"WHERE {kept}")


def _left_out_note(labels: list[str] | tuple[str, ...], rule: str) -> tuple[str, ...]:
    if not labels:
        return ()
    told = ", ".join(labels[:_LABELS_TOLD_COUNT])
    more = f" and {len(labels) - _LABELS_TOLD_COUNT} more" if len(labels) > _LABELS_TOLD_COUNT else ""
    return (f"{rule}: {told}{more}",)


def _staged_table(table: Table) -> str:
    """One sample a row, as text, from the lines of a table."""
    cells = [_sample(value, table) for value in table.values]
    owner = f"nullif(trim(cells[{table.owner_place}], ' \"'), '')" if table.owner_place else "NULL::VARCHAR"
    headers = ", ".join(literal(line) for line in table.header_lines)
    # In a table of several machines an empty cell is no sample; in a series of one it is a hole that must show.
    kept = "sample.value_text <> '' OR shape_fault IS NOT NULL" if len(cells) > 1 else "true"
    unit = f"trim(cells[{table.unit_place}], ' \"')" if table.unit_place else "NULL::VARCHAR"
    return f"""
WITH split AS (
  SELECT string_split(text, {literal(table.delimiter)}) AS cells, line, byte_offset
  FROM records
  WHERE text <> '' AND text NOT IN ({headers})
),
samples AS (
  SELECT
    trim(cells[1], ' "') AS time_text,
    {unit} AS unit,
    {owner} AS owner,
    CASE WHEN len(cells) <> {table.cell_count}
      THEN 'expected {table.cell_count} columns, found ' || len(cells) END AS shape_fault,
    unnest([{", ".join(cells)}]) AS sample,
    line, byte_offset
  FROM split
)
SELECT time_text, sample.value_text AS value_text, unit, nullif(concat_ws(' ', owner, sample.series), '') AS series,
  coalesce(sample.instance_uid, nullif(regexp_extract(owner, '^i-[0-9a-f]{{8,17}}$'), '')) AS instance_uid,
  shape_fault, line, byte_offset
FROM samples
WHERE {kept}
"""


def _sample(value: ValueColumn, table: Table) -> str:
    text = f"trim(cells[{value.place}], ' \"')"
    if table.delimiter == ";":
        text = f"replace({text}, ',', '.')"
    series, instance = (literal(name) if name else "NULL::VARCHAR" for name in (value.series, value.instance_uid))
    return f"struct_pack(value_text := {text}, series := {series}, instance_uid := {instance})"


@cache
def _sql(name: str) -> str:
    return (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")
