"""Audit records as auditd, the kernel's log or a relay writes them -> one row an event, as SQL text.

The kernel writes a string either in quotes, when it holds neither quotes, blanks, control characters nor bytes above
126, or as hexadecimal digits. So a stranger's file name cannot carry ` pid=1` into a record, and a field is what
stands between its name, after a blank, and the next blank.
"""

from __future__ import annotations

from davylamp.catalog.sources.auditd_log import syscalls
from davylamp.kit.engine import literal
from davylamp.kit.syslog_lines import STAMP

# What a relay puts before a record: syslog's header with a program that relays audit records, journalctl's too.
_RELAY = rf"{STAMP}[^ ]* +(?:([^ ]+) )?(?:kernel|audit|auditd|audispd|audisp-syslog|sedispatch)(?:\[[0-9]+\])?: +"
_KERNEL = r"(?:\[ *[0-9]+\.[0-9]+\] )?(?:audit: )?"
_HEAD = (
    r"(?:node=([^ ]+) )?type=(?:UNKNOWN\[)?([A-Z0-9_]+)\]? (?:msg=)?audit\(([0-9]{1,12})\.([0-9]{3}):([0-9]{1,10})\):?"
)
RECORD = rf"^{_KERNEL}{_HEAD}"
RELAYED_RECORD = rf"{_RELAY}{_KERNEL}{_HEAD}"
_NUMBERED = {
    "1300": "SYSCALL", "1302": "PATH", "1306": "SOCKADDR", "1307": "CWD", "1309": "EXECVE", "1327": "PROCTITLE",
    "1337": "OPENAT2", "1100": "USER_AUTH", "1101": "USER_ACCT", "1112": "USER_LOGIN", "1123": "USER_CMD",
}  # fmt: skip
_TYPES = tuple(sorted(set(_NUMBERED.values())))
_MESSAGE = "msg='.*'"
_GROUPS = ("node", "type", "second", "milli", "serial")
# The sensor cuts what an attacker can make long at the same length.
_TEXT_COUNT = 8192


def field(name: str) -> str:
    """The raw value of a field of `body`, empty where it is absent."""
    pattern = rf"(?:^| ){name}=(\x22[^\x22]*\x22|[^ \x1d]*)"
    return f"regexp_extract(body, {literal(pattern)}, 1)"


def _said(name: str) -> str:
    """The raw value of a field of the message that a program gave to the audit; old ones use brackets and commas."""
    pattern = rf"[ (']{name}=(\x22[^\x22]*\x22|[^ ,)']*)"
    return f"regexp_extract(said, {literal(pattern)}, 1)"


def _named(name: str) -> str:
    """A name that auditd added (`UID="root"`); `unknown(4321)` and `unset` are none."""
    pattern = rf"[ '\x22\x1d]{name}=\x22([^\x22]*)"
    value = f"regexp_extract(body, {literal(pattern)}, 1)"
    return f"CASE WHEN {value} IN ('', 'unset') OR starts_with({value}, 'unknown(') THEN NULL ELSE {value} END"


def plain(value: str) -> str:
    """A raw value as text: quotes off, hexadecimal digits decoded; null for (null), (none), ? and nothing."""
    unquoted = f"CASE WHEN starts_with({value}, '\"') THEN trim({value}, '\"')"
    return f"""({unquoted} WHEN {value} IN ('', '?', '(null)', '(none)') THEN NULL
        WHEN regexp_full_match({value}, '(?:[0-9A-F]{{2}})+') THEN {decoded(value)} ELSE {value} END)"""


def decoded(digits: str) -> str:
    """Text of hexadecimal digits; NUL, which parts arguments, becomes a blank, other than UTF-8 shows as \\xNN."""
    return f"replace(coalesce(TRY(decode(unhex({digits}))), CAST(unhex({digits}) AS VARCHAR)), chr(0), ' ')"


def records(relayed: bool) -> str:
    """One row a record: device_name, type, at_ms, serial, body; a reject where a line of an audit log is none."""
    groups = f"[{', '.join(map(literal, ('host', *_GROUPS) if relayed else _GROUPS))}]"
    # In a syslog the other lines are other programs'; in an audit log they are damaged.
    needed = "contains(text, 'audit(')" if relayed else "trim(text) <> ''"
    numbered = "MAP([{}], [{}])".format(
        ", ".join(literal(key) for key in _NUMBERED), ", ".join(literal(name) for name in _NUMBERED.values())
    )
    host = "nullif(head.host, '')" if relayed else "NULL"
    heads = f"""SELECT line, byte_offset, text,
        regexp_extract(text, {literal(RELAYED_RECORD if relayed else RECORD)}, {groups}) AS head
        FROM records WHERE {needed}"""
    return f"""SELECT line, byte_offset, coalesce(nullif(head.node, ''), {host}) AS device_name,
            coalesce({numbered}[head.type], head.type) AS type,
            TRY_CAST(head.second AS BIGINT) * 1000 + TRY_CAST(head.milli AS BIGINT) AS at_ms,
            TRY_CAST(head.serial AS BIGINT) AS serial,
            ltrim(substr(text, strpos(text, ':' || head.serial || ')') + length(head.serial) + 2), ': ') AS body,
            CASE WHEN head.serial = '' THEN 'audit record without a readable head' END AS reject
        FROM ({heads}) AS heads{" WHERE head.serial <> ''" if relayed else ""}"""


