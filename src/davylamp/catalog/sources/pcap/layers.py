"""From frames to packets: link, network and tunnel headers peeled off whole columns at a time.

Frames are worked off in rounds: each round takes the frames that stand at one kind of header, steps
over it, and hands them to the next round. A tunnel's inner packet simply comes back as a later round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from davylamp.catalog.sources.pcap import internet, link
from davylamp.catalog.sources.pcap.arrays import Bool, Int, Window
from davylamp.catalog.sources.pcap.fragments import FragmentTable
from davylamp.catalog.sources.pcap.frames import Frames
from davylamp.catalog.sources.pcap.packets import Discarded, Packets, joined
from davylamp.catalog.sources.pcap.stack import At
from davylamp.catalog.sources.pcap.transport import transport

# Real stacks nest four or five deep (VLAN, VLAN, GRE, IP, UDP tunnel); the bound stops built-up ones.
ROUNDS = 16

_VLAN = (0x8100, 0x88A8, 0x9100, 0x9200)
_ERSPAN2, _ERSPAN3 = 0x88BE, 0x22EB


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a buffer of frames came to."""

    packets: Packets | None
    discarded: Discarded


def decode(frames: Frames, fragments: FragmentTable) -> Decoded:
    """Packets of the frames, the innermost where they are tunnelled."""
    window = Window(frames.data)
    discarded = Discarded(frames)
    end = frames.start + frames.captured
    rest = _link_layer(frames, window, end, discarded)
    pieces: list[Packets] = []
    for _ in range(ROUNDS):
        if not rest.index.size:
            break
        rest = _round(rest, frames, (window, end), (pieces, discarded, fragments))
    discarded.reject(rest.index, "more headers inside each other than are followed")
    return Decoded(joined(pieces), discarded)


def _link_layer(frames: Frames, window: Window, end: Int, discarded: Discarded) -> At:
    found: list[At] = []
    every = np.arange(frames.start.size, dtype=np.int64)
    first = int(frames.link[0])
    kinds = [first] if bool((frames.link == first).all()) else np.unique(frames.link).tolist()
    for kind in kinds:
        index = every if len(kinds) == 1 else every[frames.link == kind]
        known = link.LINKS.get(kind)
        if known is None:
            discarded.reject(index, link.refusal(kind))
            continue
        reader, shortest = known
        whole = frames.captured[index] >= shortest
        discarded.reject(index[~whole], "cut inside the link header")
        index = index[whole]
        ether, start = reader(window, frames.start[index])
        found.append(At(index, ether, np.minimum(start, end[index])))
    return At.joined(found)


def _round(at: At, frames: Frames, view: tuple[Window, Int], out: tuple[list[Packets], Discarded, FragmentTable]) -> At:
    window, end = view
    pieces, discarded, fragments = out
    later: list[At] = []
    four = at.ether == link.IPV4
    six = at.ether == link.IPV6
    for version, chosen in ((4, four), (6, six)):
        if not chosen.any():
            continue
        here = at if bool(chosen.all()) else at.where(chosen)
        datagrams, inner = internet.read(version, here, frames, view, discarded)
        later.extend(inner)
        if datagrams is not None:
            datagrams, counted = fragments.settle(datagrams, view, discarded)
            piece, tunnelled = transport(datagrams, view, discarded)
            pieces.extend(each for each in (piece, counted) if each is not None and each.index.size)
            later.extend(tunnelled)
    rest = ~(four | six)
    if rest.any():
        later.extend(_shims(at.where(rest), window, end, discarded))
    return At.joined([each.bounded(end) for each in later])


def _shims(at: At, window: Window, end: Int, discarded: Discarded) -> list[At]:
    """Headers between link and network: tags, labels, PPP, and Ethernet inside of something."""
    vlan = np.isin(at.ether, _VLAN)
    labels = (at.ether == link.MPLS) | (at.ether == link.MPLS + 1)
    found = []
    if vlan.any():
        tagged = at.where(vlan)
        found.append(At(tagged.index, window.u16(tagged.at + 2), tagged.at + 4))
    if labels.any():
        found.append(_label(at.where(labels), window))
    other = ~(vlan | labels)
    for kind, reader, skip in (
        (link.ETHERNET, link.ethernet, 0),
        (_ERSPAN2, link.ethernet, 8),
        (_ERSPAN3, link.ethernet, 12),
        (link.PPPOE, link.pppoe, 0),
        (link.PPP, link.ppp, 0),
    ):
        chosen: Bool = at.ether == kind
        if chosen.any():
            inner = at.where(chosen)
            found.append(At(inner.index, *reader(window, np.minimum(inner.at + skip, end[inner.index]))))
            other &= ~chosen
    discarded.other_count += int(np.count_nonzero(other))
    return found


def _label(at: At, window: Window) -> At:
    """One MPLS label; behind the last the first nibble tells IP, or a pseudo wire's control word (RFC 4385)."""
    last = (window.u8(at.at + 2) & 1) == 1
    nibble = window.u8(at.at + 4) >> 4
    ether = np.select(
        [~last, nibble == 4, nibble == 6, nibble == 0], [link.MPLS, link.IPV4, link.IPV6, link.ETHERNET], link.OTHER
    )
    return At(at.index, ether, at.at + np.where(last & (nibble == 0), 8, 4))
