"""A small network of our own: a gateway, three machines, and an outside that leads nowhere."""

from __future__ import annotations

import array
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from examples.make import plan

OUTSIDE = "outside"
UPLINK = "wan0"
_LINK_GATEWAY, _LINK_OUTSIDE = "100.64.0.1", "100.64.0.2"
_NETWORK_KIND = 0x40000000
_ETHTOOL_IOCTL, _TRANSMIT_CHECKSUM_OFF = 0x8946, 0x17


def run(*command: str, **options: object) -> None:
    """Runs a command to its end; its words are shown only when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")


def within(namespace: str, command: Sequence[str]) -> list[str]:
    """The command that runs another one in a network namespace."""
    return ["nsenter", f"--net=/run/netns/{namespace}", "--", *command]


def build() -> None:
    """Makes the network inside the caller's own namespace, which is the gateway."""
    run("ip", "link", "set", "lo", "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="ascii")
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1", encoding="ascii")
    run("ip", "link", "add", "lan0", "type", "bridge")
    run("ip", "address", "add", f"{plan.GATEWAY}/24", "dev", "lan0")
    run("ip", "address", "add", f"{plan.RESOLVER}/24", "dev", "lan0")
    run("ip", "link", "set", "lan0", "up")
    for number, (name, address) in enumerate(plan.HOSTS.items(), start=1):
        _attach(name, f"lan{number}", f"02:00:0a:14:00:{number:02x}", f"{address}/24")
        run("ip", "link", "set", f"lan{number}", "master", "lan0")
        # An acknowledgement held back by 40 ms would be 12 s late once the recording is stretched.
        run(*within(name, ["ip", "route", "add", "default", "via", plan.GATEWAY, "quickack", "1"]))
    _attach(OUTSIDE, UPLINK, "02:00:64:40:00:02", f"{_LINK_OUTSIDE}/30")
    run("ip", "link", "set", UPLINK, "address", "02:00:64:40:00:01")
    run("ip", "address", "add", f"{_LINK_GATEWAY}/30", "dev", UPLINK)
    run(*within(OUTSIDE, ["ip", "route", "add", "10.20.0.0/24", "via", _LINK_GATEWAY, "quickack", "1"]))
    for address in dict.fromkeys(plan.OUTSIDE):
        run(*within(OUTSIDE, ["ip", "address", "add", f"{address}/32", "dev", "lo"]))
        run("ip", "route", "add", f"{address}/32", "via", _LINK_OUTSIDE)


def _attach(name: str, link: str, hardware_address: str, address: str) -> None:
    run("ip", "netns", "add", name)
    run(
        *("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0"),
        *("address", hardware_address, "netns", name),
    )
    run("ip", "link", "set", link, "up")
    run(*within(name, ["ip", "link", "set", "lo", "up"]))
    run(*within(name, ["ip", "address", "add", address, "dev", "eth0"]))
    run(*within(name, ["ip", "link", "set", "eth0", "up"]))
    with socket_in(name, socket.AF_INET, socket.SOCK_DGRAM) as control:
        _write_checksums(control)


def _write_checksums(control: socket.socket) -> None:
    """Lets the sender compute checksums, or the capture would hold the blanks that a card fills in."""
    request = array.array("B", struct.pack("II", _TRANSMIT_CHECKSUM_OFF, 0))
    where, _ = request.buffer_info()
    fcntl.ioctl(control, _ETHTOOL_IOCTL, struct.pack("16sP", b"eth0", where) + bytes(16))


def socket_in(namespace: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """A socket that lives in a network namespace; the caller stays where it is.

    Raises:
        OSError: the namespace cannot be entered.
    """
    made: list[socket.socket] = []
    failures: list[OSError] = []

    def enter() -> None:
        try:
            with Path(f"/run/netns/{namespace}").open("rb") as place:
                if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), _NETWORK_KIND):
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
                made.append(socket.socket(family, kind, protocol))
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=enter)  # a namespace is entered by one thread, which then ends
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return made[0]
