"""What a resolver's address, a source of names and a program that asks for names say by themselves."""

from __future__ import annotations

import ipaddress
import re

from davylamp.kit.listening_ports import SYSTEM_FOLDERS

# Stubs on the host itself: systemd-resolved, Docker's own, dnsmasq of NetworkManager. They ask somebody else, who is
# listed too.
STUBS = frozenset({"127.0.0.53", "127.0.0.54", "127.0.0.11", "127.0.0.1", "127.0.1.1", "::1"})
# Modules that distributions ship for `hosts` (nsswitch.conf(5), nss-*(8)); the C library loads any other by its name.
NAME_MODULES = frozenset(
    {
        "files", "dns", "db", "compat", "nis", "nisplus", "hesiod", "myhostname", "mymachines", "resolve", "systemd",
        "mdns", "mdns4", "mdns6", "mdns_minimal", "mdns4_minimal", "mdns6_minimal", "wins", "winbind", "libvirt",
        "libvirt_guest", "sss", "ldap", "altfiles", "homehost", "tls",
    }
)  # fmt: skip
# Programs that are there to ask resolvers over HTTPS or TLS, by their own documentation; by the image's name.
_ASKING = re.compile(
    r"^(?:systemd-resolved?|unbound|dnsmasq|stubby|dnscrypt-proxy|cloudflared|AdGuardHome|pihole-FTL|coredns|kresd|"
    r"knot-resolver|named|smartdns|mosdns|dnsproxy|nextdns|tailscaled|warp-svc|blocky|routedns|dnsdist|pdns_recursor|"
    r"firefox(?:-bin|-esr)?|librewolf|thunderbird|chrome|chromium(?:-browser)?|brave|msedge|opera|vivaldi(?:-bin)?|"
    r"electron|code|slack|signal-desktop|netd|kdig|dog|doggo)$"
)


def reach_of(address: str) -> str:
    """`stub`, `private`, `public`, or `unknown` for what is no address.

    >>> [reach_of(each) for each in ("127.0.0.53", "10.0.0.2", "203.0.113.7", "9.9.9.9#dns.quad9.net", "x")]
    ['stub', 'private', 'private', 'public', 'unknown']
    """
    bare = re.split(r"[#%]", address, maxsplit=1)[0].strip("[]")
    if bare in STUBS:
        return "stub"
    try:
        return "public" if ipaddress.ip_address(bare).is_global else "private"
    except ValueError:
        return "unknown"


def unusual_modules(sources: str) -> list[str]:
    """Modules of nsswitch's `hosts` that no distribution ships.

    >>> unusual_modules("files mdns4_minimal [NOTFOUND=return] dns"), unusual_modules("files evil dns")
    ([], ['evil'])
    """
    return [word for word in re.sub(r"\[[^]]*\]", " ", sources).split() if word not in NAME_MODULES]


def asks_openly(image_path: str | None, process_name: str | None) -> bool:
    """Whether a program is known to ask resolvers by itself; by its image, or its name where the image is hidden."""
    if not image_path:
        return bool(process_name) and _ASKING.match(str(process_name)) is not None
    program = image_path.removesuffix(" (deleted)").rpartition("/")[2]
    return image_path.startswith((*SYSTEM_FOLDERS, "/app/")) and _ASKING.match(program) is not None
