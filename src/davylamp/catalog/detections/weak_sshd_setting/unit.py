"""The detection `weak_sshd_setting`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Technique
from davylamp.model.severity import Confidence, Severity

SHOWN = ("name", "value", "file_path", "file_line")
# A Match block by address keeps a weaker setting to one's own networks.
PRIVATE = re.compile(
    r"\b(?:Local)?Address\s+(?:(?:10|127|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.|::1|f[cd])", re.IGNORECASE
)


@dataclass(frozen=True)
class _Weak:
    key: str
    words: str
    severity: Severity
    names: tuple[str, ...]


class WeakSshdSetting(Detection):
    """sshd lets guessing in.

    What it sees.
    Options of sshd as they take effect, together with whether root has a password: root may log in with a password;
    empty passwords are accepted; a Match block allows either from anywhere; the first protocol is on; trust by host
    name is on. A second server that runs with a configuration of its own (`sshd -f FILE`, `-o OPTION`) is judged by
    its own options and named by them.

    Why it matters.
    Guessing root's password is the commonest way in for mining botnets (Outlaw: 98 % of one honeypot's sessions after
    a log-in), and each needs one of these settings. It says what to close, before or after.

    How it decides.
    Each is a fact of the configuration: `permitrootlogin yes` with `passwordauthentication yes`, or with keyboard-
    interactive through PAM, which asks for the same password; not when `authenticationmethods` asks for a key as
    well, nor when root's password is known to be locked. Options that nothing sets have sshd's own defaults
    (passwords allowed, root by key only). A Match block for private addresses alone is no weakness from outside.
    Posture says nothing of mining: the ratio is 0.

    What it misses.
    Weak passwords of other users, who may guess as well; what PAM asks for; what a firewall lets through. A second
    sshd whose file another user than root may write, that runs in a container, or that is another program is not
    asked: `sshd -T` would run what somebody else has shaped. Coverage says so.

    What looks like it and is not.
    Cloud images whose root has no password, with `permitrootlogin yes`; two factors through keyboard-interactive; a
    bastion that allows passwords to its own network.

    What to do.
    Set `PermitRootLogin prohibit-password` and `PasswordAuthentication no`, check with `sshd -t`, reload, and keep the
    open session until a new one works.

    References.
    https://man.openbsd.org/sshd_config
    https://attack.mitre.org/techniques/T1110/001/
    """

    meta = DetectionMeta(
        uid="weak_sshd_setting",
        title="sshd accepts what guessing needs",
        group="posture",
        stage="access",
        severity=Severity.MEDIUM,
        techniques=(
            Technique("T1110.001", "Brute Force: Password Guessing"),
            Technique("T1021.004", "Remote Services: SSH"),
        ),
        reads=("host_setting",),
        references=("https://man.openbsd.org/sshd_config", "https://attack.mitre.org/techniques/T1110/001/"),
    )
    params: ClassVar[Mapping[str, object]] = {}

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a host, server and weakness, by its last look."""
        for first, rows in candidates(candidates_rows, "asset"):
            for server, last in _last_of_each(rows):
                yield from self._of_server(str(first["asset"]), server, last)

    def _of_server(self, host: str, server: str, last: Mapping[str, Row]) -> Iterable[Finding]:
        """One finding a weakness.

        Args:
            server: its command line; empty for the one that reads the usual file.
        """
        for weak in _weaknesses(last):
            cited = [last[name] for name in weak.names if name in last]
            yield build_finding(
                self.meta,
                fact_key=f"{weak.key} {server}".strip(),
                assets=(AssetRef("host", host),),
                because=f"{f'the server `{server}`' if server else 'sshd'} on {host} {weak.words}",
                first_seen=min(instant(row["time"]) for row in cited),
                last_seen=max(instant(row["time"]) for row in cited),
                llr=0.0,
                confidence=Confidence.HIGH,
                severity=weak.severity,
                evidence=evidence_of(cited, SHOWN),
            )


def _last_of_each(rows: Sequence[Row]) -> Iterable[tuple[str, dict[str, Row]]]:
    """Each server that the last look met, with its options of that look and root's account."""
    accounts = [row for row in rows if row["kind"] == "user_account"]
    by_server: dict[str, list[Row]] = {}
    for row in rows:
        if row["kind"] != "user_account":
            by_server.setdefault(str(row["server"]), []).append(row)
    looked_at = max((instant(row["time"]) for row in rows), default=None)
    for server, own in sorted(by_server.items()):
        if not server or any(instant(row["time"]) == looked_at for row in own):
            yield server, _last([*own, *accounts])


def _last(rows: Sequence[Row]) -> dict[str, Row]:
    """Each option's row of the last look; of an option given twice, sshd takes the first."""
    found: dict[str, Row] = {}
    for row in rows:
        name = "root's account" if row["kind"] == "user_account" else str(row["name"])
        if name not in found or instant(row["time"]) > instant(found[name]["time"]):
            found[name] = row
    return found


def _weaknesses(last: Mapping[str, Row]) -> Iterable[_Weak]:
    def value(name: str, default: str) -> str:
        return str(last[name]["value"]).strip().lower() if name in last else default

    locked = "password=locked" in value("root's account", "")
    prompts = _prompts(value)
    if value("permitrootlogin", "prohibit-password") == "yes" and prompts and not locked:
        names = ("permitrootlogin", *prompts, "root's account")
        yield _Weak("root_password", "lets root log in with a password", Severity.MEDIUM, names)
    if value("permitemptypasswords", "no") == "yes":
        yield _Weak("empty_passwords", "accepts empty passwords", Severity.HIGH, ("permitemptypasswords",))
    if "1" in value("protocol", "2").split(","):
        yield _Weak("protocol_1", "speaks the first protocol, which can be broken", Severity.HIGH, ("protocol",))
    if value("hostbasedauthentication", "no") == "yes" and value("ignorerhosts", "yes") == "no":
        names = ("hostbasedauthentication", "ignorerhosts")
        yield _Weak("host_trust", "trusts other hosts by users' own .rhosts files", Severity.MEDIUM, names)
    yield from _in_match_blocks(last, value("passwordauthentication", "yes") == "yes", locked)


def _prompts(value: Callable[[str, str], str]) -> tuple[str, ...]:
    """Options by which a password alone lets somebody in; empty when none does."""
    methods = value("authenticationmethods", "any").split()
    if not any(
        each == "any" or set(each.split(",")) <= {"password", "keyboard-interactive", "keyboard-interactive:pam"}
        for each in methods
    ):
        return ()
    if value("passwordauthentication", "yes") == "yes":
        return ("passwordauthentication",)
    interactive = next(
        (
            name
            for name in ("kbdinteractiveauthentication", "challengeresponseauthentication")
            if value(name, "") == "yes"
        ),
        None,
    )
    return (interactive, "usepam") if interactive and value("usepam", "no") == "yes" else ()


def _in_match_blocks(last: Mapping[str, Row], passwords: bool, locked: bool) -> Iterable[_Weak]:
    for name, row in last.items():
        option, block = name.removeprefix("match: "), str(row["value"])
        if option == name or not block.lower().startswith("yes") or PRIVATE.search(block):
            continue
        where = block.partition("[")[2].rstrip("]")
        if option == "permitemptypasswords":
            yield _Weak("match_empty_passwords", f"accepts empty passwords where {where}", Severity.HIGH, (name,))
        elif option == "permitrootlogin" and passwords and not locked:
            yield _Weak(
                "match_root_password", f"lets root log in with a password where {where}", Severity.MEDIUM, (name,)
            )
