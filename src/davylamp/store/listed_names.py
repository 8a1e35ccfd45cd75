"""Which names that evidence holds an indicator may mean, found without comparing each name with each entry."""

from __future__ import annotations

from collections.abc import Sequence

from davylamp.kit.engine import Engine

_SERVER_NAMES = """
SELECT server_name, regexp_replace(regexp_replace(lower(server_name), ':[0-9]+$', ''), '[.]$', '') AS name
FROM (SELECT DISTINCT server_name FROM network_activity_bare WHERE server_name IS NOT NULL) AS written
"""
_ENTRIES = "type = 'domain' AND indicator_class IN ('pool_endpoint', 'browser_miner')"
# A name's ends of two to six labels, as entries write them.
_ENDS = [f"regexp_extract(n.name, '[^.]+([.][^.]+){{{count}}}$', 0)" for count in range(1, 6)]
_KEYS = ", ".join(["n.name", *_ENDS, *(f"'*.' || {end}" for end in _ENDS)])


def _listed(names: str, columns: Sequence[str]) -> str:
    """Few names share their last two labels with any entry; only those are worth cutting into all their ends."""
    kept = ", ".join(f"n.{column}" for column in columns)
    return f"""
WITH tails AS (
  SELECT DISTINCT regexp_extract(value, '[^.]+[.][^.]+$', 0) AS tail FROM indicator WHERE {_ENTRIES}
),
near AS (
  SELECT {kept} FROM ({names}) AS n JOIN tails AS t ON t.tail = regexp_extract(n.name, '[^.]+[.][^.]+$', 0)
),
keys AS (
  SELECT {kept}, k.value FROM near AS n CROSS JOIN UNNEST([{_KEYS}]) AS k(value)
)
SELECT DISTINCT {kept}
FROM keys AS n
JOIN (SELECT value FROM indicator WHERE {_ENTRIES}) AS i ON i.value = n.value
"""


def create_listed_names(engine: Engine) -> None:
    """Creates `listed_dns_name` and `listed_server_name` over the views of events and the relation `indicator`."""
    asked = _listed("SELECT name FROM dns_name", ("name",))
    engine.execute(f"CREATE OR REPLACE VIEW listed_dns_name AS {asked}")
    greeted = _listed(_SERVER_NAMES, ("server_name", "name"))
    engine.execute(f"CREATE OR REPLACE VIEW listed_server_name AS {greeted}")
