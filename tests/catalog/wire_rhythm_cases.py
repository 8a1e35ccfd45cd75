"""The cases of `mining_message_rhythm`, from our own emulation; `make_wire_cases.py` writes them."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

from davylamp.kit.emulation.message import (
    Dialogue,
    Message,
    exponential_instants,
    in_order,
    periodic_instants,
    started_late,
)
from davylamp.kit.emulation.mining import MiningRhythm, mining_dialogue
from davylamp.kit.emulation.transport import encrypted
from davylamp.kit.emulation.twins import TWINS, twin_dialogue
from tests.catalog.wire_dialogue_cases import Case, one

TALKATIVE = (
    "game_server",
    "monitoring_agent",
    "node_chat",
    "syslog",
    "ticker",
    "ticker_fixed",
    "watch",
    "watch_with_leases",
    "database_idle",
    "board_game",
    "lock_service",
)


def firing() -> Iterator[Case]:
    """From a share every 3 s to one in two minutes, clear, TLS 1.2 and 1.3, steered, throttled, behind a proxy."""
    quick = MiningRhythm(duration_s=200.0, share_gap_s=3.0, job_period_s=50.0, block_gap_s=120.0)
    slow = MiningRhythm(duration_s=1500.0, share_gap_s=120.0, job_period_s=60.0, block_gap_s=None)
    middle = MiningRhythm(duration_s=600.0, share_gap_s=20.0, job_period_s=45.0, block_gap_s=120.0)
    yield "fires_on_share_each_3_s_tls_1.3.pcap", one(encrypted(mining_dialogue("ethereum_stratum", 11, quick), 11))
    yield (
        "fires_on_share_each_3_s_tls_1.2.pcap",
        one(encrypted(mining_dialogue("cryptonote_old", 12, quick), 12, version="1.2")),
    )
    yield "fires_on_share_in_2_min_tls_1.3.pcap", one(encrypted(mining_dialogue("ethereum_stratum", 13, slow), 13))
    yield (
        "fires_on_share_in_2_min_tls_1.2.pcap",
        one(encrypted(mining_dialogue("cryptonote", 14, slow), 14, version="1.2")),
    )
    yield "fires_on_clear_text.pcap", one(mining_dialogue("cryptonote", 15, middle))
    yield (
        "fires_on_middle_of_tls_connection.pcap",
        one(started_late(encrypted(mining_dialogue("cryptonote", 16, middle), 16), 100), whole=False, server_port=443),
    )
    steered = MiningRhythm(400.0, 20.0, fan_in_count=2, throttle_ratio=0.3, vardiff=True, job_period_s=40.0)
    yield "fires_on_steered_difficulty.pcap", one(encrypted(mining_dialogue("cryptonote", 17, steered), 17))
    yield (
        "fires_on_tls_padded_to_64_bytes.pcap",
        one(encrypted(mining_dialogue("cryptonote", 18, middle), 18, pad_to_bytes=64)),
    )
    few = MiningRhythm(duration_s=600.0, share_gap_s=120.0, job_period_s=60.0, block_gap_s=None)
    yield "fires_on_few_shares_closed_with_alert.pcap", one(_rekeyed(mining_dialogue("cryptonote", 40, few), 40))
    yield "fires_on_short_snap_length.pcap", _cut(one(mining_dialogue("cryptonote", 15, middle)), 76)
    brief = MiningRhythm(duration_s=240.0, share_gap_s=10.0, job_period_s=40.0, block_gap_s=None)
    quick_steps = _with_notices(mining_dialogue("bitcoin", 22, brief))
    yield "fires_on_more_notices_than_jobs.pcap", one(encrypted(quick_steps, 22))
    minute = MiningRhythm(duration_s=80.0, share_gap_s=4.0, job_period_s=15.0, block_gap_s=120.0)
    yield (
        "fires_on_a_minute_of_tls_1.3.pcap",
        one(started_late(encrypted(mining_dialogue("cryptonote", 33, minute), 33), 15), whole=False, server_port=443),
    )
    half = MiningRhythm(duration_s=50.0, share_gap_s=3.0, job_period_s=10.0, block_gap_s=120.0)
    yield (
        "fires_on_half_a_minute_of_tls_1.2.pcap",
        one(started_late(encrypted(mining_dialogue("bitcoin", 35, half), 35, version="1.2"), 15), whole=False),
    )
    pinged = MiningRhythm(600.0, 60.0, job_period_s=45.0, block_gap_s=120.0, ping_s=60.0)
    yield "fires_on_stratum_v2.pcap", one(_stratum_v2(23))
    yield (
        "fires_on_stratum_v2_receipts_for_ten.pcap",
        one(_stratum_v2(24, share_bytes=33, job_bytes=310, receipt_each=10)),
    )
    yield "fires_on_keep_alive_between_shares.pcap", one(encrypted(mining_dialogue("cryptonote", 19, pinged), 19))


def _stratum_v2(seed: int, share_bytes: int = 24, job_bytes: int = 49, receipt_each: int = 1) -> Dialogue:
    """Stratum version 2 with the lengths of its specification: Noise NX, then frames 38 bytes longer than they say."""
    rng = random.Random(seed)
    said = [Message(0.0, True, rng.randbytes(64)), Message(0.05, False, rng.randbytes(234))]
    setup = ((0.06, True, 70), (0.11, False, 6), (0.12, True, 60), (0.17, False, 50), (0.17, False, 48))
    shares = [(at_s, True, share_bytes) for at_s in exponential_instants(rng, 8.0, 1.0, 400.0)]
    receipts = [(at_s + 0.05, False, 20) for at_s, _, _ in shares[receipt_each - 1 :: receipt_each]]
    jobs = [(at_s, False, job_bytes) for at_s in periodic_instants(rng, 30.0, 1.0, 400.0)]
    heads = [(at_s, False, 48) for at_s in exponential_instants(rng, 120.0, 1.0, 400.0)]
    spoken = [*setup, *shares, *receipts, *jobs, *heads]
    return in_order([*said, *(Message(at_s, outbound, rng.randbytes(38 + size)) for at_s, outbound, size in spoken)])


def _language_server(seed: int) -> Dialogue:
    """An editor left open: few requests, each answered, and notices of any length that nobody asked for."""
    rng = random.Random(seed)
    said = [Message(0.0, True, rng.randbytes(120)), Message(0.1, False, rng.randbytes(107))]
    for at_s in (60.0, 95.0, 240.0):
        said += [Message(at_s, True, rng.randbytes(120)), Message(at_s + 0.1, False, rng.randbytes(100))]
    notices = exponential_instants(rng, 11.0, 1.0, 300.0)
    return in_order([*said, *(Message(at_s, False, rng.randbytes(rng.randrange(130, 560))) for at_s in notices)])


def _encrypted_node(seed: int) -> Dialogue:
    """A node's own encrypted transport (BIP 324) that begins with as many bytes: key alone, key with 170 of garbage."""
    rng = random.Random(seed)
    said = [Message(0.0, True, rng.randbytes(64)), Message(0.05, False, rng.randbytes(234))]
    spoken = [(0.06, True, 126), (0.1, False, 126)]
    for at_s in exponential_instants(rng, 6.0, 1.0, 300.0):
        asked = rng.choice((1, 1, 2, 5))
        spoken += [(at_s, False, 22 + 36 * asked), (at_s + 0.01, True, 22 + 36 * asked)]
        spoken += [(at_s + 0.06, False, rng.randrange(200, 900)) for _ in range(asked)]
    spoken += [message for at_s in range(30, 300, 60) for message in ((at_s, True, 29), (at_s + 0.05, False, 29))]
    return in_order([*said, *(Message(at_s, outbound, rng.randbytes(size)) for at_s, outbound, size in spoken)])


