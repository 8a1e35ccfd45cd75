"""Declared need (extension): one thing a host is meant to have, as somebody approved it."""

from davylamp.model.event_class import Column, EventClass

DECLARED_NEED = EventClass(
    name="declared_need",
    ocsf_uid=None,
    meaning="One thing that a host is meant to have, as an approved baseline declares it; our extension.",
    columns=(
        Column("time", "TIMESTAMP", "UTC", "Instant of the approval."),
        Column(
            "kind",
            "VARCHAR",
            "list|service|listening_port|resolver|name_source|route|startup_item|authorized_key|user_account",
            "What sort of need it is; `list` says that the baseline speaks of the kind in `name` at all.",
        ),
        Column("name", "VARCHAR", "", "Its name: service, resolver, destination of a route, entry, user."),
        Column("value", "VARCHAR", "", "Its value; of a port that has no number of its own, `random` or `any`."),
        Column("protocol", "VARCHAR", "tcp|udp", "Transport protocol of a port."),
        Column("port", "INTEGER", "port", "Port; null where `value` says random or any."),
        Column("exposure", "VARCHAR", "any|address|loopback", "Who may reach the port."),
        Column("image_path", "VARCHAR", "path", "File that the port's owner runs; null for any."),
        Column("item_kind", "VARCHAR", "", "Sort of startup item, as in `startup_item`."),
        Column("file_path", "VARCHAR", "path", "File that holds the startup item."),
        Column("user_name", "VARCHAR", "", "User whom a key lets in."),
        Column("sha256", "VARCHAR", "hex", "Hash of the startup item's command."),
        Column("approved_by", "VARCHAR", "", "Who approved it, as they say."),
        Column("device_name", "VARCHAR", "", "Host."),
    ),
)
