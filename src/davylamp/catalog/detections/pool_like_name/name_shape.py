"""The shape of a host name: which words its labels are made of, as features of a small linear score."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

# fmt: off
# Short names of coins that mean nothing else.
TICKERS = frozenset((
    "aeon", "aleo", "alph", "arrr", "bch", "btc", "btcz", "btg", "ckb", "dero", "dgb", "dnx", "doge", "erg",
    "etchash", "ethw", "etn", "firo", "kda", "kls", "kmd", "krb", "ltc", "nexa", "pasc", "qrl", "rtm",
    "rvn", "rxd", "ryo", "scash", "sero", "trtl", "ubq", "vrsc", "vtc", "xcc", "xch", "xcn", "xdag", "xel", "xhv",
    "xla", "xlarig", "xmc", "xmo", "xmr", "xmrf", "xmrig", "xmrigcc", "xna", "xtm", "xvg", "xzc", "zano", "zcl",
    "zec", "zeph", "zephyr", "zil",
))
# Short names of coins that are words or other people's abbreviations too: no proof by themselves.
VAGUE_TICKERS = frozenset((
    "ada", "ae", "eth", "kas", "beam", "bsv", "ccx", "cfx", "clo", "dash", "dcr", "epic", "etc", "exp", "flux", "grin",
    "hns", "iron", "loki", "mona", "msr", "nim", "nmc", "prl", "raptoreum", "sal", "sc", "sumo", "tari", "ubiq", "wow",
    "zen",
))
# Coins that are talked about mostly by those who mine them.
COINS = frozenset((
    "aeon", "alephium", "bytecoin", "conflux", "dashcoin", "dynex", "electroneum", "ergo", "ethermine", "haven",
    "ironfish", "karbo", "kaspa", "lokiturtle", "masari", "monero", "namecoin", "neoxa", "ravecoin", "ravencoin",
    "salvium", "siacoin", "sumokoin", "turtle", "turtlecoin", "vertcoin", "verus", "veruscoin", "wownero", "zcash",
    "zephyr",
))
# Coins with a wide public of exchanges, wallets and news: no proof by themselves.
TRADED_COINS = frozenset((
    "bitcoin", "bitcoincash", "dogecoin", "ethereum", "litecoin",
))
ALGORITHMS = frozenset((
    "autolykos", "cryptonight", "cryptonote", "cuckaroo", "cuckatoo", "daggerhashimoto", "equihash", "etchash",
    "ethash", "firopow", "ghostrider", "heavyhash", "kawpow", "kheavyhash", "neoscrypt", "nexapow", "progpow",
    "randomx", "randomxmonero", "verthash", "verushash", "yescrypt", "yespower", "zelhash",
))
POOL, MINE = frozenset(("pool", "pools", "tpool")), frozenset(("mine", "miner", "miners", "mining", "minero"))
STRATUM = frozenset(("stratum", "strat", "getwork"))
MODES = frozenset((
    "auto", "donate", "fpps", "hashrate", "highdiff", "lowdiff", "pplns", "pps", "proxy", "rig", "solo", "ssl",
    "tcp", "tls", "vardiff", "worker",
))
REGIONS = frozenset((
    "ap", "asia", "au", "br", "ca", "central", "cn", "de", "east", "eu", "europe", "fi", "fr", "frankfurt", "hk",
    "in", "jp", "kr", "moscow", "na", "north", "nyc", "phx", "ru", "sa", "sea", "sg", "singapore", "south",
    "sydney", "uk", "us", "usa", "west",
))
# Words that give `pool` or `mine` another meaning in the same name.
ELSEWHERE = frozenset((
    "address", "agent", "agentpool", "auth", "azure", "backend", "biliardo", "billiard", "billiards", "broadband",
    "cable", "car", "cognito", "compute", "conn", "connection", "craft", "db", "default", "dhcp", "dns", "dsl",
    "dyn", "dynamic", "elastic", "fios", "ftth", "game", "games", "gke", "golf", "gov", "hkps", "hotel", "http",
    "ip", "isp", "jdbc", "jenkins", "keys", "keyserver", "keyservers", "ldap", "mcserver", "mineral", "minerals",
    "mysql", "nat", "nodepool", "nodes", "ntp", "nts", "office", "pg", "pgpool", "play", "postgres", "ppp", "print",
    "realtor", "redis", "res", "runner", "school", "server", "sks", "skype", "smp", "spa", "spool", "sql",
    "storage", "survival", "swim", "swimming", "table", "teams", "thread", "tidal", "time", "ubnt", "update",
    "user", "userpool", "villa", "vmss", "vpn", "wireless",
))
# Words that only look as if `pool`, `mine` or `hash` were glued to something.
OTHER_WORDS = frozenset((
    "ballpool", "blackpool", "carpool", "connpool", "deadpool", "determine", "examine", "examiner", "famine",
    "gamepool", "hartlepool", "hashicorp", "hashnode", "hashtag", "hashtags", "jasmine", "liverpool", "minecon",
    "minecraft", "mineral", "minerals", "minesweeper", "ministry", "motorpool", "pandamine", "poolparty",
    "poolside", "spool", "swimmingpool", "threadpool", "undermine", "whirlpool",
))
# fmt: on
# Leading labels of hosts that serve people: a pool's own pages are no mining.
SITE = frozenset(
    (
        "www",
        "web",
        "blog",
        "docs",
        "help",
        "support",
        "forum",
        "shop",
        "status",
        "api",
        "cdn",
        "static",
        "mail",
        "news",
        "wiki",
    )
)
_SECOND_LEVEL = frozenset(("ac", "co", "com", "edu", "gov", "ne", "net", "or", "org"))
_RUNS = re.compile(r"[a-z]+")
_ADDRESS_LIKE = re.compile(r"\d{1,3}[.-]\d{1,3}[.-]\d{1,3}[.-]\d{1,3}")
# An NTP server of the first level calls itself stratum, too: `stratum1.time...`, `clock.stratum2...`.
_TIME_STRATUM = re.compile(r"(?=.*(?:^|[.-])stratum-?[1-4][.-])(?:.*[.-])?(?:time|clock|tick|tock)[0-9]*[.-]")
_TIME_SERVER = re.compile(r"(?:^|[.-])(?:ntp|ntppool|chrony)[0-9]*(?:[.-]|$)|[.]pool[.]ntp[.]org$")
_WHOLE = {
    "coin_word": TICKERS | COINS,
    "vague_coin_word": VAGUE_TICKERS | TRADED_COINS,
    "algorithm_word": ALGORITHMS,
    "pool_word": POOL,
    "mine_word": MINE,
    "stratum_word": STRATUM,
    "elsewhere_word": ELSEWHERE,
}
# What a word may begin or end with when names are written together (`supportxmr`, `herominers`, `xmrpool`).
_GLUED = {
    "coin_glued": ("xmr", "monero", "zeph", "rvn", "kaspa", "randomx"),
    "pool_glued": ("pool", "pools"),
    "mine_glued": ("mine", "miner", "miners", "mining"),
    "hash_glued": ("hash", "hashing", "hashrate"),
}
CORE = frozenset(
    (
        "coin_word",
        "coin_glued",
        "algorithm_word",
        "pool_word",
        "pool_glued",
        "mine_word",
        "mine_glued",
        "stratum_word",
        "hash_glued",
    )
)
_CLEAR = frozenset(("coin_word", "coin_glued", "algorithm_word", "stratum_word"))
_PLACED = CORE | {"vague_coin_word"}
_SHORT_TICKER = 2
_PRIVATE_ENDS = frozenset(
    ("arpa", "internal", "intranet", "lan", "local", "localdomain", "home", "corp", "test", "invalid", "svc")
)


def registered_part(name: str) -> str:
    """The part of a name that is registered, by the usual shapes: two labels, or three under `co.uk`-like ends."""
    labels = name.split(".")
    three = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3:] if three else labels[-2:])


@lru_cache(maxsize=4096)
def features(name: str) -> Mapping[str, int]:
    """Which kinds of words stand in a host name, its public ending left out.

    A kind's own key says that it occurs; `_host` and `_domain` say whether below or in the registered part.
    """
    registered = registered_part(name)
    host = name.removesuffix(registered).removesuffix(".")
    found: dict[str, int] = {}
    for part, place in ((host, "host"), (registered.partition(".")[0], "domain")):
        for label in part.split("."):
            kinds = set(_kinds(label))
            found.update(dict.fromkeys(kinds, 1))
            found.update({f"{kind}_{place}": 1 for kind in kinds & _PLACED})
            # `xmr-us-east1`, `ssl-rvn`: where a pool tells its doors apart.
            if place == "host" and kinds & _PLACED and _tells_doors_apart(label):
                found["door_beside_core"] = 1
    if _ADDRESS_LIKE.search(name):
        found["elsewhere_word"] = 1
    return found


def _tells_doors_apart(label: str) -> bool:
    return any(word in REGIONS or word in MODES for word in _RUNS.findall(label))


def _kinds(label: str) -> Iterator[str]:
    for word in _RUNS.findall(label):
        if any(word.endswith(other) or word.startswith(other) for other in OTHER_WORDS):
            yield "elsewhere_word"
            continue
        whole = [kind for kind, words in _WHOLE.items() if word in words]
        yield from whole
        if not whole:
            yield from _glued_kinds(word)


def _glued_kinds(word: str) -> Iterator[str]:
    for kind, pieces in _GLUED.items():
        if any(word != piece and (word.startswith(piece) or word.endswith(piece)) for piece in pieces):
            yield kind
    for ending in (*POOL, *MINE):
        rest = word.removesuffix(ending)
        if rest != word and rest in TICKERS and len(rest) > _SHORT_TICKER:
            yield "coin_glued"


def may_be_a_pool(name: str) -> bool:
    """Whether a name is worth a score: a public host below a registered domain, with a word of mining in it.

    Left out are sites, time servers, private names, and names where `pool` or `mine` means something else,
    unless a coin, an algorithm or stratum is named beside it.
    """
    if is_site(name) or is_time_server(name) or name.rpartition(".")[2] in _PRIVATE_ENDS:
        return False
    kinds = features(name).keys()
    return bool(kinds & _CLEAR) or (bool(kinds & CORE) and "elsewhere_word" not in kinds)


def is_site(name: str) -> bool:
    """Whether a name is a registered domain itself or a host that serves people."""
    host = name.removesuffix(registered_part(name)).removesuffix(".")
    return not host or host.partition(".")[0].rstrip("0123456789") in SITE


def is_time_server(name: str) -> bool:
    """Whether a name belongs to the public pool of time servers, or is that of one."""
    return _TIME_SERVER.search(name) is not None or _TIME_STRATUM.match(name) is not None


def is_stratum_host(name: str) -> bool:
    """Whether a label below the registered part says stratum: miners' door, whatever else the domain shows."""
    return "stratum_word_host" in features(name)
