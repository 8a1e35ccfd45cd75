"""TCP, UDP and SCTP headers, and the tunnels that ride on UDP."""

from __future__ import annotations

import numpy as np

from davylamp.catalog.sources.pcap import link
from davylamp.catalog.sources.pcap.arrays import Bool, Int, Window
from davylamp.catalog.sources.pcap.packets import SCTP, SYN, TCP, UDP, Discarded, Packets
from davylamp.catalog.sources.pcap.stack import At, Datagrams

# RFC 7348, Linux's older port for it, RFC 8926, 3GPP TS 29.281.
_VXLAN, _VXLAN_LINUX, _GENEVE, _GTP = 4789, 8472, 6081, 2152
# Ports, sequence number, header length and flags: what a flow needs of a TCP header.
_TCP_NEEDED_BYTES = 14


def transport(datagrams: Datagrams, view: tuple[Window, Int], discarded: Discarded) -> tuple[Packets, list[At]]:
    """Packets, and the inner packets of UDP tunnels instead of their outer ones."""
    window, end = view
    held_end = np.minimum(end[datagrams.index], datagrams.end)
    protocol = datagrams.protocol
    tcp, udp, sctp = protocol == TCP, protocol == UDP, protocol == SCTP
    needed = np.where(tcp, _TCP_NEEDED_BYTES, np.where(udp | sctp, 8, 0))
    sound = held_end - datagrams.at >= needed
    long_enough = window.u8(datagrams.at + 12) >> 4 >= 5
    if not sound.all():
        discarded.reject(datagrams.index[~sound], "cut inside the transport header")
    broken = sound & tcp & ~long_enough
    if broken.any():
        discarded.reject(datagrams.index[broken], "a TCP header shorter than 20 bytes")
        sound &= ~broken
    inner: list[At] = []
    if udp.any():
        tunnels, carried = _udp_tunnels(datagrams, sound & udp, window, held_end)
        if carried is not None:
            inner.append(carried)
            sound &= ~tunnels
    if not sound.all():
        datagrams, held_end = datagrams.where(sound), held_end[sound]
    return _packets(datagrams, window, held_end), inner


def _packets(datagrams: Datagrams, window: Window, held_end: Int) -> Packets:
    start, protocol = datagrams.at, datagrams.protocol
    tcp, udp, sctp = protocol == TCP, protocol == UDP, protocol == SCTP
    ported = tcp | udp | sctp
    header = np.where(tcp, (window.u8(start + 12) >> 4) * 4, np.where(udp, 8, np.where(sctp, 12, 0)))
    payload_at = start + header
    # A UDP length shorter than the IP packet leaves padding; 0 is a jumbogram's.
    length = window.u16(start + 4)
    stated = udp & (length >= 8)
    stop = np.where(stated, np.minimum(start + length, datagrams.end), datagrams.end)
    flags = np.where(tcp, window.u8(start + 13) & 0x3F, 0)
    # The SYN itself takes a sequence number: payload in it (fast open) begins one later.
    sequence = np.where(tcp, window.u32(start + 4) + ((flags & SYN) != 0), 0) & 0xFFFFFFFF
    return Packets(
        index=datagrams.index,
        six=np.full(start.size, datagrams.version == 6),
        source_high=datagrams.source_high,
        source_low=datagrams.source_low,
        target_high=datagrams.target_high,
        target_low=datagrams.target_low,
        protocol=protocol,
        source_port=np.where(ported, window.u16(start), 0),
        target_port=np.where(ported, window.u16(start + 2), 0),
        ip_bytes=datagrams.ip_bytes,
        flags=flags,
        sequence=sequence,
        payload_at=payload_at,
        payload_held=np.maximum(np.minimum(stop, held_end) - payload_at, 0),
        payload_bytes=np.maximum(stop - payload_at, 0),
    )


def _udp_tunnels(datagrams: Datagrams, udp: Bool, window: Window, held_end: Int) -> tuple[Bool, At | None]:
    """Which datagrams are tunnels by port and by header, and where their inner packets stand."""
    port = np.where(udp, window.u16(datagrams.at + 2), 0)
    start = datagrams.at + 8
    likely = np.isin(port, (_VXLAN, _VXLAN_LINUX, _GENEVE, _GTP)) & (start + 8 <= held_end)
    if not likely.any():
        return likely, None
    first, second = window.u8(start), window.u8(start + 1)
    # VXLAN: only the I flag is set (RFC 7348 5), and the reserved bytes are zero.
    vxlan = ((port == _VXLAN) | (port == _VXLAN_LINUX)) & (first & 0x08 != 0) & (window.u8(start + 7) == 0)
    geneve = (
        (port == _GENEVE) & (first >> 6 == 0) & np.isin(window.u16(start + 2), (link.ETHERNET, link.IPV4, link.IPV6))
    )
    # GTP-U, version 1, a user packet (message type 255); any of the E, S, PN flags adds four bytes.
    gtp = (port == _GTP) & (first >> 4 == 3) & (second == 255)
    gtp_step = 8 + np.where(first & 7 != 0, 4, 0)
    nibble = window.u8(np.minimum(start + gtp_step, held_end)) >> 4
    gtp &= ((nibble == 4) | (nibble == 6)) & (first & 4 == 0)
    chosen = likely & (vxlan | geneve | gtp)
    ether = np.select(
        [vxlan, geneve],
        [np.full(port.size, link.ETHERNET), window.u16(start + 2)],
        np.where(nibble == 6, link.IPV6, link.IPV4),
    )
    step = np.select([vxlan, geneve], [np.full(port.size, 8), 8 + (first & 0x3F) * 4], gtp_step)
    return chosen, At(datagrams.index, ether, start + step).where(chosen)
