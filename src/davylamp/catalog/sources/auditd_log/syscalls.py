"""Numbers of the calls that are read, by processor; what `arch=` names in audit records.

From the kernel's tables (arch/x86/entry/syscalls, include/uapi/asm-generic/unistd.h); the generic table serves arm64,
riscv64 and loongarch64. Enriched records name the call themselves, so other processors lose only raw records.
"""

from __future__ import annotations

from davylamp.kit.engine import literal

_X86_64 = {
    "execve": 59, "execveat": 322, "open": 2, "openat": 257, "openat2": 437, "creat": 85, "truncate": 76,
    "unlink": 87, "unlinkat": 263, "rmdir": 84, "rename": 82, "renameat": 264, "renameat2": 316,
    "link": 86, "linkat": 265, "symlink": 88, "symlinkat": 266, "mkdir": 83, "mkdirat": 258, "mknod": 133,
    "mknodat": 259, "chmod": 90, "fchmod": 91, "fchmodat": 268, "fchmodat2": 452, "chown": 92, "fchown": 93,
    "lchown": 94, "fchownat": 260, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197,
    "connect": 42, "socketcall": -1,
}  # fmt: skip
_I386 = {
    "execve": 11, "execveat": 358, "open": 5, "openat": 295, "openat2": 437, "creat": 8, "truncate": 92,
    "unlink": 10, "unlinkat": 301, "rmdir": 40, "rename": 38, "renameat": 302, "renameat2": 353,
    "link": 9, "linkat": 303, "symlink": 83, "symlinkat": 304, "mkdir": 39, "mkdirat": 296, "mknod": 14,
    "mknodat": 297, "chmod": 15, "fchmod": 94, "fchmodat": 306, "fchmodat2": 452, "chown": 182, "fchown": 95,
    "lchown": 16, "fchownat": 298, "setxattr": 226, "lsetxattr": 227, "fsetxattr": 228, "removexattr": 235,
    "connect": 362, "socketcall": 102,
}  # fmt: skip
_GENERIC = {
    "execve": 221, "execveat": 281, "openat": 56, "openat2": 437, "truncate": 45, "unlinkat": 35, "renameat": 38,
    "renameat2": 276, "linkat": 37, "symlinkat": 36, "mkdirat": 34, "mknodat": 33, "fchmod": 52, "fchmodat": 53,
    "fchmodat2": 452, "fchown": 55, "fchownat": 54, "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14,
    "connect": 203,
}  # fmt: skip
_TABLES = {
    "c000003e": _X86_64,
    "40000003": _I386,
    "c00000b7": _GENERIC,
    "c00000f3": _GENERIC,
    "c0000102": _GENERIC,
}
# Enriched records write the number itself where the writer did not know it.
EXECUTES = ("execve", "execveat")
CONNECTS = ("connect", "socketcall")
OPENS = ("open", "openat", "openat2", "creat")
CREATES = ("link", "linkat", "symlink", "symlinkat", "mkdir", "mkdirat", "mknod", "mknodat")
DELETES = ("unlink", "unlinkat", "rmdir")
RENAMES = ("rename", "renameat", "renameat2")
UPDATES = ("truncate",)
SETS_ATTRIBUTES = (
    "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "setxattr", "lsetxattr",
    "fsetxattr", "removexattr",
)  # fmt: skip
FILE_CALLS = OPENS + CREATES + DELETES + RENAMES + UPDATES + SETS_ATTRIBUTES


def listed(names: tuple[str, ...]) -> str:
    """Names as a SQL list for IN."""
    return ", ".join(literal(name) for name in names)


def name_of(arch: str, number: str) -> str:
    """A SQL expression: the name of a call from processor and number; null for calls that are not read."""
    keys, names = [], []
    for processor, table in _TABLES.items():
        for name, value in table.items():
            if value >= 0:
                keys.append(literal(f"{processor}:{value}"))
                names.append(literal(name))
    return f"(MAP([{', '.join(keys)}], [{', '.join(names)}])[concat({arch}, ':', {number})])"
