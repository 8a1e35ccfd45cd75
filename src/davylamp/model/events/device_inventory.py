"""Device inventory: the evidence says which identities belong to one machine."""

from davylamp.model.event_class import Column, EventClass

DEVICE_INVENTORY = EventClass(
    name="device_inventory",
    ocsf_uid=5001,
    meaning="One statement that identities belong to one machine from `time` on (until `end_time`, where known).",
    columns=(
        Column("time", "TIMESTAMP", "UTC", "From when the statement holds."),
        Column("end_time", "TIMESTAMP", "UTC", "Until when it holds; null when open."),
        Column("ground", "VARCHAR", "", "Where it is from: run_instances, terminate, dhcp_lease, sshd_connection, ..."),
        Column("device_name", "VARCHAR", "", "Host name."),
        Column("ip", "VARCHAR", "IP address", "Address."),
        Column("mac", "VARCHAR", "", "Hardware address."),
        Column("instance_uid", "VARCHAR", "", "Cloud instance."),
        Column("interface_uid", "VARCHAR", "", "Network interface."),
        Column("instance_type", "VARCHAR", "", "Instance type."),
        Column("image_uid", "VARCHAR", "", "Machine image."),
        Column("account_uid", "VARCHAR", "", "Cloud account."),
        Column("vpc_uid", "VARCHAR", "", "Virtual network."),
        Column("region", "VARCHAR", "", "Cloud region."),
        Column("actor", "VARCHAR", "", "Principal that made it, where stated."),
    ),
)
