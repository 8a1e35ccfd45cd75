"""Connections of a capture with the process that held them, as the host's own sensor saw it."""

from __future__ import annotations

from davylamp.model.event_class import EventClass

# A capture does not know processes; the host's own sensor saw who held the same connection at that time. It also saw
# who opened it, which a capture that joined in the middle had to guess: then both ends change places; not where both
# ends are on this host and nothing says which of them opened it.
_OWNER = """
WITH held AS (
  SELECT src_ip, src_port, dst_ip, dst_port, process_pid, process_started_at, max(process_name) AS process_name,
    max(device_name) AS device_name, min(time) AS first_at, max(time) AS last_at
  FROM socket_usage_stored
  WHERE process_pid IS NOT NULL AND direction = 'outgoing'
  GROUP BY src_ip, src_port, dst_ip, dst_port, process_pid, process_started_at
)
SELECT *, FALSE AS turned FROM held
UNION ALL
SELECT dst_ip AS src_ip, dst_port AS src_port, src_ip AS dst_ip, src_port AS dst_port, process_pid, process_started_at,
  process_name, device_name, first_at, last_at, TRUE AS turned
FROM held
WHERE NOT EXISTS (
  SELECT 1 FROM held AS other WHERE other.src_ip = held.dst_ip AND other.src_port = held.dst_port
    AND other.dst_ip = held.src_ip AND other.dst_port = held.src_port
)
"""
OWNED_COLUMNS = ("process_pid", "process_started_at", "process_name", "device_name")
# Readings come some seconds apart; the kernel gives the same four numbers to no other connection for a minute
# (TIME_WAIT), so what lies this near a reading belongs to it.
_NEARBY = "INTERVAL 60 SECONDS"
_TURNED_PAIRS = (
    ("src_ip", "dst_ip"),
    ("src_port", "dst_port"),
    ("bytes_out", "bytes_in"),
    ("packets_out", "packets_in"),
    ("payload_out", "payload_in"),
)
_TURNED = {name: other for one, two in _TURNED_PAIRS for name, other in ((one, two), (two, one))}


def owned_rows(event_class: EventClass) -> str:
    """Connections with the process that the sensor saw hold them."""
    columns = ", ".join(f'{_owned_column(column.name)} AS "{column.name}"' for column in event_class.stored)
    return f"""SELECT {columns} FROM {event_class.name}_stored c LEFT JOIN ({_OWNER}) o
        ON c.src_ip = o.src_ip AND c.src_port = o.src_port AND c.dst_ip = o.dst_ip AND c.dst_port = o.dst_port
        AND c.time <= o.last_at + {_NEARBY} AND coalesce(c.end_time, c.time) >= o.first_at - {_NEARBY}"""


def _owned_column(name: str) -> str:
    if name in OWNED_COLUMNS:
        return f'coalesce(c."{name}", o."{name}")'
    if name in _TURNED:
        return f'CASE WHEN o.turned THEN c."{_TURNED[name]}" ELSE c."{name}" END'
    if name == "message_sizes_bytes":
        return f'CASE WHEN o.turned THEN list_transform(c."{name}", lambda size: -size) ELSE c."{name}" END'
    return f'c."{name}"'
