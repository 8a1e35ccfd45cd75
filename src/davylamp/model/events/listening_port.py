"""Listening port (extension): a socket that waits for connections or datagrams."""

from davylamp.model.event_class import Column, EventClass

LISTENING_PORT = EventClass(
    name="listening_port",
    ocsf_uid=None,
    meaning="One port on which a process of the host listens; our extension.",
    columns=(
        Column("time", "TIMESTAMP", "UTC", "Instant of the reading."),
        Column("protocol", "VARCHAR", "tcp|udp", "Transport protocol."),
        Column("ip", "VARCHAR", "IP address", "Address it is bound to; 0.0.0.0 and :: are every address."),
        Column("port", "INTEGER", "port", "Port."),
        Column("exposure", "VARCHAR", "any|address|loopback|container", "Who may reach it, as far as the host says."),
        Column("process_pid", "BIGINT", "pid", "Owner; null where no process was seen to hold the socket."),
        Column("process_started_at", "TIMESTAMP", "UTC", "When the owner started."),
        Column("process_name", "VARCHAR", "", "The owner's name."),
        Column("image_path", "VARCHAR", "path", "File the owner runs."),
        Column("user_uid", "BIGINT", "uid", "User the socket belongs to."),
        Column("container_uid", "VARCHAR", "", "Container of the owner."),
        Column("device_name", "VARCHAR", "", "Host."),
    ),
)
