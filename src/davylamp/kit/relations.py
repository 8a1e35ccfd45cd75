"""What a query may read beside the event classes: lists, and what several detections ask of one class."""

from __future__ import annotations

from dataclasses import dataclass

from davylamp.model.events import EVENT_CLASSES


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation.

    Args:
        of: the event class that it is made of, which the detection says it reads; empty for a list.
        columns: their names, in order.
        meaning: one sentence.
    """

    name: str
    of: str
    columns: tuple[str, ...]
    meaning: str


RELATIONS = (
    Relation(
        "indicator",
        "",
        ("type", "value", "port", "indicator_class", "source"),
        "Live entries of the indicator sets.",
    ),
    Relation("known_resolver", "", ("ip", "name"), "Public resolvers, and who runs them."),
    Relation(
        "network_activity_bare",
        "network_activity",
        tuple(column.name for column in EVENT_CLASSES["network_activity"].stored),
        "Its rows before machines are named: for a first look over all of them.",
    ),
    Relation("network_peer", "network_activity", ("ip",), "Each address that its rows went to, once."),
    Relation(
        "dns_name",
        "dns_activity",
        ("name",),
        "Each name that was asked for, or (in lower case, without its last dot) that an answer holds, once.",
    ),
    Relation(
        "listed_dns_name",
        "dns_activity",
        ("name",),
        "Each name of `dns_name` that a live entry for a pool's endpoint or a browser miner may cover.",
    ),
    Relation(
        "listed_server_name",
        "network_activity",
        ("server_name", "name"),
        "Each server name that such an entry may cover: as written, and in lower case without port and last dot.",
    ),
    Relation(
        "file_writer",
        "file_activity",
        (
            "asset",
            "file_path",
            "written_at",
            "writer_pid",
            "writer_name",
            "writer_user_name",
            "writer_login_user_name",
        ),
        "Who wrote each file last, and when.",
    ),
    Relation(
        "login",
        "authentication",
        (
            "asset",
            "login_at",
            "source",
            "login_name",
            "peer_asset",
            "auth_method",
            "service",
            "path",
            "line",
            "frame",
            "byte_offset",
        ),
        "Each log-in that was let in and says from where; `peer_asset` is the machine it came from, where it is known.",
    ),
    Relation(
        "suspect_machine",
        "",
        ("asset", "seen_at", "until_at", "role"),
        "What other detections found, for those that follow them: since when a machine of an incident is `taken`, and "
        "when something telling began on one (`harmed`); later than `until_at`, it is another story.",
    ),
)
