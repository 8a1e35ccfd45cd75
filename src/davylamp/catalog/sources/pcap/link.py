"""Link layers: where each frame's network header starts, and which protocol it is of (an EtherType)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from davylamp.catalog.sources.pcap.arrays import Int, Window

IPV4, IPV6, OTHER = 0x0800, 0x86DD, 0
ETHERNET, PPP, MPLS, PPPOE = 0x6558, 0x880B, 0x8847, 0x8864

# (EtherType, offset of the network header) of frames that start at the given offsets.
Located = tuple[Int, Int]


def ethernet(window: Window, at: Int) -> Located:
    """Ethernet II, and IEEE 802.3 with LLC and SNAP."""
    kind = window.u16(at + 12)
    start = at + 14
    # Below 0x600 the field is a length (IEEE 802.3) and LLC follows; aa aa 03 is SNAP with an EtherType.
    snap = (kind < 0x600) & (window.u16(start) == 0xAAAA) & (window.u8(start + 2) == 3)
    kind = np.where(snap, window.u16(start + 6), np.where(kind < 0x600, OTHER, kind))
    return kind, np.where(snap, start + 8, start)


def raw_ip(window: Window, at: Int) -> Located:
    """No link header: the version nibble tells."""
    version = window.u8(at) >> 4
    return np.where(version == 4, IPV4, np.where(version == 6, IPV6, OTHER)), at


def loopback(window: Window, at: Int) -> Located:
    """BSD loopback: four bytes of address family, in the byte order of whoever captured."""
    family = np.maximum(window.u8(at), window.u8(at + 3))
    six = (family == 24) | (family == 28) | (family == 30) | (family == 10)
    return np.where(family == 2, IPV4, np.where(six, IPV6, OTHER)), at + 4


def cooked(window: Window, at: Int) -> Located:
    """Linux cooked capture, version 1."""
    return window.u16(at + 14), at + 16


def cooked2(window: Window, at: Int) -> Located:
    """Linux cooked capture, version 2."""
    return window.u16(at), at + 20


def ppp(window: Window, at: Int) -> Located:
    """PPP, with or without address and control bytes, protocol field of one or two bytes.

    Serial lines captured as PPP may carry Cisco HDLC; its addresses 0f00 and 8f00 are no PPP protocols.
    """
    hdlc = (window.u16(at) & 0x7FFF) == 0x0F00
    hdlc_kind, hdlc_start = cisco_hdlc(window, at)
    at = at + np.where(window.u16(at) == 0xFF03, 2, 0)
    short = (window.u8(at) & 1) == 1
    protocol = np.where(short, window.u8(at), window.u16(at))
    kind = np.select([protocol == 0x21, protocol == 0x57, protocol == 0x281], [IPV4, IPV6, MPLS], OTHER)
    return np.where(hdlc, hdlc_kind, kind), np.where(hdlc, hdlc_start, at + np.where(short, 1, 2))


def pppoe(window: Window, at: Int) -> Located:
    """PPP over Ethernet, from its own header on."""
    return ppp(window, at + 6)


def cisco_hdlc(window: Window, at: Int) -> Located:
    """Cisco HDLC: address, control, EtherType."""
    return window.u16(at + 2), at + 4


def frame_relay(window: Window, at: Int) -> Located:
    """Frame Relay with a two-byte address: RFC 2427 network identifiers, or Cisco's EtherType."""
    identifier = np.where(window.u8(at + 2) == 3, window.u8(at + 3), 0)
    kind = np.select([identifier == 0xCC, identifier == 0x8E], [IPV4, IPV6], window.u16(at + 2))
    return kind, at + 4


def ipv4_only(window: Window, at: Int) -> Located:
    """Link type that holds IPv4 and nothing else."""
    return np.full(at.size, IPV4, np.int64), at


def ipv6_only(window: Window, at: Int) -> Located:
    """Link type that holds IPv6 and nothing else."""
    return np.full(at.size, IPV6, np.int64), at


# Link type -> (reader, shortest header in bytes); numbers of tcpdump.org/linktypes.html.
# 12 and 14 are what BSD systems wrote for raw IP.
LINKS: dict[int, tuple[Callable[[Window, Int], Located], int]] = {
    0: (loopback, 4),
    1: (ethernet, 14),
    9: (ppp, 1),
    12: (raw_ip, 1),
    14: (raw_ip, 1),
    50: (ppp, 1),
    51: (pppoe, 7),
    101: (raw_ip, 1),
    104: (cisco_hdlc, 4),
    107: (frame_relay, 4),
    108: (loopback, 4),
    113: (cooked, 16),
    228: (ipv4_only, 1),
    229: (ipv6_only, 1),
    276: (cooked2, 20),
}

REFUSED = {
    105: "IEEE 802.11",
    119: "IEEE 802.11 with a Prism header",
    127: "IEEE 802.11 with radiotap",
    163: "IEEE 802.11 with AVS",
    189: "USB",
    220: "USB",
    195: "IEEE 802.15.4",
    230: "IEEE 802.15.4",
    239: "Linux netfilter log",
    253: "netlink",
}


def refusal(link: int) -> str:
    """Why frames of this link type are not read."""
    name = REFUSED.get(link)
    return f"link type {link} ({name}) is not read" if name else f"link type {link} is not read"
