"""What to do now, in the order that does not lose evidence or let it come back.

Order: cut the miner off, keep the evidence, remove what restarts it, stop it, change credentials,
close the way in, verify. In a cloud account: revoke sessions, set groups to zero, lift protection,
terminate, sweep every region.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from davylamp.correlate.fusion import TELLING_LLR
from davylamp.model.finding import AssetRef, Finding

PIDS_SHOWN_COUNT = 8


def next_steps(findings: Sequence[Finding], assets: Sequence[AssetRef]) -> tuple[str, ...]:
    """Sentences that name the machines, addresses and credentials of this incident.

    Args:
        assets: the incident's own: a guessing campaign names neighbours that nobody entered, and they stay connected.
    """
    units = {finding.unit for finding in findings}
    stages = {finding.stage for finding in findings}
    hosts = _joined({asset.name for asset in assets if asset.kind == "host"})
    steps: list[str] = []
    if hosts and stages & {"mining", "impact"}:
        steps += _host_steps(findings, hosts)
    if any(finding.group == "auth" and finding.stage == "access" for finding in findings):
        steps += _login_steps(findings, hosts)
    if any(finding.group == "audit" for finding in findings):
        steps += _account_steps(findings, units)
    steps.append("Scan again with newer evidence and see that nothing of this returns.")
    return tuple(dict.fromkeys(steps))


def _host_steps(findings: Sequence[Finding], hosts: str) -> list[str]:
    telling = [each for each in findings if each.fact or each.llr >= TELLING_LLR]
    steps = _cut_off(telling, hosts)
    pids = sorted({name.partition("@")[0] for name in _names(telling, "process")}, key=lambda pid: (len(pid), pid))
    if pids:
        # A process that is stopped keeps its memory, its open files and its image, even where the file is gone; what
        # it started goes on computing when it is stopped alone.
        named = pids[:PIDS_SHOWN_COUNT]
        one = len(named) == 1
        place, begin, end = (named[0], "", "") if one else ("$p", f"for p in {' '.join(named)}; do ", "; done")
        steps += [
            f"Freeze {'it' if one else 'them'} without losing anything: kill -STOP {' '.join(named)}; "
            f"pkill -STOP -P {','.join(named)}",
            f"Keep image and traces: {begin}cp /proc/{place}/exe miner-{place}.bin; tr '\\0' ' ' < "
            f"/proc/{place}/cmdline; ls -l /proc/{place}/fd{end}; a disk snapshot where you can.",
        ]
    else:
        steps.append(
            f"Keep the evidence of {hosts} before changing anything: a disk snapshot, process list, the miner's binary."
        )
    steps.append(f"Remove what would restart the miner on {hosts}: cron, systemd units, authorized_keys; then stop it.")
    return steps


def _cut_off(telling: Sequence[Finding], hosts: str) -> list[str]:
    """What lies behind an address of the machine's own is reached through another program there.

    The address an API was called from is not one that the machine speaks with.
    """
    spoken_with = [each for each in telling if each.group != "audit"]
    remotes = _values(spoken_with, "mining", ("ip", "domain"))
    here = {remote for remote in remotes if _is_loopback(remote)}
    elsewhere = _joined(remotes - here)
    steps = []
    if elsewhere or not here:
        to = f" to {elsewhere}" if elsewhere else " except what the service needs"
        steps.append(f"Cut {hosts} off from outgoing traffic{to}, at the security group or with nftables.")
    if here:
        ports = sorted(_values(telling, "mining", ("port",)))
        asked = f" '{' or '.join(f'sport = :{port}' for port in ports[:4])}'" if ports else ""
        steps.append(
            f"The pool is reached through {_joined(here)}, an address of {hosts} itself: see who listens there "
            f"(ss -ltnp{asked}) and where that sends, and cut that off."
        )
    return steps


def _is_loopback(remote: str) -> bool:
    try:
        return ipaddress.ip_address(remote).is_loopback
    except ValueError:
        return False


def _login_steps(findings: Sequence[Finding], hosts: str) -> list[str]:
    users = _observed(findings, "access", ("user_name",))
    sources = _observed(findings, "access", ("ip",))
    return [
        f"Change the password and keys of {users or 'the account that was entered'} on {hosts or 'the host'}; "
        "end its open sessions.",
        "Close the way in: allow SSH only from known addresses, switch password login off; "
        f"block {sources or 'the source'}.",
    ]


def _account_steps(findings: Sequence[Finding], units: set[str]) -> list[str]:
    keys = _observed(findings, None, ("access_key",))
    principals = _observed(findings, None, ("principal",))
    steps = [f"Deactivate {keys or 'the access keys used'} and revoke all sessions of {principals or 'the principal'}."]
    if "audit_trail_impaired" in units:
        steps.append("Switch the audit trail, flow logs and detectors on again, and note the gap.")
    if "termination_protection_on_new_instance" in units:
        steps.append("Lift termination protection from the machines launched, or terminating them will fail.")
    if any(finding.compute for finding in findings):
        instances = _observed(findings, None, ("instance",))
        steps.append(
            "Set the attacker's scaling groups and services to zero, then terminate what was launched"
            + (f" ({instances})." if instances else ".")
        )
    steps.append("Look through every region and every compute service for more of the same, unused ones first.")
    if "identity_persistence" in units:
        steps.append("Delete the users, keys, roles and permissions that were added.")
    return steps


def _names(findings: Sequence[Finding], kind: str) -> set[str]:
    return {asset.name for finding in findings for asset in finding.assets if asset.kind == kind}


def _observed(findings: Sequence[Finding], stage: str | None, types: tuple[str, ...]) -> str:
    return _joined(_values(findings, stage, types))


def _values(findings: Sequence[Finding], stage: str | None, types: tuple[str, ...]) -> set[str]:
    return {
        observable.value
        for finding in findings
        if stage is None or finding.stage == stage
        for observable in finding.observables
        if observable.type in types
    }


def _joined(names: set[str], shown_count: int = 4) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - shown_count} more" if len(ordered) > shown_count else ""
    return ", ".join(ordered[:shown_count]) + more
