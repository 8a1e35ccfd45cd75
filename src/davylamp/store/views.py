"""The views that detections read: one per event class, and the relations that several detections ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from davylamp.kit.engine import Engine
from davylamp.model.events import EVENT_CLASSES
from davylamp.store.asset_view import LOGIN, empty_view_of, view_of
from davylamp.store.case import StoredPart
from davylamp.store.owned_connections import OWNED_COLUMNS, owned_rows

# Parquet of so many bytes is some 4 MB of rows, and there are a dozen classes.
KEPT_BYTES = 256 << 10
_PEERS = """
SELECT dst_ip AS ip FROM network_activity_bare WHERE dst_ip IS NOT NULL
UNION
SELECT src_ip AS ip FROM network_activity_bare WHERE src_ip IS NOT NULL AND bytes_in > 0
"""
# Most answers are addresses: only lists that hold a name (a letter after a dot) are taken apart.
_NAMES = """
SELECT query_name AS name FROM dns_activity_stored WHERE query_name IS NOT NULL
UNION
SELECT regexp_replace(lower(t.answer), '[.]$', '') AS name
FROM (
  SELECT answers FROM dns_activity_stored WHERE regexp_matches(array_to_string(answers, ' '), '[.][A-Za-z]')
) AS d CROSS JOIN UNNEST(d.answers) AS t(answer)
WHERE regexp_matches(lower(t.answer), '[.][a-z][a-z0-9-]*[.]?$')
"""
_FILE_WRITER = """
SELECT asset, file_path, written_at, writer_pid, writer_name, writer_user_name, writer_login_user_name
FROM (
  SELECT
    asset, file_path, time AS written_at, process_pid AS writer_pid, process_name AS writer_name,
    user_name AS writer_user_name, login_user_name AS writer_login_user_name,
    row_number() OVER (PARTITION BY asset, file_path ORDER BY time DESC, path DESC, byte_offset DESC) AS place
  FROM file_activity
  WHERE activity IN ('create', 'update', 'rename') AND coalesce(status, 'success') = 'success'
) AS writings
WHERE place = 1
"""
_ENTERED = """
SELECT * FROM authentication_stored
WHERE status = 'success' AND coalesce(src_ip, src_host) IS NOT NULL
"""
_LOGIN = """
SELECT
  asset, time AS login_at, coalesce(src_ip, src_host) AS source, user_name AS login_name, peer_asset, auth_method,
  service, path, line, frame, byte_offset
FROM ({entered}) AS entered
WHERE asset IS NOT NULL
"""


def create_views(
    engine: Engine,
    parts: Mapping[str, Sequence[StoredPart]],
    tables: Mapping[str, Any],
    *,
    keep_small: bool = False,
) -> None:
    """Creates the views that detections read, over those of `create_stored_views()`.

    Beside the event classes these are the relations of `davylamp.kit.relations`. `network_activity_bare` is there
    because the joins that name assets cost several times what reading a column does; `network_peer` and `dns_name`,
    because there are far fewer addresses and names than rows, and most detections ask for a few of them.

    Args:
        tables: the assets room's Arrow tables: asset_by_path, _instance, _interface, _name, _address,
            _scoped_address. A table without rows is not joined: every query that reads a view would pay for it,
            row by row.
        keep_small: classes of few rows are read once and kept with their assets, for a new engine. Twenty detections
            over a spool of 1 MB are then planned in 0.26 s of CPU in place of 0.34, for 5 MiB (bench/README.md).
    """
    for name, table in tables.items():
        engine.unregister(name)
        engine.register(name, table)
    known = frozenset(name for name, table in tables.items() if table.num_rows)
    for name, event_class in EVENT_CLASSES.items():
        held = frozenset(column for part in parts.get(name, ()) for column in part.columns)
        rows = f"{name}_stored"
        if name == "network_activity":
            owned = bool(held and parts.get("socket_usage"))
            held |= frozenset(OWNED_COLUMNS if owned else ())
            bare = owned_rows(event_class) if owned else f"SELECT * FROM {rows}"
            rows = "network_activity_bare"
            engine.execute(f"CREATE OR REPLACE VIEW {rows} AS {bare}")
        view = view_of(event_class, known, held, rows) if held else empty_view_of(event_class)
        if keep_small and held and sum(Path(part.file).stat().st_size for part in parts[name]) <= KEPT_BYTES:
            engine.keep(name, view)
        else:
            engine.execute(f"CREATE OR REPLACE VIEW {name} AS {view}")
    engine.keep("network_peer", _PEERS)
    engine.keep("dns_name", _NAMES)
    engine.execute(f"CREATE OR REPLACE VIEW file_writer AS {_FILE_WRITER}")
    engine.execute(f"CREATE OR REPLACE VIEW login AS {_login(parts, known)}")


def _login(parts: Mapping[str, Sequence[StoredPart]], known: frozenset[str]) -> str:
    """Log-ins name both ends, attempts only the machine that was tried: there are thousands of them for each log-in."""
    held = frozenset(column for part in parts.get("authentication", ()) for column in part.columns)
    entered = view_of(EVENT_CLASSES["authentication"], known, held, f"({_ENTERED})", LOGIN)
    return _LOGIN.format(entered=entered)
