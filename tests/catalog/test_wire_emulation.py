"""The emulated dialogues are like the public captures, and the captures written of them are sound."""

from __future__ import annotations

import asyncio
import itertools
import random
import ssl
import statistics
import struct
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from davylamp.catalog.detections.mining_message_rhythm.exchange import size_classes
from davylamp.errors import UsageError
from davylamp.kit.emulation.bitcoin import BitcoinStratum
from davylamp.kit.emulation.cryptonote import CryptoNote
from davylamp.kit.emulation.dialect import Dialect
from davylamp.kit.emulation.ethereum import EthereumProxy
from davylamp.kit.emulation.loopback import Tls, play
from davylamp.kit.emulation.message import Dialogue
from davylamp.kit.emulation.mining import DIALECTS, MiningRhythm, mining_dialogue, speak
from davylamp.kit.emulation.pcap import Connection, frames
from davylamp.kit.emulation.transport import TLS_OVERHEAD_BYTES, encrypted
from davylamp.kit.emulation.twins import TWINS, twin_dialogue
from tests.catalog.make_wire_cases import wire_cases

SIZE_TOLERANCE = 0.25
"""Field lengths (agent, worker, job id, wallet) differ from one implementation to the next by this much."""


def after_opening(dialogue: Dialogue, opening_s: float = 1.0) -> Dialogue:
    return tuple(message for message in dialogue if message.time_s > opening_s)


def modal_sizes(dialogue: Dialogue, outbound: bool, count: int) -> list[int]:
    """The most frequent sizes; what a growing message number adds makes no other size."""
    sizes = [len(message.payload) for message in dialogue if message.outbound == outbound]
    classes = size_classes(sizes, 2)
    return sorted(size for size, _ in Counter(classes[size] for size in sizes).most_common(count))


def spoken(dialect: Dialect, rhythm: MiningRhythm, seed: int = 5) -> Dialogue:
    return after_opening(speak(dialect, random.Random(seed), rhythm))


# Sizes, gaps and push shares of published captures (knowledge base, detection methods 2.3).
@pytest.mark.parametrize(
    ("dialect", "rhythm", "client", "server", "gap_s", "push_ratio"),
    [
        pytest.param(
            CryptoNote(random.Random(1), modern=False),
            MiningRhythm(1155, 18.8, job_period_s=60, block_gap_s=None),
            [183],
            [63, 253],
            18.8,
            0.25,
            id="Monero port 9050, 1155 s",
        ),
        pytest.param(
            EthereumProxy(random.Random(2)),
            MiningRhythm(296, 60, job_period_s=None, block_gap_s=9, ping_s=7.5),
            [81, 148],
            [39, 243],
            9.9,
            0.39,
            id="Ethereum port 9999, 296 s",
        ),
    ],
)
def test_sizes_gaps_and_pushes_are_those_of_published_captures(
    dialect: Dialect, rhythm: MiningRhythm, client: list[int], server: list[int], gap_s: float, push_ratio: float
) -> None:
    dialogue = spoken(dialect, rhythm)
    assert modal_sizes(dialogue, True, len(client)) == pytest.approx(client, rel=SIZE_TOLERANCE)
    assert modal_sizes(dialogue, False, len(server)) == pytest.approx(server, rel=SIZE_TOLERANCE)
    sent = [message.time_s for message in dialogue if message.outbound]
    told = [message for message in dialogue if not message.outbound]
    assert statistics.mean(b - a for a, b in itertools.pairwise(sent)) == pytest.approx(gap_s, rel=0.45)
    assert (len(told) - len(sent)) / len(told) == pytest.approx(push_ratio, abs=0.1)


def test_bitcoin_job_and_answer_are_as_long_as_in_the_public_capture() -> None:
    """The capture of 2018 has jobs of 1,172 to 1,374 bytes."""
    dialogue = spoken(BitcoinStratum(random.Random(3), spaced=False), MiningRhythm(203, 31))
    jobs = [len(message.payload) for message in dialogue if b"mining.notify" in message.payload]
    assert statistics.median(jobs) == pytest.approx(1307, rel=0.1)


