"""Authentication verdicts of sshd in the journal's JSON export."""

from __future__ import annotations

import json
from datetime import datetime
from typing import ClassVar

from davylamp.kit import sshd_messages
from davylamp.kit.engine import literal
from davylamp.kit.metadata import SourceMeta
from davylamp.kit.sample import Sample
from davylamp.kit.source import SqlPlan, SqlSource

_CARRIED = "line, byte_offset, time, time_inferred, device_name, process_pid, header_reject"
_SSHD = r"^(?:.*/)?sshd(?:-session|-auth)?$"
_UNIT = r"^sshd?(?:@[^/]*)?\.(?:service|socket)$"


def _field(name: str) -> str:
    """A field's text; one that appears several times in an entry is an array and reads as its JSON."""
    return f"json_extract_string(entry, '$.\"{name}\"')"


# What is not UTF-8, or holds control characters, is exported as an array of byte values.
_MESSAGE = """CASE WHEN json_type(entry, '$.MESSAGE') = 'ARRAY' THEN decode_bytes ELSE
    json_extract_string(entry, '$.MESSAGE') END"""
_BYTES_TEXT = """list_aggregate(list_transform(
    TRY_CAST(json_extract(entry, '$.MESSAGE') AS UTINYINT[]),
    lambda value: CASE WHEN value >= 32 AND value < 127 THEN chr(CAST(value AS INTEGER))
        ELSE printf('\\x%02x', CAST(value AS INTEGER)) END), 'string_agg', '')"""


def _shows_writers(sample: Sample) -> bool:
    """Whether the export holds fields in which the journal itself says who wrote an entry."""
    return any(f'"{name}"' in sample.text for name in ("_COMM", "_EXE", "_SYSTEMD_UNIT"))


class JournaldExport(SqlSource):
    """Reads sshd's verdicts from `journalctl -o json`, and believes the journal about who wrote them.

    What it reads.
    Entries of `journalctl -o json`, `-o json-pretty`, one object each. `MESSAGE` may be an
    array of byte values; bytes that are no printable ASCII then show as `\\xNN`.

    What it gives.
    `authentication` and `device_inventory`, as `sshd_syslog` does, with exact times. An entry counts as sshd's only
    when fields the journal itself wrote say so: `_COMM` or `_EXE` names sshd (or sshd-session, sshd-auth), or, where an
    export carries neither, `_SYSTEMD_UNIT` is ssh's own; and only when `_UID` is 0 or absent, or the unit is ssh's own:
    sshd gives its verdicts as root, and any user can run a program of their own under that name. `SYSLOG_IDENTIFIER` is
    the writer's own word: whoever can run `logger -t sshd` can write it. It counts only in an export that was cut down
    to fields without any of these three (`--output-fields`), which then proves as little as a plain syslog file.

    What it leaves out.
    Entries of other programs, and entries that only call themselves sshd, give no event and are no rejects: reading
    them as attempts would let a local user blame any address. Entries without a time stamp are rejects. The binary-safe
    text of `journalctl -o export` is not read.

    References.
    systemd.journal-fields(7) (fields with an underscore are added by the journal and cannot be altered by clients),
    fail2ban's manual on local users who can write to syslog.
    """

    meta: ClassVar[SourceMeta] = SourceMeta(
        uid="journald_export",
        title="sshd entries of the systemd journal",
        formats=("journalctl -o json",),
        event_classes=("authentication", "device_inventory"),
        references=("https://www.freedesktop.org/software/systemd/man/latest/systemd.journal-fields.html",),
    )

    def recognize(self, sample: Sample) -> float:
        """Sure when the journal's own time field is in the first objects."""
        if not sample.starts_json or '"__REALTIME_TIMESTAMP"' not in sample.text[:65536]:
            return 0.0
        for line in sample.lines[:20]:
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(entry, dict):
                return 0.95 if "__REALTIME_TIMESTAMP" in entry else 0.0
        return 0.7

    def plan(self, sample: Sample, modified_at: datetime) -> SqlPlan:
        """Only entries that mention sshd are parsed as JSON, and of these only the believed ones are read."""
        entries = """SELECT line, byte_offset, TRY_CAST(text AS JSON) AS entry, trim(text) = '' AS is_blank
            FROM records WHERE contains(text, 'ssh') OR NOT contains(text, '__REALTIME_TIMESTAMP')
            OR NOT ends_with(rtrim(text), '}')"""
        fields = f"""SELECT line, byte_offset, is_blank, json_type(entry) AS entry_type,
            {_field("_COMM")} AS command, {_field("_EXE")} AS executable, {_field("_SYSTEMD_UNIT")} AS unit,
            {_field("SYSLOG_IDENTIFIER")} AS identifier,
            TRY(make_timestamp(CAST(coalesce({_field("_SOURCE_REALTIME_TIMESTAMP")}, {_field("__REALTIME_TIMESTAMP")})
                AS BIGINT))) AS time,
            coalesce({_field("_UID")}, '0') AS user_id, {_field("_HOSTNAME")} AS device_name,
            TRY_CAST({_field("_PID")} AS BIGINT) AS process_pid,
            {_MESSAGE.replace("decode_bytes", _BYTES_TEXT)} AS said FROM ({entries}) AS entries"""
        own_unit = f"coalesce(regexp_matches(unit, {literal(_UNIT)}), FALSE)"
        own_word = f"coalesce(regexp_matches(identifier, {literal(_SSHD)}), FALSE)"
        believed = f"""CASE WHEN user_id <> '0' AND NOT {own_unit} THEN FALSE
            WHEN command IS NOT NULL OR executable IS NOT NULL
            THEN coalesce(regexp_matches(command, {literal(_SSHD)}), TRUE)
                AND coalesce(regexp_matches(executable, {literal(_SSHD)}), TRUE)
            ELSE {own_unit if _shows_writers(sample) else own_word} END"""
        kept = f"""(SELECT line, byte_offset, time, FALSE AS time_inferred, device_name, process_pid,
            CASE WHEN is_blank THEN NULL WHEN entry_type IS NULL OR entry_type <> 'OBJECT' THEN 'not a JSON object'
                WHEN time IS NULL THEN 'journal entry without a time' END AS header_reject,
            CASE WHEN {believed} THEN said END AS message FROM ({fields}) AS fields)"""
        # Every entry is kept here, for the selects leave the others out: a condition on the verdict would be pushed
        # below all layers and written out there, a plan of 10 MB that takes 14 s for a file of four lines.
        rows = f"""SELECT * EXCLUDE (reject, header_reject), coalesce(header_reject, reject) AS reject
            FROM ({sshd_messages.parsed(kept, _CARRIED)}) AS said"""
        return SqlPlan(
            relation="json_records",
            staged=rows,
            selects={
                "authentication": sshd_messages.attempts("staged"),
                "device_inventory": sshd_messages.inventory("staged"),
            },
        )