def _rekeyed(dialogue: Dialogue, seed: int) -> Dialogue:
    """Inside TLS 1.3, with new keys from the server three times and an alert at the end."""
    sealed = encrypted(dialogue, seed)
    end_s = sealed[-1].time_s
    keys = [Message(end_s * part, False, b"\x17\x03\x03\x00\x16" + bytes(22)) for part in (0.3, 0.6, 0.9)]
    return in_order([*sealed, *keys, Message(end_s + 1, True, b"\x17\x03\x03\x00\x13" + bytes(19))])


def _with_notices(dialogue: Dialogue) -> Dialogue:
    """A pool that tells the difficulty twice between its jobs."""
    notice = b'{"id":null,"method":"mining.set_difficulty","params":[1024]}\n'
    jobs = [message.time_s for message in dialogue if b'mining.notify","p' in message.payload.replace(b" ", b"")]
    told = [Message(moment_s + later_s, False, notice) for moment_s in jobs[1:] for later_s in (7.3, 19.1)]
    return in_order([*dialogue, *told])


def _cut(capture: bytes, snap_bytes: int) -> bytes:
    """The same capture with frames cut to a snap length."""
    out, at = bytearray(capture[:24]), 24
    while at < len(capture):
        seconds, fraction, held, length = struct.unpack_from("<IIII", capture, at)
        out += struct.pack("<IIII", seconds, fraction, min(held, snap_bytes), length)
        out += capture[at + 16 : at + 16 + min(held, snap_bytes)]
        at += 16 + held
    return bytes(out)


def quiet() -> Iterator[Case]:
    """Each benign twin inside TLS."""
    for number, name in enumerate(sorted(TWINS)):
        duration_s = 70.0 if name in TALKATIVE else 400.0
        version = "1.2" if number % 2 else "1.3"
        dialogue = twin_dialogue(name, 21, duration_s)
        yield f"quiet_on_{name}.pcap", one(encrypted(dialogue, number, version=version), server_port=8883)
    yield "quiet_on_language_server.pcap", one(encrypted(_language_server(26), 26), server_port=443)
    yield "quiet_on_encrypted_node.pcap", one(_encrypted_node(25), server_port=8333)


def hard() -> Iterator[Case]:
    """Odd captures, and what the unit says it misses."""
    same = tuple(Message(5.0, bool(number % 2), b"x" * 80) for number in range(40))
    yield "survives_messages_at_one_instant.pcap", one((*same, Message(90.0, True, b"x"), Message(90.0, False, b"y")))
    idle = MiningRhythm(duration_s=50.0, share_gap_s=25.0, job_period_s=30.0, block_gap_s=None)
    yield "misses_a_minute_of_slow_shares.pcap", one(encrypted(mining_dialogue("cryptonote", 31, idle), 31))
    middle = MiningRhythm(duration_s=400.0, share_gap_s=20.0, job_period_s=45.0, block_gap_s=None)
    yield "misses_client_that_answers_each_job.pcap", one(_answering(mining_dialogue("cryptonote", 32, middle)))


def _answering(dialogue: Dialogue) -> Dialogue:
    """As an old client did that asks for the transactions of each job at once, and little else; inside TLS."""
    kept = [message for message in dialogue if not message.outbound and b'"job"' in message.payload]
    asked = [Message(message.time_s + 0.002, True, b"q" * 82) for message in kept]
    told = [Message(message.time_s + 0.08, False, b"a" * 97) for message in kept]
    return encrypted(in_order([*kept, *asked, *told]), 32)
