"""What the wire detections must hold beside their cases: any bytes, any cut, any spelling."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davylamp.catalog.detections.mining_dialogue.unit import MiningDialogue
from davylamp.catalog.detections.mining_dialogue.verdict import judge_payloads
from davylamp.catalog.detections.mining_message_rhythm.candidate import says_otherwise
from davylamp.catalog.detections.mining_message_rhythm.exchange import without_record_layer
from davylamp.catalog.detections.mining_message_rhythm.model import LLR_FEWEST, LLR_MOST
from davylamp.catalog.detections.mining_message_rhythm.noise import speaks_stratum_v2
from davylamp.catalog.detections.mining_message_rhythm.unit import MiningMessageRhythm
from davylamp.kit.detection import Facts
from davylamp.kit.emulation.message import Dialogue, exponential_instants, periodic_instants
from davylamp.kit.emulation.mining import MiningRhythm, mining_dialogue
from davylamp.model.finding import Finding

DIALECTS = ("bitcoin", "cryptonote", "ethereum_proxy", "ethereum_stratum", "zcash", "getwork", "getblocktemplate")
START_AT = datetime(2026, 1, 1, tzinfo=UTC)


class NoFacts:
    """The wire detections ask nothing of the world."""


def payloads(dialogue: Dialogue) -> tuple[bytes, bytes]:
    """First 8 KiB of each direction, as the capture source keeps them."""
    out = b"".join(message.payload for message in dialogue if message.outbound)
    back = b"".join(message.payload for message in dialogue if not message.outbound)
    return out[:8192], back[:8192]


def row(**columns: object) -> Mapping[str, object]:
    given: dict[str, object] = {
        "asset": "web1",
        "peer_asset": None,
        "time": START_AT,
        "end_time": START_AT + timedelta(hours=1),
        "src_ip": "10.0.0.5",
        "src_port": 40000,
        "dst_ip": "198.51.100.7",
        "dst_port": 443,
        "path": "a.pcap",
        "frame": 1,
    }
    return given | columns


def rhythm_findings(times_s: list[float], sizes: list[int], **columns: object) -> list[Finding]:
    facts: Facts = NoFacts()  # type: ignore[assignment]
    columns |= {"message_times_s": times_s, "message_sizes_bytes": sizes}
    return list(MiningMessageRhythm().judge([row(**columns)], facts))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.binary(max_size=400))
def test_any_bytes_are_judged_without_a_crash(out: bytes, back: bytes) -> None:
    judge_payloads(out, back)
    judge_payloads(b'{"method":"mining.notify","params":' + out, b'{"result":{"job":' + back)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
_METHODS = st.sampled_from(["login", "submit", "job", "mining.notify", "mining.submit", "eth_submitWork", "getwork"])


@settings(max_examples=150, deadline=None)
@given(_METHODS, _JSON, _JSON)
def test_any_parameters_are_judged_without_a_crash(method: str, params: object, result: object) -> None:
    out = json.dumps({"method": method, "params": params}).encode()
    judge_payloads(out, json.dumps({"result": result}).encode())


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["alpha", "login", "save"]), st.dictionaries(st.text(min_size=1, max_size=6), _JSON, max_size=4))
def test_a_service_with_other_parameters_stays_quiet(login: str, form: dict[str, object]) -> None:
    asked = {"method": "login", "params": {"login": login, "pass": "x"}}
    saved = {"method": "submit", "params": {"form": form}}
    out = "\n".join(json.dumps(value) for value in (asked, saved)).encode()
    assert judge_payloads(out, b'{"id":1,"result":{"token":"5f","status":"OK"}}\n') is None


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("swapped", [False, True])
def test_every_dialect_is_whole_from_either_end(name: str, swapped: bool) -> None:
    out, back = payloads(mining_dialogue(name, 3, MiningRhythm(duration_s=120.0, ping_s=10.0)))
    verdict = judge_payloads(back, out) if swapped else judge_payloads(out, back)
    assert verdict is not None
    assert verdict.whole
    assert verdict.client_is_source is not swapped


@pytest.mark.parametrize("name", ["bitcoin", "cryptonote", "ethereum_stratum"])
@settings(max_examples=40, deadline=None)
@given(cut_out=st.integers(0, 700), cut_back=st.integers(0, 700))
def test_a_cut_start_does_not_hide_a_dialogue(name: str, cut_out: int, cut_back: int) -> None:
    out, back = payloads(mining_dialogue(name, 3, MiningRhythm(duration_s=600.0)))
    verdict = judge_payloads(out[cut_out:], back[cut_back:])
    assert verdict is not None
    assert verdict.whole


def test_a_capture_from_the_middle_names_the_miner_not_the_pool() -> None:
    """A 2018 capture begins with the pool's push, so the pool stands as source."""
    out, back = payloads(mining_dialogue("bitcoin", 3)[6:])
    facts: Facts = NoFacts()  # type: ignore[assignment]
    turned = row(
        asset="198.51.100.7",
        peer_asset="web1",
        src_ip="198.51.100.7",
        src_port=3333,
        dst_ip="10.0.0.5",
        dst_port=40000,
        payload_out=back,
        payload_in=out,
    )
    (found,) = MiningDialogue().judge([turned], facts)
    assert [asset.name for asset in found.assets] == ["web1"]
    assert {item.value for item in found.observables} >= {"198.51.100.7", "3333"}


