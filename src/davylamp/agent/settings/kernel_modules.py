"""Kernel modules: which are loaded, what they taint, whether a file and a package stand behind them."""

from __future__ import annotations

from davylamp.agent.files import HostFiles
from davylamp.agent.packages import Packages
from davylamp.agent.settings.writing import write_setting

# Documentation/admin-guide/tainted-kernels.rst, bit by bit.
TAINTS = "GFSRMBUDAWCIOELKXTNJ"
MODULES_COUNT = 2000
SUFFIXES = (".ko", ".ko.xz", ".ko.zst", ".ko.gz")


def collect(files: HostFiles, packages: Packages) -> None:
    """One setting a module, and one for the kernel's own taint.

    A module's value: `taint=OE file=/lib/modules/... package=NAME state=unmodified listed=yes`; `file=none` for one
    that no file of this kernel explains, `listed=no` for one that /sys shows and /proc/modules does not.
    """
    taint = files.text("/proc/sys/kernel/tainted")
    if taint.isascii() and taint.isdigit():
        letters = "".join(letter for bit, letter in enumerate(TAINTS) if int(taint) >> bit & 1 and bit > 0)
        write_setting(files, "kernel_taint", "tainted", f"{taint} {letters}".strip(), "/proc/sys/kernel/tainted")
    if files.stat("/proc/modules") is None:
        if files.stat("/proc/sys/kernel") is None:
            files.failures.append(("/proc/modules", "there is no /proc to read"))
        return  # a kernel without loadable modules
    listed = {words[0]: words for _, line in files.lines("/proc/modules") if (words := line.split())}
    live = {name for name in files.names("/sys/module") if files.stat(f"/sys/module/{name}/initstate") is not None}
    names = sorted(set(listed) | live)[:MODULES_COUNT]
    known = _module_files(files) if names else {}
    for name in names:
        path = known.get(name.replace("-", "_"))
        package, state = packages.owner(path) if path else (None, "unknown")
        taint = files.text(f"/sys/module/{name}/taint")
        facts = [f"taint={taint or 'none'}", f"file={path or 'none'}", f"package={package or 'none'}"]
        facts += [f"state={state}", f"listed={'yes' if name in listed else 'no'}"]
        write_setting(files, "kernel_module", name, " ".join(facts), "/proc/modules")


def _module_files(files: HostFiles) -> dict[str, str]:
    """Files of the running kernel's modules by module name, from depmod's own list."""
    release = files.text("/proc/sys/kernel/osrelease")
    found: dict[str, str] = {}
    for folder in (f"/lib/modules/{release}", f"/usr/lib/modules/{release}"):
        for _, line in files.lines(f"{folder}/modules.dep"):
            path = line.partition(":")[0]
            name = path.rpartition("/")[2]
            for suffix in SUFFIXES:
                if name.endswith(suffix):
                    found.setdefault(name[: -len(suffix)].replace("-", "_"), f"{folder}/{path}")
    return {name: path for name, path in found.items() if files.is_file(path)}
