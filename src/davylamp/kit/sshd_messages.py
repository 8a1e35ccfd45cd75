"""The grammar of sshd's messages as SQL text, for every source that carries them.

sshd writes what a stranger typed (the user name, a certificate's key id) into the middle of its
messages. So nothing here searches a message from the left: the end of a message is written by sshd
itself, has a bounded number of words, and is matched against the end of the text; the user name is
whatever is left between a fixed beginning and that end.

One attempt leaves up to four lines (`Invalid user`, PAM's line, `Failed password`, `Disconnected
from invalid user`). Each gets a `rank`, the best witness being 1, and `attempts()` keeps only the
lines of the best rank that a connection (host, pid, source) has.
"""

from __future__ import annotations

from collections.abc import Mapping

from davylamp.kit.addresses import matches_address, names_no_host
from davylamp.kit.engine import literal

# A repeat stands for lines of one connection, and sshd closes a connection after a few failures
# (MaxAuthTries, 6 by default), so a larger number is nobody's honest count.
REPEAT_MAX_COUNT = 100
# sshd cuts the name it logs at 100 bytes (`%.100s`).
USER_MAX_BYTES = 100

_REPEATED = r"^message repeated ([0-9]{1,9}) times: \[ ?(.*)\]$"
# After the port sshd may name a key in at most two words; a forged end inside the user name is
# followed by the true end, which has at least four, so it cannot be taken for the end.
_KEY = r"(?:: [^ ]+(?: [^ ]+)?)?"
_FROM_PORT = rf"( from ([^ ]+) port ([0-9]+)(?: +ssh[0-9]?)?{_KEY}(?: \[preauth\])?)$"
# Certificates and host-based keys add free text after the port, and that text is a stranger's too.
_FROM_PORT_FREE = r"( from ([^ ]+) port ([0-9]+) +ssh2: .*)$"
_SOURCE_LIKE = r" from [^ ]+ port [0-9]+"
_FROM = r"( from ([^ ]+)(?: port ([0-9]+))?(?: +ssh[0-9]?)?(?: \[preauth\])?)$"
_CLOSED_TAIL = r"( ([^ ]+) port ([0-9]+)(?:: Too many authentication failures)?(?: \[preauth\])?)$"
_PAM_TAIL = r"([ ;]rhost=([^ ]*)(?: +user=(.*))?)$"
_PAM_FAILURE = r"^pam_[a-z0-9_]+\(sshd:auth\): authentication failure;"
_PAM_MORE = r"^PAM [0-9]{1,4} more authentication failures?;"
# What PAM's library says instead of yes (`Authentication failure`, `User not known to the underlying authentication
# module`), one of them with a ` for ` of its own.
_PAM_ERROR = r"^PAM: (?:Have exhausted maximum number of retries for service|[A-Za-z][A-Za-z ,;/-]*?) for "
# sshd turned a name of its own away before it asked for a credential; only these reasons come with a source.
_DENIED_TAIL = (
    r"( from ([^ ]+)() not allowed because (?:not listed in AllowUsers|listed in DenyUsers"
    r"|none of user's groups are listed in AllowGroups|a group is listed in DenyGroups|not in any group))$"
)
_CLOSED = (
    r"^(?:Connection (?:closed|reset) by|Disconnected from|Disconnecting|Timeout before authentication for)"
    r" (?:authenticating|invalid) user "
)
_MAXIMUM = "maximum authentication attempts exceeded for "
_CONNECTION = r"^(Connection from [^ ]+ port [0-9]+ on ([^ ]+) port ([0-9]+))"
_LISTENING = r"^(Server listening on ([^ ]+) port ([0-9]+))"
# `fe80::1%eth0`: the zone is this machine's own name for an interface and no part of the address.
_V6_ZONE = r"^[0-9a-fA-F]*:[0-9a-fA-F:.]*%[^ ]+$"
_NO_IDENTITY = r"^(?:0\.0\.0\.0|127\..*|169\.254\..*|::|::1|[fF][eE]80:.*)$"

