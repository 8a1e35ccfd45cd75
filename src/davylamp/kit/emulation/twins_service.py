"""Benign twins that serve programs: counters, APIs, health checks, watches, tickers, agents, databases."""

from __future__ import annotations

import json
import random

from davylamp.kit.emulation.message import (
    Dialogue,
    Message,
    exponential_instants,
    in_order,
    periodic_instants,
    random_hex,
    round_trip,
)


def _calls(rng: random.Random, instants: list[float], sent_bytes: int, answer_bytes: int) -> list[Message]:
    messages: list[Message] = []
    for moment_s in instants:
        messages.append(Message(moment_s, True, rng.randbytes(sent_bytes)))
        messages.append(Message(moment_s + round_trip(rng, 0.06), False, rng.randbytes(answer_bytes)))
    return messages


def event_counter(rng: random.Random, duration_s: float) -> Dialogue:
    """Fixed events when they happen (memoryless), fixed answers, nothing unasked: shares without jobs."""
    gap_s = rng.choice([3.0, 8.0, 20.0, 45.0, 120.0])
    instants = exponential_instants(rng, gap_s, 0.1, duration_s)
    return in_order(_calls(rng, instants, rng.randrange(120, 320), rng.randrange(40, 120)))


def two_part_answers(rng: random.Random, duration_s: float) -> Dialogue:
    """Jobs handed in at random instants, a fixed receipt at once and a fixed result a moment later."""
    messages = list(event_counter(rng, duration_s))
    result_bytes, delay_s = rng.randrange(150, 500), rng.choice([0.15, 0.6, 2.0])
    handed_in = [message.time_s for message in messages if message.outbound]
    messages += [
        Message(moment_s + round_trip(rng, delay_s), False, rng.randbytes(result_bytes)) for moment_s in handed_in
    ]
    return in_order(messages)


def slow_tail_answers(rng: random.Random, duration_s: float) -> Dialogue:
    """An event counter whose answers have one of two sizes and now and then come seconds late."""
    sent_bytes, short_bytes, long_bytes = rng.randrange(120, 320), rng.randrange(40, 120), rng.randrange(200, 500)
    messages: list[Message] = []
    for moment_s in exponential_instants(rng, rng.choice([3.0, 8.0, 20.0]), 0.1, duration_s):
        messages.append(Message(moment_s, True, rng.randbytes(sent_bytes)))
        answered_s = moment_s + 0.05 * rng.paretovariate(1.0)
        messages.append(Message(answered_s, False, rng.randbytes(rng.choice([short_bytes, long_bytes]))))
    return in_order(messages)


def counter_with_notices(rng: random.Random, duration_s: float) -> Dialogue:
    """An event counter whose server also sends a configuration of varying size now and then."""
    messages = list(event_counter(rng, duration_s))
    for moment_s in exponential_instants(rng, 600, 1, duration_s):
        messages.append(Message(moment_s, False, rng.randbytes(int(rng.lognormvariate(6.0, 0.7)))))
    return in_order(messages)


def health_check(rng: random.Random, duration_s: float) -> Dialogue:
    """A probe on a timer with a fixed answer."""
    instants = periodic_instants(rng, rng.choice([5.0, 10.0, 15.0, 30.0]), 0.1, duration_s)
    return in_order(_calls(rng, instants, rng.randrange(60, 220), rng.randrange(60, 300)))


def grpc_health(rng: random.Random, duration_s: float) -> Dialogue:
    """A gRPC stream: HTTP/2 pings from both sides, a status message at a change."""
    messages: list[Message] = []
    for outbound, period_s in ((True, 20.0), (False, 60.0)):
        for moment_s in periodic_instants(rng, period_s, 0.5, duration_s):
            messages.append(Message(moment_s, outbound, rng.randbytes(17)))
            messages.append(Message(moment_s + round_trip(rng, 0.03), not outbound, rng.randbytes(17)))
    messages += [
        Message(moment_s, False, rng.randbytes(rng.choice([16, 55])))
        for moment_s in exponential_instants(rng, 300, 1, duration_s)
    ]
    return in_order(messages)


def ticker(rng: random.Random, duration_s: float, *, fixed: bool = False) -> Dialogue:
    """A web-socket price ticker: pushes in plenty, a client ping on a timer.

    Args:
        fixed: all pushes have one size, as a feed of binary records has.
    """
    size_bytes, gap_s = rng.randrange(80, 400), rng.uniform(0.5, 20)
    spread_bytes = 0 if fixed else size_bytes // 4
    messages = [
        Message(moment_s, False, rng.randbytes(size_bytes + rng.randrange(spread_bytes + 1)))
        for moment_s in exponential_instants(rng, gap_s, 0.5, duration_s)
    ]
    ping_bytes = rng.choice([6, 21, 40])
    messages += _calls(rng, periodic_instants(rng, rng.choice([20.0, 30.0]), 1, duration_s), ping_bytes, ping_bytes)
    return in_order(messages)


