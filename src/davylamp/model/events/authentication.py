"""Authentication: someone tried to log in, and it worked or did not."""

from davylamp.model.event_class import Column, EventClass

AUTHENTICATION = EventClass(
    name="authentication",
    ocsf_uid=3002,
    meaning="One attempt to log in, as the service that judged it reported it.",
    columns=(
        Column("time", "TIMESTAMP", "UTC", "Instant of the attempt."),
        Column("status", "VARCHAR", "success|failure", "Whether the attempt was accepted."),
        Column("user_name", "VARCHAR", "", "Name tried, as opaque text."),
        Column("user_known", "BOOLEAN", "", "False when the service said the name is no account of its own."),
        Column("src_ip", "VARCHAR", "IP address", "Address the attempt came from."),
        Column("src_host", "VARCHAR", "", "Host name of the source where the log gives only that."),
        Column("src_port", "INTEGER", "port", "Port the attempt came from."),
        Column("auth_method", "VARCHAR", "", "password, publickey, keyboard-interactive, none, ..."),
        Column("service", "VARCHAR", "", "Program that judged it, such as sshd."),
        Column("outcome_detail", "VARCHAR", "", "What the service said beyond the status."),
        Column("device_name", "VARCHAR", "", "Host that wrote the log, by its own name."),
        Column("device_ip", "VARCHAR", "IP address", "Address of that host where the log states it."),
        Column("process_pid", "BIGINT", "pid", "Process that wrote the log line."),
        Column("instance_uid", "VARCHAR", "", "Cloud instance the log was taken from, where stated."),
        Column("account_uid", "VARCHAR", "", "Cloud account, where stated."),
        Column("time_inferred", "BOOLEAN", "", "True when the log gave no year and it was inferred."),
    ),
)
