"""DNS routing: who answers names on this host, and where the answers come from."""

from __future__ import annotations

import re

from davylamp.agent.files import HostFiles
from davylamp.agent.settings.writing import write_setting

RESOLV = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/run/NetworkManager/resolv.conf")
RESOLVED = ("/etc/systemd/resolved.conf", "/run/systemd/resolved.conf")
RESOLVED_FOLDERS = ("/etc/systemd/resolved.conf.d", "/run/systemd/resolved.conf.d", "/usr/lib/systemd/resolved.conf.d")
LEASES = (
    "/var/lib/dhcp", "/var/lib/dhclient", "/var/lib/NetworkManager", "/run/systemd/netif/leases", "/var/lib/dhcpcd",
)  # fmt: skip
LINKS = "/run/systemd/netif/links"
# dhclient's `option domain-name-servers a, b;`, networkd's `DNS=a b`, NetworkManager's `dns-name-servers`.
LEASE = re.compile(r"^\s*(?:option\s+)?(domain[_-]name[_-]servers|DNS|dns-name-servers)[\s=]+([^;#]+)", re.IGNORECASE)
HOSTS_COUNT = 20_000


def collect(files: HostFiles) -> None:
    """Resolvers, search domains, the order of sources, hosts entries and what DHCP said."""
    for path in RESOLV:
        _resolv_conf(files, path)
    for path in [*RESOLVED, *(each for folder in RESOLVED_FOLDERS for each in files.paths(folder))]:
        for number, line in files.lines(path):
            key, equals, value = line.strip().partition("=")
            if equals and key in ("DNS", "FallbackDNS", "DNSOverTLS", "DNSSEC") and value:
                for each in value.split() if key.endswith("DNS") else [value]:
                    write_setting(
                        files,
                        "resolver" if key == "DNS" else "nsswitch",
                        each if key == "DNS" else key,
                        each,
                        path,
                        number,
                    )
    for number, line in files.lines("/etc/nsswitch.conf"):
        name, colon, value = line.partition("#")[0].partition(":")
        if colon and name.strip() in ("hosts", "passwd", "shadow", "group", "networks"):
            write_setting(files, "nsswitch", name.strip(), " ".join(value.split()), "/etc/nsswitch.conf", number)
    _hosts(files)
    _leases(files)


def _resolv_conf(files: HostFiles, path: str) -> None:
    for number, line in files.lines(path):
        words = re.split(r"[#;]", line)[0].split()
        if len(words) >= 2 and words[0] == "nameserver" and number <= 1000:
            write_setting(files, "resolver", words[1], words[1], path, number)
        elif len(words) >= 2 and words[0] in ("search", "domain") and number <= 1000:
            for name in words[1:33]:
                write_setting(files, "search_domain", name, name, path, number)


def _hosts(files: HostFiles) -> None:
    written_count = 0
    for number, line in files.lines("/etc/hosts"):
        words = line.partition("#")[0].split()
        for name in words[1:]:
            if written_count >= HOSTS_COUNT:
                files.failures.append(("/etc/hosts", f"more than {HOSTS_COUNT} names, the rest was not read"))
                return
            write_setting(files, "hosts_entry", name, words[0], "/etc/hosts", number)
            written_count += 1


def _leases(files: HostFiles) -> None:
    for folder in LEASES:
        for path in files.paths(folder):
            if files.is_file(path):
                found: dict[str, int] = {}
                for number, line in files.lines(path):
                    if named := LEASE.match(line):
                        for address in re.split(r"[\s,]+", named.group(2).strip()):
                            found[address] = number
                for address, number in list(found.items())[-16:]:
                    if address:
                        write_setting(files, "dhcp_dns", address, address, path, number)
    for path in files.paths(LINKS):
        for number, line in files.lines(path):
            if line.startswith("DNS="):
                for address in line[4:].split()[:16]:
                    write_setting(files, "resolver", address, f"link {path.rpartition('/')[2]}", path, number)
