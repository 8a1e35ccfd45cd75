"""Building findings: identity, evidence rows and entities, the same way in every unit."""

from __future__ import annotations

import hashlib
import ipaddress
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from davylamp.kit.detection import Row
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import (
    EVIDENCE_SHOWN_COUNT,
    AssetRef,
    Evidence,
    Finding,
    Observable,
    Series,
)
from davylamp.model.severity import Confidence, Severity
from davylamp.model.usage import ComputeUsage


def finding_uid(unit: str, assets: Iterable[AssetRef], fact_key: str) -> str:
    """Stable identity of a fact: sixteen hex digits over unit, assets and the fact's own key."""
    names = "\x1f".join(f"{asset.kind}:{asset.name}" for asset in sorted(assets))
    return hashlib.sha256(f"{unit}\x1e{names}\x1e{fact_key}".encode()).hexdigest()[:16]


def candidates(rows: Sequence[Row], *keys: str) -> Iterator[tuple[Row, list[Row]]]:
    """Groups query rows by the candidate's key columns, in a stable order.

    Yields:
        The first row of each candidate and all its rows, ordered by origin.
    """
    grouped: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        grouped.setdefault(tuple(row[key] for key in keys), []).append(row)
    for key in sorted(grouped, key=lambda values: tuple(str(value) for value in values)):
        members = sorted(grouped[key], key=_origin_order)
        yield members[0], members


def _origin_order(row: Row) -> tuple[str, int, int, int]:
    get = row.get
    return (
        str(get("path", "")),
        _integer(get("line")) or 0,
        _integer(get("frame")) or 0,
        _integer(get("byte_offset")) or 0,
    )


def evidence_of(rows: Iterable[Row], columns: Sequence[str]) -> tuple[Evidence, ...]:
    """Evidence for the first records, with the named columns as plain values."""
    cited: list[Evidence] = []
    for row in rows:
        if len(cited) == EVIDENCE_SHOWN_COUNT:
            break
        cited.append(
            Evidence(
                path=str(row["path"]),
                line=_integer(row.get("line")),
                frame=_integer(row.get("frame")),
                byte_offset=_integer(row.get("byte_offset")),
                columns={name: value for name in columns if (value := row.get(name)) is not None},
            )
        )
    return tuple(cited)


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) else None


def instant(value: object) -> datetime:
    """A query's timestamp as an aware UTC instant.

    Raises:
        TypeError: the query gave something else.
    """
    if not isinstance(value, datetime):
        raise TypeError(f"expected a timestamp from the query, got {type(value).__name__}")
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def is_address(text: str) -> bool:
    """Whether a text is an IP address, so that it can be linked as one.

    >>> is_address("2001:db8::1"), is_address("mail.example.org")
    (True, False)
    """
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def number_of(row: Row, column: str) -> float:
    """A column's number; 0 where it is null or no finite number.

    Raises:
        KeyError: the query has no such column.
    """
    value = row[column]
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


def whole_of(row: Row, column: str) -> int:
    """A column's number without its fraction; 0 where it is null or no finite number.

    Raises:
        KeyError: the query has no such column.
    """
    value = row[column]
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0


def build_finding(
    meta: DetectionMeta,
    *,
    fact_key: str,
    assets: Sequence[AssetRef],
    because: str,
    first_seen: datetime,
    last_seen: datetime,
    llr: float,
    confidence: Confidence,
    evidence: Sequence[Evidence],
    evidence_count: int | None = None,
    observables: Iterable[Observable] = (),
    entities: Iterable[str] = (),
    severity: Severity | None = None,
    title: str | None = None,
    fact: bool = False,
    compute: Sequence[ComputeUsage] = (),
    series: Sequence[Series] = (),
) -> Finding:
    """A finding of `meta`'s unit; `fact_key` tells this fact from the unit's others on the asset.

    Assets are linked as entities by themselves; name other links (`ip:`, `principal:`, `access_key:`, `instance:`,
    `account:`, `remote:`, and `answer:` for where a name led) in `entities`. A sentence's last full stop is dropped:
    reports list them.
    """
    links = {f"{asset.kind}:{asset.name}" for asset in assets} | set(entities)
    return Finding(
        uid=finding_uid(meta.uid, assets, fact_key),
        unit=meta.uid,
        title=title or meta.title,
        group=meta.group,
        severity=meta.severity if severity is None else severity,
        confidence=confidence,
        llr=llr,
        stage=meta.stage,
        fact=fact,
        techniques=meta.techniques,
        assets=tuple(assets),
        observables=tuple(sorted(set(observables))),
        first_seen=first_seen,
        last_seen=last_seen,
        because=because.removesuffix("."),
        evidence=tuple(evidence[:EVIDENCE_SHOWN_COUNT]),
        evidence_count=len(evidence) if evidence_count is None else evidence_count,
        entities=tuple(sorted(links)),
        compute=tuple(compute),
        series=tuple(series),
    )
