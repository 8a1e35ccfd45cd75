"""The capture reader on frames made for one property each, and on damaged real captures."""

from __future__ import annotations

import contextlib
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from davylamp.catalog.sources.pcap import keys, reader
from davylamp.catalog.sources.pcap.flow import FLOW_WEIGHT_BYTES
from davylamp.catalog.sources.pcap.tls_hello import read_hello
from davylamp.catalog.sources.pcap.unit import Pcap
from davylamp.dns_message import BadDnsError, read_dns
from davylamp.kit import registry
from davylamp.kit.source import Batch, EvidenceFile
from davylamp.model.coverage import Reject

CASES = registry.folder_of(Pcap()) / "cases"
CAPTURES = sorted(path for path in CASES.iterdir() if path.suffix in (".pcap", ".pcapng"))
CLIENT, SERVER = b"\x0a\x00\x00\x05", b"\xc0\x00\x02\x07"
SYN, ACK, PSH_ACK, FIN_ACK, SYN_ACK = 2, 16, 24, 17, 18

Row = dict[str, Any]


class Conversation:
    """A TCP connection written packet by packet."""

    def __init__(self, port: int = 40000, server_port: int = 3333) -> None:
        self.ports = (port, server_port)
        self.next = [1000, 500_000]
        self.frames: list[tuple[float, bytes]] = []

    def send(self, at_s: float, way: int, data: bytes = b"", flags: int = PSH_ACK, **odd: int) -> Conversation:
        """Sends one segment; `sequence` overrides its number and then nothing moves on."""
        sequence = odd.get("sequence", self.next[way])
        source, target = (CLIENT, SERVER) if way == 0 else (SERVER, CLIENT)
        ports = self.ports if way == 0 else self.ports[::-1]
        header = struct.pack(
            ">HHIIBBHHH", *ports, sequence % 2**32, self.next[1 - way] % 2**32, 0x50, flags, 1000, 0, 0
        )
        self.frames.append((at_s, ethernet(ipv4(source, target, 6, header + data))))
        if "sequence" not in odd:
            self.next[way] += len(data) + bool(flags & (SYN | 1))
        return self

    def lost(self, way: int, size: int) -> Conversation:
        """A segment that the capture missed."""
        self.next[way] += size
        return self

    def open(self, at_s: float = 0.0) -> Conversation:
        """The three-way handshake."""
        return self.send(at_s, 0, flags=SYN).send(at_s, 1, flags=SYN_ACK).send(at_s, 0, flags=ACK)


def ipv4(source: bytes, target: bytes, protocol: int, body: bytes, fragment: int = 0, identity: int = 7) -> bytes:
    return (
        struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), identity, fragment, 64, protocol, 0) + source + target + body
    )


def ethernet(packet: bytes, kind: int = 0x0800) -> bytes:
    return bytes(12) + struct.pack(">H", kind) + packet


def udp(source: int, target: int, body: bytes) -> bytes:
    return struct.pack(">HHHH", source, target, 8 + len(body), 0) + body


def capture(
    frames: list[tuple[float, bytes]], order: str = "<", nano: bool = False, link: int = 1, snap: int = 65535
) -> bytes:
    out = struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, snap, link)
    for at_s, frame in frames:
        moment_us = round((1_700_000_000 + at_s) * 1e6)
        fraction = moment_us % 1_000_000 * (1000 if nano else 1)
        held = frame[:snap]
        out += struct.pack(order + "IIII", moment_us // 1_000_000, fraction, len(held), len(frame)) + held
    return out


def nextgen(frames: list[tuple[float, bytes]], order: str = "<") -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        size = struct.pack(order + "I", len(body) + 12)
        return struct.pack(order + "I", kind) + size + body + size

    out = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += block(1, struct.pack(order + "HHIHHBxxxHH", 1, 0, 0, 9, 1, 6, 0, 0))
    for at_s, frame in frames:
        ticks = round((1_700_000_000 + at_s) * 1e6)
        out += block(
            6, struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame)) + frame
        )
    return out


