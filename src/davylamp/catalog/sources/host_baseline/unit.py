"""An approved baseline: what a host is meant to have, one JSON object."""

from __future__ import annotations

import re
from datetime import datetime
from typing import ClassVar

from davylamp.kit.engine import literal
from davylamp.kit.metadata import SourceMeta
from davylamp.kit.sample import Sample
from davylamp.kit.source import SqlPlan, SqlSource
from davylamp.model.baseline import ANY, NEED_LISTS, RANDOM, SCHEMA

_STATED = re.compile(r'"schema"\s*:\s*"' + re.escape(SCHEMA) + '"')
_TEXTS = ("name", "value", "protocol", "exposure", "image_path", "item_kind", "file_path", "user_name", "sha256")
_CARRIED = "line, byte_offset, time, device_name, approved_by"


class HostBaseline(SqlSource):
    """Reads the baseline that somebody approved for a host.

    What it reads.
    `davylamp.baseline/1`: one JSON object with `device_name`, `approved_at`, `approved_by` and lists of entries
    (`services`, `listening_ports`, `resolvers`, `name_sources`, `routes`, `startup_items`, `authorized_keys`,
    `user_accounts`). `davylamp baseline approve` writes it; it may be edited and kept with the host's configuration.

    What it gives.
    `declared_need`: one row an entry, of the instant of the approval, and one row of kind `list` for each list that the
    file has, so that an empty list (nothing is needed) and an absent one (nothing was said) differ. A port is a number,
    `random` (one that the kernel gives: it differs after each start) or `any`.

    What it leaves out.
    An entry that lacks what names it, or whose port is no port, and an object without an instant of approval are
    rejects. Keys that are not known are passed over.

    References.
    docs/how-to/baseline.md
    """

    meta: ClassVar[SourceMeta] = SourceMeta(
        uid="host_baseline",
        title="Approved baseline of a host",
        formats=(SCHEMA,),
        event_classes=("declared_need",),
        references=("docs/how-to/baseline.md",),
    )

    def recognize(self, sample: Sample) -> float:
        """Sure when an object states the schema."""
        return 1.0 if sample.starts_json and _STATED.search(sample.text[:4096]) else 0.0

    def plan(self, sample: Sample, modified_at: datetime) -> SqlPlan:
        """The object is parsed once, its lists are unfolded, each entry is checked."""
        parsed = f"""SELECT line, byte_offset, entry,
            TRY_CAST(json_extract_string(entry, '$.approved_at') AS TIMESTAMP) AS time,
            coalesce(json_extract_string(entry, '$.device_name'), 'unknown host') AS device_name,
            json_extract_string(entry, '$.approved_by') AS approved_by, CASE
                WHEN entry IS NULL OR json_type(entry) <> 'OBJECT' THEN 'not a JSON object'
                WHEN coalesce(json_extract_string(entry, '$.schema'), '') <> {literal(SCHEMA)}
                THEN 'an object that is no baseline of this version'
                WHEN TRY_CAST(json_extract_string(entry, '$.approved_at') AS TIMESTAMP) IS NULL
                THEN 'a baseline without the instant of its approval (approved_at)' END AS reject
            FROM (SELECT line, byte_offset, TRY_CAST(text AS JSON) AS entry FROM records WHERE trim(text) <> '')"""
        unfolded = " UNION ALL ".join(
            part
            for each in NEED_LISTS
            for part in (
                _listed(each.kind, "list", f"{literal(each.kind)} AS name", each.name),
                _entries(each.name, each.kind, each.required),
            )
        )
        staged = f"""WITH parsed AS ({parsed})
            SELECT {_CARRIED}, NULL AS kind, NULL AS item, NULL AS name, reject FROM parsed WHERE reject IS NOT NULL
            UNION ALL {unfolded}"""
        return SqlPlan(relation="json_records", staged=staged, selects={"declared_need": _SELECT})


def _listed(kind: str, as_kind: str, name: str, list_name: str) -> str:
    """A row that says that the file has the list."""
    place = literal(f"$.{list_name}")
    return f"""SELECT {_CARRIED}, {literal(as_kind)} AS kind, NULL AS item, {name},
        CASE WHEN json_type(entry, {place}) <> 'ARRAY' THEN {literal(f"{list_name} is no list ({kind})")} END AS reject
        FROM parsed WHERE reject IS NULL AND json_type(entry, {place}) IS NOT NULL"""


def _entries(list_name: str, kind: str, required: tuple[str, ...]) -> str:
    missing = " ".join(
        f"WHEN coalesce(json_extract_string(item, '$.{key}'), '') = '' "
        f"THEN {literal(f'an entry of {list_name} without {key}')}"
        for key in required
    )
    port = ""
    if "port" in required:
        given = "json_extract_string(item, '$.port')"
        port = f"""WHEN lower({given}) NOT IN ({literal(RANDOM)}, {literal(ANY)})
            AND coalesce(TRY_CAST({given} AS INTEGER), 0) NOT BETWEEN 1 AND 65535
            THEN concat('no port: ', left({given}, 40))"""
    return f"""SELECT {_CARRIED}, {literal(kind)} AS kind, item, json_extract_string(item, '$.name') AS name, CASE
            WHEN item IS NULL OR json_type(item) <> 'OBJECT'
            THEN {literal(f"an entry of {list_name} that is no object")}
            {missing} {port} END AS reject
        FROM (SELECT {_CARRIED}, unnest(TRY_CAST(json_extract(entry, '$.{list_name}') AS JSON[])) AS item
            FROM parsed WHERE reject IS NULL)"""


_SELECT = f"""SELECT {_CARRIED}, kind, name,
    {", ".join(f"json_extract_string(item, '$.{key}') AS {key}" for key in _TEXTS if key not in ("name", "value"))},
    CASE WHEN kind = 'listening_port' AND TRY_CAST(json_extract_string(item, '$.port') AS INTEGER) IS NULL
        THEN lower(json_extract_string(item, '$.port')) ELSE json_extract_string(item, '$.value') END AS value,
    TRY_CAST(json_extract_string(item, '$.port') AS INTEGER) AS port
    FROM staged WHERE reject IS NULL"""
