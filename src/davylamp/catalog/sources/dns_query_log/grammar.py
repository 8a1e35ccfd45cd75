"""What name servers and DHCP servers write, as SQL text.

A name in a question is a stranger's text and may hold spaces and the log's own words, so the parts
around it are matched from the ends of the message, never searched for.
"""

from __future__ import annotations

from davylamp.kit.addresses import is_no_port, matches_address
from davylamp.kit.engine import literal

# Programs that ask for an address of the machine they run on, and say which one it got.
LEASED = "dhcpcd|dhclient|systemd-networkd|NetworkManager"
# Words that begin alike stand side by side: only then RE2 sees that one byte decides and reads the header in one pass.
PROGRAM = f"dnsmasq(?:-dhcp)?|dhcpd|{LEASED}|pihole-FTL|unbound|named"
# A CASE asks further only where the first answer is no; a mere OR asks everything of every line.
NEEDLE = """CASE WHEN contains(text, 'dnsmasq') THEN TRUE ELSE (
    contains(text, 'pihole-FTL') OR contains(text, 'unbound') OR contains(text, 'named')
    OR contains(text, 'dhcp') OR contains(text, 'DHCP') OR contains(text, 'dhclient')) END"""

_BIND_DAY = r"^[0-9]{2}-[A-Z][a-z]{2}-[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3} "
_BIND_ISO = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,12}(?:Z|[+-][0-9]{2}:?[0-9]{2})?) ((?:[a-z-]+: )*client )"
_UNBOUND_EPOCH = r"^\[([0-9]{9,10})\] (unbound\[[0-9]+)(?::[0-9a-f]+)?\] "
_UNBOUND_THREAD = r"^([^\[\]]{1,80} unbound\[[0-9]+):[0-9a-f]+\] "

_EXTRA = r"^([0-9]+ [^ ]+/([0-9]+) )"
_QUESTION = r"^(query\[([A-Za-z0-9=-]+)\] )"
_ASKER = r"( from ([^ ]+))$"
# Ordered as in PROGRAM.
_ANSWER_WORDS = (
    r"(?:reply|regex blacklisted|regex denied|cached|cached-stale|config|/[^ ]+|DHCP|gravity blocked|blacklisted|"
    r"exactly denied|exactly blacklisted)"
)
_ANSWER = rf"^({_ANSWER_WORDS} )"
_VALUE = r"( is ([^ ]+))$"
# dnsmasq's two kinds of line with a name that holds no blank: anchored on both sides and nothing to choose between, so
# that RE2 reads them in one pass. What they do not match goes the careful way and would give the same.
_QUICK_GROUPS = ("word", "name", "value")
_QUICK_QUESTION = r"^query\[([A-Za-z0-9=-]+)\] ([^ ]+) from ([^ ]+)$"
_QUICK_ANSWER = rf"^({_ANSWER_WORDS}) ([^ ]+) is ([^ ]+)$"
_BIND = (
    r"^(?:[0-9]{2}-[A-Z][a-z]{2}-[0-9]{4} [0-9:.]+ )?(?:[a-z-]+: )*client (?:@0x[0-9a-f]+ )?([0-9a-fA-F.:%]+)#([0-9]+)"
    # A question that is signed (TSIG) names its key.
    r"(?:/key [^ ]+)?(?: \(.*\))?: (?:view [^ ]+: )?(query: |query \(cache\) |query )"
)
_BIND_QUESTION = r"query: ([^ ]+) (IN|CH|HS|[A-Z0-9]+) ([A-Z0-9]+) ([+-][^ ]*)(?: \(([^ )]+)\))?(?: \[ECS [^ ]+\])?$"
_BIND_DENIED = r"query (?:\(cache\) )?'(.*)/([A-Z0-9]+)/(?:IN|CH|HS)' denied"
_UNBOUND = (
    # With `log-tag-queryreply` the words query and reply stand in the place of info.
    r"^(?:\[[0-9]+:[0-9a-f]+\] )?(?:info|query|reply): (?:(?:query|reply): )?"
    r"([0-9a-fA-F.:]+(?:@[0-9]+)?) ([^ ]+) ([A-Z0-9]+) (?:IN|CH|HS)"
    r"(?: ([A-Z]+) ([0-9.]+) [01] [0-9]+)?"
)
_DNSMASQ_LEASE = r"^(?:[0-9]+ )?DHCPACK\([^ )]*\) ([0-9.]+) ([0-9a-fA-F:]{17})(?: ([^ ]+))?$"
_OWN_LEASE = (
    r"^(?:bound to |[^ ]+: DHCPv4 address |[^ ]+: leased "
    r"|<info> .{0,40}dhcp4 \([^)]*\): (?:state changed .{0,60}address=| *address ))"
    r"([0-9]{1,3}(?:\.[0-9]{1,3}){3})()()(?:[/, ]|$)"
)
_DHCPD_LEASE = r"^DHCPACK on ([0-9.]+) to ([0-9a-fA-F:]{17})(?: \((.*)\))? via "


