"""Names of the kernel's capabilities, in the order of their bits (include/uapi/linux/capability.h)."""

from __future__ import annotations

_NAMES = """
chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap
linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner
sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice
sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap
mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf
checkpoint_restore
"""
NAMES = tuple(_NAMES.split())
ALL = (1 << len(NAMES)) - 1


def capability_names(mask: int) -> list[str]:
    """Names of a mask's capabilities; `all` for every one."""
    if mask & ALL == ALL:
        return ["all"]
    return [name for bit, name in enumerate(NAMES) if mask >> bit & 1]
