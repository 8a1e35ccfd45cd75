"""The benign twins by name."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from davylamp.kit.emulation import twins_interactive as interactive
from davylamp.kit.emulation import twins_messaging as messaging
from davylamp.kit.emulation import twins_service as service
from davylamp.kit.emulation.message import Dialogue

TWINS: dict[str, Callable[[random.Random, float], Dialogue]] = {
    "mqtt": messaging.mqtt,
    "mqtt_events": partial(messaging.mqtt, event_driven=True),
    "mqtt_unacknowledged": partial(messaging.mqtt, quality=0),
    "mqtt_events_unacknowledged": partial(messaging.mqtt, event_driven=True, quality=0),
    "chat": messaging.chat,
    "syslog": messaging.syslog,
    "node_chat": messaging.node_chat,
    "game_server": messaging.game_server,
    "ssh_idle": messaging.ssh_idle,
    "event_counter": service.event_counter,
    "two_part_answers": service.two_part_answers,
    "slow_tail_answers": service.slow_tail_answers,
    "counter_with_notices": service.counter_with_notices,
    "health_check": service.health_check,
    "grpc_health": service.grpc_health,
    "ticker": service.ticker,
    "ticker_fixed": partial(service.ticker, fixed=True),
    "watch": service.watch,
    "watch_with_leases": service.watch_with_leases,
    "database_idle": service.database_idle,
    "monitoring_agent": service.monitoring_agent,
    "json_rpc_api": service.json_rpc_api,
    "broker_confirms": interactive.broker_confirms,
    "board_game": interactive.board_game,
    "subscription_api": interactive.subscription_api,
    "lock_service": interactive.lock_service,
}


def twin_dialogue(name: str, seed: int, duration_s: float = 1800.0) -> Dialogue:
    """The dialogue of one benign connection; the same arguments give the same messages.

    Raises:
        KeyError: no twin has this name.
    """
    return TWINS[name](random.Random(f"{name}:{seed}"), duration_s)
