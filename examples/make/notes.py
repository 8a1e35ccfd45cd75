"""The notes beside the evidence: what it is, and by how much each recording was stretched."""

from __future__ import annotations

from collections.abc import Mapping

from examples.make import plan
from examples.make.stretch import Stretch

_TEXT = """\
# The sample story

`story/` is the evidence of one made-up intrusion, made by `make example` (`examples/make`). These notes lie beside
the folder because everything in it is read as evidence.

**Real:** the sshd (Debian's OpenSSH) that was guessed at and logged in to by OpenSSH's `ssh`, the resolver (dnsmasq),
the sockets, and the packets, which our own capture took from the gateway's uplink (all TCP but SSH).
**Emulated:** what miner and pool say to each other; it is our own emulation (`davylamp.kit.emulation`). No miner ran.
**Modelled:** the CPU series; days of it do not fit into a minute.
**Moved in time:** the recordings last a minute, the story two days. Each recording is stretched by the factor below
and laid on the story's dates; the lines of one SSH connection, and of one DNS question, keep their own pace.

All of it ran in network namespaces without a route to the outside, with addresses of the documentation ranges
(203.0.113.7 guesses, 198.51.100.23 plays the pool). The pool's name is a real one, so that it is listed; it was asked
of our own resolver only, and never left.

| recording | recorded, s | factor | from, UTC |
|---|---:|---:|---|
{rows}

Seed {seed}. The CPU series and every dialogue's bytes in clear come out the same each time; instants, ports of SSH
clients, process ids and TLS bytes vary a little.
"""


def notes(stretches: Mapping[str, Stretch]) -> str:
    """Markdown with one row per recording, in the story's order."""
    ordered = sorted(stretches.values(), key=lambda part: part.story_from)
    rows = [
        f"| {part.name} | {part.recorded_to_s - part.recorded_from_s:.1f} | {part.factor:,.0f} "
        f"| {part.story_from:%Y-%m-%d %H:%M:%S} |"
        for part in ordered
    ]
    return _TEXT.format(rows="\n".join(rows), seed=plan.SEED)
