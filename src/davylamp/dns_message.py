"""DNS messages: strict enough that what is no DNS is refused, within bounded time."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from functools import lru_cache

_TYPES = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT", 17: "RP", 24: "SIG",
    25: "KEY", 28: "AAAA", 29: "LOC", 33: "SRV", 35: "NAPTR", 39: "DNAME", 41: "OPT", 43: "DS", 44: "SSHFP",
    46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA", 59: "CDS", 60: "CDNSKEY",
    61: "OPENPGPKEY", 64: "SVCB", 65: "HTTPS", 99: "SPF", 108: "EUI48", 250: "TSIG", 251: "IXFR", 252: "AXFR",
    255: "ANY", 256: "URI", 257: "CAA",
}  # fmt: skip
_RCODES = (
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
    "NOTZONE",
)  # fmt: skip
_NAMED = {2: 0, 5: 0, 12: 0, 15: 2, 33: 6, 39: 0}  # type -> bytes before the name in its data
_ANSWERS_KEPT_COUNT = 64
_HEADER = struct.Struct("!6H").unpack_from
_RECORD = struct.Struct("!HHIH").unpack_from


class BadDnsError(ValueError):
    """The bytes are no DNS message."""


@dataclass(frozen=True, slots=True)
class DnsMessage:
    """A question and what was answered."""

    identity: int
    response: bool
    opcode: int
    rcode: str
    name: str
    type: str
    answers: tuple[str, ...]


def _label(raw: bytes) -> str:
    if raw.isalnum() and raw.isascii():
        return raw.decode("ascii").lower()
    # RFC 1035 5.1: a dot inside a label, and what is not printable, is written with a backslash.
    return "".join(
        f"\\{byte:03d}" if not 33 <= byte < 127 else f"\\{chr(byte)}" if byte in b".\\" else chr(byte).lower()
        for byte in raw
    )


def _name(data: bytes, at: int) -> tuple[str, int]:
    """A name, following compression pointers backwards only, and where the reader goes on."""
    labels: list[str] = []
    after, lowest, total = -1, at, 0
    while True:
        if at >= len(data):
            raise BadDnsError("a name runs over the end")
        length = data[at]
        if length == 0:
            return ".".join(labels) or ".", at + 1 if after < 0 else after
        if length < 64:
            labels.append(_label(data[at + 1 : at + 1 + length]))
            total += length + 1
            at += 1 + length
        elif length >= 192 and at + 1 < len(data):
            target = (length & 63) << 8 | data[at + 1]
            after = at + 2 if after < 0 else after
            # Each pointer must lead before all that was read: no loops.
            if target >= lowest:
                raise BadDnsError("a name's pointer does not lead back")
            at = lowest = target
        else:
            raise BadDnsError("a label of unknown kind")
        if total > 255:
            raise BadDnsError("a name is longer than 255 bytes")


@lru_cache(maxsize=32768)
def _whole_name(raw: bytes) -> str | None:
    """The name that fills these bytes exactly, without pointers; None where they are none."""
    try:
        name, after = _name(raw, 0)
    except BadDnsError:
        return None
    return name if after == len(raw) else None


def forget_names() -> None:
    """Empties the memory of names; for what runs long in little memory."""
    _whole_name.cache_clear()


def _question_name(data: bytes) -> tuple[str, int]:
    # Clients ask for few names many times: up to the first zero byte they are looked up, not read.
    after = data.find(0, 12, 12 + 256) + 1
    name = _whole_name(data[12:after]) if after else None
    return _name(data, 12) if name is None else (name, after)


def type_name(number: int) -> str:
    """Mnemonic of a record type, or TYPE and its number (RFC 3597)."""
    return _TYPES.get(number) or f"TYPE{number}"


def read_dns(data: bytes) -> DnsMessage | None:
    """Reads one message; None for messages without a question (they ask nothing).

    Raises:
        BadDnsError: the bytes are no DNS message.
    """
    if len(data) < 12:
        raise BadDnsError("shorter than a header")
    identity, flags, questions, answers, _, _ = _HEADER(data)
    opcode, code = flags >> 11 & 15, flags & 15
    if not questions:
        return None
    name, at = _question_name(data)
    if at + 4 > len(data):
        raise BadDnsError("a question runs over the end")
    kind = data[at] << 8 | data[at + 1]
    rcode = _RCODES[code] if code < len(_RCODES) else f"RCODE{code}"
    response = bool(flags & 0x8000)
    found: tuple[str, ...] = ()
    if response and answers and questions == 1:
        found = _answers(data, at + 4, answers, bool(flags & 0x0200))
    return DnsMessage(identity, response, opcode, rcode, name, type_name(kind), found)


def looks_like_dns(data: bytes) -> bool:
    """Whether bytes are a DNS message with a question."""
    try:
        return read_dns(data) is not None
    except BadDnsError:
        return False


def _answers(data: bytes, at: int, count: int, cut: bool) -> tuple[str, ...]:
    """Addresses and names of the answer section, in its order."""
    found: list[str] = []
    for _ in range(min(count, _ANSWERS_KEPT_COUNT)):
        try:
            if data[at] >= 192:
                at += 2
            else:
                _, at = _name(data, at)
            kind, _, _, length = _RECORD(data, at)
            at += 10
            if at + length > len(data):
                raise BadDnsError("an answer runs over the end")
            value = _value(data, at, kind, length)
        except (IndexError, struct.error, BadDnsError) as error:
            # The TC flag announces a cut message (RFC 1035 4.1.1): what came whole is kept.
            if cut:
                break
            raise BadDnsError(f"a broken answer: {error}") from None
        if value:
            found.append(value)
        at += length
    return tuple(found)


def _value(data: bytes, at: int, kind: int, length: int) -> str:
    if kind == 1 and length == 4:
        return ".".join(map(str, data[at : at + 4]))
    if kind == 28 and length == 16:
        return str(ipaddress.IPv6Address(data[at : at + 16]))
    before = _NAMED.get(kind)
    return "" if before is None or length <= before else _name(data, at + before)[0]
