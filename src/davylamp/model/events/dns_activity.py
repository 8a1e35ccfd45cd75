"""DNS activity: somebody asked for a name."""

from davylamp.model.event_class import Column, EventClass

DNS_ACTIVITY = EventClass(
    name="dns_activity",
    ocsf_uid=4003,
    meaning="One DNS question, with its answers where the evidence holds them.",
    columns=(
        Column("time", "TIMESTAMP", "UTC", "Instant of the question."),
        Column("query_name", "VARCHAR", "A-label, lower case", "Name asked for, without the trailing dot."),
        Column("query_type", "VARCHAR", "RR type", "A, AAAA, CNAME, HTTPS, ..."),
        Column("answers", "VARCHAR[]", "", "Addresses and names answered, CNAME chain first."),
        Column("rcode", "VARCHAR", "NOERROR|NXDOMAIN|...", "Response code."),
        Column("resolver_ip", "VARCHAR", "IP address", "Resolver that was asked."),
        Column("resolver_port", "INTEGER", "port", "Port of the resolver."),
        Column("protocol", "VARCHAR", "udp|tcp|tls|https", "Transport of the question."),
        Column("action", "VARCHAR", "allow|block|alert", "What a DNS firewall did, where one spoke."),
        Column("src_ip", "VARCHAR", "IP address", "Who asked."),
        Column("src_port", "INTEGER", "port", "Port it asked from."),
        Column("device_name", "VARCHAR", "", "Host that asked, where the evidence names it."),
        Column("instance_uid", "VARCHAR", "", "Cloud instance that asked."),
        Column("interface_uid", "VARCHAR", "", "Network interface that asked."),
        Column("account_uid", "VARCHAR", "", "Cloud account."),
        Column("vpc_uid", "VARCHAR", "", "Virtual network."),
        Column("region", "VARCHAR", "", "Cloud region."),
    ),
)
