"""A query row read as a connection: which end is the client, what is readable, how it scores."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from davylamp.catalog.detections.mining_message_rhythm.brief import (
    BRIEF_MOST_S,
    brief_judgeable,
    brief_llr_least,
    brief_llr_most,
    brief_of,
    brief_score,
)
from davylamp.catalog.detections.mining_message_rhythm.exchange import Exchange, read_exchange
from davylamp.catalog.detections.mining_message_rhythm.features import Shape, shape_of
from davylamp.catalog.detections.mining_message_rhythm.model import LLR_MOST, judgeable, overhead_of, score, sends_jobs
from davylamp.catalog.detections.mining_message_rhythm.noise import speaks_stratum_v2
from davylamp.kit.detection import Row
from davylamp.kit.findings import instant

EPHEMERAL_PORT_FIRST = 32768
TLS_HEADS = (b"\x16\x03", b"\x17\x03")
OTHER_PROTOCOLS = (b"MQTT", b"MQIsdp", b"AMQP", b"SSH-", b"BitTorrent", b"PRI * HTTP/2", b"RFB 0")
"""Names that protocols write in their own first bytes."""
MINING_WORDS = (b"mining.", b"job_id", b"eth_submit", b"eth_getwork", b"getwork", b"getblocktemplate", b'"blob"')
"""Only what a dialect of mining says: a wallet that subscribes to blocks reads of `nonce` and `difficulty`, too."""
READABLE_RATIO = 0.9
HEAD_BYTES = 2048
NO_BEGINNING = "OTH"
"""Zeek's word for a connection of which the beginning was not seen: there is no opening to leave out."""
MET_OPEN = "established"
"""The kernel's word for the same: a connection that the host's sensor met when it was open already."""
# Sizes alone, without a byte of content, hold 22 of TLS or none: receipts of a few bytes are not told from answers. Of
# 24,000 minutes of benign twins read from counters each 0.2 s, 6,500 judgeable, 59 to 76 reach 3.6, and of 3,300
# judgeable ones of miners 87 %: that supports 4.1 to 4.3 (`python -m bench.measure_sizes_alone --miners 4000 --twins
# 24000`, seeds 1 and 2), of which half is held back for kinds of software that nobody thought of, as in `brief.py`.
SIZES_ALONE_LLR_MOST = 3.6


@dataclass(frozen=True)
class Candidate:
    """One connection with its shape and score; `asset` is the client's.

    Args:
        llr: what the score says: no more than was measured of such looks, and no less.
    """

    row: Row
    asset: str
    remote_ip: str
    remote_port: int
    started_at: datetime
    ended_at: datetime
    times_s: tuple[float, ...]
    sizes_bytes: tuple[int, ...]
    shape: Shape
    score: float
    llr: float
    stratum_v2: bool


def read_candidate(row: Row) -> Candidate | None:
    """The candidate of a row, or None where there is nothing to judge or its text speaks for another use."""
    out, back = _bytes(row.get("payload_out")), _bytes(row.get("payload_in"))
    if says_otherwise(out, back):
        return None
    times, sizes = row.get("message_times_s"), row.get("message_sizes_bytes")
    if not isinstance(times, list) or not isinstance(sizes, list):
        return None
    turned = _opened_by_server(row)
    sizes_bytes = tuple(-int(size) if turned else int(size) for size in sizes)
    times_s = tuple(float(moment_s) for moment_s in times)
    encrypted = out.startswith(TLS_HEADS) or back.startswith(TLS_HEADS)
    application = "tls" if encrypted else _text(row.get("application"))
    overhead_bytes = overhead_of(application, _text(row.get("tls_version")))
    opened_before = row.get("state") in (NO_BEGINNING, MET_OPEN)
    exchange = read_exchange(times_s, sizes_bytes, overhead_bytes, opened_before)
    shape = exchange and shape_of(exchange, overhead_bytes)
    if not exchange or not shape:
        return None
    stratum_v2 = not encrypted and speaks_stratum_v2(times_s, sizes_bytes, *((back, out) if turned else (out, back)))
    said = (LLR_MOST, 0.0, LLR_MOST) if stratum_v2 else _score(exchange, shape, overhead_bytes)
    if not said:
        return None
    found, least, most = said
    llr = min(found, SIZES_ALONE_LLR_MOST) if not (application or out or back) else max(found, least)
    local, remote = ("dst", "src") if turned else ("src", "dst")
    asset = row.get("peer_asset") if turned else row.get("asset")
    port = row.get(f"{remote}_port")
    return Candidate(
        row=row,
        asset=str(asset or row[f"{local}_ip"]),
        remote_ip=str(row[f"{remote}_ip"]),
        remote_port=port if isinstance(port, int) else 0,
        started_at=instant(row["time"]),
        ended_at=instant(row["end_time"]),
        times_s=times_s,
        sizes_bytes=sizes_bytes,
        shape=shape,
        score=found,
        llr=min(llr, most),
        stratum_v2=stratum_v2,
    )


def _score(exchange: Exchange, shape: Shape, overhead_bytes: int) -> tuple[float, float, float] | None:
    """The score, and the least and the most it says, from the model of the look's length; None if too little."""
    if shape.duration_s >= BRIEF_MOST_S:
        return (score(shape), 0.0, LLR_MOST) if judgeable(shape) and sends_jobs(shape) else None
    brief = brief_of(exchange, overhead_bytes)
    if not brief_judgeable(shape, brief):
        return None
    return brief_score(shape, brief), brief_llr_least(shape), brief_llr_most(shape)


def says_otherwise(out: bytes, back: bytes) -> bool:
    """Whether readable bytes tell that the connection is something else.

    Clear text that names its protocol, or is text without one word of mining. TLS and binary
    protocols say nothing here.
    """
    heads = out[:HEAD_BYTES], back[:HEAD_BYTES]
    if any(name in head[:40] for head in heads for name in OTHER_PROTOCOLS):
        return True
    both = b"".join(heads)
    if not both or any(head.startswith(TLS_HEADS) for head in heads):
        return False
    if any(_cut_json(head) for head in heads):
        return False
    readable = sum(1 for byte in both if 32 <= byte < 127 or byte in b"\r\n\t") / len(both)
    return readable >= READABLE_RATIO and not any(word in both.lower() for word in MINING_WORDS)


def _cut_json(head: bytes) -> bool:
    """Whether these are the beginnings of JSON objects of which none was captured to its end.

    A snap length of 96 bytes leaves 30 of each; the words of mining stand behind them.
    """
    lines = [line.strip() for line in head.split(b"\n") if line.strip()]
    return bool(lines) and all(line.startswith(b"{") and not line.endswith(b"}") for line in lines)


def _opened_by_server(row: Row) -> bool:
    """Whether a capture that began in the middle took the server for the client, by the ports.

    A 2018 capture starts with a pool's push from port 3333 to port 53266.
    """
    source, target = row.get("src_port"), row.get("dst_port")
    if not isinstance(source, int) or not isinstance(target, int):
        return False
    return source < EPHEMERAL_PORT_FIRST <= target


def _bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else b""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
