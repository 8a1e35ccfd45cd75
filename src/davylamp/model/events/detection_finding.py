"""Detection finding: another tool raised an alert, and its record is evidence here."""

from davylamp.model.event_class import Column, EventClass

DETECTION_FINDING = EventClass(
    name="detection_finding",
    ocsf_uid=2004,
    meaning="One alert of another tool, such as an intrusion detection system.",
    columns=(
        Column("time", "TIMESTAMP", "UTC", "Instant of the alert."),
        Column("product", "VARCHAR", "", "Tool that raised it."),
        Column("rule_uid", "VARCHAR", "", "The tool's id of the rule."),
        Column("title", "VARCHAR", "", "The tool's title."),
        Column("category", "VARCHAR", "", "The tool's category."),
        Column("severity", "VARCHAR", "", "The tool's severity."),
        Column("action", "VARCHAR", "", "What the tool did."),
        Column("src_ip", "VARCHAR", "IP address", "Who opened the flow that raised it."),
        Column("src_port", "INTEGER", "port", "Its port."),
        Column("dst_ip", "VARCHAR", "IP address", "Whom that one turned to."),
        Column("dst_port", "INTEGER", "port", "Its port."),
        Column("application", "VARCHAR", "tls|http|dns|...", "Application protocol, where the tool recognised one."),
        Column("device_name", "VARCHAR", "", "Sensor or host that raised it."),
    ),
)
