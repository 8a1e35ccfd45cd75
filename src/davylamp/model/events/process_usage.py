"""Process usage (extension): what one process used in one window."""

from davylamp.model.event_class import Column, EventClass

PROCESS_USAGE = EventClass(
    name="process_usage",
    ocsf_uid=None,
    meaning="What one process used between `time` and `end_time`; our extension, OCSF has none.",
    columns=(
        Column("time", "TIMESTAMP", "UTC", "Start of the window."),
        Column("end_time", "TIMESTAMP", "UTC", "End of the window."),
        Column("process_pid", "BIGINT", "pid", "Process id."),
        Column("process_started_at", "TIMESTAMP", "UTC", "When the process started."),
        Column("cpu_user_s", "DOUBLE", "seconds", "CPU time in user mode, all threads."),
        Column("cpu_system_s", "DOUBLE", "seconds", "CPU time in the kernel, all threads."),
        Column(
            "cpu_wait_s", "DOUBLE", "seconds", "Time its threads were ready and waited for a CPU; null when not taken."
        ),
        Column("cpu_allowed_count", "DOUBLE", "CPUs", "CPUs it may use: affinity, control group, machine."),
        Column("thread_count", "BIGINT", "count", "Threads at the end of the window."),
        Column(
            "busy_thread_count", "BIGINT", "count", "Threads that used more than half of a CPU; null when not taken."
        ),
        Column("voluntary_switches_count", "BIGINT", "count", "Times a thread gave up its CPU."),
        Column("involuntary_switches_count", "BIGINT", "count", "Times a thread was taken off its CPU."),
        Column("transferred_bytes", "BIGINT", "bytes", "Bytes read and written through files, pipes and sockets."),
        Column("storage_bytes", "BIGINT", "bytes", "Bytes that reached or came from storage."),
        Column("memory_bytes", "BIGINT", "bytes", "Resident memory at the end of the window."),
        Column("device_name", "VARCHAR", "", "Host."),
    ),
)