def as_syslog(records: str) -> str:
    """Lines of BIND's and unbound's own files with their stamps in ISO form and the program's name put in."""
    return f"""(SELECT line, byte_offset, CASE
        WHEN starts_with(text, '[') AND regexp_matches(text, {literal(_UNBOUND_EPOCH)}) THEN concat(
            strftime(to_timestamp(CAST(regexp_extract(text, {literal(_UNBOUND_EPOCH)}, 1) AS BIGINT)),
                '%Y-%m-%dT%H:%M:%SZ '),
            regexp_replace(text, {literal(_UNBOUND_EPOCH)}, '\\2]: '))
        WHEN contains(text, 'unbound[') THEN regexp_replace(text, {literal(_UNBOUND_THREAD)}, '\\1]: ')
        WHEN text >= '0' AND text < '4' AND regexp_matches(text, {literal(_BIND_DAY)}) THEN concat(
            coalesce(strftime(TRY_STRPTIME(substr(text, 1, 24), '%d-%b-%Y %H:%M:%S.%g'), '%Y-%m-%dT%H:%M:%S.%f'),
                '0000-00-00T00:00:00'),
            ' named: ', substr(text, 26))
        WHEN contains(text, 'client ') THEN regexp_replace(text, {literal(_BIND_ISO)}, '\\1 named: \\2')
        ELSE text END AS text FROM {records} AS usual_lines)"""


def _extract(column: str, pattern: str, *names: str) -> str:
    return f"regexp_extract({column}, {literal(pattern)}, [{', '.join(literal(name) for name in names)}])"


def parsed(relation: str, carried: str, keep: str) -> str:
    """A SELECT of what each message says: `kind` is question, answer or lease; null is none of these.

    `name`, `query_type`, `src_ip`, `src_port`, `value`, `rcode`, `resolver_ip`, `protocol`, `action`, `serial`
    for questions and answers; `ip`, `mac`, `lease_name` for leases.
    """
    trimmed = f"""SELECT {carried}, program, message,
        CASE WHEN NOT (starts_with(program, 'dnsmasq') OR program = 'pihole-FTL') THEN NULL
            WHEN message >= '0' AND message < ':' THEN {_extract("message", _EXTRA, "whole", "port")}
            ELSE struct_pack(whole := '', port := '') END AS extra
        FROM {relation} AS headed"""
    said = f"""SELECT {carried}, program, extra,
        CASE WHEN extra.whole <> '' THEN substr(message, length(extra.whole) + 1) ELSE message END AS said
        FROM ({trimmed}) AS trimmed"""
    quick = f"""SELECT *, coalesce(quick.name <> '', FALSE) AS is_quick
        FROM (SELECT *, CASE WHEN program <> 'dnsmasq' AND program <> 'pihole-FTL' THEN NULL
                WHEN starts_with(said, 'query[') THEN {_extract("said", _QUICK_QUESTION, *_QUICK_GROUPS)}
                WHEN program IS NOT NULL THEN {_extract("said", _QUICK_ANSWER, *_QUICK_GROUPS)} END AS quick
            FROM ({said}) AS said_lines) AS quick_lines"""
    parts = f"SELECT {carried}, program, extra, said, quick, is_quick, {_parts()} FROM ({quick}) AS marked"
    kinds = f"""SELECT *, CASE
            WHEN is_quick THEN CASE WHEN starts_with(said, 'query[') THEN 'dnsmasq' ELSE 'answer' END
            WHEN question.whole <> '' AND ending.whole <> '' THEN 'dnsmasq'
            WHEN answer <> '' AND ending.whole <> '' THEN 'answer'
            WHEN bind.ip <> '' AND bind_question.name <> '' THEN 'bind'
            WHEN bind.ip <> '' AND bind_denied.name <> '' THEN 'denied'
            WHEN unbound.ip <> '' THEN 'unbound'
            WHEN lease.ip <> '' THEN 'lease' END AS form,
            CASE WHEN question.whole <> '' AND ending.whole = '' OR bind.word = 'query: ' AND bind_question.name = ''
                THEN 'question that cannot be read' END AS reject
        FROM ({parts}) AS parts"""
    told = (
        f"SELECT {carried}, {_columns()} FROM ({kinds}) AS kinds WHERE form IS NOT NULL OR reject IS NOT NULL OR {keep}"
    )
    return f"""SELECT * EXCLUDE (port) REPLACE (CASE WHEN reject IS NOT NULL THEN reject
            WHEN NOT {matches_address("src_ip")} THEN 'who asked is no address'
            WHEN {is_no_port("port")} THEN 'the port asked from is none'
            WHEN NOT {matches_address("resolver_ip")} THEN 'the resolver is no address'
            WHEN NOT {matches_address("ip")} THEN 'what was leased is no address' END AS reject),
        TRY_CAST(TRY_CAST(port AS USMALLINT) AS INTEGER) AS src_port FROM ({told}) AS told"""


