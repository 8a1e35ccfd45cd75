"""CloudTrail records as `api_activity` rows in a database of their own, for tests of audit detections."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache

import duckdb
import pyarrow as pa

from davylamp.cost.price_book import PriceBook
from davylamp.kit.detection import Detection
from davylamp.kit.query import named, steps_of
from davylamp.kit.registry import query_of
from davylamp.model.events.api_activity import API_ACTIVITY
from davylamp.model.finding import Finding
from davylamp.model.indicator import Indicator
from davylamp.model.money import Price
from davylamp.store.asset_view import view_of

AUDIT_UNITS = (
    "audit_trail_impaired",
    "compute_launch_burst",
    "container_task_at_full_size",
    "identity_persistence",
    "launch_dry_run",
    "launch_from_unfamiliar_network",
    "quota_probe",
    "serverless_or_build_compute_burst",
    "termination_protection_on_new_instance",
    "unused_region_or_family",
)
Record = Mapping[str, object]
Others = tuple[Sequence[Record], datetime]
_NAMING_THE_ACCOUNT = ("actor", "account_uid", "request", "response")


@cache
def _book() -> PriceBook:
    return PriceBook.load()


class BookFacts:
    """Facts with the bundled prices and no indicators."""

    def match_domain(self, name: str) -> Indicator | None:
        """No indicator."""
        return None

    def match_address(self, ip: str, port: int | None) -> Indicator | None:
        """No indicator."""
        return None

    def price(self, instance_type: str, region: str, provider: str = "aws") -> Price:
        """The bundled price."""
        return _book().price(instance_type, region, provider)

    def rate_usd(self, item: str) -> float:
        """The bundled rate."""
        return _book().rate_usd(item)

    def has_rows(self, event_class: str) -> bool:
        """Audit evidence is all there is."""
        return event_class == "api_activity"

    def looks_count(self, event_class: str) -> int:
        """No host was looked at."""
        return 0


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _row(record: Record, line: int) -> dict[str, object]:
    identity = record.get("userIdentity")
    who: Mapping[str, object] = identity if isinstance(identity, dict) else {}
    moment = datetime.fromisoformat(str(record["eventTime"]).split(".")[0].replace("Z", "+00:00"))
    utc = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return {
        "time": utc,
        "actor": who.get("arn") or who.get("invokedBy") or who.get("userName"),
        "actor_type": who.get("type"),
        "access_key": who.get("accessKeyId"),
        "src_ip": record.get("sourceIPAddress"),
        "user_agent": _text(record.get("userAgent")),
        "service": record.get("eventSource"),
        "operation": record.get("eventName"),
        "region": record.get("awsRegion"),
        "account_uid": record.get("recipientAccountId") or who.get("accountId"),
        "error_code": record.get("errorCode"),
        "error_message": record.get("errorMessage"),
        "resources": [],
        "request": _json(record.get("requestParameters")),
        "response": _json(record.get("responseElements")),
        "event_uid": record.get("eventID"),
        "read_only": record.get("readOnly"),
        "path": "trail.json",
        "line": line,
        "frame": None,
        "byte_offset": None,
    }


def _schema() -> pa.Schema:
    types = {
        "TIMESTAMP": pa.timestamp("us"),
        "BIGINT": pa.int64(),
        "BOOLEAN": pa.bool_(),
        "VARCHAR[]": pa.list_(pa.string()),
    }
    return pa.schema([(column.name, types.get(column.type, pa.string())) for column in API_ACTIVITY.stored])


class Trail:
    """A database with the records as its only evidence."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._engine = duckdb.connect(config={"threads": 1})
        columns = ", ".join(f"{column.name} {column.type}" for column in API_ACTIVITY.stored)
        self._engine.execute(f"CREATE TABLE api_activity_stored ({columns})")
        self._engine.execute(f"CREATE VIEW api_activity AS {view_of(API_ACTIVITY)}")
        self._add([_row(record, line) for line, record in enumerate(records, 1)])

    @classmethod
    def of_accounts(cls, account: str, own_work: Sequence[Record], others: Mapping[str, Others]) -> Trail:
        """An organisation's trail: the same work in each account, and what others do there, both up to an instant.

        Args:
            account: where `own_work` was recorded.
            others: account -> what others do there, and the instant.
        """
        trail = cls(own_work)
        ends = [{"account": each, "until": until.replace(tzinfo=None)} for each, (_, until) in others.items()]
        trail._engine.register("ends", pa.Table.from_pylist(ends))
        moved = ", ".join(f"replace({name}, '{account}', account) AS {name}" for name in _NAMING_THE_ACCOUNT)
        trail._engine.execute(
            f"CREATE TABLE moved AS SELECT stored.* REPLACE ({moved}) FROM api_activity_stored AS stored, ends "
            "WHERE time < until"
        )
        trail._engine.execute("DELETE FROM api_activity_stored")
        trail._engine.execute("INSERT INTO api_activity_stored FROM moved")
        for records, until in others.values():
            seen = [record for record in records if str(record["eventTime"]) < f"{until:%Y-%m-%dT%H:%M:%SZ}"]
            trail._add([_row(record, line) for line, record in enumerate(seen, len(own_work) + 1)])
        return trail

    def _add(self, rows: Sequence[dict[str, object]]) -> None:
        if rows:
            self._engine.register("given", pa.Table.from_pylist(rows, schema=_schema()))
            self._engine.execute("INSERT INTO api_activity_stored BY NAME SELECT * FROM given")

    def findings(self, unit: Detection) -> list[Finding]:
        """The findings of one detection."""
        steps, select = steps_of(query_of(unit))
        for step in steps:
            kind = "TABLE" if step.kept else "VIEW"
            made = f"CREATE OR REPLACE TEMPORARY {kind} {step.name} AS {step.sql}"
            self._engine.execute(made, named(step.sql, unit.params))
        cursor = self._engine.execute(select, named(select, unit.params))
        names = [item[0] for item in cursor.description or ()]
        rows: Sequence[dict[str, object]] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return list(unit.judge(rows, BookFacts()))


def audit_unit(uid: str) -> Detection:
    """One audit detection by its id."""
    module = importlib.import_module(f"davylamp.catalog.detections.{uid}.unit")
    found = [member for member in vars(module).values() if inspect.isclass(member) and issubclass(member, Detection)]
    unit = next(member for member in found if member is not Detection)()
    assert isinstance(unit, Detection)
    return unit


def audit_units() -> tuple[Detection, ...]:
    """Every detection that reads control-plane calls."""
    return tuple(audit_unit(uid) for uid in AUDIT_UNITS)
