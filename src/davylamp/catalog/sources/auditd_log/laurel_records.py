"""Laurel's JSON (one object an event, values decoded) -> the rows of `raw_records.events()`, as SQL text."""

from __future__ import annotations

from davylamp.catalog.sources.auditd_log import syscalls
from davylamp.kit.engine import literal

# Each of some fifty expressions keeps room for the whole record that it looks into: 600 MB for a line of 2 MB. One
# argument has at most 128 KiB (MAX_ARG_STRLEN of the kernel); what is longer than two of them is a reject.
LONGEST = 262_144
_TYPES = ("USER_LOGIN", "USER_AUTH", "USER_ACCT", "USER_CMD", "SYSCALL")
_ID = r"^([0-9]{1,12})\.([0-9]{3}):([0-9]{1,10})$"


def _text(place: str) -> str:
    value = f"json_extract_string(entry, {literal('$.' + place)})"
    return f"CASE WHEN {value} IN ('', '?', '(null)', '(none)', 'unset') THEN NULL ELSE {value} END"


def _number(place: str) -> str:
    return f"TRY_CAST(json_extract_string(entry, {literal('$.' + place)}) AS BIGINT)"


def _said(name: str) -> str:
    """A field of a program's own record, which is a list of objects in new versions."""
    listed, plain = (f"json_extract_string(user_record, {literal(place + name)})" for place in ("$[0].", "$."))
    return f"CASE WHEN coalesce({listed}, {plain}) NOT IN ('', '?') THEN coalesce({listed}, {plain}) END"


def events() -> str:
    """One row an event."""
    entries = f"""SELECT line, byte_offset, entry, regexp_extract(json_extract_string(entry, '$.ID'), {literal(_ID)},
            ['second', 'milli', 'serial']) AS stamp
        FROM (SELECT line, byte_offset, CASE WHEN length(text) <= {LONGEST} THEN TRY_CAST(text AS JSON) END AS entry
            FROM records WHERE trim(text) <> '') AS parsed"""
    types = " ".join(f"WHEN json_exists(entry, '$.{name}') THEN '{name}'" for name in _TYPES)
    records = ", ".join(f"json_extract(entry, '$.{name}')" for name in _TYPES if name != "SYSCALL")
    typed = f"""SELECT line, byte_offset, stamp, entry, CASE {types} END AS type, coalesce({records}) AS user_record
        FROM ({entries}) AS entries"""
    called = f"""SELECT *, CASE WHEN type = 'SYSCALL' THEN coalesce(nullif(lower({_text("SYSCALL.SYSCALL")}), ''),
            {syscalls.name_of(f"replace({_text('SYSCALL.arch')}, '0x', '')", _text("SYSCALL.syscall"))}) END AS call,
            CASE WHEN stamp.serial IS NULL OR stamp.serial = ''
                THEN 'no JSON object with an audit ID, or one longer than {LONGEST} characters' END AS reject
        FROM ({typed}) AS typed_entries"""
    kept = f"""SELECT * FROM ({called}) AS called WHERE reject IS NOT NULL OR type <> 'SYSCALL' OR
            call IN ({syscalls.listed(syscalls.EXECUTES + syscalls.CONNECTS + syscalls.FILE_CALLS)})"""
    return f"SELECT {_columns()} FROM ({kept}) AS kept"


def _columns() -> str:
    arguments = f"""coalesce(array_to_string(TRY_CAST(json_extract(entry, '$.EXECVE.ARGV') AS VARCHAR[]), ' '),
        {_text("EXECVE.ARGV_STR")})"""
    title = f"""coalesce(array_to_string(TRY_CAST(json_extract(entry, '$.PROCTITLE.ARGV') AS VARCHAR[]), ' '),
        {_text("PROCTITLE.ARGV_STR")})"""
    files = """list_transform(TRY_CAST(json_extract(entry, '$.PATH') AS JSON[]), lambda each: struct_pack(
        item := coalesce(TRY_CAST(json_extract_string(each, '$.item') AS INTEGER), 0),
        name := json_extract_string(each, '$.name'), kind := json_extract_string(each, '$.nametype'),
        inode := json_extract_string(each, '$.inode')))"""
    success = f"CASE {_text('SYSCALL.success')} WHEN 'yes' THEN TRUE WHEN 'no' THEN FALSE END"
    hexadecimal = {
        name: f"json_extract_string(entry, '$.SYSCALL.ARGV[{place}]')" for place, name in enumerate(("a0", "a1", "a2"))
    }
    values = ", ".join(f"replace({value}, '0x', '') AS {name}" for name, value in hexadecimal.items())
    return f"""line, byte_offset, reject, {_text("NODE")} AS device_name,
        TRY(make_timestamp(TRY_CAST(concat(stamp.second, stamp.milli) AS BIGINT) * 1000)) AS time, type, call,
        {success} AS success, {_number("SYSCALL.exit")} AS exit_code,
        coalesce({_number("SYSCALL.pid")}, TRY_CAST({_said("pid")} AS BIGINT)) AS process_pid,
        {_number("SYSCALL.ppid")} AS parent_process_pid, {_number("SYSCALL.euid")} AS effective_uid,
        coalesce({_number("SYSCALL.auid")}, TRY_CAST({_said("auid")} AS BIGINT)) AS login_uid,
        coalesce({_number("SYSCALL.uid")}, TRY_CAST({_said("uid")} AS BIGINT)) AS uid,
        {_text("SYSCALL.EUID")} AS effective_user, coalesce({_text("SYSCALL.UID")}, {_said("UID")}) AS user_name,
        coalesce({_text("SYSCALL.AUID")}, {_said("AUID")}) AS login_user, {_text("SYSCALL.tty")} AS terminal,
        {_text("SYSCALL.comm")} AS process_name, {_text("SYSCALL.exe")} AS exe, {values},
        upper(coalesce({_text("SOCKADDR[0].saddr")}, {_text("SOCKADDR.saddr")})) AS saddr,
        {_text("OPENAT2.oflag")} AS open_flags, list_sort({files}) AS files, {_text("CWD.cwd")} AS cwd,
        {title} AS title, left({arguments}, 8192) AS arguments,
        {_said("cmd")} AS command, {_said("cwd")} AS command_folder, {_said("exe")} AS service_path,
        {_said("res")} AS result, {_said("op")} AS operation, {_said("acct")} AS account, {_said("ID")} AS account_name,
        {_said("addr")} AS source, {_said("hostname")} AS source_host"""
