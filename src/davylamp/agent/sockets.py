"""Connections and listening ports as the kernel's own socket diagnosis tells them, with tcp_info's counters."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from davylamp.agent import netlink, procfs
from davylamp.agent.network_namespace import opened_inside
from davylamp.agent.record import Look

NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY = 4, 20
INET_DIAG_INFO = 2
STATES = {
    1: "established",
    2: "syn_sent",
    3: "syn_received",
    4: "fin_wait_1",
    5: "fin_wait_2",
    6: "time_wait",
    7: "closed",
    8: "close_wait",
    9: "last_ack",
    10: "listen",
    11: "closing",
}
LISTEN = 10
# Time-wait sockets carry nothing and have no owner.
CONNECTED_STATES = sum(1 << state for state in (1, 2, 3, 4, 5, 8, 9, 11))
_REQUEST = struct.Struct("=BBBBI")
_ID = struct.Struct("!HH16s16s")
_TAIL = struct.Struct("=Q12xII")  # cookie, then user and inode after three numbers that nobody asks for
_BODY_BYTES = 4 + 48 + 20
_ATTRIBUTE = struct.Struct("=HH")
# Of struct tcp_info (include/uapi/linux/tcp.h): last_data_sent at 44, last_data_recv at 52, rtt at 68, bytes_acked and
# bytes_received at 120, data_segs_in and data_segs_out at 152. One reading, since it is done for every connection.
_TCP_INFO = struct.Struct("=44xI4xI12xI48xQQ16xII")
# Of the same, at 200 from Linux 4.19 on: what was sent, and of that sent again.
_SENT, _SENT_PLACE = struct.Struct("=QQ"), 200
# The rest of a socket's identity: the interface it is bound to (any), and its cookie.
_BOUND_TO = struct.Struct("=IQ")


@dataclass(slots=True)
class Socket:
    """One socket as the kernel tells it; counters are None where it gives none.

    Args:
        bytes_out: what the other end has acknowledged; `sent_bytes` counts it as soon as it is sent.
    """

    uid: str
    protocol: str
    state: int
    local_ip: str
    local_port: int
    remote_ip: str
    remote_port: int
    user_uid: int
    inode: int
    namespace: str | None = None
    bytes_out: int | None = None
    bytes_in: int | None = None
    segments_out: int | None = None
    segments_in: int | None = None
    last_sent_ago_s: float | None = None
    last_received_ago_s: float | None = None
    round_trip_s: float | None = None
    sent_bytes: int | None = None


@dataclass
class Channels:
    """Open questions' channels: one for each network namespace, kept open.

    A channel stays in the namespace it was opened in, so entering one is needed only once.
    """

    proc: str = "/proc"
    opened: dict[str, socket.socket] = field(default_factory=dict)
    refused: str = ""

    def open_own(self) -> None:
        """Opens the channel of our own namespace.

        Raises:
            OSError: the kernel has no socket diagnosis for us.
        """
        if "" not in self.opened:
            self.opened[""] = _channel()

    def open_others(self, pids: Iterable[int]) -> None:
        """Opens channels of the namespaces that these processes live in, where we may enter them."""
        own = procfs.link_of(f"{self.proc}/self/ns/net") or ""
        wanted: dict[str, int] = {}
        for pid in pids:
            link = procfs.link_of(f"{self.proc}/{pid}/ns/net")
            if link and link != own and link not in self.opened:
                wanted.setdefault(link, pid)
        for link, pid in wanted.items():
            try:
                self.opened[link] = opened_inside(pid, _channel, self.proc)
            except OSError as error:
                self.refused = f"network namespaces of containers need CAP_SYS_ADMIN ({error.strerror or error})"

    def close(self) -> None:
        """Lets go of all channels."""
        for channel in self.opened.values():
            channel.close()
        self.opened.clear()

    def sockets(self, states: int = CONNECTED_STATES, protocols: Iterable[str] = ("tcp",)) -> list[Socket]:
        """Sockets in the wanted states, of all namespaces that are open."""
        found: list[Socket] = []
        for link, channel in list(self.opened.items()):
            for protocol in protocols:
                for family in (socket.AF_INET, socket.AF_INET6):
                    try:
                        found += _dump(channel, family, protocol, states, link or None)
                    except netlink.NetlinkError:
                        continue  # a kernel without this family or protocol
        return found


def _channel() -> socket.socket:
    channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
    channel.settimeout(5.0)
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    return channel


def _dump(channel: socket.socket, family: int, protocol: str, states: int, link: str | None) -> list[Socket]:
    number = socket.IPPROTO_TCP if protocol == "tcp" else socket.IPPROTO_UDP
    wanted = 1 << (INET_DIAG_INFO - 1) if protocol == "tcp" else 0
    request = _REQUEST.pack(family, number, wanted, 0, states) + bytes(48)
    made = (_socket(body, protocol) for body in netlink.dump(channel, SOCK_DIAG_BY_FAMILY, request))
    return [_in_namespace(each, link) for each in made if each is not None]


def same_socket(channel: socket.socket, each: Socket) -> Socket | None:
    """A TCP socket as it is now; None where it is gone.

    Raises:
        OSError: the channel broke.
    """
    family = socket.AF_INET6 if ":" in each.local_ip else socket.AF_INET
    ends = (socket.inet_pton(family, ip).ljust(16, b"\0") for ip in (each.local_ip, each.remote_ip))
    identity = _ID.pack(each.local_port, each.remote_port, *ends) + _BOUND_TO.pack(0, int(each.uid, 16))
    request = _REQUEST.pack(family, socket.IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), 0, CONNECTED_STATES) + identity
    body = netlink.ask(channel, SOCK_DIAG_BY_FAMILY, request)
    return None if body is None else _socket(body, "tcp")


def _info_of(body: memoryview) -> memoryview:
    """The struct tcp_info of an answer; empty where it has none."""
    place = _BODY_BYTES
    while place + 4 <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, place)
        if length < 4 or place + length > len(body):
            break
        if kind & 0x3FFF == INET_DIAG_INFO:
            return body[place + 4 : place + length]
        place += (length + 3) & ~3
    return body[:0]


def _in_namespace(each: Socket, link: str | None) -> Socket:
    each.namespace = None if link is None else link.partition("[")[2].rstrip("]")
    return each


def _socket(body: memoryview, protocol: str) -> Socket | None:
    if len(body) < _BODY_BYTES:
        return None
    local_port, remote_port, local, remote = _ID.unpack_from(body, 4)
    cookie, user_uid, inode = _TAIL.unpack_from(body, 44)
    made = Socket(
        uid=f"{cookie:x}",
        protocol=protocol,
        state=body[1],
        local_ip=_address(body[0], local),
        local_port=local_port,
        remote_ip=_address(body[0], remote),
        remote_port=remote_port,
        user_uid=user_uid,
        inode=inode,
    )
    _counters(made, _info_of(body))
    return made


@lru_cache(maxsize=4096)
def _address(family: int, raw: bytes) -> str:
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, raw[:4])
    if raw.startswith(b"\0" * 10 + b"\xff\xff"):
        return socket.inet_ntop(socket.AF_INET, raw[12:])
    return socket.inet_ntop(socket.AF_INET6, raw)


def _counters(made: Socket, info: memoryview) -> None:
    if len(info) < _TCP_INFO.size:
        return
    sent_ago_ms, received_ago_ms, round_trip_us, *counted = _TCP_INFO.unpack_from(info)
    made.last_sent_ago_s = sent_ago_ms / 1000
    made.last_received_ago_s = received_ago_ms / 1000
    made.round_trip_s = round_trip_us / 1e6
    made.bytes_out, made.bytes_in, made.segments_in, made.segments_out = counted
    if len(info) >= _SENT_PLACE + _SENT.size:
        sent, again = _SENT.unpack_from(info, _SENT_PLACE)
        made.sent_bytes = sent - again


def owners(pids: Iterable[int], proc: str = "/proc") -> tuple[dict[int, int], int]:
    """Socket inode -> pid of the first process that holds it, and how many processes could not be read."""
    held: dict[int, int] = {}
    refused = 0
    for pid in sorted(pids):
        try:
            names = os.listdir(f"{proc}/{pid}/fd")
        except PermissionError:
            refused += 1
            continue
        except OSError:
            continue
        for name in names:
            try:
                target = os.readlink(f"{proc}/{pid}/fd/{name}")
            except PermissionError:
                refused += 1  # whoever may list the folder may still not see where its entries lead
                break
            except OSError:
                continue
            if target.startswith("socket:["):
                held.setdefault(int(target[8:-1]), pid)
    return held, refused


def exposure(ip: str, namespace: str | None) -> str:
    """Who may reach a port that is bound to this address, as far as the host says."""
    if namespace is not None:
        return "container"
    if ip in ("0.0.0.0", "::"):
        return "any"
    return "loopback" if ip == "::1" or ip.startswith("127.") else "address"


def record_usage(look: Look, each: Socket, direction: str | None, owner: dict[str, object]) -> None:
    """Writes one reading of a connection."""
    look.record(
        "socket_usage",
        socket_uid=each.uid,
        protocol=each.protocol,
        state=STATES.get(each.state, str(each.state)),
        direction=direction,
        src_ip=each.local_ip,
        src_port=each.local_port,
        dst_ip=each.remote_ip,
        dst_port=each.remote_port,
        bytes_out=each.bytes_out,
        bytes_in=each.bytes_in,
        segments_out=each.segments_out,
        segments_in=each.segments_in,
        last_sent_ago_s=each.last_sent_ago_s,
        last_received_ago_s=each.last_received_ago_s,
        round_trip_s=each.round_trip_s,
        user_uid=each.user_uid,
        network_namespace_uid=each.namespace,
        **owner,
    )