def watch(rng: random.Random, duration_s: float) -> Dialogue:
    """A Kubernetes watch: objects of many sizes as they change, a bookmark each minute, HTTP/2 pings."""
    kinds = [int(rng.lognormvariate(7.3, 0.5)) for _ in range(rng.randrange(2, 12))]
    messages = [
        Message(moment_s, False, rng.randbytes(rng.choice(kinds) + rng.randrange(-2, 3)))
        for moment_s in exponential_instants(rng, rng.uniform(4, 60), 0.5, duration_s)
    ]
    messages += [Message(t, False, rng.randbytes(183)) for t in periodic_instants(rng, 60, 0.5, duration_s)]
    messages += _calls(rng, periodic_instants(rng, 30, 1, duration_s), 17, 17)
    return in_order(messages)


def watch_with_leases(rng: random.Random, duration_s: float) -> Dialogue:
    """A controller on one HTTP/2 connection: lease renewals on a timer beside watched changes of fixed size."""
    instants = periodic_instants(rng, rng.choice([2.0, 5.0, 10.0]), 0.5, duration_s, jitter_ratio=0.05)
    messages = _calls(rng, instants, rng.randrange(380, 460), rng.randrange(420, 560))
    size_bytes = rng.randrange(400, 900)
    messages += [
        Message(moment_s, False, rng.randbytes(size_bytes + rng.randrange(-1, 2)))
        for moment_s in periodic_instants(rng, rng.uniform(5, 20), 0.7, duration_s, jitter_ratio=0.05)
    ]
    return in_order(messages)


def database_idle(rng: random.Random, duration_s: float) -> Dialogue:
    """A pooled database connection: validation queries on a timer, work in bursts, notices seldom."""
    messages = _calls(rng, periodic_instants(rng, 30, 0.5, duration_s), 14, 66)
    for burst_s in exponential_instants(rng, 120, 1, duration_s):
        moment_s = burst_s
        for _ in range(rng.randrange(1, 12)):
            messages.append(Message(moment_s, True, rng.randbytes(int(rng.lognormvariate(4.8, 0.5)))))
            answer_bytes = int(rng.lognormvariate(5.5, 1.2))
            messages.append(Message(moment_s + round_trip(rng, 0.01), False, rng.randbytes(answer_bytes)))
            moment_s += rng.lognormvariate(-3, 1)
    return in_order(messages)


def monitoring_agent(rng: random.Random, duration_s: float) -> Dialogue:
    """Samples of nearly one size on a timer, a fixed answer, a changed configuration seldom."""
    size_bytes = rng.randrange(400, 3000)
    messages: list[Message] = []
    for moment_s in periodic_instants(rng, rng.choice([10.0, 15.0, 60.0]), 0.5, duration_s):
        messages.append(Message(moment_s, True, rng.randbytes(size_bytes + rng.randrange(40))))
        messages.append(Message(moment_s + round_trip(rng, 0.05), False, rng.randbytes(120)))
    messages += [
        Message(moment_s, False, rng.randbytes(700)) for moment_s in exponential_instants(rng, 1800, 1, duration_s)
    ]
    return in_order(messages)


def json_rpc_api(rng: random.Random, duration_s: float) -> Dialogue:
    """A JSON-RPC application with methods `login`, `submit` and pushed `job` notices that are no mining."""

    def line(value: object) -> bytes:
        return json.dumps(value).encode() + b"\n"

    login = {"jsonrpc": "2.0", "id": 1, "method": "login", "params": {"login": "alice", "pass": "x"}}
    session = {"jsonrpc": "2.0", "id": 1, "result": {"token": random_hex(rng, 16), "status": "OK"}}
    messages = [Message(0.1, True, line(login)), Message(0.2, False, line(session))]
    for number, moment_s in enumerate(exponential_instants(rng, rng.uniform(5, 40), 0.5, duration_s), start=2):
        words = " ".join(random_hex(rng, rng.randrange(2, 8)) for _ in range(rng.randrange(2, 12)))
        form = {"form": "leave", "nonce": random_hex(rng, 4), "text": words}
        sent = {"jsonrpc": "2.0", "id": number, "method": "submit", "params": form}
        messages.append(Message(moment_s, True, line(sent)))
        answer = {"jsonrpc": "2.0", "id": number, "result": {"status": "OK"}}
        messages.append(Message(moment_s + round_trip(rng, 0.1), False, line(answer)))
    for moment_s in exponential_instants(rng, 90, 1, duration_s):
        notice = {"jsonrpc": "2.0", "method": "job", "params": {"job_id": rng.randrange(9999), "state": "done"}}
        messages.append(Message(moment_s, False, line(notice)))
    return in_order(messages)
