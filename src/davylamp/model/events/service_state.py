"""Service state: a service of the host, whether it runs and whether it starts by itself."""

from davylamp.model.event_class import Column, EventClass

SERVICE_STATE = EventClass(
    name="service_state",
    ocsf_uid=5016,
    meaning="One service as the service manager knows it.",
    columns=(
        Column("time", "TIMESTAMP", "UTC", "Instant of the reading."),
        Column("name", "VARCHAR", "", "Name of the service, such as ssh.service."),
        Column("state", "VARCHAR", "running|stopped|failed|unknown", "Whether it runs."),
        Column("enabled", "BOOLEAN", "", "Whether it starts by itself; null where that is not known."),
        Column("command", "VARCHAR", "", "What it runs."),
        Column("user_name", "VARCHAR", "", "User it runs as."),
        Column("process_pid", "BIGINT", "pid", "Main process."),
        Column("file_path", "VARCHAR", "path", "File that defines it."),
        Column("file_package", "VARCHAR", "", "Package that owns that file."),
        Column("device_name", "VARCHAR", "", "Host."),
    ),
)