# The usual shapes of the frequent kinds, for names without blanks: anchored on both sides, at most four groups and
# nothing to choose between, so that RE2 reads them in one pass. What they do not match goes the careful way.
_QUICK_END = rf" from ([^ ]+) port ([0-9]+) ssh2{_KEY}$"
_QUICK: Mapping[str, str] = {
    "'failed', 'accepted'": rf"^(?:Failed|Accepted) ([^ ]+) for ([^ ]*){_QUICK_END}",
    "'invalid'": r"^()Invalid user ([^ ]*) from ([^ ]+) port ([0-9]+)$",
    "'pam'": (
        r"^()pam_unix\(sshd:auth\): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=()"
        r"([^ ]+)(?: +user=(.*))?$"
    ),
    "'closed'": (
        r"^(?:Connection (?:closed|reset) by|Disconnected from) (authenticating|invalid) user ([^ ]*) ([^ ]+)"
        r" port ([0-9]+)(?: \[preauth\])?$"
    ),
}
_QUICK_UNKNOWN = rf"^Failed ([^ ]+) for (invalid user [^ ]*){_QUICK_END}"

# EC2's own host names: of the private address, or of the instance.
_EC2_NAME = r"^(?:ip(?:-(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){4}|i-[0-9a-f]{8}(?:[0-9a-f]{9})?)(?:\.[^ ]*)?$"

INVENTORY_KINDS = "('connection', 'listening')"
_RANKS = {
    "accepted": 1,
    "failed": 1,
    "pam_error": 2,
    "invalid": 3,
    "denied": 3,
    "closed": 4,
    "maximum": 4,
    "failed_none": 4,
    "pam": 5,
    "pam_more": 5,
    "pam_other": 6,
}
_DETAILS = {
    "pam_error": "PAM refused the attempt",
    "invalid": "invalid user, no further verdict logged",
    "denied": "sshd allows this user no login, no further verdict logged",
    "closed": "connection ended while authenticating",
    "maximum": "maximum authentication attempts exceeded",
    "failed_none": "no credentials offered",
    "pam": "PAM authentication failure",
    "pam_more": "PAM authentication failure",
    "pam_other": "PAM authentication failure",
}
_VERDICT_HEAD = "regexp_extract(said, '^((?:Failed|Accepted) ([^ ]+) for )', ['whole', 'method'])"


def _fixed_head(text: str) -> str:
    return f"struct_pack(whole := {literal(text)}, method := '')"


def _matched_head(pattern: str) -> str:
    return f"regexp_extract(said, {literal(f'({pattern})()')}, ['whole', 'method'])"


def _head_before(tail: str, text: str) -> str:
    """A beginning that other messages share: it counts only with the kind's own end."""
    return f"""struct_pack(whole := CASE WHEN regexp_matches(said, {literal(tail)}) THEN {literal(text)} ELSE '' END,
        method := '')"""


def _tail(pattern: str) -> str:
    return f"regexp_extract(said, {literal(pattern)}, ['whole', 'source', 'second'])"


# First words of a message -> kind, beginning and end of it. A kind whose beginning or end does not
# match is `reject` for verdicts and nothing at all for the kinds in `_SILENT`.
_FORMS: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    ("failed_none", ("Failed none for ",), _VERDICT_HEAD, _tail(_FROM_PORT)),
    ("failed", ("Failed ",), _VERDICT_HEAD, _tail(_FROM_PORT)),
    ("accepted", ("Accepted ",), _VERDICT_HEAD, _tail(_FROM_PORT)),
    ("invalid", ("Invalid user ", "Illegal user "), _fixed_head("Invalid user "), _tail(_FROM)),
    (
        "pam",
        ("pam_unix(sshd:auth): authentication failure;", "authentication failure;"),
        _fixed_head(""),
        _tail(_PAM_TAIL),
    ),
    ("pam_more", ("PAM ",), _matched_head(_PAM_MORE), _tail(_PAM_TAIL)),
    ("denied", ("User ",), _head_before(_DENIED_TAIL, "User "), _tail(_DENIED_TAIL)),
    ("pam_error", ("PAM: ",), _matched_head(_PAM_ERROR), _tail(_FROM)),
    ("pam_other", ("pam_",), _matched_head(_PAM_FAILURE), _tail(_PAM_TAIL)),
    ("connection", ("Connection from ",), _fixed_head(""), _tail(_CONNECTION)),
    ("listening", ("Server listening on ",), _fixed_head(""), _tail(_LISTENING)),
    ("closed", ("Connection ", "Disconnect", "Timeout "), _matched_head(_CLOSED), _tail(_CLOSED_TAIL)),
    ("maximum", (_MAXIMUM,), _fixed_head(_MAXIMUM), _tail(_FROM_PORT)),
)
_PAM_KINDS = "('pam', 'pam_more', 'pam_other')"


