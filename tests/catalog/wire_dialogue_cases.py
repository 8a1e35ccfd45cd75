"""The cases of `mining_dialogue`, from our own emulation; `make_wire_cases.py` writes them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from davylamp.kit.emulation.bitcoin import BitcoinStratum
from davylamp.kit.emulation.message import Dialogue, Message, random_hex, started_late, with_payload
from davylamp.kit.emulation.mining import MiningRhythm, mining_dialogue
from davylamp.kit.emulation.pcap import Connection, pcap_bytes
from davylamp.kit.emulation.transport import encrypted
from davylamp.kit.emulation.twins import twin_dialogue

START_S = 1_767_225_600.0
SHORT = MiningRhythm(duration_s=150.0, share_gap_s=15.0, job_period_s=40.0, block_gap_s=None)
FEW = MiningRhythm(duration_s=60.0, share_gap_s=25.0, job_period_s=20.0, block_gap_s=None)
Case = tuple[str, bytes]


def one(dialogue: Dialogue, server: str = "198.51.100.7", server_port: int = 3333, **options: object) -> bytes:
    """A capture of one connection."""
    fields: dict[str, object] = {"server": server, "server_port": server_port, **options}
    return pcap_bytes([Connection(dialogue, START_S, **fields)])  # type: ignore[arg-type]


def lines(*spoken: tuple[bool, bytes], gap_s: float = 0.5) -> Dialogue:
    """Messages one after the other."""
    return tuple(Message(number * gap_s, outbound, payload) for number, (outbound, payload) in enumerate(spoken))


def firing() -> Iterator[Case]:
    """Every dialect, and the ways a real stream differs from a tidy one."""
    for name, rhythm in (("bitcoin", FEW), ("cryptonote", SHORT), ("cryptonote_old", SHORT)):
        yield f"fires_on_{name}.pcap", one(mining_dialogue(name, 1, rhythm))
    polling = MiningRhythm(duration_s=60.0, share_gap_s=20.0, job_period_s=25.0, block_gap_s=None, ping_s=10.0)
    for name in ("ethereum_proxy", "ethereum_stratum", "zcash", "getwork", "getblocktemplate"):
        port = 8332 if name.startswith("get") else 4444
        yield f"fires_on_{name}.pcap", one(mining_dialogue(name, 1, polling), server_port=port)
    cryptonote = mining_dialogue("cryptonote", 2, FEW)
    yield "fires_on_segments_of_37_bytes_with_losses.pcap", one(cryptonote, segment_bytes=37, lost_ratio=0.2)
    yield "fires_on_pool_at_private_address.pcap", one(cryptonote, server="10.0.9.9")
    yield "fires_on_pool_on_loopback.pcap", one(cryptonote, client="127.0.0.1", server="127.0.0.1")
    bitcoin = mining_dialogue("bitcoin", 3, FEW)
    yield "fires_on_middle_of_connection.pcap", one(started_late(bitcoin, 15), whole=False)
    yield "fires_on_blanks_and_key_order.pcap", one(with_payload(cryptonote, _respaced))
    yield "fires_on_objects_without_line_ends.pcap", one(with_payload(cryptonote, lambda m: m.payload.strip()))
    yield "fires_on_escaped_letters.pcap", one(with_payload(bitcoin, lambda m: m.payload.replace(b"m", b"\\u006d")))
    tunnel = lines((True, b"CONNECT pool.test:3333 HTTP/1.1\r\nHost: pool.test:3333\r\n\r\n"), gap_s=0.01)
    opened = (Message(0.02, False, b"HTTP/1.1 200 Connection established\r\n\r\n"),)
    later = tuple(Message(message.time_s + 0.1, message.outbound, message.payload) for message in cryptonote)
    yield "fires_on_dialogue_through_http_proxy.pcap", one((*tunnel, *opened, *later), server_port=3128)
    plain = (Message(0.02, False, b"HTTP/1.0 200 OK\r\n\r\n"),)
    yield "fires_on_tunnel_answered_with_ok.pcap", one((*tunnel, *plain, *later), server_port=3128)
    yield from _halves()
    yield from _polled_by_a_miner()
    rng = random.Random(4)
    dialect = BitcoinStratum(rng, agent="cgminer/4.11.1")
    alone = dialect.hello()[0]
    yield "fires_on_subscribe_without_answer.pcap", one(lines(alone))


def _said(**fields: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **fields}).encode() + b"\n"


def _halves() -> Iterator[Case]:
    """One side's part alone, as a capture that joins late or hears one direction shows it; templates from a node."""
    rng = random.Random(9)
    seed, boundary = "0x" + random_hex(rng, 32), "0x" + random_hex(rng, 32)
    works = [_said(id=0, result=["0x" + random_hex(rng, 32), seed, boundary]) for _ in range(3)]
    pushes = lines(*[(False, work) for work in works], gap_s=13.0)
    yield "fires_on_ethereum_pushes_alone.pcap", one(pushes, whole=False)
    found = [["0x" + random_hex(rng, size) for size in (8, 32, 32)] for _ in range(3)]
    shares = lines(*[(True, _said(id=4, method="eth_submitWork", params=share)) for share in found], gap_s=9.0)
    yield "fires_on_ethereum_shares_alone.pcap", one(shares, whole=False)
    wanted = _said(id="0", method="get_block_template", params={"wallet_address": "4" * 95, "reserve_size": 8})
    asked = b"POST /json_rpc HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(wanted) + wanted
    template = {"blocktemplate_blob": random_hex(rng, 200), "difficulty": 9, "height": 7, "status": "OK"}
    told = b"HTTP/1.1 200 OK\r\n\r\n" + _said(id="0", result=template)
    yield "fires_on_get_block_template.pcap", one(lines((True, asked), (False, told)), server_port=18081)
    work = {"difficulty": 4, "height": 9, "job_id": 3, "pre_pow": random_hex(rng, 235)}
    grin = (True, _said(id="1", method="login", params={"login": "a", "pass": "x", "agent": "grin-miner"}))
    yield "fires_on_grin.pcap", one(lines(grin, (False, _said(id="Stratum", method="job", params=work))))


