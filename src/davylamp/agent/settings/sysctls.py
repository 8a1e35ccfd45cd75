"""Kernel parameters that mining sets, or that close the ways of intruders."""

from __future__ import annotations

from davylamp.agent.files import HostFiles
from davylamp.agent.settings.writing import write_setting

NAMES = (
    "vm.nr_hugepages", "vm.nr_overcommit_hugepages", "vm.overcommit_memory", "kernel.yama.ptrace_scope",
    "kernel.kptr_restrict", "kernel.dmesg_restrict", "kernel.modules_disabled", "kernel.unprivileged_bpf_disabled",
    "kernel.perf_event_paranoid", "kernel.nmi_watchdog", "kernel.randomize_va_space",
    "kernel.unprivileged_userns_clone", "user.max_user_namespaces",
    "fs.protected_symlinks", "fs.protected_hardlinks", "fs.suid_dumpable",
    "net.ipv4.ip_forward", "net.ipv4.conf.all.route_localnet", "kernel.core_pattern", "kernel.hung_task_timeout_secs",
    "kernel.modprobe", "kernel.hotplug", "kernel.poweroff_cmd",
)  # fmt: skip
OTHERS = {
    "transparent_hugepage": "/sys/kernel/mm/transparent_hugepage/enabled",
    "selinux.enforce": "/sys/fs/selinux/enforce",
    "apparmor.enabled": "/sys/module/apparmor/parameters/enabled",
    "msr.allow_writes": "/sys/module/msr/parameters/allow_writes",
    "lockdown": "/sys/kernel/security/lockdown",
}


def collect(files: HostFiles) -> None:
    """One setting a parameter that the kernel has."""
    for name in NAMES:
        _write(files, name, "/proc/sys/" + name.replace(".", "/"))
    for name, path in OTHERS.items():
        _write(files, name, path)
    for path in files.paths("/sys/devices/system/node"):
        if path.rpartition("/")[2].startswith("node"):
            _write(files, f"hugepages.{path.rpartition('/')[2]}", f"{path}/hugepages/hugepages-2048kB/nr_hugepages")


def _write(files: HostFiles, name: str, path: str) -> None:
    if files.is_file(path):
        value = " ".join(files.text(path).split())
        if value:
            write_setting(files, "sysctl", name, value, path)
