"""Sensor state (extension): what the sensor says of itself."""

from davylamp.model.event_class import Column, EventClass

SENSOR_STATE = EventClass(
    name="sensor_state",
    ocsf_uid=None,
    meaning="What the sensor says of itself: what it could not look at, what it lost, what it cost; our extension.",
    columns=(
        Column("time", "TIMESTAMP", "UTC", "Instant of the statement."),
        Column(
            "kind",
            "VARCHAR",
            "started|stopped|could_not_look|lost|slowed|resumed|clock_set_back|cost",
            "What sort of statement it is.",
        ),
        Column("name", "VARCHAR", "", "What it is about: sockets, processes, dns, ..."),
        Column("reason", "VARCHAR", "", "Why, in words, with the capability that would allow it."),
        Column("lost_count", "BIGINT", "count", "Records lost or skipped, for a loss."),
        Column("cpu_s", "DOUBLE", "seconds", "CPU time the sensor itself spent since the last statement of cost."),
        Column("period_s", "DOUBLE", "seconds", "Over how long."),
        Column("memory_bytes", "BIGINT", "bytes", "Resident memory of the sensor."),
        Column("device_name", "VARCHAR", "", "Host."),
    ),
)
