"""Rows of the instance table: the bundled Parquet file, region factors, and the user's overlay."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from davylamp.errors import UsageError

COLUMNS = (
    "provider",
    "region",
    "instance_type",
    "arch",
    "vcpu",
    "memory_gib",
    "gpu_count",
    "gpu_name",
    "usd_per_hour",
    "usd_per_hour_spot",
    "baseline_pct_per_vcpu",
    "credits_per_hour",
    "surplus_usd_per_vcpu_hour",
    "price_date",
    "source",
)
_REQUIRED = ("provider", "region", "instance_type", "usd_per_hour")
_NUMBERS = frozenset(
    {
        "vcpu",
        "memory_gib",
        "gpu_count",
        "usd_per_hour",
        "usd_per_hour_spot",
        "baseline_pct_per_vcpu",
        "credits_per_hour",
        "surplus_usd_per_vcpu_hour",
    }
)
DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One row of the instance table; None where the table does not say."""

    provider: str
    region: str
    instance_type: str
    usd_per_hour: float
    usd_per_hour_spot: float | None
    vcpu: float | None
    memory_gib: float | None
    gpu_count: int
    baseline_ratio: float | None
    surplus_usd_per_vcpu_hour: float
    price_date: str
    source: str


def _row(cells: Mapping[str, object]) -> PriceRow:
    def number(name: str) -> float | None:
        value = cells.get(name)
        return float(value) if isinstance(value, int | float) else None

    baseline_pct = number("baseline_pct_per_vcpu")
    return PriceRow(
        provider=str(cells["provider"]),
        region=str(cells["region"]),
        instance_type=str(cells["instance_type"]),
        usd_per_hour=number("usd_per_hour") or 0.0,
        usd_per_hour_spot=number("usd_per_hour_spot"),
        vcpu=number("vcpu"),
        memory_gib=number("memory_gib"),
        gpu_count=int(number("gpu_count") or 0),
        baseline_ratio=None if baseline_pct is None else baseline_pct / 100.0,
        surplus_usd_per_vcpu_hour=number("surplus_usd_per_vcpu_hour") or 0.0,
        price_date=str(cells.get("price_date") or ""),
        source=str(cells.get("source") or ""),
    )


@cache
def bundled_rows(provider: str, instance_type: str) -> Mapping[str, PriceRow]:
    """Region -> row of one type; reads only the rows asked for, on first need."""
    import pyarrow.parquet as pq

    table = pq.read_table(
        DATA / "instance_prices.parquet",
        filters=[("provider", "=", provider), ("instance_type", "=", instance_type)],
    )
    rows = [_row(cells) for cells in table.to_pylist()]
    return {row.region: row for row in rows}


@cache
def aws_region_factors() -> Mapping[str, tuple[float, float, float]]:
    """Region -> median ratio to us-east-1 with its quartiles."""
    with (DATA / "aws_region_factors.csv").open(encoding="utf-8", newline="") as stream:
        return {
            row["region"]: (float(row["factor_median"]), float(row["factor_p25"]), float(row["factor_p75"]))
            for row in csv.DictReader(stream)
        }


@cache
def unit_rates() -> Mapping[str, Mapping[str, str]]:
    """Key -> row of the unit rates."""
    with (DATA / "unit_rates.csv").open(encoding="utf-8", newline="") as stream:
        return {row["key"]: row for row in csv.DictReader(stream)}


def _bad(path: Path, where: str, why: str) -> UsageError:
    hint = f"write a CSV with the columns {', '.join(_REQUIRED)}, and others of the price table where known"
    return UsageError("the price file cannot be used", where=f"{path}{where}", why=why, hint=hint)


def _overlay_cells(path: Path, line: int, record: Mapping[str | None, str | None]) -> dict[str, object]:
    if None in record:
        raise _bad(path, f", line {line}", "it has more cells than the header")
    cells: dict[str, object] = {}
    for name, text in record.items():
        value = (text or "").strip()
        if name in _NUMBERS and value:
            cells[str(name)] = _overlay_number(path, line, str(name), value)
        elif name not in _NUMBERS:
            cells[str(name)] = value
    for name in _REQUIRED:
        if cells.get(name) in (None, "") and name != "region":
            raise _bad(path, f", line {line}, column {name}", "the cell is empty")
    return cells


def _overlay_number(path: Path, line: int, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise _bad(path, f", line {line}, column {name}", f"{text!r} is no number of zero or more")
    return value


def overlay_rows(path: Path) -> Mapping[tuple[str, str, str], PriceRow]:
    """The user's own rows by provider, region (empty: any region) and type.

    Raises:
        UsageError: the file cannot be read or a cell cannot be meant; names line and column.
    """
    rows: dict[tuple[str, str, str], PriceRow] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            _check_header(path, reader.fieldnames or ())
            for record in reader:
                line = reader.line_num
                row = _row({"source": path.name, **_overlay_cells(path, line, record)})
                key = (row.provider, row.region, row.instance_type)
                if key in rows:
                    raise _bad(path, f", line {line}, column instance_type", "this machine is priced twice")
                rows[key] = row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _bad(path, "", str(error)) from error
    return rows


def _check_header(path: Path, names: Sequence[str]) -> None:
    for name in _REQUIRED:
        if name not in names:
            raise _bad(path, f", line 1, column {name}", "the column is missing")
    for name in names:
        if name not in COLUMNS:
            raise _bad(path, f", line 1, column {name}", "the price table has no such column")
