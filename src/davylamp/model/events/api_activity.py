"""API activity: a principal called the control plane of a cloud."""

from davylamp.model.event_class import Column, EventClass

API_ACTIVITY = EventClass(
    name="api_activity",
    ocsf_uid=6003,
    meaning="One call of a cloud's control plane.",
    columns=(
        Column("time", "TIMESTAMP", "UTC", "Instant of the call."),
        Column("actor", "VARCHAR", "ARN or name", "Principal, an assumed role resolved to role and session."),
        Column("actor_type", "VARCHAR", "", "IAMUser, AssumedRole, Root, AWSService, ..."),
        Column("access_key", "VARCHAR", "", "Access key id the call was signed with."),
        Column("src_ip", "VARCHAR", "IP address", "Address the call came from, or the service name."),
        Column("user_agent", "VARCHAR", "", "Client as it named itself."),
        Column("service", "VARCHAR", "event source", "Service called, such as ec2.amazonaws.com."),
        Column("operation", "VARCHAR", "", "Operation called, such as RunInstances."),
        Column("region", "VARCHAR", "", "Region called."),
        Column("account_uid", "VARCHAR", "", "Account whose resources are concerned."),
        Column("error_code", "VARCHAR", "", "Error the service answered; null when it succeeded."),
        Column("error_message", "VARCHAR", "", "The error's words."),
        Column("resources", "VARCHAR[]", "", "Resources named in request or answer."),
        Column("request", "VARCHAR", "JSON", "Request parameters."),
        Column("response", "VARCHAR", "JSON", "Response elements."),
        Column("event_uid", "VARCHAR", "", "The recorder's own id of the event."),
        Column("read_only", "BOOLEAN", "", "Whether the call changed nothing, as the recorder says."),
    ),
)
