"""Startup item: something that makes a program run, or lets somebody in, without being asked again."""

from davylamp.model.event_class import Column, EventClass

STARTUP_ITEM = EventClass(
    name="startup_item",
    ocsf_uid=5022,
    meaning="One entry of the host that starts a program by itself or lets somebody in again.",
    columns=(
        Column("time", "TIMESTAMP", "UTC", "Instant of the reading."),
        Column(
            "kind",
            "VARCHAR",
            "cron|at|systemd_service|systemd_timer|systemd_path|systemd_socket|init|profile|authorized_key|preload|pam|udev|"
            "motd|suid|module|other",
            "What sort of entry it is.",
        ),
        Column("name", "VARCHAR", "", "Its name: unit, key's comment, file's name."),
        Column(
            "command",
            "VARCHAR",
            "",
            "What it runs, or lines of the script; of a key its type, fingerprint and options.",
        ),
        Column("schedule", "VARCHAR", "", "When it runs, as written."),
        Column("user_name", "VARCHAR", "", "User it runs as, or lets in."),
        Column("file_path", "VARCHAR", "path", "File that holds the entry."),
        Column("file_line", "BIGINT", "1-based", "Line of that file."),
        Column("file_owner_name", "VARCHAR", "", "Owner of that file."),
        Column("file_mode", "VARCHAR", "octal", "Permissions of that file."),
        Column("modified_at", "TIMESTAMP", "UTC", "When that file's content changed last."),
        Column("changed_at", "TIMESTAMP", "UTC", "When that file's inode changed last; cannot be set by a user."),
        Column("file_package", "VARCHAR", "", "Package that owns the file."),
        Column(
            "file_package_state",
            "VARCHAR",
            "unmodified|modified|configured|unowned|unknown",
            "What the package says of it.",
        ),
        Column(
            "file_immutable", "BOOLEAN", "", "Whether the file is locked by the immutable or append-only attribute."
        ),
        Column("program_path", "VARCHAR", "path", "File that `command` runs first, where it could be told."),
        Column(
            "program_package_state",
            "VARCHAR",
            "unmodified|modified|configured|unowned|unknown",
            "What its package says of that file.",
        ),
        Column("enabled", "BOOLEAN", "", "Whether it takes effect; null where it always does."),
        Column("device_name", "VARCHAR", "", "Host."),
    ),
)
