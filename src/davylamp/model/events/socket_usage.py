"""Socket usage (extension): a connection's counters as the kernel kept them at one instant."""

from davylamp.model.event_class import Column, EventClass

SOCKET_USAGE = EventClass(
    name="socket_usage",
    ocsf_uid=None,
    meaning="Counters of one connection at one instant, with the process that owns it; our extension.",
    columns=(
        Column("time", "TIMESTAMP", "UTC", "Instant of the reading."),
        Column("socket_uid", "VARCHAR", "cookie", "The kernel's own id of the socket, never used again while it runs."),
        Column("protocol", "VARCHAR", "tcp|udp", "Transport protocol."),
        Column("state", "VARCHAR", "established|syn_sent|...", "State of the connection."),
        Column("direction", "VARCHAR", "outgoing|incoming", "Who opened it; null where that is not known."),
        Column("src_ip", "VARCHAR", "IP address", "Address of this machine's end."),
        Column("src_port", "INTEGER", "port", "Its port."),
        Column("dst_ip", "VARCHAR", "IP address", "Address of the other end."),
        Column("dst_port", "INTEGER", "port", "Its port."),
        Column("bytes_out", "BIGINT", "bytes", "Payload sent and acknowledged since the connection opened."),
        Column("bytes_in", "BIGINT", "bytes", "Payload received since the connection opened."),
        Column("segments_out", "BIGINT", "segments", "Segments with payload sent."),
        Column("segments_in", "BIGINT", "segments", "Segments with payload received."),
        Column("last_sent_ago_s", "DOUBLE", "seconds", "Since payload was sent last."),
        Column("last_received_ago_s", "DOUBLE", "seconds", "Since payload was received last."),
        Column("round_trip_s", "DOUBLE", "seconds", "Smoothed round-trip time."),
        Column("process_pid", "BIGINT", "pid", "Owner; null where no process was seen to hold the socket."),
        Column("process_started_at", "TIMESTAMP", "UTC", "When the owner started."),
        Column("process_name", "VARCHAR", "", "The owner's name."),
        Column("user_uid", "BIGINT", "uid", "User the socket belongs to."),
        Column("network_namespace_uid", "VARCHAR", "inode", "Network namespace; null for the sensor's own."),
        Column("device_name", "VARCHAR", "", "Host."),
    ),
)