def _kind() -> str:
    arms = [
        f"WHEN {' OR '.join(f'starts_with(said, {literal(word)})' for word in words)} THEN {literal(kind)}"
        for kind, words, _, _ in _FORMS
    ]
    return f"CASE {' '.join(arms)} END"


def _is_kind(*kinds: str) -> str:
    """Whether `kind` is one of these; the engine makes a join, for every row, of IN with five values and more."""
    return "(" + " OR ".join(f"kind = {literal(kind)}" for kind in kinds) + ")"


def _pick(cases: Mapping[str, str]) -> str:
    """A CASE over `kind`; the engine evaluates an arm only for its own rows."""
    arms: dict[str, list[str]] = {}
    for kind, value in cases.items():
        arms.setdefault(value, []).append(kind)
    return "CASE " + " ".join(f"WHEN {_is_kind(*kinds)} THEN {value}" for value, kinds in arms.items()) + " END"


def parsed(relation: str, carried: str) -> str:
    """A SELECT that reads `message` of a relation and gives what sshd said, a row for each of the relation's.

    No row is dropped here: the engine moves a condition on a computed column below the computation and then
    computes it twice. What costs nothing to tell apart is dropped by the caller before, the rest has no `kind`.

    Args:
        relation: a table or a SELECT in parentheses; `message` is sshd's own text, without header.
        carried: columns of the relation to keep, comma-separated.

    Returns:
        SQL for the carried columns and `kind` (null for what is no verdict), `rank`, `repeat_count`,
        `source`, `is_address` (of the source), `source_port`, `user_name`, `user_known`, `auth_method`,
        `reject` (verdicts that cannot be read).
    """
    repeats = f"""SELECT {carried}, message, CASE WHEN starts_with(message, 'message repeated ')
            THEN regexp_extract(message, {literal(_REPEATED)}, ['n', 'inner']) END AS repeated
        FROM {relation} AS headed"""
    lines = f"""SELECT {carried}, coalesce(TRY_CAST(repeated.n AS BIGINT), 1) AS said_count,
            CASE WHEN repeated.n <> '' THEN trim(repeated.inner)
                WHEN starts_with(message, ' ') OR ends_with(message, ' ') THEN trim(message) ELSE message END AS text
        FROM ({repeats}) AS repeats"""
    said = f"""SELECT {carried}, said_count,
            CASE WHEN starts_with(text, 'error: ') THEN ltrim(substr(text, 8)) ELSE text END AS said
        FROM ({lines}) AS lines"""
    kinds = f"SELECT {carried}, said_count, said, {_kind()} AS kind FROM ({said}) AS said_lines"
    quick = f"""SELECT *, {_quick()} AS quick FROM ({kinds}) AS kinds"""
    heads = f"""SELECT *, CASE WHEN NOT is_quick THEN {_pick({kind: head for kind, _, head, _ in _FORMS})} END AS head
        FROM (SELECT *, coalesce(quick.source <> '', FALSE) AS is_quick FROM ({quick}) AS quick_rows) AS marked"""
    plain = f"""SELECT *, CASE WHEN NOT is_quick AND head.whole <> '' OR kind IN {_HEADLESS}
            THEN {_pick({kind: tail for kind, _, _, tail in _FORMS})} END AS plain_tail FROM ({heads}) AS heads"""
    tails = f"""SELECT {carried}, said_count, said, is_quick, quick, head,
            CASE WHEN {_SILENT} THEN NULL ELSE kind END AS kind, plain_tail.whole = '' AS is_free,
            CASE WHEN plain_tail.whole = '' AND kind IN ('failed', 'accepted') THEN {_tail(_FROM_PORT_FREE)}
                ELSE plain_tail END AS tail
        FROM ({plain}) AS plain"""
    users = f"""SELECT {carried}, said_count, said, kind, is_quick, is_free, head.whole AS head_text,
            tail.whole AS tail_text,
            CASE WHEN is_quick THEN quick.method ELSE head.method END AS method,
            CASE WHEN is_quick THEN quick.source ELSE tail.source END AS source_text,
            CASE WHEN is_quick THEN quick.second ELSE tail.second END AS second_text,
            CASE WHEN is_quick THEN quick.user_name WHEN tail.whole <> '' THEN substr(said, length(head.whole) + 1,
                greatest(length(said) - length(head.whole) - length(tail.whole), 0)) END AS user_text
        FROM ({tails}) AS tails"""
    sources = f"""SELECT *, {_SOURCE} AS source, CASE WHEN kind NOT IN {_PAM_KINDS}
            THEN TRY_CAST(TRY_CAST(second_text AS USMALLINT) AS INTEGER) END AS source_port FROM ({users}) AS users"""
    hosts = f"SELECT *, {matches_address('source')} AS is_address FROM ({sources}) AS sources"
    return f"SELECT {carried}, {_columns()} FROM ({hosts}) AS hosts"


