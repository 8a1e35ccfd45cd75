"""What a listening port's number and owner say by themselves."""

from __future__ import annotations

# Linux gives clients, and servers that ask for any port, one of these (ip-sysctl: ip_local_port_range).
RANDOM_FIRST, RANDOM_LAST = 32768, 60999
# RPC takes one of the reserved ports for services without a fixed one (libtirpc bindresvport).
RESERVED_FIRST, RESERVED_LAST = 512, 1023
SYSTEM_FOLDERS = ("/usr/", "/bin/", "/sbin/", "/lib", "/opt/", "/snap/", "/var/lib/rancher/", "/nix/store/")
_DHCP = frozenset({68, 546})
# Programs that open and close these ports in the course of their work, by their own documentation; nobody declares
# them. The name is the image's, in a folder that root alone writes to: a process may name itself anything.
_PASSING: dict[str, frozenset[int]] = {
    "dhclient": _DHCP,
    "dhcpcd": _DHCP,
    "udhcpc": _DHCP,
    "connmand": _DHCP,
    "NetworkManager": _DHCP,
    "systemd-networkd": _DHCP,
    "chronyd": frozenset({123, 323}),
    "ntpd": frozenset({123}),
    "avahi-daemon": frozenset({5353}),
    "systemd-resolved": frozenset({53, 5353, 5355}),
    "Xorg": frozenset(range(6000, 6064)),
    "Xwayland": frozenset(range(6000, 6064)),
    # X11 forwarding: display 10 and up (sshd_config, X11DisplayOffset).
    "sshd": frozenset(range(6010, 6110)),
    "sshd-session": frozenset(range(6010, 6110)),
}
# What carries ports of containers and pods: those come and go with the containers, which the orchestrator declares.
_CARRIERS = frozenset({"kubelet", "kube-proxy", "k3s", "k3s-server", "k3s-agent", "containerd", "dockerd", "conmon"})
PUBLISHERS = frozenset({"docker-proxy", "rootlessport", "rootlesskit", "slirp4netns", "pasta", "pasta.avx2"})


def is_random(port: int, process_name: str | None) -> bool:
    """Whether the port is one of those that differ after every start.

    >>> is_random(41234, None), is_random(846, "rpc.statd"), is_random(846, "nc"), is_random(8080, "nginx")
    (True, True, False, False)
    """
    by_rpc = process_name is None or process_name.startswith("rpc.")
    reserved = RESERVED_FIRST <= port <= RESERVED_LAST and by_rpc
    return reserved or RANDOM_FIRST <= port <= RANDOM_LAST


def is_passing(port: int, exposure: str, image_path: str | None) -> bool:
    """Whether the port is one that its program opens and closes in the course of its work.

    >>> is_passing(68, "any", "/usr/sbin/dhclient"), is_passing(68, "any", "/tmp/dhclient")
    (True, False)
    """
    if exposure == "loopback" and is_random(port, "none"):
        return True  # a port of an editor, a test, a forwarding: reached from the host alone, gone with its program
    if not image_path or not image_path.startswith(SYSTEM_FOLDERS):
        return False
    program = image_path.removesuffix(" (deleted)").rpartition("/")[2]
    return port in _PASSING.get(program, ()) or program in _CARRIERS


def publishes_containers(image_path: str | None) -> bool:
    """Whether the owner only carries a container's port to the outside."""
    return bool(image_path) and str(image_path).rpartition("/")[2] in PUBLISHERS
