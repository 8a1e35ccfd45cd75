"""The indicator set in use: matching by label boundary, by address, and as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from davylamp.intel.entries import bundled, load_imported
from davylamp.intel.names import normal_address, normal_name
from davylamp.model.indicator import Indicator

if TYPE_CHECKING:
    import pyarrow as pa

# Host names below a public pool that serve people, not miners: the pool's pages, its documents, its mail.
# Applied to `*.pool` entries only; a name that is listed by itself keeps its class.
# fmt: off
SITE_LABELS = frozenset(
    (
        "www", "web", "site", "home", "blog", "news", "press", "docs", "doc", "wiki", "help", "support", "faq", "kb",
        "status", "stats", "dashboard", "account", "accounts", "my", "login", "auth", "sso", "id", "forum",
        "community", "chat", "shop", "store", "app", "apps", "m", "mobile", "download", "downloads", "dl", "api",
        "explorer", "dev", "git", "admin", "panel", "cp", "analytics", "monitor", "monitoring", "grafana", "cdn",
        "static", "assets", "img", "images", "image", "media", "files", "upload", "mail", "email", "smtp", "imap",
        "pop", "mx", "webmail", "autodiscover", "autoconfig", "ns", "dns", "ftp", "sftp",
    )
)
# fmt: on
_TABLE_COLUMNS = ("type", "value", "port", "indicator_class", "source")


class Indicators:
    """Live entries of one day, ready to match.

    A plain entry covers its own name and every name below it, on a label boundary; `*.x` covers only
    names below `x`. The most specific entry wins. Later sets replace earlier entries of the same value.
    """

    def __init__(self, entries: Iterable[Indicator], *, at: date | None = None) -> None:
        day = datetime.now(UTC).date() if at is None else at
        kept = {(entry.type, entry.value, entry.port): entry for entry in entries}
        self._all = tuple(kept.values())
        self._live = tuple(entry for entry in self._all if entry.expires is None or entry.expires >= day)
        self._domains = {entry.value: entry for entry in self._live if entry.type == "domain"}
        self._addresses = {(entry.value, entry.port): entry for entry in self._live if entry.type == "ip"}

    @classmethod
    def load(cls, extra: Sequence[Path] = (), *, at: date | None = None) -> Indicators:
        """The bundled set and the user's imported sets.

        Args:
            extra: files written by `save_imported`.
            at: the day entries must be live on; today when not given.
        """
        entries = list(bundled())
        for path in extra:
            entries.extend(load_imported(path))
        return cls(entries, at=at)

    def match_domain(self, name: str) -> Indicator | None:
        """The most specific live entry that covers `name`; None for text that is no name."""
        normal = normal_name(name)
        if normal is None:
            return None
        exact = self._domains.get(normal)
        if exact is not None:
            return exact
        host, _, parent = normal.partition(".")
        while parent:
            below = self._domains.get(f"*.{parent}")
            if below is not None:
                return _as_site(below) if _is_site(host) else below
            at_or_below = self._domains.get(parent)
            if at_or_below is not None:
                return at_or_below
            parent = parent.partition(".")[2]
        return None

    def match_chain(self, names: Iterable[str]) -> Indicator | None:
        """The entry for a name and the CNAMEs it was answered with; a pool endpoint goes before all others."""
        found = [entry for entry in map(self.match_domain, names) if entry is not None]
        endpoints = [entry for entry in found if entry.indicator_class == "pool_endpoint"]
        return next(iter(endpoints or found), None)

    def match_address(self, ip: str, port: int | None) -> Indicator | None:
        """The live entry for an address and port, else the one that binds no port."""
        address = normal_address(ip)
        if address is None:
            return None
        return self._addresses.get((address, port)) or self._addresses.get((address, None))

    def ports_of(self, ip: str) -> tuple[int, ...]:
        """The ports with which an address is listed."""
        address = normal_address(ip)
        return tuple(sorted(port for value, port in self._addresses if value == address and port is not None))

    def list(self) -> tuple[Indicator, ...]:
        """Every entry, expired ones too, in the order they were loaded."""
        return self._all

    def live(self) -> tuple[Indicator, ...]:
        """The entries that count as evidence on the day of this set."""
        return self._live

    def table(self) -> pa.Table:
        """Live entries as the table `indicator` that queries join."""
        import pyarrow as pa

        schema = pa.schema([(name, pa.int32() if name == "port" else pa.string()) for name in _TABLE_COLUMNS])
        return pa.table({name: [getattr(each, name) for each in self._live] for name in _TABLE_COLUMNS}, schema=schema)


def _is_site(label: str) -> bool:
    return label in SITE_LABELS or label.rstrip("0123456789") in SITE_LABELS


def _as_site(entry: Indicator) -> Indicator:
    return replace(entry, indicator_class="pool_website") if entry.indicator_class == "pool_endpoint" else entry
