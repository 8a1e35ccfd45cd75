"""The detection `pool_socket_owner`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, instant, whole_of
from davylamp.kit.listed_names import ageing_llr, listed_by, some
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_finding, process_named
from davylamp.model.finding import Finding, Observable, Technique
from davylamp.model.indicator import Indicator
from davylamp.model.severity import Severity

_WEB_PORTS = frozenset((80, 443, 8080, 8443))
_DAYS_PER_YEAR = 365.25


class PoolSocketOwner(Detection):
    """A process of this host holds a connection to a listed mining pool.

    What it sees.
    Connections of processes, as the kernel tells them with their owner, whose other end is a `pool_endpoint`
    indicator: by its address, or by the name it goes by in the evidence: an answer of DNS before, a line of the hosts
    file, the name asked for in TLS or HTTP. No name is ever looked up.

    Why it matters.
    A look-up or a flow names a machine; this names the process, so that its image, its parents and its money can be
    told, and so that one process is stopped and not a machine.

    How it decides.
    One finding per process and pool. The likelihood ratio (natural log) is 7.5 for a listed name, as for a look-up
    that is dialled (`pool_domain_lookup`), with the age of the entry taken off; for an address 5.0 on the listed port
    when that port is not one every web server has, 3.0 on a web port or for an entry without port, less 0.25 for each
    year since the entry was seen, at most 2 (`pool_endpoint_contact` says why). 0.5 less where the connection was
    never answered. A process that holds connections to more than 20 different pools (`many_pools_count`) checks a
    list: one finding of 1.0.

    What it misses.
    Pools in no list, proxies, names asked for over DNS of their own; connections shorter than the time between two
    readings.

    What looks like it and is not.
    A browser on a pool's own web site (class `pool_website`, which does not count here); monitoring of pools by those
    who run one; an address let to somebody else since.

    What to do.
    Keep the process's image, command line and parents; freeze it; then remove what starts it.

    References.
    https://attack.mitre.org/techniques/T1496/001/
    """

    meta: ClassVar[DetectionMeta] = DetectionMeta(
        uid="pool_socket_owner",
        title="A process holds a connection to a listed mining pool",
        group="name",
        stage="mining",
        severity=Severity.HIGH,
        techniques=(Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),),
        reads=("socket_usage", "process_activity", "dns_activity", "host_setting", "network_activity"),
        references=("https://attack.mitre.org/techniques/T1496/001/",),
    )
    params: ClassVar[Mapping[str, object]] = {}
    many_pools_count = 20
    yearly_llr = 0.25

    def could_look(self, facts: Facts) -> str:
        """A sensor that met no connection has looked."""
        looked = any(map(facts.has_rows, ("socket_usage", "listening_port")))
        return "" if looked else "no socket_usage evidence"

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per process and pool, or one for a process that tries whole lists."""
        for _, rows in candidates(candidates_rows, "asset", "process_pid", "process_started_at"):
            by_pool: dict[str, tuple[Indicator, list[Row]]] = {}
            for row in rows:
                indicator = _pool(row, facts)
                if indicator is not None:
                    by_pool.setdefault(indicator.value, (indicator, []))[1].append(row)
            if len(by_pool) > self.many_pools_count:
                yield self._many(by_pool)
                continue
            for key in sorted(by_pool):
                indicator, cited = by_pool[key]
                yield self._one(indicator, cited)

    def _one(self, indicator: Indicator, rows: Sequence[Row]) -> Finding:
        llr = self._llr(indicator, rows)
        ends = sorted({(str(row["dst_ip"]), whole_of(row, "dst_port")) for row in rows})
        names = sorted({str(row["name"]) for row in rows if row["name"] is not None and indicator.type == "domain"})
        observables = [Observable("ip", ip) for ip, _ in ends] + [Observable("port", str(port)) for _, port in ends]
        return process_finding(
            self.meta,
            _readings(rows),
            because=_sentence(indicator, rows, names, ends),
            llr=llr,
            fact_key=indicator.value,
            columns=("time", "dst_ip", "dst_port"),
            first_seen=min(instant(row["first_at"]) for row in rows),
            observables=[*observables, *(Observable("domain", name) for name in names)],
            entities=[f"ip:{ip}" for ip, _ in ends],
            severity=Severity.HIGH if llr >= 5 else Severity.MEDIUM,
        )

    def _llr(self, indicator: Indicator, rows: Sequence[Row]) -> float:
        day = max(instant(row["last_at"]) for row in rows).date()
        if indicator.type == "domain":
            llr = 7.5 + ageing_llr(indicator, day)
        else:
            listed = any(row["dst_port"] == indicator.port and row["dst_port"] not in _WEB_PORTS for row in rows)
            llr = 5.0 if listed else 3.0
            if indicator.first_seen is not None:
                llr -= min(2.0, max(0.0, (day - indicator.first_seen).days / _DAYS_PER_YEAR) * self.yearly_llr)
        return llr - (0.0 if any(row["connected"] for row in rows) else 0.5)

    def _many(self, by_pool: Mapping[str, tuple[Indicator, list[Row]]]) -> Finding:
        rows = [row for _, cited in by_pool.values() for row in cited]
        return process_finding(
            self.meta,
            _readings(rows),
            because=(
                f"{process_named(rows[0])} holds connections to {len(by_pool)} different listed pools "
                f"({some(sorted(by_pool))}); a miner is configured with a few, so it most likely checks a list"
            ),
            llr=1.0,
            fact_key="many",
            severity=Severity.LOW,
            title="A process checks listed pools",
        )


def _pool(row: Row, facts: Facts) -> Indicator | None:
    """The pool that the other end is, by name before address."""
    port = row["dst_port"]
    found = facts.match_domain(str(row["name"])) if row["name"] is not None else None
    if found is None or found.indicator_class != "pool_endpoint":
        found = facts.match_address(str(row["dst_ip"]), port if isinstance(port, int) else None)
    return found if found is not None and found.indicator_class == "pool_endpoint" else None


def _readings(rows: Sequence[Row]) -> list[Row]:
    """Each reading once, though several names may lead to it."""
    unique = {(row["path"], row["line"], row["byte_offset"]): row for row in rows}
    return list(unique.values())


def _sentence(indicator: Indicator, rows: Sequence[Row], names: Sequence[str], ends: Sequence[tuple[str, int]]) -> str:
    ip, port = ends[0]
    more = f" and {len(ends) - 1} more" if len(ends) > 1 else ""
    known = f" ({some(list(names))})" if names else ""
    said = {"answer": "a DNS answer", "hosts": "the hosts file", "server_name": "the connection itself"}
    by = sorted({said[str(row["said_by"])] for row in rows if row["said_by"] in said and names})
    text = f"{process_named(rows[0])} holds a connection to {ip} port {port}{more}{known}: "
    text += f"a mining pool's endpoint ({listed_by(indicator)})"
    text += f"; the name is from {' and '.join(by)}" if by else ""
    return text + ("" if any(row["connected"] for row in rows) else "; it was never answered")
