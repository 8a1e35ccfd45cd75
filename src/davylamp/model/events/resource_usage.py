"""Resource usage (extension): how much of a machine was in use."""

from davylamp.model.event_class import Column, EventClass

RESOURCE_USAGE = EventClass(
    name="resource_usage",
    ocsf_uid=None,
    meaning="One sample of a resource's use; our extension, OCSF has none.",
    columns=(
        Column("time", "TIMESTAMP", "UTC", "Start of the sampled period."),
        Column("metric", "VARCHAR", "cpu|cpu_of_processes|cpu_of_visible_processes", "What was sampled."),
        Column("used_ratio", "DOUBLE", "0..1", "Share in use; sources may report slightly above 1."),
        Column("period_s", "DOUBLE", "seconds", "Length of the sampled period, where known."),
        Column("cpu_count", "DOUBLE", "CPUs", "CPUs that the ratio is a share of, where known."),
        Column("started_count", "BIGINT", "count", "Processes and threads that began in the period, where counted."),
        Column("series", "VARCHAR", "", "Name of the series: its file's stem, or its label."),
        Column("device_name", "VARCHAR", "", "Host, where the evidence names it."),
        Column("instance_uid", "VARCHAR", "", "Cloud instance, where the evidence names it."),
        Column("account_uid", "VARCHAR", "", "Cloud account."),
        Column("region", "VARCHAR", "", "Cloud region."),
    ),
)
