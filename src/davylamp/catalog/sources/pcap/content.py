"""What the first payload bytes say: application, server name, path, user agent, TLS version."""

from __future__ import annotations

import re
from dataclasses import dataclass

from davylamp.catalog.sources.pcap.tls_hello import as_name, looks_like_tls, read_hello

_REQUEST = re.compile(
    rb"(?:GET|POST|HEAD|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE|PROPFIND) (\S{1,4096}) HTTP/1\.[01]\r?\n"
)
_RESPONSE = re.compile(rb"HTTP/1\.[01] \d{3}")
_HEADER = re.compile(rb"^(host|user-agent):[ \t]*([^\r\n]{0,1024})", re.IGNORECASE | re.MULTILINE)
# First bytes that only one protocol starts with, by who sends them.
_OUT_PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"SSH-", "ssh"),
    (b"PRI * HTTP/2.0\r\n", "http"),
    (b"\x13BitTorrent protocol", "bittorrent"),
    (b"EHLO ", "smtp"),
    (b"HELO ", "smtp"),
    (b"\x03\x00\x00", "rdp"),
)
_IN_PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"SSH-", "ssh"),
    (b"RFB 00", "vnc"),
    (b"* OK", "imap"),
    (b"+OK", "pop3"),
)
_SMB = re.compile(rb"\x00...[\xfe\xff]SMB", re.DOTALL)
_MQTT = re.compile(rb"\x10.{1,4}\x00(?:\x04MQTT|\x06MQIsdp)", re.DOTALL)
_SMTP_GREETING = re.compile(rb"220[ -][^\r\n]*E?SMTP", re.IGNORECASE)
_FTP_GREETING = re.compile(rb"220[ -][^\r\n]*FTP", re.IGNORECASE)
# QUIC long headers (RFC 8999): version 1, version 2 (RFC 9369), drafts, Google's own.
_QUIC = re.compile(rb"[\xc0-\xff](?:\x00\x00\x00\x01|\x6b\x33\x43\xcf|\xff\x00\x00.|[QT]0\d\d)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Content:
    """What a flow's payload says; empty where it does not."""

    application: str = ""
    server_name: str = ""
    tls_version: str = ""
    url_path: str = ""
    user_agent: str = ""


NOTHING = Content()


def _text(raw: bytes) -> str:
    return "".join(
        each if each.isprintable() else f"\\x{ord(each):02x}" for each in raw.decode("utf-8", "backslashreplace")
    )


def read_tcp(out: bytes, back: bytes) -> Content:
    """Reads the heads of a TCP connection, each up to its first gap."""
    if looks_like_tls(out) or looks_like_tls(back):
        return _tls(out, back)
    request = _REQUEST.match(out)
    if request is not None:
        return _http(out, request)
    if _RESPONSE.match(back):
        return Content("http")
    for data, prefixes in ((out, _OUT_PREFIXES), (back, _IN_PREFIXES)):
        for prefix, name in prefixes:
            if data.startswith(prefix):
                return Content(name, user_agent=_banner(out) if name == "ssh" else "")
    for data, pattern, name in (
        (out, _SMB, "smb"),
        (out, _MQTT, "mqtt"),
        (back, _SMTP_GREETING, "smtp"),
        (back, _FTP_GREETING, "ftp"),
    ):
        if pattern.match(data):
            return Content(name)
    return NOTHING


def read_udp(out: bytes, back: bytes) -> Content:
    """Reads the first datagrams of a UDP flow."""
    return Content("quic") if _QUIC.match(out) or _QUIC.match(back) else NOTHING


def _tls(out: bytes, back: bytes) -> Content:
    hellos = [hello for hello in (read_hello(out), read_hello(back)) if hello is not None]
    name = next((hello.server_name for hello in hellos if hello.client), "")
    version = next((hello.version for hello in hellos if not hello.client), "")
    return Content("tls", server_name=name, tls_version=version)


def _http(out: bytes, request: re.Match[bytes]) -> Content:
    head = out[request.end() :].split(b"\r\n\r\n", 1)[0].split(b"\n\n", 1)[0]
    fields: dict[bytes, bytes] = {}
    for found in _HEADER.finditer(head):
        fields.setdefault(found.group(1).lower(), found.group(2).strip())
    target = request.group(1)
    authority = fields.get(b"host", b"")
    absolute = re.match(rb"https?://([^/?#]*)", target, re.IGNORECASE)
    if absolute is not None:
        # A proxy is asked with the whole address: RFC 9112 3.2.2 puts it above the Host field.
        authority, target = absolute.group(1), target[absolute.end() :] or b"/"
    elif out.startswith(b"CONNECT "):
        authority, target = target, b""
    return Content(
        "http",
        server_name=_host(authority),
        url_path=_text(target.split(b"?", 1)[0].split(b"#", 1)[0]),
        user_agent=_text(fields.get(b"user-agent", b"")),
    )


def _host(authority: bytes) -> str:
    authority = authority.rpartition(b"@")[2]
    if authority.startswith(b"["):
        return as_name(authority[1:].partition(b"]")[0])
    return as_name(authority.partition(b":")[0])


def _banner(out: bytes) -> str:
    return _text(out.split(b"\n", 1)[0].rstrip(b"\r")[:255]) if out.startswith(b"SSH-") else ""
