"""BPF programs loaded into the kernel, asked of the kernel itself by bpf(2)."""

from __future__ import annotations

import ctypes
import os
import platform
import struct

from davylamp.agent.files import HostFiles
from davylamp.agent.settings.writing import write_setting

# Numbers of bpf(2) and its commands, from linux/bpf.h and the syscall tables.
SYSCALLS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}
NEXT_ID, FD_BY_ID, INFO_BY_FD = 11, 13, 15
PROGRAMS_COUNT = 4096
INFO_BYTES = 232
TYPES = (
    "unspecified", "socket_filter", "kprobe", "sched_cls", "sched_act", "tracepoint", "xdp", "perf_event", "cgroup_skb",
    "cgroup_sock", "lwt_in", "lwt_out", "lwt_xmit", "sock_ops", "sk_skb", "cgroup_device", "sk_msg", "raw_tracepoint",
    "cgroup_sock_addr", "lwt_seg6local", "lirc_mode2", "sk_reuseport", "flow_dissector", "cgroup_sysctl",
    "raw_tracepoint_writable", "cgroup_sockopt", "tracing", "struct_ops", "ext", "lsm", "sk_lookup", "syscall",
    "netfilter",
)  # fmt: skip


def collect(files: HostFiles) -> None:
    """One setting a program: its id, and `type=kprobe name=... tag=... uid=...`.

    Raises:
        OSError: the kernel refused; without CAP_SYS_ADMIN (or CAP_BPF) it lists nothing.
    """
    if files.look.root.rstrip("/"):
        return  # the running kernel is not that of an image
    number = SYSCALLS.get(platform.machine())
    if number is None:
        raise OSError(f"bpf(2) is not known for {platform.machine()}")
    call = _Bpf(number)
    identifier = 0
    for _ in range(PROGRAMS_COUNT):
        identifier = call.next_id(identifier)
        if not identifier:
            return
        if described := call.described(identifier):
            write_setting(files, "bpf_program", str(identifier), described)


class _Bpf:
    def __init__(self, number: int) -> None:
        self._number = number
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._syscall.restype = ctypes.c_long

    def _ask(self, command: int, attribute: ctypes.Array[ctypes.c_char]) -> int:
        done = self._syscall(
            ctypes.c_long(self._number), ctypes.c_int(command), attribute, ctypes.c_uint(len(attribute))
        )
        if done < 0:
            code = ctypes.get_errno()
            needs = " (needs CAP_SYS_ADMIN, or root)" if code in (1, 13) else ""
            raise OSError(code, os.strerror(code) + needs)
        return int(done)

    def next_id(self, identifier: int) -> int:
        """The next program's id; 0 at the end."""
        attribute = ctypes.create_string_buffer(struct.pack("=III", identifier, 0, 0), 12)
        try:
            self._ask(NEXT_ID, attribute)
        except FileNotFoundError:
            return 0
        return int(struct.unpack_from("=I", attribute, 4)[0])

    def described(self, identifier: int) -> str | None:
        """Facts of a program; None when it is gone meanwhile."""
        try:
            descriptor = self._ask(FD_BY_ID, ctypes.create_string_buffer(struct.pack("=III", identifier, 0, 0), 12))
        except FileNotFoundError:
            return None
        info = ctypes.create_string_buffer(INFO_BYTES)
        try:
            attribute = struct.pack("=IIQ", descriptor, INFO_BYTES, ctypes.addressof(info))
            self._ask(INFO_BY_FD, ctypes.create_string_buffer(attribute, 16))
        finally:
            os.close(descriptor)
        kind, _, tag = struct.unpack_from("=II8s", info, 0)
        # struct bpf_prog_info: type, id, tag[8], two lengths, two pointers, load_time, uid, maps, name[16]
        (uid,) = struct.unpack_from("=I", info, 48)
        name = info.raw[64:80].split(b"\0")[0].decode("ascii", "backslashreplace")
        named = TYPES[kind] if kind < len(TYPES) else str(kind)
        return f"type={named} name={name or '-'} tag={tag.hex()} uid={uid}"