def read(data: bytes, memory_bytes: int = 1 << 30) -> tuple[dict[str, list[Row]], list[Reject], str]:
    file = EvidenceFile("capture", io.BytesIO(data), memory_bytes)
    rows: dict[str, list[Row]] = {}
    rejects = []
    for item in Pcap().read(file):
        if isinstance(item, Batch):
            rows.setdefault(item.event_class, []).extend(item.rows.to_pylist())
        else:
            rejects.append(item)
    return rows, rejects, file.partial_reason


def flows(data: bytes, memory_bytes: int = 1 << 30) -> list[Row]:
    return read(data, memory_bytes)[0].get("network_activity", [])


def test_messages_leave_out_keep_alives_acknowledgements_and_retransmissions() -> None:
    talk = Conversation().open()
    talk.send(1.0, 0, b"a" * 100).send(1.2, 1, b"b" * 60)
    talk.send(1.5, 0, b"a" * 100, sequence=1001)
    talk.send(61.0, 0, b"\0", sequence=talk.next[0] - 1).send(61.1, 1, flags=ACK)
    talk.send(70.0, 1, b"c" * 250)
    [row] = flows(capture(talk.frames))
    assert row["message_sizes_bytes"] == [100, -60, -250]
    assert row["message_times_s"] == pytest.approx([1.0, 1.2, 70.0])


def test_a_message_goes_on_while_segments_are_close_or_unfinished() -> None:
    talk = Conversation().open()
    talk.send(1.0, 0, b"a" * 10).send(1.005, 0, b"a" * 10).send(1.1, 0, b"a" * 10)
    talk.send(2.0, 1, b"b" * 1400, flags=ACK).send(2.2, 1, b"b" * 300)
    talk.send(3.0, 1, b"c" * 1400).send(3.2, 1, b"c" * 300)
    [row] = flows(capture(talk.frames))
    assert row["message_sizes_bytes"] == [20, 10, -1700, -1400, -300]


def test_a_forged_far_segment_hides_nothing_behind_it() -> None:
    talk = Conversation().open().send(1.0, 0, b"a" * 100)
    talk.send(2.0, 0, b"x" * 5, sequence=1_000_000_000).send(3.0, 0, b"y", flags=SYN, sequence=9)
    talk.send(4.0, 0, b"b" * 70)
    sizes = [size for row in flows(capture(talk.frames)) for size in row["message_sizes_bytes"]]
    assert 100 in sizes
    assert 70 in sizes


def test_reordered_segments_count_once_and_payload_is_in_order() -> None:
    talk = Conversation().open()
    talk.send(1.0, 0, b"first ").lost(0, 7).send(1.001, 0, b"third")
    talk.send(1.002, 0, b"second ", sequence=1007).send(1.003, 0, b"second ", sequence=1007)
    [row] = flows(capture(talk.frames))
    assert row["payload_out"] == b"first second third"
    assert row["message_sizes_bytes"] == [18]


def test_a_gap_becomes_one_newline_so_that_lines_behind_it_can_be_read() -> None:
    talk = Conversation().open().send(1.0, 1, b'{"id":1}\n{"id').lost(1, 900).send(2.0, 1, b'x"}\n{"method":"job"}\n')
    [row] = flows(capture(talk.frames))
    assert row["payload_in"] == b'{"id":1}\n{"id\nx"}\n{"method":"job"}\n'


def test_tls_messages_weigh_what_their_records_carry() -> None:
    def record(size: int, kind: int = 23) -> bytes:
        return struct.pack(">BHH", kind, 0x0303, size) + bytes(size)

    talk = Conversation(server_port=443).open()
    talk.send(1.0, 0, record(199, 22)).send(2.0, 1, record(81) + record(79))
    split = record(3000)
    talk.send(3.0, 1, split[:1460], flags=ACK).send(3.001, 1, split[1460:2920], flags=ACK).send(3.002, 1, split[2920:])
    split = record(50)
    talk.send(4.0, 0, split[:3]).send(4.001, 0, split[3:]).lost(1, 500).send(5.0, 1, record(120))
    [row] = flows(capture(talk.frames))
    assert row["application"] == "tls"
    assert row["message_sizes_bytes"] == [199, -160, -3000, 50, -120]