def _respaced(message: Message) -> bytes:
    """The same JSON with other key order and white space within."""
    value = json.loads(message.payload)
    turned = dict(reversed(list(value.items())))
    return json.dumps(turned, indent=2, separators=(" ,", " : ")).encode() + b"\r\n"


def quiet() -> Iterator[Case]:
    """What uses the same words for something else."""
    yield "quiet_on_json_rpc_with_login_submit_job.pcap", one(twin_dialogue("json_rpc_api", 1, 300.0))
    quoted = b"".join(message.payload for message in mining_dialogue("bitcoin", 5, FEW)[:8])
    prose = b"<html><body><h1>How miners talk</h1><p>" + b"The server sends a job, the client answers. " * 40
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + prose + b"<pre>" + quoted + b"</pre>"
    yield "quiet_on_page_about_stratum.pcap", one(lines((True, b"GET /stratum HTTP/1.1\r\n\r\n"), (False, page)))
    notify = next(m.payload for m in mining_dialogue("bitcoin", 5, FEW) if b'mining.notify","params' in m.payload)
    only = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + notify
    yield "quiet_on_file_with_one_job.pcap", one(lines((True, b"GET /job.json HTTP/1.1\r\n\r\n"), (False, only)))
    yield "quiet_on_log_shipping_of_a_dialogue.pcap", one(lines((True, quoted), (False, b"ok\n")), server_port=5170)
    mail = b"DATA\r\nSubject: miner\r\n\r\n" + b"I saw this on the wire and do not know what it is. " * 30 + notify
    yield (
        "quiet_on_mail_that_quotes_a_job.pcap",
        one(lines((True, mail), (False, b"250 2.0.0 Ok: queued\r\n")), server_port=25),
    )
    login = {"jsonrpc": "2.0", "id": 1, "method": "login", "params": {"login": "bob", "pass": "x", "agent": "app/2"}}
    token = {"jsonrpc": "2.0", "id": 1, "result": {"token": random_hex(random.Random(6), 16)}}
    yield (
        "quiet_on_login_answered_with_token.pcap",
        one(lines((True, json.dumps(login).encode()), (False, json.dumps(token).encode()))),
    )
    yield from _like_shares_and_work()
    job = {"jsonrpc": "2.0", "method": "job", "params": {"job_id": "71", "state": "done", "target": "web"}}
    yield "quiet_on_build_job_notices.pcap", one(lines(*[(False, json.dumps(job).encode() + b"\n")] * 5))
    yield "quiet_on_node_chat.pcap", one(twin_dialogue("node_chat", 1, 40.0), server_port=8333)


