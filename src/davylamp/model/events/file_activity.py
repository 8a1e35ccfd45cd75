"""File activity: a file was made, changed, renamed, removed, or given other permissions."""

from davylamp.model.event_class import Column, EventClass

FILE_ACTIVITY = EventClass(
    name="file_activity",
    ocsf_uid=1001,
    meaning="One change of a file, as the kernel or its audit reported it.",
    columns=(
        Column("time", "TIMESTAMP", "UTC", "Instant of the change."),
        Column("activity", "VARCHAR", "create|update|delete|rename|set_attributes|read", "What happened."),
        Column("file_path", "VARCHAR", "path", "The file."),
        Column("status", "VARCHAR", "success|failure", "Whether it worked; null where the record does not say."),
        Column("process_pid", "BIGINT", "pid", "Who did it, where known."),
        Column("process_started_at", "TIMESTAMP", "UTC", "When that process started, where known."),
        Column("process_name", "VARCHAR", "", "Its name."),
        Column("image_path", "VARCHAR", "path", "File it runs."),
        Column("user_name", "VARCHAR", "", "User it ran as."),
        Column("login_user_name", "VARCHAR", "", "User of the login session, where the audit id says."),
        Column("device_name", "VARCHAR", "", "Host."),
    ),
)
