"""Later fragments of a packet get the ports of its first fragment, which alone carries them."""

from __future__ import annotations

import numpy as np

from davylamp.catalog.sources.pcap.arrays import Int, Window
from davylamp.catalog.sources.pcap.packets import ICMP, ICMP6, SCTP, TCP, UDP, Discarded, Packets
from davylamp.catalog.sources.pcap.stack import Datagrams

# Packets under reassembly at one time; Linux keeps 4 MiB of them by default, that is as many of 1 kB.
REMEMBERED_COUNT = 4096

_Key = tuple[int, ...]


def _keys(datagrams: Datagrams) -> list[_Key]:
    return list(
        zip(
            datagrams.source_high.tolist(),
            datagrams.source_low.tolist(),
            datagrams.target_high.tolist(),
            datagrams.target_low.tolist(),
            datagrams.identity.tolist(),
            datagrams.protocol.tolist(),
            strict=True,
        )
    )


class FragmentTable:
    """Ports of the packets whose first fragment was seen, the newest `REMEMBERED_COUNT` of them."""

    def __init__(self) -> None:
        self._ports: dict[_Key, tuple[int, int, int]] = {}

    def settle(
        self, datagrams: Datagrams, view: tuple[Window, Int], discarded: Discarded
    ) -> tuple[Datagrams, Packets | None]:
        """The datagrams without later fragments, and those as packets that count but hold no payload."""
        first = (datagrams.fragment == 0) & datagrams.more
        later = datagrams.fragment > 0
        if first.any():
            self._remember(datagrams.where(first), view)
        if not later.any():
            return datagrams, None
        return datagrams.where(~later), self._attribute(datagrams.where(later), discarded)

    def _remember(self, datagrams: Datagrams, view: tuple[Window, Int]) -> None:
        window, end = view
        ported = np.isin(datagrams.protocol, (TCP, UDP, SCTP)) & (datagrams.at + 4 <= end[datagrams.index])
        ported |= np.isin(datagrams.protocol, (ICMP, ICMP6))
        chosen = datagrams.where(ported)
        sources, targets = window.u16(chosen.at).tolist(), window.u16(chosen.at + 2).tolist()
        for key, source, target in zip(_keys(chosen), sources, targets, strict=True):
            protocol = key[-1]
            if len(self._ports) >= REMEMBERED_COUNT:
                del self._ports[next(iter(self._ports))]
            carries = protocol in (TCP, UDP, SCTP)
            self._ports[key] = (protocol, source if carries else 0, target if carries else 0)

    def _attribute(self, datagrams: Datagrams, discarded: Discarded) -> Packets | None:
        known = [self._ports.get(key) for key in _keys(datagrams)]
        found = np.array([each is not None for each in known], np.bool_)
        if not found.all():
            discarded.reject(datagrams.index[~found], "a later IP fragment whose first fragment was not seen")
        kept = datagrams.where(found)
        if not kept.index.size:
            return None
        ports = np.array([each for each in known if each is not None], np.int64)
        nothing = np.zeros(kept.index.size, np.int64)
        return Packets(
            index=kept.index,
            six=np.full(kept.index.size, kept.version == 6),
            source_high=kept.source_high,
            source_low=kept.source_low,
            target_high=kept.target_high,
            target_low=kept.target_low,
            protocol=ports[:, 0],
            source_port=ports[:, 1],
            target_port=ports[:, 2],
            ip_bytes=kept.ip_bytes,
            flags=nothing,
            sequence=nothing,
            payload_at=kept.at,
            payload_held=nothing,
            payload_bytes=nothing,
        )