def _like_shares_and_work() -> Iterator[Case]:
    """A build server whose results are digests under nonces, and a node that lists hashes."""
    rng = random.Random(10)
    spoken: list[tuple[bool, bytes]] = []
    for number in range(4):
        result = {"id": "s", "job_id": number, "nonce": random_hex(rng, 8), "result": random_hex(rng, 32)}
        spoken.append((False, _said(method="job", params={"job_id": number, "url": "https://build.test/1"})))
        spoken.append((True, _said(id=number, method="submit", params=result)))
    yield "quiet_on_build_results_with_digests.pcap", one(lines(*spoken, gap_s=8.0))
    spoken = [message for way, message in enumerate(spoken) if way % 2]
    unnamed = [(True, message.replace(b'"id": "s", ', b"")) for _, message in spoken]
    yield "quiet_on_results_without_session.pcap", one(lines(*unnamed, gap_s=8.0), whole=False)
    lists = []
    for number in range(6):
        hashes = ["0x" + random_hex(rng, 32) for _ in range(3)]
        lists.append((True, _said(id=number, method="eth_getFilterChanges", params=["0x1"])))
        lists.append((False, _said(id=number, result=hashes)))
    yield "quiet_on_node_that_lists_hashes.pcap", one(lines(*lists, gap_s=3.0), server_port=8545)
    late = [message for message in lists if not message[0]]
    yield "quiet_on_node_that_lists_hashes_joined_late.pcap", one(lines(*late, gap_s=3.0), whole=False)
    yield from _node_watched()
    text = _said(id=1, method="getwork", params=[])
    task = _said(id=1, result={"task": "resize", "image": "a.png"})
    yield "quiet_on_work_of_another_kind.pcap", one(lines((True, text), (False, task)))


def _asked(method: str, *params: object) -> bytes:
    call = _said(id=1, method=method, params=list(params))
    return b"POST / HTTP/1.1\r\nHost: node\r\nContent-Length: %d\r\n\r\n" % len(call) + call


def _told(**result: object) -> bytes:
    answer = _said(id=1, result=result, error=None)
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer


def _templates(rng: random.Random, count: int) -> list[tuple[bool, bytes]]:
    spoken: list[tuple[bool, bytes]] = []
    for height in range(count):
        told = {"previousblockhash": random_hex(rng, 32), "bits": "1703a30c", "coinbasevalue": 3125, "height": height}
        spoken += [(True, _asked("getblocktemplate", {"rules": ["segwit"]})), (False, _told(**told))]
    return spoken


def _node_watched() -> Iterator[Case]:
    """Exporters of a node's figures ask it for a template among much else."""
    rng = random.Random(11)
    watched: list[tuple[bool, bytes]] = []
    for method in ("getblockchaininfo", "getpeerinfo", "getmempoolinfo"):
        watched += [(True, _asked(method)), (False, _told(bestblockhash=random_hex(rng, 32), chain="main"))]
    spoken = lines(*watched, *_templates(rng, 1), *watched, *_templates(rng, 1), gap_s=15.0)
    yield "quiet_on_node_watched_by_an_exporter.pcap", one(spoken, server_port=8332)


def _polled_by_a_miner() -> Iterator[Case]:
    """One question is a hint; two are a miner, also where the node closes the connection after each."""
    rng = random.Random(12)
    yield "fires_on_one_block_template.pcap", one(lines(*_templates(rng, 1)), server_port=8332)
    polls = [
        Connection(lines(*_templates(rng, 1)), START_S + 60 * number, server_port=8332, client_port=40000 + number)
        for number in range(2)
    ]
    yield "fires_on_templates_on_connections_of_their_own.pcap", pcap_bytes(polls)


def hard() -> Iterator[Case]:
    """Hostile bytes, and what the unit says it misses."""
    deep = b'{"method":"login","params":' + b'{"a":' * 1500
    yield "survives_deep_nesting.pcap", one(lines((True, deep), (False, b"[" * 4000)))
    yield "survives_open_braces.pcap", one(lines((True, b"{" * 6000 + b"mining.notify"), (False, b"{" * 6000)))
    odd = b'{"method":["mining.notify"],"params":{"login":[]}}{"method":"login","params":[]}{"result":[[],1]}nonce'
    yield "survives_wrong_types.pcap", one(lines((True, odd), (False, odd + bytes(range(256)))))
    endless = b'{"id":1,"method":"mining.submit","params":["' + b"9" * 7000
    yield "survives_string_without_end.pcap", one(lines((True, endless), (False, b'{"result":' + b"1" * 7000)))
    yield "misses_dialogue_inside_tls.pcap", one(encrypted(mining_dialogue("cryptonote", 7, FEW), 7))
    rng = random.Random(8)
    key = rng.randbytes(4)

    def masked(message: Message) -> bytes:
        size = len(message.payload)
        if not message.outbound:
            return b"\x81\x7e" + size.to_bytes(2, "big") + message.payload[::-1]
        body = bytes(byte ^ key[place % 4] for place, byte in enumerate(message.payload))
        return b"\x81\xfe" + size.to_bytes(2, "big") + key + body

    upgrade = lines((True, b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"), (False, b"HTTP/1.1 101 Switching\r\n\r\n"))
    compressed = with_payload(mining_dialogue("cryptonote", 8, FEW), masked)
    later = tuple(Message(message.time_s + 1, message.outbound, message.payload) for message in compressed)
    yield "misses_masked_web_socket_with_transformed_answers.pcap", one((*upgrade, *later), server_port=80)
