"""Records that two files of the evidence hold: the journal and the log it feeds, a plain file and its compressed copy,
two trails of one account. Told twice, three typing errors would be a burst, and one launch two."""

from __future__ import annotations

from collections.abc import Mapping

from davylamp.kit.engine import Engine

# What is one attempt: nothing else has these in one second. Stamps differ in what they show below it.
_ATTEMPT = "device_name, process_pid, src_ip, src_port, user_name, status, auth_method, floor(epoch(time))"
# An id alone is not enough: evidence that was written by hand or by a tool may number its records anew in each file.
_CALL = "event_uid, time, account_uid, region, service, operation, src_ip, request, response"
# Whether there is anything to look for: two files that tell of one host at one time, calls whose id comes twice.
_SUSPECTED: Mapping[str, str] = {
    "authentication": """
WITH told AS (
  SELECT path, device_name, min(time) AS first_at, max(time) AS last_at FROM {rows} GROUP BY path, device_name
)
SELECT count(*) AS found_count
FROM told AS one
JOIN told AS other
  ON other.device_name = one.device_name AND other.path > one.path
  AND other.first_at <= one.last_at AND other.last_at >= one.first_at
""",
    "api_activity": "SELECT count(event_uid) - count(DISTINCT event_uid) AS found_count FROM {rows}",
}
# Within one file the same may come several times: three passwords typed in one connection.
_REPEATED = """
SELECT path, line, byte_offset
FROM (
  SELECT path, line, byte_offset, row_number() OVER (PARTITION BY {same}, nth ORDER BY path) AS place
  FROM (
    SELECT *, row_number() OVER (PARTITION BY path, {same} ORDER BY line, byte_offset) AS nth FROM {rows} WHERE {where}
  ) AS counted
) AS placed
WHERE place > 1
"""
_SAME: Mapping[str, tuple[str, str]] = {
    "authentication": (_ATTEMPT, "process_pid IS NOT NULL AND src_port IS NOT NULL"),
    "api_activity": (
        _CALL,
        "event_uid IN (SELECT event_uid FROM {rows} GROUP BY event_uid HAVING count(DISTINCT path) > 1)",
    ),
}
_WITHOUT = """
SELECT told.* FROM {rows} AS told
LEFT JOIN (SELECT DISTINCT path, line, byte_offset FROM {name}_repeat) AS again
  ON again.path = told.path AND coalesce(again.line, -1) = coalesce(told.line, -1)
  AND coalesce(again.byte_offset, -1) = coalesce(told.byte_offset, -1)
WHERE again.path IS NULL
"""


def may_repeat(name: str) -> bool:
    """Whether rows of this class are looked through for records that are told twice."""
    return name in _SUSPECTED


def without_repeats(engine: Engine, name: str, rows: str) -> str:
    """The SELECT of a relation's rows without those that another file told before.

    Args:
        name: of the event class.
        rows: the relation.
    """
    [found] = engine.rows(_SUSPECTED[name].format(rows=rows))
    if not found["found_count"]:
        return f"SELECT * FROM {rows}"
    same, where = _SAME[name]
    engine.keep(f"{name}_repeat", _REPEATED.format(same=same, rows=rows, where=where.format(rows=rows)))
    return _WITHOUT.format(rows=rows, name=name)