def events(relayed: bool) -> str:
    """One row an event: the records of one serial number joined, their fields as text and numbers.

    Args:
        relayed: the records stand behind syslog's headers, among other programs' lines.
    """
    wanted = f"""SELECT * FROM ({records(relayed)}) AS all_records
        WHERE reject IS NOT NULL OR type IN ({syscalls.listed(_TYPES)})"""
    # A record is cut to what is needed before the records of an event are brought together: that is what is held.
    needed = f"""SELECT line, byte_offset, device_name, at_ms, serial, reject, type,
        CASE WHEN type = 'SYSCALL' OR starts_with(type, 'USER_') THEN body END AS body,
        CASE WHEN type = 'EXECVE' THEN {_arguments()} END AS arguments,
        CASE WHEN type = 'PATH' THEN struct_pack(item := coalesce(TRY_CAST({field("item")} AS INTEGER), 0),
            name := {plain(field("name"))}, kind := coalesce(nullif({field("nametype")}, ''), {field("objtype")}),
            inode := {field("inode")}) END AS file,
        CASE WHEN type = 'CWD' THEN {plain(field("cwd"))} END AS cwd,
        CASE WHEN type = 'PROCTITLE' THEN rtrim({plain(field("proctitle"))}) END AS title,
        CASE WHEN type = 'SOCKADDR' THEN {field("saddr")} END AS saddr,
        CASE WHEN type = 'OPENAT2' THEN {field("oflag")} END AS open_flags
        FROM ({wanted}) AS wanted"""
    joined = f"""SELECT device_name, at_ms, serial, min(line) AS line, min(byte_offset) AS byte_offset,
            max(reject) AS reject, max(CASE WHEN body IS NOT NULL THEN type END) AS type, max(body) AS body,
            flatten(list(arguments) FILTER (WHERE arguments IS NOT NULL)) AS arguments,
            list(file) FILTER (WHERE file IS NOT NULL) AS files, max(cwd) AS cwd, max(title) AS title,
            max(saddr) AS saddr, max(open_flags) AS open_flags
        FROM ({needed}) AS needed
        GROUP BY device_name, at_ms, serial, CASE WHEN reject IS NOT NULL THEN line END"""
    named = f"""SELECT *, {field("arch")} AS arch, {field("syscall")} AS number,
            nullif(regexp_extract(body, {literal("[ ]SYSCALL=([a-z0-9_]+)")}, 1), '') AS named_call
        FROM ({joined}) AS joined"""
    called = f"""SELECT *, CASE WHEN type = 'SYSCALL' THEN coalesce(named_call, {syscalls.name_of("arch", "number")})
            WHEN type IS NULL AND len(arguments) > 0 THEN 'execve' END AS call FROM ({named}) AS named"""
    kept = f"""SELECT * FROM ({called}) AS called WHERE reject IS NOT NULL OR type <> 'SYSCALL' OR
            call IN ({syscalls.listed(syscalls.EXECUTES + syscalls.CONNECTS + syscalls.FILE_CALLS)})"""
    message = f"CASE WHEN type <> 'SYSCALL' THEN regexp_extract(body, {literal(_MESSAGE)}) END"
    return f"SELECT {_columns()} FROM (SELECT *, {message} AS said FROM ({kept}) AS kept) AS kept"


def _arguments() -> str:
    """The arguments of one EXECVE record as (number, part, text); a long one comes in parts, over several records."""
    pairs = r"regexp_extract_all(concat(' ', body), ' a([0-9]+)(?:\[([0-9]+)\])?=(\x22[^\x22]*\x22|[^ \x1d]*)', "
    places = f"""list_zip({pairs}1), {pairs}2), {pairs}3))"""
    return f"""list_transform({places}, lambda pair: struct_pack(place := TRY_CAST(pair[1] AS INTEGER),
        part := coalesce(TRY_CAST(pair[2] AS INTEGER), 0), said := coalesce({plain("pair[3]")}, '')))"""


def _columns() -> str:
    success = f"CASE {field('success')} WHEN 'yes' THEN TRUE WHEN 'no' THEN FALSE END"
    command = f"""left(array_to_string(list_transform(list_sort(arguments), lambda each:
        CASE WHEN each.place > 0 AND each.part = 0 THEN concat(' ', each.said) ELSE each.said END), ''),
        {_TEXT_COUNT})"""
    number = {
        "exit_code": "exit", "process_pid": "pid", "parent_process_pid": "ppid", "effective_uid": "euid",
        "login_uid": "auid", "uid": "uid",
    }  # fmt: skip
    numbers = ", ".join(f"TRY_CAST({field(name)} AS BIGINT) AS {column}" for column, name in number.items())
    return f"""line, byte_offset, reject, device_name, TRY(make_timestamp(at_ms * 1000)) AS time, type, call,
        {success} AS success, {numbers}, {_named("EUID")} AS effective_user, {_named("UID")} AS user_name,
        {_named("AUID")} AS login_user, {plain(field("tty"))} AS terminal, {plain(field("comm"))} AS process_name,
        {plain(field("exe"))} AS exe, {field("a0")} AS a0, {field("a1")} AS a1, {field("a2")} AS a2, saddr,
        open_flags, list_sort(files) AS files, cwd, title,
        CASE WHEN len(arguments) > 0 THEN {command} END AS arguments,
        {plain(_said("cmd"))} AS command, {plain(_said("cwd"))} AS command_folder,
        {plain(_said("exe"))} AS service_path, {_said("res")} AS result, {_said("op")} AS operation,
        {plain(_said("acct"))} AS account, {_named("ID")} AS account_name, {plain(_said("addr"))} AS source,
        {plain(_said("hostname"))} AS source_host"""