@pytest.mark.parametrize("gap_s", [3.0, 20.0, 120.0])
def test_shares_are_memoryless(gap_s: float) -> None:
    dialogue = spoken(CryptoNote(random.Random(4)), MiningRhythm(gap_s * 400, gap_s))
    sent = [message.time_s for message in dialogue if message.outbound]
    gaps = [later - earlier for earlier, later in itertools.pairwise(sent)]
    assert statistics.mean(gaps) == pytest.approx(gap_s, rel=0.2)
    assert 0.8 <= statistics.stdev(gaps) / statistics.mean(gaps) <= 1.25


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_a_mining_dialogue_is_the_same_for_the_same_seed(name: str) -> None:
    assert mining_dialogue(name, 7) == mining_dialogue(name, 7)
    assert mining_dialogue(name, 7) != mining_dialogue(name, 8)
    times_s = [message.time_s for message in mining_dialogue(name, 7)]
    assert times_s == sorted(times_s)


@pytest.mark.parametrize("name", sorted(TWINS))
def test_a_twin_is_the_same_for_the_same_seed(name: str) -> None:
    assert twin_dialogue(name, 7, 300.0) == twin_dialogue(name, 7, 300.0)
    assert twin_dialogue(name, 7, 300.0)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_tls_adds_what_its_records_add(version: str) -> None:
    plain = mining_dialogue("cryptonote", 9, MiningRhythm(duration_s=120.0))
    carried = encrypted(plain, 9, version=version)[-len(plain) :]
    added = {len(after.payload) - len(before.payload) for before, after in zip(plain, carried, strict=True)}
    assert added == {TLS_OVERHEAD_BYTES[version]}


def test_frames_carry_the_dialogue_in_sequence_whatever_the_segments() -> None:
    dialogue = mining_dialogue("zcash", 10, MiningRhythm(duration_s=60.0))
    written = frames(Connection(dialogue, 1.0, segment_bytes=100, lost_ratio=0.3))
    times_s = [moment_s for moment_s, _ in written]
    assert times_s == sorted(times_s)
    streams: dict[str, dict[int, bytes]] = {}
    for _, frame in written:
        ports = struct.unpack("!HH", frame[34:38])
        number = struct.unpack("!I", frame[38:42])[0]
        if frame[54:]:
            streams.setdefault(f"{ports[0]}", {})[number] = frame[54:]
    heard = b"".join(payload for _, payload in sorted(streams["40000"].items()))
    assert heard == b"".join(message.payload for message in dialogue if message.outbound)


def test_the_committed_cases_are_what_the_script_writes() -> None:
    stale = [path.name for path, content in wire_cases() if path.read_bytes() != content]
    assert stale == [], "run python -m tests.catalog.make_wire_cases"


@pytest.mark.live
def test_a_dialogue_is_played_on_loopback() -> None:
    dialogue = mining_dialogue("cryptonote", 11, MiningRhythm(duration_s=60.0, share_gap_s=5.0))
    played = asyncio.run(play(dialogue, speed_ratio=200.0, longest_s=10.0))
    assert played.complete
    assert played.server_received_bytes == sum(len(message.payload) for message in dialogue if message.outbound)
    assert played.client_received_bytes == sum(len(message.payload) for message in dialogue if not message.outbound)


@pytest.mark.live
def test_playing_ends_in_time() -> None:
    dialogue = mining_dialogue("cryptonote", 11, MiningRhythm(duration_s=3600.0))
    assert not asyncio.run(play(dialogue, speed_ratio=1.0, longest_s=0.3)).complete


def test_playing_stays_on_loopback() -> None:
    with pytest.raises(UsageError):
        asyncio.run(play((), host="192.0.2.1"))


@pytest.mark.live
def test_a_dialogue_is_played_inside_tls(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=pool.test", "-days", "2", "-addext"]
    try:
        subprocess.run([*command, "subjectAltName=DNS:pool.test"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate with")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.create_default_context(cafile=str(certificate))
    dialogue = mining_dialogue("cryptonote", 12, MiningRhythm(duration_s=60.0, share_gap_s=5.0))
    played = asyncio.run(play(dialogue, speed_ratio=200.0, longest_s=10.0, tls=Tls(server, client)))
    assert played.complete
    assert played.client_received_bytes == sum(len(message.payload) for message in dialogue if not message.outbound)
