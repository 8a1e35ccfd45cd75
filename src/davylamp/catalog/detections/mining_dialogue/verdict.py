"""From lines to a verdict: a whole sequence is a fact, a lone attempt is a hint, anything else is silence."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from davylamp.catalog.detections.mining_dialogue.lines import CLIENT, SERVER, is_job, is_work, line_of
from davylamp.catalog.detections.mining_dialogue.objects import Stream, read_stream

JSON_RATIO_FEWEST = 0.6
NAME_CHARACTERS_MOST = 256
_WALLET = re.compile(r"(?:0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{90,110})(?:[.+/].*)?")
_ALGORITHM = re.compile(r"(?i)(?:cn|rx|argon2|astrobwt|ghostrider|kawpow|panthera|cuckaroo|ethash|gr|k12)(?:[/_-].*)?")
_TEMPLATE_MARKS = ("previousblockhash", "coinbasevalue")
# What those ask a node for who look after it (jvstein/bitcoin-prometheus-exporter asks for most of these). A miner
# needs work, and at most the height and whether its address is valid.
_WATCHING_METHODS = frozenset(
    (
        *("getblockchaininfo", "getnetworkinfo", "getpeerinfo", "getmempoolinfo", "getnettotals", "getchaintips"),
        *("getmemoryinfo", "getrpcinfo", "getblockstats", "getchaintxstats", "listbanned", "uptime"),
    )
)
WATCHING_METHODS_FEWEST = 2
# Bitcoin Core gives a new template each minute to who polls; one alone is also a look at the node.
TEMPLATES_FEWEST = 2
DIALECT_NAMES = {
    "stratum": "Bitcoin-style stratum",
    "cryptonote": "CryptoNote stratum",
    "ethereum": "Ethereum work over JSON-RPC",
    "http": "work over HTTP (getwork, getblocktemplate)",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a connection's words come to.

    Args:
        whole: the sequence is complete, or so shaped that nothing else speaks so.
        client_is_source: False where the capture took the server for the opener.
        words: what was seen, `client:` or `server:` before each, in the order of first sight.
        templates_count: block templates asked of a node that gave one.
    """

    dialect: str
    whole: bool
    client_is_source: bool
    words: tuple[str, ...]
    logins: tuple[str, ...]
    agents: tuple[str, ...]
    shares_count: int
    jobs_count: int
    templates_count: int


def judge_payloads(payload_out: bytes, payload_in: bytes) -> Verdict | None:
    """The verdict on one connection's first bytes, None when it is no mining dialogue."""
    out, back = read_stream(payload_out), read_stream(payload_in)
    for client, server, client_is_source in ((out, back, True), (back, out, False)):
        found = _sides(client, server, client_is_source)
        if found is not None:
            return found
    return None


def _lines(stream: Stream) -> list[tuple[str, str, str]]:
    return [line for message in stream.objects if (line := line_of(message)) is not None]


def _sides(client: Stream, server: Stream, client_is_source: bool) -> Verdict | None:
    """The verdict when `client` is the miner's side."""
    said, heard = _lines(client), _lines(server)
    if not said and not heard:
        return None
    if any(side == SERVER for side, _, _ in said) or any(side == CLIENT for side, _, _ in heard):
        return None  # one direction speaks both parts: a document or a log that quotes a dialogue
    for dialect in DIALECT_NAMES:
        asked = [word for _, name, word in said if name == dialect]
        given = [word for _, name, word in heard if name == dialect]
        if dialect == "http" and any(mark in server.text for mark in _TEMPLATE_MARKS) and "template" in asked:
            given.append("work")
        whole = _whole(dialect, asked, given, client, server) and _spoken_plainly(dialect, client, server)
        if whole or (asked and _attempt(dialect, asked, given, client, server)):
            return _verdict(dialect, whole, client_is_source, client, asked, given)
    return None


def _whole(dialect: str, asked: list[str], given: list[str], client: Stream, server: Stream) -> bool:
    """Whether both parts of the sequence are there, or one of a shape that nothing else has."""
    if dialect == "http":
        return "work" in given and _mines_from_work(asked, client)
    shares = asked.count("submit") >= 2
    if dialect == "ethereum":
        return shares or ("job" in given and (bool(asked) or (not client.objects and _one_boundary(server))))
    if "job" in given or (shares and not _other_jobs(server)):
        return True
    return dialect == "stratum" and bool(asked) and bool(given)


def _mines_from_work(asked: list[str], client: Stream) -> bool:
    """Whether the client asks a node for work as a miner does, not as somebody who looks after the node."""
    if set(asked) != {"template"}:
        return bool(asked)
    return _names_payee(client) or (asked.count("template") >= TEMPLATES_FEWEST and not _watches(client))