def test_a_short_snap_length_changes_no_counts() -> None:
    talk = Conversation().open().send(1.0, 0, b"a" * 300).send(2.0, 1, b"b" * 900).send(3.0, 0, flags=FIN_ACK)
    columns = ("bytes_out", "bytes_in", "packets_out", "packets_in", "message_sizes_bytes", "state")
    [whole], [cut] = flows(capture(talk.frames)), flows(capture(talk.frames, snap=60))
    assert {name: whole[name] for name in columns} == {name: cut[name] for name in columns}
    assert (whole["bytes_out"], whole["bytes_in"]) == (40 * 4 + 300, 40 * 2 + 900)
    assert (len(whole["payload_in"]), len(cut["payload_in"])) == (900, 6)


def test_flows_end_at_silence_and_at_a_new_syn() -> None:
    first = Conversation().open().send(1.0, 0, b"one").send(2.0, 0, flags=FIN_ACK).send(2.0, 1, flags=FIN_ACK)
    second = Conversation()
    second.next = [77_777, 5]
    second.open(5.0).send(6.0, 0, b"two").send(500.0, 0, b"three").send(1200.0, 0, b"four")
    rows = flows(capture(first.frames + second.frames))
    assert [(row["payload_out"], row["state"]) for row in rows] == [
        (b"one", "SF"),
        (b"twothree", "S1"),
        (b"four", "OTH"),
    ]
    assert [row["frame"] for row in rows] == [1, 7, 12]


def test_the_client_is_told_without_a_syn() -> None:
    talk = Conversation().send(1.0, 1, b"job").send(2.0, 0, b"submit")
    answer = (3.0, ethernet(ipv4(SERVER, CLIENT, 17, udp(123, 50000, b"time"))))
    rows = flows(capture([*talk.frames, answer]))
    assert [(row["src_ip"], row["dst_port"]) for row in rows] == [("10.0.0.5", 3333), ("10.0.0.5", 123)]
    assert rows[0]["message_sizes_bytes"] == [-3, 6]


def test_flows_stay_apart_when_their_hashes_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = sorted(
        frame
        for port in (30001, 30002, 30003)
        for frame in Conversation(port).open().send(1.0, 0, b"%d" % port).send(2.0, 1, b"answer").frames
    )
    expected = flows(capture(frames))
    monkeypatch.setattr(keys, "_MIX", [np.uint64(0)] * 4)
    assert flows(capture(frames)) == expected
    assert {row["payload_out"] for row in expected} == {b"30001", b"30002", b"30003"}


def test_later_fragments_count_for_the_flow_of_the_first() -> None:
    whole = udp(5000, 6000, b"z" * 64)
    frames = [
        (0.0, ethernet(ipv4(CLIENT, SERVER, 17, whole[:32], 0x2000))),
        (0.1, ethernet(ipv4(CLIENT, SERVER, 17, whole[32:], 4))),
        (0.2, ethernet(ipv4(CLIENT, SERVER, 17, b"?" * 8, 4, identity=8))),
    ]
    rows, rejects, _ = read(capture(frames))
    [row] = rows["network_activity"]
    assert (row["packets_out"], row["bytes_out"]) == (2, 52 + 60)
    assert [reject.reason for reject in rejects] == ["frame 3: a later IP fragment whose first fragment was not seen"]


def test_every_container_gives_the_same_rows() -> None:
    frames = Conversation().open().send(1.0, 0, b"a" * 30).send(2.5, 1, b"b" * 40).frames
    expected = flows(capture(frames))
    assert len(expected) == 1
    for other in (capture(frames, ">"), capture(frames, "<", nano=True), nextgen(frames), nextgen(frames, ">")):
        assert flows(other) == expected


