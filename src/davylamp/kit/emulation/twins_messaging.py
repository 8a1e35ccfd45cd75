"""Benign twins that carry messages: MQTT, chat, syslog, node gossip, game and SSH keep-alives."""

from __future__ import annotations

import random

from davylamp.kit.emulation.message import (
    Dialogue,
    Message,
    exponential_instants,
    in_order,
    periodic_instants,
    round_trip,
)


def mqtt(rng: random.Random, duration_s: float, *, event_driven: bool = False, quality: int = 1) -> Dialogue:
    """A device that publishes with QoS 1 and listens to a subscription.

    Args:
        event_driven: publishes when something happens (memoryless), not on a timer.
        quality: QoS of what it receives; 1 makes it acknowledge each push.
    """
    size_bytes, push_bytes = rng.randrange(60, 260), rng.randrange(60, 420)
    gap_s, push_gap_s = rng.uniform(5, 60), rng.uniform(15, 120)
    messages = [Message(0.01, True, b"\x10" + rng.randbytes(40)), Message(0.06, False, b"\x20\x02\x00\x00")]
    messages += [Message(0.07, True, b"\x82" + rng.randbytes(30)), Message(0.13, False, b"\x90\x03\x00\x01\x01")]
    instants = exponential_instants if event_driven else periodic_instants
    for moment_s in instants(rng, gap_s, 0.2, duration_s):
        messages.append(Message(moment_s, True, b"\x32" + rng.randbytes(size_bytes + rng.randrange(2))))
        messages.append(Message(moment_s + round_trip(rng, 0.05), False, b"\x40\x02" + rng.randbytes(2)))
    for moment_s in exponential_instants(rng, push_gap_s, 0.2, duration_s):
        messages.append(Message(moment_s, False, b"\x30" + rng.randbytes(push_bytes + rng.randrange(2))))
        if quality == 1:
            messages.append(Message(moment_s + rng.uniform(0.001, 0.02), True, b"\x40\x02" + rng.randbytes(2)))
    for moment_s in periodic_instants(rng, 60, 0.2, duration_s):
        messages.append(Message(moment_s, True, b"\xc0\x00"))
        messages.append(Message(moment_s + round_trip(rng, 0.05), False, b"\xd0\x00"))
    return in_order(messages)


def chat(rng: random.Random, duration_s: float) -> Dialogue:
    """XMPP-like chat: bursts of typing, long silences, sizes as people write, white-space keep-alive."""
    messages: list[Message] = []
    for burst_s in exponential_instants(rng, 180, 1, duration_s):
        moment_s = burst_s
        for _ in range(rng.randrange(1, 9)):
            size_bytes = int(rng.lognormvariate(5.2, 0.6))
            outbound = rng.random() < 0.5
            messages.append(Message(moment_s, outbound, rng.randbytes(size_bytes)))
            if rng.random() < 0.4:
                messages.append(Message(moment_s + 0.06, not outbound, rng.randbytes(rng.randrange(90, 130))))
            moment_s += rng.lognormvariate(1.5, 0.9)
    messages += [Message(moment_s, True, b" ") for moment_s in periodic_instants(rng, 60, 1, duration_s)]
    return in_order(messages)


def syslog(rng: random.Random, duration_s: float) -> Dialogue:
    """Log lines to a collector: one way, sizes as log lines have them, acknowledged in batches where RELP."""
    acknowledged = rng.random() < 0.5
    messages: list[Message] = []
    for moment_s in exponential_instants(rng, rng.uniform(2, 30), 0.1, duration_s):
        messages.append(Message(moment_s, True, rng.randbytes(int(rng.lognormvariate(5.0, 0.4)))))
        if acknowledged:
            messages.append(Message(moment_s + round_trip(rng, 0.03), False, rng.randbytes(16)))
    return in_order(messages)


def node_chat(rng: random.Random, duration_s: float) -> Dialogue:
    """A blockchain node's peer: inventories both ways, requests, blocks, pings each two minutes."""
    messages: list[Message] = []
    for outbound in (True, False):
        for moment_s in exponential_instants(rng, rng.uniform(3, 12), 1, duration_s):
            messages.append(Message(moment_s, outbound, rng.randbytes(25 + 36 * rng.randrange(1, 12))))
            if rng.random() < 0.3:
                messages.append(Message(moment_s + round_trip(rng, 0.1), not outbound, rng.randbytes(61)))
                answer_bytes = int(rng.lognormvariate(6.0, 0.8))
                messages.append(Message(moment_s + round_trip(rng, 0.2), outbound, rng.randbytes(answer_bytes)))
        for moment_s in periodic_instants(rng, 120, 1, duration_s):
            messages.append(Message(moment_s, outbound, rng.randbytes(32)))
            messages.append(Message(moment_s + round_trip(rng, 0.1), not outbound, rng.randbytes(32)))
    return in_order(messages)


def game_server(rng: random.Random, duration_s: float) -> Dialogue:
    """Client inputs and state updates several times a second, sizes that vary with the scene."""
    messages: list[Message] = []
    for moment_s in periodic_instants(rng, 0.5, 0.1, min(duration_s, 600), jitter_ratio=0.1):
        messages.append(Message(moment_s, True, rng.randbytes(rng.choice([24, 28, 36]))))
        messages.append(Message(moment_s + 0.05, False, rng.randbytes(int(rng.lognormvariate(4.6, 0.4)))))
    return in_order(messages)


def ssh_idle(rng: random.Random, duration_s: float) -> Dialogue:
    """An interactive shell: keystroke bursts with echoes, then the server's keep-alive requests."""
    messages = [Message(0.05, False, b"SSH-2.0-OpenSSH_9.6\r\n"), Message(0.06, True, b"SSH-2.0-OpenSSH_9.6\r\n")]
    for burst_s in exponential_instants(rng, 240, 1, duration_s):
        moment_s = burst_s
        for _ in range(rng.randrange(3, 40)):
            messages.append(Message(moment_s, True, rng.randbytes(36)))
            messages.append(Message(moment_s + 0.04, False, rng.randbytes(36)))
            moment_s += rng.lognormvariate(-1.4, 0.6)
        messages.append(Message(moment_s, False, rng.randbytes(rng.randrange(60, 1400))))
    for moment_s in periodic_instants(rng, 30, 1, duration_s):
        messages.append(Message(moment_s, False, rng.randbytes(52)))
        messages.append(Message(moment_s + 0.04, True, rng.randbytes(28)))
    return in_order(messages)
