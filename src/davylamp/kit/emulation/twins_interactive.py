"""Benign twins in which both sides speak up: brokers with confirms, board games, subscriptions, lock services."""

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


def _answered(rng: random.Random, moment_s: float, sent_bytes: int, answer_bytes: int) -> list[Message]:
    answer = Message(moment_s + round_trip(rng, 0.04), False, rng.randbytes(answer_bytes))
    return [Message(moment_s, True, rng.randbytes(sent_bytes)), answer]


def broker_confirms(rng: random.Random, duration_s: float) -> Dialogue:
    """AMQP: fixed events published at random instants, each confirmed in 21 bytes, deliveries, heartbeats of 8."""
    messages: list[Message] = []
    event_bytes, delivery_bytes = rng.randrange(120, 420), rng.randrange(120, 420)
    for moment_s in exponential_instants(rng, rng.choice([4.0, 15.0, 60.0]), 0.3, duration_s):
        messages += _answered(rng, moment_s, event_bytes, 21)
    for moment_s in exponential_instants(rng, rng.uniform(15, 90), 0.3, duration_s):
        messages.append(Message(moment_s, False, rng.randbytes(delivery_bytes)))
    period_s = rng.choice([10.0, 30.0])
    for outbound in (True, False):
        beats = periodic_instants(rng, period_s, 0.3, duration_s)
        messages += [Message(moment_s, outbound, rng.randbytes(8)) for moment_s in beats]
    return in_order(messages)


def board_game(rng: random.Random, duration_s: float) -> Dialogue:
    """A game server: a move of nearly one size, a short receipt, the opponent's move with the position in it."""
    messages: list[Message] = []
    thinking = rng.uniform(1.0, 3.0)
    position_bytes, receipt_bytes = rng.randrange(140, 260), rng.randrange(18, 32)
    moment_s = 2.0
    while moment_s < duration_s:
        moment_s += rng.lognormvariate(thinking, 0.85)
        messages += _answered(rng, moment_s, rng.randrange(52, 68), receipt_bytes)
        if rng.random() < 0.3:
            echo = rng.randbytes(position_bytes + rng.randrange(12))
            messages.append(Message(moment_s + round_trip(rng, 0.09), False, echo))
        moment_s += rng.lognormvariate(thinking, 0.85)
        messages.append(Message(moment_s, False, rng.randbytes(position_bytes + rng.randrange(12))))
    if rng.random() < 0.6:
        for beat_s in periodic_instants(rng, rng.choice([2.5, 10.0]), 1, duration_s):
            messages += _answered(rng, beat_s, rng.choice([7, 14]), 3)
    return in_order(message for message in messages if message.time_s < duration_s)


def subscription_api(rng: random.Random, duration_s: float) -> Dialogue:
    """Calls over a web socket: changes now and then, answered in two messages; pushed records; a keep-alive."""
    messages: list[Message] = []
    record_bytes, change_bytes, answer_bytes = rng.randrange(140, 440), rng.randrange(180, 600), rng.randrange(60, 170)
    for moment_s in exponential_instants(rng, rng.choice([12.0, 40.0, 90.0]), 0.3, duration_s):
        messages += _answered(rng, moment_s, change_bytes + rng.randrange(8), answer_bytes)
        messages.append(Message(moment_s + round_trip(rng, 0.07), False, rng.randbytes(28)))
    for moment_s in exponential_instants(rng, rng.choice([20.0, 60.0]), 0.3, duration_s):
        messages.append(Message(moment_s, False, rng.randbytes(record_bytes + rng.randrange(6))))
    for moment_s in periodic_instants(rng, rng.choice([12.0, 20.0, 30.0]), 0.3, duration_s):
        messages.append(Message(moment_s, False, rng.randbytes(15)))
    return in_order(messages)


def lock_service(rng: random.Random, duration_s: float) -> Dialogue:
    """A key-value store over HTTP/2: leases kept on a timer, writes at random instants, watched changes pushed.

    A program that grows its window answers data with frames of 13 and 17 bytes.
    """
    messages: list[Message] = []
    for moment_s in periodic_instants(rng, rng.choice([2.0, 5.0, 10.0]), 0.3, duration_s):
        messages += _answered(rng, moment_s, 35, 62)
    for moment_s in exponential_instants(rng, rng.choice([10.0, 40.0]), 0.3, duration_s):
        messages += _answered(rng, moment_s, rng.randrange(148, 156), rng.randrange(76, 80))
    for moment_s in exponential_instants(rng, rng.choice([10.0, 40.0]), 0.3, duration_s):
        messages.append(Message(moment_s, False, rng.randbytes(rng.randrange(186, 198))))
        if rng.random() < 0.5:
            messages.append(Message(moment_s + 0.001, True, rng.randbytes(30)))
            messages.append(Message(moment_s + round_trip(rng, 0.03), False, rng.randbytes(17)))
    return in_order(messages)
