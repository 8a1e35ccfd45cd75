"""IPv4 and IPv6 headers, extension headers, and the tunnels that ride directly on IP."""

from __future__ import annotations

import numpy as np

from davylamp.catalog.sources.pcap import link
from davylamp.catalog.sources.pcap.arrays import Bool, Int, Unsigned, Window
from davylamp.catalog.sources.pcap.frames import Frames
from davylamp.catalog.sources.pcap.packets import Discarded
from davylamp.catalog.sources.pcap.stack import At, Datagrams

_IPIP, _IP6, _GRE, _ETHERIP, _AH = 4, 41, 47, 97, 51
_HOP, _ROUTING, _FRAGMENT, _DESTINATION, _MOBILITY, _HIP, _SHIM6 = 0, 43, 44, 60, 135, 139, 140
_EXTENSIONS = (_HOP, _ROUTING, _DESTINATION, _MOBILITY, _HIP, _SHIM6)
# RFC 8200 4.1 recommends each extension header at most once, destination options twice: seven.
_EXTENSION_ROUNDS = 8


def read(
    version: int, at: At, frames: Frames, view: tuple[Window, Int], discarded: Discarded
) -> tuple[Datagrams | None, list[At]]:
    """IP packets, and the inner packets of tunnels instead of their outer ones."""
    window, end = view
    shortest = 20 if version == 4 else 40
    whole = end[at.index] - at.at >= shortest
    sound = whole & (window.u8(at.at) >> 4 == version)
    if version == 4:
        sound &= (window.u8(at.at) & 15) >= 5
    discarded.reject(at.index[~whole], f"cut inside the IPv{version} header")
    discarded.reject(at.index[whole & ~sound], f"no IPv{version} header where one is announced")
    if not sound.all():
        at = at.where(sound)
    if not at.index.size:
        return None, []
    datagrams = _four(at, frames, window) if version == 4 else _six(at, frames, window)
    datagrams = _extensions(datagrams, window, end)
    return _tunnels(datagrams, window, end)


def _four(at: At, frames: Frames, window: Window) -> Datagrams:
    start = at.at
    header = (window.u8(start) & 15) * 4
    total = window.u16(start + 2)
    # Offloaded segments are captured with total length 0; the frame's length on the wire is the truth then.
    wire = frames.start[at.index] + frames.wire[at.index] - start
    total = np.where(total < header, np.maximum(wire, header), total)
    fragment = window.u16(start + 6)
    zero: Unsigned = np.zeros(start.size, np.uint64)
    return Datagrams(
        index=at.index,
        version=4,
        source_high=zero,
        source_low=window.u32(start + 12).astype(np.uint64),
        target_high=zero,
        target_low=window.u32(start + 16).astype(np.uint64),
        protocol=window.u8(start + 9),
        ip_bytes=total,
        at=start + header,
        end=start + total,
        fragment=(fragment & 0x1FFF) * 8,
        more=(fragment & 0x2000) != 0,
        identity=window.u16(start + 4),
    )


def _six(at: At, frames: Frames, window: Window) -> Datagrams:
    start = at.at
    payload = window.u16(start + 4)
    # 0 is a jumbogram (RFC 2675) or an offloaded segment.
    wire = frames.start[at.index] + frames.wire[at.index] - start
    total = np.where(payload == 0, np.maximum(wire, 40), payload + 40)
    return Datagrams(
        index=at.index,
        version=6,
        source_high=window.u64(start + 8),
        source_low=window.u64(start + 16),
        target_high=window.u64(start + 24),
        target_low=window.u64(start + 32),
        protocol=window.u8(start + 6),
        ip_bytes=total,
        at=start + 40,
        end=start + total,
        fragment=np.zeros(start.size, np.int64),
        more=np.zeros(start.size, np.bool_),
        identity=np.zeros(start.size, np.int64),
    )


def _extensions(datagrams: Datagrams, window: Window, end: Int) -> Datagrams:
    """Steps over extension headers; the columns of the few packets that have some are changed in place."""
    # Protocol 0 and 60 mean an extension header only in IPv6; authentication headers exist in both.
    kinds = (_AH,) if datagrams.version == 4 else (*_EXTENSIONS, _AH, _FRAGMENT)
    for _ in range(_EXTENSION_ROUNDS):
        chosen: Bool = np.isin(datagrams.protocol, kinds) & (datagrams.fragment == 0)
        chosen &= datagrams.at + 8 <= end[datagrams.index]
        if not chosen.any():
            break
        start, kind = datagrams.at[chosen], datagrams.protocol[chosen]
        length = np.select(
            [kind == _FRAGMENT, kind == _AH],
            [np.full(start.size, 8, np.int64), (window.u8(start + 1) + 2) * 4],
            (window.u8(start + 1) + 1) * 8,
        )
        placed = window.u16(start + 2)
        is_fragment = kind == _FRAGMENT
        datagrams.fragment[chosen] = np.where(is_fragment, placed & 0xFFF8, 0)
        datagrams.more[chosen] |= is_fragment & ((placed & 1) == 1)
        identity = datagrams.identity[chosen]
        datagrams.identity[chosen] = np.where(is_fragment, window.u32(start + 4), identity)
        datagrams.protocol[chosen] = window.u8(start)
        datagrams.at[chosen] = np.minimum(start + length, np.maximum(end[datagrams.index[chosen]], start))
    return datagrams


def _tunnels(datagrams: Datagrams, window: Window, end: Int) -> tuple[Datagrams | None, list[At]]:
    whole = datagrams.fragment == 0
    protocol = datagrams.protocol
    tunnelled = whole & np.isin(protocol, (_IPIP, _IP6, _GRE, _ETHERIP)) & (datagrams.at + 4 <= end[datagrams.index])
    if not tunnelled.any():
        return datagrams, []
    inner = datagrams.where(tunnelled)
    start = inner.at
    flags = window.u16(start)
    gre = 4 + 4 * (((flags >> 15) & 1) + ((flags >> 13) & 1) + ((flags >> 12) & 1) + ((flags >> 7) & 1))
    carried = window.u16(start + 2)
    # ERSPAN type I has neither sequence number nor header of its own (draft-foschiano-erspan).
    carried = np.where((carried == 0x88BE) & (flags & 0x1000 == 0), link.ETHERNET, carried)
    kind = inner.protocol
    ether = np.select([kind == _IPIP, kind == _IP6, kind == _ETHERIP], [link.IPV4, link.IPV6, link.ETHERNET], carried)
    step = np.select([kind == _GRE, kind == _ETHERIP], [gre, np.full(start.size, 2)], 0)
    # What GRE carries besides these has no inner flow: its outer packet stays.
    followed = np.isin(
        ether, (link.IPV4, link.IPV6, link.ETHERNET, link.PPP, link.MPLS, link.MPLS + 1, 0x88BE, 0x22EB, 0x8100, 0x88A8)
    )
    kept = ~tunnelled
    kept[np.flatnonzero(tunnelled)[~followed]] = True
    rest = datagrams.where(kept) if kept.any() else None
    return rest, [At(inner.index, ether, start + step).where(followed)]