def _names_payee(client: Stream) -> bool:
    """Whether a template was asked for a wallet, as Monero's node wants it."""
    wanted = [message["params"] for message in client.objects if isinstance(message.get("params"), dict)]
    return any(isinstance(params, dict) and "wallet_address" in params for params in wanted)


def _watches(client: Stream) -> bool:
    """Whether the client also asks for what only those want to know who look after a node."""
    asked = {str(message.get("method")).lower() for message in client.objects}
    return len(asked & _WATCHING_METHODS) >= WATCHING_METHODS_FEWEST


def _one_boundary(server: Stream) -> bool:
    """Whether two works next to each other have their seed or boundary in common.

    Without the miner's side that tells work from the lists of hashes that a node gives.
    """
    works = [result for message in server.objects if is_work(result := message.get("result"))]
    return any(
        earlier[1:2] == later[1:2] or earlier[2:3] == later[2:3]
        for earlier, later in itertools.pairwise(works)
        if isinstance(earlier, list) and isinstance(later, list)
    )


def _other_jobs(server: Stream) -> bool:
    """Whether the server names jobs that are no work for a miner: a build server's results are digests, too."""
    return any(message.get("method") == "job" and not is_job(message.get("params")) for message in server.objects)


def _spoken_plainly(dialect: str, client: Stream, server: Stream) -> bool:
    """Whether the lines are the conversation itself, not quoted in a page or a mail.

    Stratum is not carried by HTTP answers; a tunnel or an upgraded connection is past them.
    """
    if dialect == "http":
        return True
    if dialect != "ethereum" and server.http == "answer" and client.http != "tunnel":
        return False
    framed = any(stream.http for stream in (client, server))
    ratios = [stream.json_ratio for stream in (client, server) if stream.text]
    return framed or min(ratios, default=0.0) >= JSON_RATIO_FEWEST


def _attempt(dialect: str, asked: list[str], given: list[str], client: Stream, server: Stream) -> bool:
    """Whether an unanswered call is a miner's: its words are no other protocol's, or it names a wallet."""
    if dialect == "stratum":
        return True
    if dialect == "http":
        return not _watches(client) and ("work" in given or not any(one.get("result") for one in server.objects))
    if dialect == "ethereum":
        return "login" in asked or "submit" in asked
    if "submit" in asked:
        return not _other_jobs(server)
    logins = [message["params"] for message in client.objects if message.get("method") == "login"]
    answered = any(isinstance(message.get("result"), dict) for message in server.objects)
    return any(_names_miner(params, answered) for params in logins)


def _names_miner(params: object, answered: bool) -> bool:
    """A wallet as login; or, where no result came back, mining algorithms or a rig id beside it."""
    if not isinstance(params, dict):
        return False
    if _WALLET.fullmatch(str(params.get("login", ""))):
        return True
    algorithms = params.get("algo")
    named = isinstance(algorithms, list) and any(_ALGORITHM.fullmatch(str(name)) for name in algorithms)
    return not answered and (named or "rigid" in params)


def _verdict(
    dialect: str, whole: bool, client_is_source: bool, client: Stream, asked: list[str], given: list[str]
) -> Verdict:
    words = [f"client:{word}" for word in asked] + [f"server:{word}" for word in given]
    return Verdict(
        dialect=dialect,
        whole=whole,
        client_is_source=client_is_source,
        words=tuple(dict.fromkeys(words)),
        logins=tuple(dict.fromkeys(_logins(client))),
        agents=tuple(dict.fromkeys(_agents(client))),
        shares_count=asked.count("submit"),
        jobs_count=given.count("job") + given.count("work"),
        templates_count=asked.count("template") if "work" in given else 0,
    )


def _logins(client: Stream) -> list[str]:
    """Workers and wallets that the client names."""
    found: list[object] = []
    for message in client.objects:
        method, params = str(message.get("method")).lower(), message.get("params")
        if method == "login" and isinstance(params, dict):
            found.append(params.get("login"))
        elif method in ("mining.authorize", "mining.submit", "eth_submitlogin", "eth_login"):
            found.append(params[0] if isinstance(params, list) and params else None)
    return [name[:NAME_CHARACTERS_MOST] for name in found if isinstance(name, str) and name]


def _agents(client: Stream) -> list[str]:
    found: list[object] = []
    for message in client.objects:
        method, params = str(message.get("method")).lower(), message.get("params")
        if method == "login" and isinstance(params, dict):
            found.append(params.get("agent"))
        elif method == "mining.subscribe" and isinstance(params, list) and params:
            found.append(params[0])
    return [name[:NAME_CHARACTERS_MOST] for name in found if isinstance(name, str) and name]
