"""Process activity: a process was started, seen, or ended."""

from davylamp.model.event_class import Column, EventClass

PROCESS_ACTIVITY = EventClass(
    name="process_activity",
    ocsf_uid=1007,
    meaning="One observation of one process; a process is its pid together with its start.",
    columns=(
        Column("time", "TIMESTAMP", "UTC", "Instant of the observation."),
        Column("activity", "VARCHAR", "launch|snapshot|terminate", "Started (or changed its image), seen, ended."),
        Column("process_pid", "BIGINT", "pid", "Process id, in the outermost pid namespace the sensor sees."),
        Column("process_started_at", "TIMESTAMP", "UTC", "When the process started, where known."),
        Column("parent_process_pid", "BIGINT", "pid", "Its parent's id."),
        Column("parent_process_started_at", "TIMESTAMP", "UTC", "When the parent started, where known."),
        Column("lineage", "VARCHAR[]", "PID@START NAME", "Its ancestors, the parent first, as the sensor knew them."),
        Column("process_name", "VARCHAR", "", "Name as the kernel shows it; the process may set it."),
        Column("command_line", "VARCHAR", "", "Arguments, joined by spaces; the process may overwrite them."),
        Column("image_path", "VARCHAR", "path", "File the process runs."),
        Column("image_state", "VARCHAR", "file|deleted|memory|none|unknown", "Whether that file is still there."),
        Column("image_uid", "VARCHAR", "device:inode", "Which file that is."),
        Column("image_sha256", "VARCHAR", "hex", "Its hash, where it was taken."),
        Column("image_package", "VARCHAR", "", "Package that owns the image."),
        Column(
            "image_package_state",
            "VARCHAR",
            "unmodified|modified|configured|unowned|unknown",
            "What the package says of it.",
        ),
        Column("script_path", "VARCHAR", "path", "Script an interpreter was started with."),
        Column("working_folder", "VARCHAR", "path", "Current folder."),
        Column("user_uid", "BIGINT", "uid", "Effective user id."),
        Column("user_name", "VARCHAR", "", "Name of that user."),
        Column(
            "login_user_name", "VARCHAR", "", "User of the login session it descends from, where the audit id says."
        ),
        Column("terminal", "VARCHAR", "", "Controlling terminal."),
        Column("container_uid", "VARCHAR", "", "Container, by its control group's name."),
        Column("cgroup_path", "VARCHAR", "path", "Control group."),
        Column("namespace_uids", "VARCHAR[]", "KIND:INODE", "Namespaces that differ from the first process's."),
        Column("capability_names", "VARCHAR[]", "", "Effective capabilities; all of them reads `all`."),
        Column("environment_names", "VARCHAR[]", "", "Names of environment variables; never their values."),
        Column("preload_value", "VARCHAR", "", "Value of LD_PRELOAD or LD_AUDIT: libraries forced into it."),
        Column("open_files", "VARCHAR[]", "path", "Regular files it holds open."),
        Column("mapped_files", "VARCHAR[]", "path", "Executable mappings of files that no package owns."),
        Column("kernel_thread", "BOOLEAN", "", "Whether it is a thread of the kernel itself."),
        Column("thread_count", "BIGINT", "count", "Threads."),
        Column("cpu_user_s", "DOUBLE", "seconds", "CPU time spent so far in user mode."),
        Column("cpu_system_s", "DOUBLE", "seconds", "CPU time spent so far in the kernel."),
        Column("memory_bytes", "BIGINT", "bytes", "Resident memory."),
        Column("huge_pages_bytes", "BIGINT", "bytes", "Memory in huge pages, explicit and transparent."),
        Column("largest_mapping_bytes", "BIGINT", "bytes", "Largest anonymous mapping."),
        Column("seen_by", "VARCHAR[]", "list|sweep|cgroup|socket|event", "Views in which the process appears."),
        Column(
            "hidden_from", "VARCHAR[]", "list|details", "Views in which it should appear and does not, twice in a row."
        ),
        Column("exit_code", "BIGINT", "", "Exit code, for an end."),
        Column("device_name", "VARCHAR", "", "Host."),
        Column("instance_uid", "VARCHAR", "", "Cloud instance."),
    ),
)