def _parts() -> str:
    """What the careful way finds in a message, one part for each form."""
    return f"""
        CASE WHEN NOT is_quick AND starts_with(said, 'query[') THEN {_extract("said", _QUESTION, "whole", "type")}
            END AS question,
        CASE WHEN is_quick THEN NULL WHEN starts_with(said, 'query[') THEN {_extract("said", _ASKER, "whole", "value")}
            WHEN extra IS NOT NULL THEN {_extract("said", _VALUE, "whole", "value")} END AS ending,
        CASE WHEN NOT is_quick AND extra IS NOT NULL THEN regexp_extract(said, {literal(_ANSWER)}, 1) END AS answer,
        CASE WHEN program = 'named' AND contains(said, 'query') THEN
            {_extract("said", _BIND, "ip", "port", "word")} END AS bind,
        CASE WHEN program = 'named' AND contains(said, 'query: ')
            THEN {_extract("said", _BIND_QUESTION, "name", "class", "type", "flags", "resolver")} END AS bind_question,
        CASE WHEN program = 'named' AND contains(said, ' denied')
            THEN {_extract("said", _BIND_DENIED, "name", "type")} END AS bind_denied,
        CASE WHEN program = 'unbound'
            THEN {_extract("said", _UNBOUND, "ip", "name", "type", "rcode", "took")} END AS unbound,
        CASE WHEN program = 'dnsmasq-dhcp' THEN {_extract("said", _DNSMASQ_LEASE, "ip", "mac", "name")}
            WHEN program = 'dhcpd' THEN {_extract("said", _DHCPD_LEASE, "ip", "mac", "name")}
            WHEN NOT is_quick AND regexp_full_match(program, '{LEASED}')
                THEN {_extract("said", _OWN_LEASE, "ip", "mac", "name")} END AS lease"""


def _columns() -> str:
    name = """CASE WHEN is_quick THEN quick.name ELSE CASE form
        WHEN 'dnsmasq' THEN substr(said, length(question.whole) + 1,
            greatest(length(said) - length(question.whole) - length(ending.whole), 0))
        WHEN 'answer' THEN substr(said, length(answer) + 1,
            greatest(length(said) - length(answer) - length(ending.whole), 0))
        WHEN 'bind' THEN bind_question.name WHEN 'denied' THEN bind_denied.name
        WHEN 'unbound' THEN unbound.name END END"""
    kind_of_question = """upper(CASE WHEN is_quick THEN CASE form WHEN 'dnsmasq' THEN quick.word END ELSE CASE form
        WHEN 'dnsmasq' THEN question.type WHEN 'bind' THEN bind_question.type
        WHEN 'denied' THEN bind_denied.type WHEN 'unbound' THEN unbound.type END END)"""
    asker = """CASE WHEN is_quick THEN CASE form WHEN 'dnsmasq' THEN quick.value END ELSE CASE form
        WHEN 'dnsmasq' THEN ending.value WHEN 'bind' THEN bind.ip WHEN 'denied' THEN bind.ip
        WHEN 'unbound' THEN split_part(unbound.ip, '@', 1) END END"""
    word = "CASE WHEN is_quick THEN quick.word ELSE answer END"
    return f"""CASE WHEN form IN ('dnsmasq', 'bind', 'denied', 'unbound') THEN 'question' ELSE form END AS kind,
        CASE WHEN form = 'unbound' THEN unbound.rcode <> '' END AS is_reply,
        lower(CASE WHEN ends_with({name}, '.') THEN regexp_replace({name}, '(.)[.]$', '\\1') ELSE {name} END) AS name,
        CASE WHEN starts_with({kind_of_question}, 'TYPE=') THEN concat('TYPE', substr({kind_of_question}, 6))
            ELSE {kind_of_question} END AS query_type,
        lower(CASE WHEN contains({asker}, '%') THEN split_part({asker}, '%', 1) ELSE {asker} END) AS src_ip,
        nullif(CASE form WHEN 'dnsmasq' THEN extra.port WHEN 'bind' THEN bind.port WHEN 'denied' THEN bind.port
            WHEN 'unbound' THEN split_part(unbound.ip, '@', 2) END, '') AS port,
        CASE WHEN form = 'answer' THEN CASE WHEN is_quick THEN quick.value ELSE ending.value END END AS value,
        CASE WHEN form = 'denied' THEN 'REFUSED' WHEN form = 'unbound' THEN nullif(unbound.rcode, '') END AS rcode,
        CASE WHEN form = 'bind' THEN nullif(split_part(bind_question.resolver, '%', 1), '') END AS resolver_ip,
        CASE WHEN form <> 'bind' THEN NULL WHEN contains(bind_question.flags, 'T') THEN 'tcp'
            WHEN form = 'bind' THEN 'udp' END AS protocol,
        CASE WHEN form = 'answer' AND (contains({word}, 'block') OR contains({word}, 'denied')
            OR contains({word}, 'blacklist') OR contains({word}, 'gravity')) THEN 'block' END AS action,
        CASE WHEN extra.whole <> '' THEN split_part(extra.whole, ' ', 1) END AS serial,
        nullif(lease.ip, '') AS ip, lower(nullif(lease.mac, '')) AS mac,
        CASE WHEN lease.mac = '' THEN device_name ELSE nullif(nullif(lease.name, ''), '*') END AS lease_name, reject"""