def test_one_finding_for_many_connections_to_one_pool() -> None:
    facts: Facts = NoFacts()  # type: ignore[assignment]
    out, back = payloads(mining_dialogue("cryptonote", 3))
    rows = [row(payload_out=out, payload_in=back, src_port=40000 + number, frame=number) for number in range(60)]
    (found,) = MiningDialogue().judge(rows, facts)
    assert found.fact
    assert found.evidence_count == 60


# Connections as published captures show them (knowledge base, detection methods 2.3): sizes, gaps, pushes.
# name, seconds, share gap s (None: none), share and answer bytes, push gap s, push period, push bytes, poll s and bytes
SHAPES = [
    pytest.param(1155, 18.8, (183, 63), 60.0, 253, None, id="Monero 9050"),
    pytest.param(296, 60.0, (205, 39), 9.0, 243, (10.0, 81, 243), id="Ethereum 9999"),
    pytest.param(429, 4.5, (177, 59), 50.0, 245, None, id="web miner 443"),
    pytest.param(219, 4.0, (536, 189), 9.0, 310, None, id="Zcash 6666"),
    pytest.param(1091, 6.0, (2878, 25), 45.0, 310, None, id="Zcash 3333, GPU"),
    pytest.param(1065, 260.0, (2878, 25), 59.0, 310, None, id="Zcash 3333, slow"),
]


def _published(
    rng: random.Random,
    duration_s: float,
    gap_s: float,
    share: tuple[int, int],
    push_gap_s: float,
    push_bytes: int,
    poll: tuple[float, int, int] | None,
) -> list[tuple[float, int]]:
    messages = [(0.1, 260), (0.2, -push_bytes)]
    for moment_s in exponential_instants(rng, gap_s, 6, duration_s):
        messages += [(moment_s, share[0]), (moment_s + 0.1, -share[1])]
    messages += [(moment_s, -push_bytes) for moment_s in exponential_instants(rng, push_gap_s, 6, duration_s)]
    for moment_s in periodic_instants(rng, poll[0], 6, duration_s) if poll else []:
        messages += [(moment_s, poll[1] if poll else 0), (moment_s + 0.1, -(poll[2] if poll else 0))]
    return sorted(messages)


@pytest.mark.parametrize(("duration_s", "gap_s", "share", "push_gap_s", "push_bytes", "poll"), SHAPES)
def test_published_shapes_are_caught_by_rhythm_alone(
    duration_s: float,
    gap_s: float,
    share: tuple[int, int],
    push_gap_s: float,
    push_bytes: int,
    poll: tuple[float, int, int] | None,
) -> None:
    caught = 0
    for seed in range(20):
        messages = _published(random.Random(seed), duration_s, gap_s, share, push_gap_s, push_bytes, poll)
        caught += bool(rhythm_findings([moment_s for moment_s, _ in messages], [size for _, size in messages]))
    assert caught >= 14


def test_the_finding_says_in_words_what_was_measured() -> None:
    messages = _published(random.Random(1), 1800, 10, (183, 63), 60, 253, None)
    (found,) = rhythm_findings([moment_s for moment_s, _ in messages], [size for _, size in messages])
    assert "100 % of the client's messages" in found.because
    assert "came unasked" in found.because
    assert "memoryless (CV" in found.because
    assert len(found.series[0].x) == len(found.series[0].y) <= 400
    assert LLR_FEWEST <= found.llr <= LLR_MOST
    assert not found.fact


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1e5), st.integers(-3000, 3000)), max_size=60),
)
def test_any_series_is_judged_without_a_crash(messages: list[tuple[float, int]]) -> None:
    ordered = sorted(messages)
    rhythm_findings([moment_s for moment_s, _ in ordered], [size for _, size in ordered])