def _quick() -> str:
    groups = "['method', 'user_name', 'source', 'second']"
    arms = [
        f"WHEN kind IN ({kinds}) THEN regexp_extract(said, {literal(form)}, {groups})" for kinds, form in _QUICK.items()
    ]
    unknown = f"regexp_extract(said, {literal(_QUICK_UNKNOWN)}, {groups})"
    return f"CASE WHEN kind = 'failed' AND contains(said, ' for invalid user ') THEN {unknown} {' '.join(arms)} END"


# `Accepted key ... found at`, `Connection closed by 10.0.0.1`: same first words, no verdict. PAM
# without a remote host is a local program's.
_HEADLESS = "('pam', 'connection', 'listening')"
_SILENT = f"""(NOT is_quick AND (head.whole = ''
        AND NOT {_is_kind("invalid", "maximum", "pam", "connection", "listening")}
    OR kind IN {_PAM_KINDS} AND coalesce(plain_tail.source, '') = ''
    OR kind IN {INVENTORY_KINDS} AND plain_tail.source = ''))"""

_SOURCE = f"""CASE WHEN source_text IN ('', 'UNKNOWN') THEN NULL
            WHEN starts_with(source_text, '::ffff:') THEN substr(source_text, 8)
            WHEN contains(source_text, '%') AND regexp_matches(source_text, {literal(_V6_ZONE)})
                THEN split_part(source_text, '%', 1) ELSE source_text END"""


def _columns() -> str:
    ranks = _pick({kind: str(rank) for kind, rank in _RANKS.items()})
    # Only these lines put `invalid user` before the name; elsewhere such a beginning is the name's own.
    says_unknown = _is_kind("failed", "accepted", "failed_none", "maximum", "pam_error")
    unknown = (
        f"({says_unknown} AND (starts_with(user_text, 'invalid user ') OR starts_with(user_text, 'illegal user ')))"
    )
    closed_unknown = "(kind = 'closed' AND (method = 'invalid' OR contains(head_text, ' invalid ')))"
    return f"""kind, {ranks} AS rank,
        least({REPEAT_MAX_COUNT}, greatest(1, CASE WHEN kind = 'pam_more'
            THEN TRY_CAST(split_part(said, ' ', 2) AS BIGINT) ELSE said_count END)) AS repeat_count,
        source, is_address, source_port,
        CASE WHEN kind IN {_PAM_KINDS} THEN nullif(second_text, '') WHEN kind IN {INVENTORY_KINDS} THEN NULL
            WHEN {unknown} THEN substr(user_text, 14) ELSE user_text END AS user_name,
        CASE WHEN kind = 'invalid' OR {unknown} OR {closed_unknown} THEN FALSE
            WHEN {_is_kind("failed", "accepted", "failed_none", "maximum", "closed", "denied")}
                THEN TRUE END AS user_known,
        CASE WHEN kind IN ('failed', 'accepted', 'failed_none') THEN method
            WHEN kind = 'pam_error' THEN 'keyboard-interactive/pam'
            WHEN kind IN {_PAM_KINDS} THEN 'password' END AS auth_method,
        CASE WHEN kind IS NULL THEN NULL
            -- With UseDNS sshd and PAM name a host; what is written like an address and is none is nobody's name.
            WHEN NOT is_address AND {names_no_host("source")} THEN 'sshd names a source that is no address'
            WHEN kind NOT IN {_PAM_KINDS} AND second_text <> '' AND source_port IS NULL
                THEN 'sshd names a port that is none'
            WHEN is_quick OR kind IN {INVENTORY_KINDS} THEN NULL
            WHEN tail_text = '' OR length(head_text) + length(tail_text) > length(said) + 1
                THEN 'sshd verdict without a readable source'
            WHEN length(user_text) > {USER_MAX_BYTES} OR (kind = 'failed' AND is_free)
                THEN CASE WHEN len(regexp_extract_all(said, {literal(_SOURCE_LIKE)})) > 1
                    THEN 'sshd verdict that names more than one source' END END AS reject"""


