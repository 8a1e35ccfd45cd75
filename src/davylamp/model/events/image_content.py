"""Image content (extension): what rules found in the program that a process runs."""

from davylamp.model.event_class import Column, EventClass

IMAGE_CONTENT = EventClass(
    name="image_content",
    ocsf_uid=None,
    meaning="What our rules found in the image of one process, read through the process itself; our extension.",
    columns=(
        Column("time", "TIMESTAMP", "UTC", "Instant of the reading."),
        Column("process_pid", "BIGINT", "pid", "Process that runs the image."),
        Column("process_started_at", "TIMESTAMP", "UTC", "When that process started."),
        Column("image_path", "VARCHAR", "path", "Where the image lies, or lay."),
        Column("image_bytes", "BIGINT", "bytes", "Its size."),
        Column("image_sha256", "VARCHAR", "hex", "Its hash, where a rule matched."),
        Column("rules", "VARCHAR[]", "", "Rules that matched; empty where none did."),
        Column("strings_count", "BIGINT", "count", "Different strings of those rules that it holds."),
        Column("device_name", "VARCHAR", "", "Host."),
    ),
)
