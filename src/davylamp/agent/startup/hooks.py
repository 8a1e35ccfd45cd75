"""Other programs' own ways to run a command: package managers, network, DHCP, log rotation, module loading."""

from __future__ import annotations

import re

from davylamp.agent.startup.item import ITEMS_PER_FILE_COUNT, StartupItems

SCRIPTS = (
    "/etc/network/if-up.d", "/etc/network/if-pre-up.d", "/etc/network/if-down.d", "/etc/NetworkManager/dispatcher.d",
    "/etc/networkd-dispatcher/routable.d", "/etc/dhcp/dhclient-enter-hooks.d", "/etc/dhcp/dhclient-exit-hooks.d",
    "/etc/kernel/postinst.d", "/var/lib/cloud/scripts/per-boot", "/var/lib/cloud/scripts/per-instance",
    "/var/lib/cloud/scripts/per-once",
)  # fmt: skip
APT = re.compile(
    r"(?:DPkg::(?:Pre|Post)-Invoke|APT::Update::(?:Pre|Post)-Invoke(?:-Success)?|Pre-Install-Pkgs)", re.IGNORECASE
)
INSTALL = re.compile(r"^\s*(?:install|remove)\s+(\S+)\s+(.+)$")


def collect(items: StartupItems) -> None:
    """Scripts of these folders, apt's hooks, and commands that loading a kernel module runs."""
    for folder in SCRIPTS:
        for path in items.files.paths(folder):
            if items.files.is_file(path):
                items.add_script("other", path, name=path.rpartition("/")[2], user_name="root")
    for path in ["/etc/apt/apt.conf", *items.files.paths("/etc/apt/apt.conf.d")]:
        if items.files.is_file(path) and items.packages.owner(path)[1] != "unmodified":
            for number, line in items.files.lines(path):
                if APT.search(line) and not line.lstrip().startswith(("#", "//")) and number <= ITEMS_PER_FILE_COUNT:
                    command = line.partition("{")[2].strip(' \t";}') or line.strip()
                    items.add(
                        "other", path, name=path.rpartition("/")[2], command=command, user_name="root", line=number
                    )
    for path in items.files.paths("/etc/modprobe.d"):
        for number, line in items.files.lines(path):
            found = INSTALL.match(line)
            if (
                found
                and found.group(2).split()[0] not in ("/bin/true", "/bin/false", "/usr/bin/true", "/usr/bin/false")
                and number <= ITEMS_PER_FILE_COUNT
            ):
                items.add("module", path, name=found.group(1), command=found.group(2), user_name="root", line=number)
    for path in ["/etc/modules", *items.files.paths("/etc/modules-load.d")]:
        if items.packages.owner(path)[1] == "unmodified":
            continue
        for number, line in items.files.lines(path):
            name = line.strip()
            if name and not name.startswith(("#", ";")) and number <= ITEMS_PER_FILE_COUNT:
                items.add("module", path, name=name.split()[0], command=name, line=number, follow=False)
