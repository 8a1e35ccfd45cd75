"""Keys that let somebody in by SSH: their type, fingerprint and options, never the key itself."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from davylamp.agent.accounts import Account, homes
from davylamp.agent.startup.item import ITEMS_PER_FILE_COUNT, StartupItems

TYPE = (
    r"(?:ssh-(?:rsa|dss|ed25519|ed448)|ecdsa-sha2-[a-z0-9-]+|sk-[a-z0-9-]+|rsa-sha2-[0-9]+)"
    r"(?:-cert-v01)?(?:@openssh\.com)?"
)
KEY = re.compile(
    rf"^(?:(?P<options>\S.*?)\s+)?(?P<type>{TYPE})\s+(?P<blob>[A-Za-z0-9+/]{{16,}}=*)(?:\s+(?P<comment>.*))?$"
)
DEFAULT = (".ssh/authorized_keys", ".ssh/authorized_keys2")
CONFIGURED = re.compile(r"^\s*AuthorizedKeysFile\s*=?\s*(.+)$", re.IGNORECASE)


def collect(items: StartupItems) -> None:
    """The keys of every account, where sshd looks for them by default or by its configuration."""
    patterns = _patterns(items)
    seen: set[str] = set()
    for home, account in homes(items.files):
        for pattern in patterns:
            path = _place(pattern, home, account)
            if path not in seen:
                seen.add(path)
                _keys(items, path, None if "%" not in pattern and pattern.startswith("/") else account.name)


def _patterns(items: StartupItems) -> list[str]:
    found = list(DEFAULT)
    for path in ["/etc/ssh/sshd_config", *items.files.paths("/etc/ssh/sshd_config.d")]:
        for _, line in items.files.lines(path):
            if named := CONFIGURED.match(line):
                found += [each for each in named.group(1).split("#")[0].replace('"', "").split() if each != "none"]
    return list(dict.fromkeys(found))[:16]


def _place(pattern: str, home: str, account: Account) -> str:
    place = re.sub(
        "%[%huU]",
        lambda found: {"%%": "%", "%h": home, "%u": account.name, "%U": str(account.uid)}[found.group()],
        pattern,
    )
    return place if place.startswith("/") else f"{home}/{place}"


def _keys(items: StartupItems, path: str, user_name: str | None) -> None:
    written_count = 0
    for number, line in items.files.lines(path):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if written_count >= ITEMS_PER_FILE_COUNT:
            items.files.failures.append((path, f"more than {ITEMS_PER_FILE_COUNT} keys, the rest was not read"))
            return
        name, command = _described(text)
        items.add("authorized_key", path, name=name, command=command, user_name=user_name, line=number, follow=False)
        written_count += 1


def _described(text: str) -> tuple[str, str]:
    found = KEY.match(text)
    try:
        blob = base64.b64decode(found.group("blob"), validate=True) if found else b""
    except (binascii.Error, ValueError):
        found, blob = None, b""
    if found is None:
        return "", "line that is no key that we can read"
    fingerprint = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    options = f" {found.group('options')}" if found.group("options") else ""
    return (found.group("comment") or "").strip(), f"{found.group('type')} SHA256:{fingerprint}{options}"