def test_every_link_type_gives_the_same_flow() -> None:
    packets = [(at_s, frame[14:]) for at_s, frame in Conversation().open().send(1.0, 0, b"hello").frames]
    expected = flows(capture(packets, link=101))
    assert expected[0]["payload_out"] == b"hello"
    cooked = bytes(14) + b"\x08\x00"
    heads = {
        0: b"\2\0\0\0", 1: bytes(12) + b"\x81\0\0\5\x88\xa8\0\6\x08\0", 9: b"\xff\3\0\x21", 50: b"\x21",
        104: b"\x0f\0\x08\0", 107: b"\x18\x41\3\xcc", 108: b"\0\0\0\2", 113: cooked, 228: b"",
        276: b"\x08\0" + bytes(18),
    }  # fmt: skip
    for link, head in heads.items():
        assert flows(capture([(at_s, head + packet) for at_s, packet in packets], link=link)) == expected, link
    rows, rejects, _ = read(capture(packets, link=127))
    assert rows == {}
    assert {reject.reason[9:] for reject in rejects} == {"link type 127 (IEEE 802.11 with radiotap) is not read"}


def test_a_cut_last_frame_is_a_reject_at_its_offset_and_the_rest_is_read() -> None:
    frames = Conversation().open().send(1.0, 0, b"a" * 30).frames
    data = capture(frames)
    rows, [reject], partial = read(data[:-5])
    assert rows["network_activity"][0]["packets_out"] == 2
    assert reject.offset == len(data) - len(frames[-1][1]) - 16
    assert partial == "the capture ends inside frame 4"


def test_open_flows_stay_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_BUFFER_LIMITS_BYTES", (4096, 4096))
    frames = [frame for port in range(20000, 20400) for frame in Conversation(port).send(port / 1000, 0, b"x").frames]
    rows, rejects, partial = read(capture(frames), memory_bytes=4 * 50 * FLOW_WEIGHT_BYTES)
    assert len(rows["network_activity"]) == 400
    assert rejects == []
    assert "open flows were ended early" in partial


def test_a_question_on_port_53_that_is_no_dns_is_a_reject_and_a_flow() -> None:
    frames = [(0.0, ethernet(ipv4(CLIENT, SERVER, 17, udp(5000, 53, b"\xff" * 40))))]
    rows, [reject], _ = read(capture(frames))
    assert "DNS" in reject.reason
    assert [(row["dst_port"], row["application"]) for row in rows["network_activity"]] == [(53, None)]


def test_names_in_dns_are_plain_lower_case_and_loops_are_refused() -> None:
    head = struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0)
    message = read_dns(head + b"\x05A.b\n\xe9\x03COM\x00\x00\x01\x00\x01")
    assert message is not None
    assert message.name == r"a\.b\010\233.com"
    with pytest.raises(BadDnsError):
        read_dns(head + b"\x01a\xc0\x0c\x00\x01\x00\x01")


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: str(path.name))
def test_rows_do_not_depend_on_the_buffer(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = path.read_bytes()
    expected = read(data)
    monkeypatch.setattr(reader, "_BUFFER_LIMITS_BYTES", (400, 400))
    rows, rejects, partial = read(data)

    def plain(found: dict[str, list[Row]]) -> dict[str, list[str]]:
        return {name: sorted(map(repr, each)) for name, each in found.items()}

    assert plain(rows) == plain(expected[0])
    assert (rejects, partial) == expected[1:]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_damaged_captures_never_crash(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(CAPTURES)).read_bytes())
    for _ in range(data.draw(st.integers(1, 12))):
        content[data.draw(st.integers(min(4, len(content) - 1), len(content) - 1))] = data.draw(st.integers(0, 255))
    rows, rejects, _ = read(bytes(content[: data.draw(st.integers(min(24, len(content)), len(content)))]))
    for row in rows.get("network_activity", []):
        assert row["packets_out"] + row["packets_in"] > 0
        assert len(row["message_sizes_bytes"]) == len(row["message_times_s"])
    assert all(reject.reason for reject in rejects)


@given(st.binary(max_size=300))
def test_parsers_of_payload_never_crash(payload: bytes) -> None:
    read_hello(payload)
    read_hello(b"\x16\x03\x01\x00\xff\x01\x00\x00\xfa\x03\x03" + payload)
    with contextlib.suppress(BadDnsError):
        read_dns(payload)