@pytest.mark.parametrize(
    "out",
    [
        pytest.param(b"\x10\x2a\x00\x04MQTT\x04\xc2", id="MQTT"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", id="SSH"),
        pytest.param(b"LIST\r\nRETR 1\r\n" * 5, id="text without a word of mining"),
        pytest.param(
            b'{"id":2,"method":"eth_getBalance","params":["0x9700fd0a","latest"]}\n'
            b'{"method":"eth_subscription","params":{"result":{"difficulty":"0x0","nonce":"0x0"}}}\n',
            id="a wallet that subscribes to blocks",
        ),
    ],
)
def test_clear_text_that_says_otherwise_is_believed(out: bytes) -> None:
    messages = _published(random.Random(1), 1800, 10, (183, 63), 60, 253, None)
    times_s, sizes = [moment_s for moment_s, _ in messages], [size for _, size in messages]
    assert rhythm_findings(times_s, sizes, payload_out=out, payload_in=b"") == []


def _stratum_v2(frames_up: list[int], frames_down: list[int]) -> dict[str, object]:
    """A connection that opens by Noise and then sends a frame every few seconds, each way in turn."""
    rng = random.Random(7)
    rows = [(0.0, 64), (0.1, -234), (0.1, 108), (0.2, -44), (0.2, 98), (0.3, -261)]
    at_s = 0.3
    for up, down in itertools.zip_longest(frames_up, frames_down):
        for size in (up, down):
            at_s += rng.expovariate(1 / 8)
            rows += [] if size is None else [(at_s, size)]
    return {
        "times_s": [moment_s for moment_s, _ in rows],
        "sizes_bytes": [size for _, size in rows],
        "payload_out": rng.randbytes(300),
        "payload_in": rng.randbytes(300),
    }


SHARES, RECEIPTS_AND_JOBS = [62] * 9, [-58, -87, -58, -58, -87, -58, -86, -58, -87]


def test_stratum_v2_is_known_by_its_opening_and_its_frames() -> None:
    assert speaks_stratum_v2(**_stratum_v2(SHARES, RECEIPTS_AND_JOBS))  # type: ignore[arg-type]
    in_pieces = _stratum_v2(SHARES, RECEIPTS_AND_JOBS)
    in_pieces["sizes_bytes"] = [40, 24, -34, -200, *list(in_pieces["sizes_bytes"])[2:]]  # type: ignore[call-overload]
    in_pieces["times_s"] = [0.0, 0.02, *list(in_pieces["times_s"])[:]]  # type: ignore[call-overload]
    assert speaks_stratum_v2(**in_pieces)  # type: ignore[arg-type]


def test_stratum_v2_through_a_proxy_opens_after_what_the_proxy_is_asked() -> None:
    direct = _stratum_v2(SHARES, RECEIPTS_AND_JOBS)
    proxied = {
        "times_s": [0.0, 0.01, 0.02, 0.03, *(moment_s + 0.1 for moment_s in direct["times_s"])],  # type: ignore[attr-defined]
        "sizes_bytes": [3, -2, 20, -10, *direct["sizes_bytes"]],  # type: ignore[misc]
        "payload_out": b"\5\1\0\5\1\0\3\x0dpool.example.\x0d\5"[:23].ljust(23, b"\0") + direct["payload_out"],  # type: ignore[operator]
        "payload_in": b"\5\0\5\0\0\1\0\0\0\0\0\0" + direct["payload_in"],  # type: ignore[operator]
    }
    assert speaks_stratum_v2(**proxied)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("up", "down", "changed"),
    [
        pytest.param([58, 29, 95, 29, 58] * 3, [-29, -58, -400, -29] * 3, {}, id="a node's BIP 324 transport"),
        pytest.param([200, 210, 190, 260] * 3, RECEIPTS_AND_JOBS, {}, id="another use of Noise"),
        pytest.param(SHARES, [-58] * 9, {}, id="no jobs"),
        pytest.param(SHARES[:1], RECEIPTS_AND_JOBS, {}, id="one share"),
        pytest.param(SHARES, RECEIPTS_AND_JOBS, {"payload_out": b"HELO mail.example\r\n" * 9}, id="readable"),
    ],
)
def test_what_opens_or_goes_on_otherwise_is_no_stratum_v2(
    up: list[int], down: list[int], changed: dict[str, object]
) -> None:
    assert not speaks_stratum_v2(**{**_stratum_v2(up, down), **changed})  # type: ignore[arg-type]


def test_closing_alerts_and_new_keys_of_tls_are_no_messages() -> None:
    """An alert nobody answers is no share and new keys are no jobs; receipts of that size are words of a protocol."""
    talk = [(10.0 * number, 200 if number % 2 else -90) for number in range(40)]
    keys = [(number * 100.0 + 3, -22) for number in range(3)]
    spoken = sorted([*talk, *keys])
    assert without_record_layer([*spoken, (401.0, 19), (401.1, -19)], 17) == talk
    assert without_record_layer([*spoken, (401.0, 19)], 0) == [*spoken, (401.0, 19)]
    receipts = sorted([*talk, *[(10.0 * number + 0.1, -22) for number in range(40)]])
    assert without_record_layer(receipts, 17) == receipts


def test_beginnings_of_objects_do_not_speak_for_another_use() -> None:
    """A snap length leaves the first letters of each line, and the words of mining stand behind them."""
    assert not says_otherwise(b'{"id":1,"jsonrpc":"2.0","me\n{"id":2,"jsonrpc":"2.0","me', b'{"id":1,"jsonrpc"')
    assert says_otherwise(b'{"id":1,"call":"status"}\n{"id":2,"call":"status"}\n', b'{"id":1,"state":"up"}\n')
