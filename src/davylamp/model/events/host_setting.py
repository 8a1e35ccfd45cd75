"""Host setting (extension): one setting of the host as it was read."""

from davylamp.model.event_class import Column, EventClass

HOST_SETTING = EventClass(
    name="host_setting",
    ocsf_uid=None,
    meaning="One setting of the host as it was read at one instant; our extension.",
    columns=(
        Column("time", "TIMESTAMP", "UTC", "Instant of the reading."),
        Column(
            "kind",
            "VARCHAR",
            "resolver|search_domain|nsswitch|hosts_entry|dhcp_dns|route|sshd_option|kernel_module|kernel_taint|"
            "bpf_program|user_account|sysctl|instance",
            "What sort of setting it is.",
        ),
        Column(
            "name",
            "VARCHAR",
            "",
            "Its name: option, host name, module, user, destination of a route. An option of an SSH server with a "
            "configuration of its own begins with it: `[sshd -f /opt/ssh.conf] permitrootlogin`.",
        ),
        Column("value", "VARCHAR", "", "Its value."),
        Column("file_path", "VARCHAR", "path", "File it was read from; null for the kernel's or a program's own word."),
        Column("file_line", "BIGINT", "1-based", "Line of that file."),
        Column("modified_at", "TIMESTAMP", "UTC", "When that file changed last."),
        Column("device_name", "VARCHAR", "", "Host."),
    ),
)