def attempts(relation: str) -> str:
    """A SELECT of `authentication` rows from rows of `parsed()`.

    The relation gives, besides `parsed()`'s columns, `time`, `device_name`, `process_pid`,
    `time_inferred`, `line`, `byte_offset`. A repeated message becomes that many rows.
    """
    details = _pick({kind: literal(detail) for kind, detail in _DETAILS.items()})
    verdicts = f"(SELECT * FROM {relation} AS parsed_rows WHERE reject IS NULL AND rank IS NOT NULL) AS verdicts"
    same_process = """verdicts.device_name IS NOT DISTINCT FROM {0}.device_name
            AND verdicts.process_pid IS NOT DISTINCT FROM {0}.process_pid"""
    # Both relations hold only the connections where lines differ in rank: joins keep their right side in memory.
    # With UseDNS, PAM's line names the source by its host name and the verdict by its address: one attempt.
    best = f"""WITH best AS (
            SELECT device_name, process_pid, source, min(rank) AS best_rank FROM {verdicts}
            GROUP BY ALL HAVING min(rank) < max(rank)),
        by_name AS (SELECT DISTINCT device_name, process_pid FROM {verdicts}
            WHERE process_pid IS NOT NULL AND NOT is_address),
        by_address AS (SELECT by_name.device_name, by_name.process_pid, min(rank) AS best_rank
            FROM {verdicts} JOIN by_name ON {same_process.format("by_name")} WHERE is_address GROUP BY ALL)
        SELECT verdicts.* FROM {verdicts}
        LEFT JOIN best ON {same_process.format("best")} AND verdicts.source IS NOT DISTINCT FROM best.source
        LEFT JOIN by_address ON NOT verdicts.is_address AND {same_process.format("by_address")}
        WHERE (best.best_rank IS NULL OR rank = best.best_rank)
            AND (by_address.best_rank IS NULL OR by_address.best_rank >= rank)"""
    return f"""SELECT time, CASE WHEN kind = 'accepted' THEN 'success' ELSE 'failure' END AS status,
        user_name, user_known,
        CASE WHEN is_address THEN lower(source) END AS src_ip, CASE WHEN NOT is_address THEN source END AS src_host,
        source_port AS src_port, auth_method, 'sshd' AS service, {details} AS outcome_detail,
        device_name, process_pid, time_inferred, line, byte_offset
        FROM (SELECT *, unnest(range(repeat_count)) AS copy FROM ({best}) AS ranked) AS copies"""


def inventory(relation: str) -> str:
    """A SELECT of `device_inventory` rows: what sshd and the host's name say about its own identity.

    Own addresses that sshd was reached on, one row each; and the address or instance id that EC2's names hold.
    """
    stated = f"""CASE WHEN kind IN {INVENTORY_KINDS} THEN reject IS NULL AND is_address
        AND NOT regexp_matches(source, {literal(_NO_IDENTITY)}) END"""
    named = f"CASE WHEN starts_with(device_name, 'i') THEN regexp_matches(device_name, {literal(_EC2_NAME)}) END"
    return f"""SELECT min(time) AS time, ground, device_name, ip, instance_uid,
        arg_min(line, time) AS line, arg_min(byte_offset, time) AS byte_offset
        FROM (SELECT time, line, byte_offset, device_name, CASE WHEN is_stated THEN 'sshd_connection'
                ELSE 'host_name' END AS ground,
            CASE WHEN is_stated THEN lower(source) WHEN starts_with(device_name, 'ip-') THEN
                 replace(substr(split_part(device_name, '.', 1), 4), '-', '.') END AS ip,
            CASE WHEN starts_with(device_name, 'i-') AND {named} THEN
                split_part(device_name, '.', 1) END AS instance_uid
            FROM (SELECT *, coalesce({stated}, FALSE) AS is_stated FROM {relation} AS parsed_rows
                WHERE device_name IS NOT NULL) AS told
            WHERE is_stated OR rank IS NOT NULL AND {named}) AS identities
        GROUP BY ground, device_name, ip, instance_uid"""
