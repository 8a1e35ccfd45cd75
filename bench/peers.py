"""Peers on the same file, where the user has them; nothing here is a dependency, and nothing contacts anybody."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent


def peers(
    name: str, evidence: Path, peer_python: str | None, crowdsec: Path | None, suricata: tuple[str, Path] | None
) -> dict[str, Sequence[str]]:
    """Name of the peer -> the command; empty where it is not there or has nothing to say about the format."""
    found: dict[str, Sequence[str]] = {}
    if peer_python and name == "capture":
        found["nDPI through nfstream"] = (peer_python, str(HERE / "peer_nfstream.py"), str(evidence))
    if suricata and name == "capture":
        command, rules = suricata
        found["Suricata"] = ("bash", str(HERE / "peer_suricata.sh"), command, str(rules), str(evidence))
    if peer_python and name in ("trail_lines", "resolver_json"):
        found["Sigma rules through pySigma and SQLite"] = (peer_python, str(HERE / "peer_sigma.py"), str(evidence))
    if crowdsec and name == "sshd":
        found["crowdsec 1.4.6, offline"] = ("bash", str(HERE / "peer_crowdsec.sh"), str(crowdsec), str(evidence))
    return found
