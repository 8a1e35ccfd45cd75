"""Routes, as the kernel lists them."""

from __future__ import annotations

import ipaddress

from davylamp.agent.files import HostFiles
from davylamp.agent.settings.writing import write_setting

UP = 0x0001
ROUTES_COUNT = 2000


def collect(files: HostFiles) -> None:
    """One setting a route: the destination, and `via GATEWAY dev INTERFACE metric N`."""
    for number, line in files.lines("/proc/net/route"):
        words = line.split()
        if number > 1 and len(words) >= 8 and number <= ROUTES_COUNT:
            _ipv4(files, words)
    for number, line in files.lines("/proc/net/ipv6_route"):
        words = line.split()
        if len(words) >= 10 and number <= ROUTES_COUNT:
            _ipv6(files, words)


def _ipv4(files: HostFiles, words: list[str]) -> None:
    try:
        # The kernel prints addresses as numbers in its own byte order.
        network, gateway, mask = (
            ipaddress.IPv4Address(int.from_bytes(bytes.fromhex(words[place]), "little")) for place in (1, 2, 7)
        )
        flags, metric = int(words[3], 16), int(words[6])
    except ValueError:
        return
    if flags & UP:
        via = f"via {gateway} " if int(gateway) else ""
        name = f"{network}/{int(mask).bit_count()}"
        write_setting(files, "route", name, f"{via}dev {words[0]} metric {metric}", "/proc/net/route")


def _ipv6(files: HostFiles, words: list[str]) -> None:
    try:
        network, gateway = (ipaddress.IPv6Address(bytes.fromhex(words[place])) for place in (0, 4))
        length, metric, flags = int(words[1], 16), int(words[5], 16), int(words[8], 16)
    except ValueError:
        return
    if flags & UP and words[9] != "lo" and not network.is_multicast:
        via = f"via {gateway} " if int(gateway) else ""
        write_setting(
            files, "route", f"{network}/{length}", f"{via}dev {words[9]} metric {metric}", "/proc/net/ipv6_route"
        )
