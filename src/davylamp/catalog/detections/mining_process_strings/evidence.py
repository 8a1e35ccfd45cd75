"""What one command says about mining: a pool, a wallet, an algorithm, an option, a program's name."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from davylamp.catalog.detections.mining_process_strings.commands import base_name
from davylamp.catalog.detections.mining_process_strings.words import words

_SCHEME = re.compile(
    r"^(?:stratum[12]?s?|ethstratum|ethproxy|eth|nicehash|zils?)(?:[0-9+a-z.]*)?://([^\s/?#]+)", re.IGNORECASE
)
_OTHER_SCHEME = re.compile(r"^(?:tcp|ssl|tls|tls\+tcp|http|https|daemon\+https?)://([^\s/?#]+)", re.IGNORECASE)
_ENDPOINT = re.compile(r"^(?:[^@\s/]*@)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{2,5})$")
_HOST = re.compile(r"^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+$")
_ONLY_ASKS = frozenset({"--help", "-h", "--version", "-v", "--print-platforms", "--list-devices", "-help", "-version"})
_WALLETS = (
    re.compile(r"^[48][0-9AB][1-9A-HJ-NP-Za-km-z]{93}(?:[1-9A-HJ-NP-Za-km-z]{11})?$"),  # Monero, CryptoNote addresses
    re.compile(r"^(?:ZEPH|SaLv|Wo|dero1|deto1|kaspa:|nexa:|bc1|ltc1|addr1|aleph|hns1|zs1)[0-9A-Za-z]{30,110}$"),
    re.compile(r"^0x[0-9a-fA-F]{40}$"),  # Ethereum and its forks
    re.compile(r"^cfx:[0-9a-z:.]{40,}$|^9[0-9A-Za-z]{50}$"),  # Conflux, Ergo
    re.compile(r"^[13LMDRtVXZGP][1-9A-HJ-NP-Za-km-z]{24,34}$"),  # addresses of Bitcoin's kind
    re.compile(r"^[A-Z]{60}$"),  # Qubic
)
_BASE64 = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_NEEDLES = (b"stratum+", b"stratum1+", b"--donate-level", b"xmrig", b"randomx", b"--nicehash", b'"donate-level"')
_BASE64_COUNT = 8


@dataclass
class Seen:
    """What was seen in a command.

    Args:
        endpoint: host and port of the pool, as written.
        has_scheme: the pool stands behind a scheme that only mining has.
        listed: the pool's host is on a list.
    """

    program: str = ""
    endpoint: str = ""
    has_scheme: bool = False
    listed: bool = False
    wallet: str = ""
    user: str = ""
    has_password: bool = False
    has_worker: bool = False
    algorithm: str = ""
    options: list[str] = field(default_factory=list)
    only_asks: bool = False

    @property
    def details_count(self) -> int:
        """How many kinds of a miner's arguments there are beside pool and user."""
        return sum((self.has_password, self.has_worker, bool(self.algorithm), bool(self.options), bool(self.program)))


def seen_in(command: Sequence[str], is_listed: Callable[[str], bool]) -> Seen:
    """What the words of one command say."""
    seen = Seen()
    known = words()
    name = base_name(command[0])
    seen.program = name if name in known.programs else ""
    pairs = _pairs(command[1:])
    given = dict(pairs)
    if _HOST.match(given.get("--server", "")) and given.get("--port", "").isdigit():
        pairs.append(("--pool", f"{given['--server']}:{given['--port']}"))
    for option, value in pairs:
        lower = option.lower()
        if lower in known.options:
            seen.options.append(lower)
        _endpoint(seen, option, value, is_listed)
        if _is_algorithm(option, value):
            seen.algorithm = value.lower()
        # `-p x` is a password beside `-o`, and a pool for claymore's and PhoenixMiner's kin.
        if option in words().password_options and value and not _ENDPOINT.match(value):
            seen.has_password = True
        if option in words().worker_options and value:
            seen.has_worker = True
        if option in words().user_options and value:
            seen.user = seen.user or value
            _wallet(seen, value)
    for value in (word for word in command[1:] if not word.startswith("-")):
        # TeamRedMiner and ethminer write the wallet into the URL.
        _wallet(seen, value.partition("://")[2].partition("@")[0] if "@" in value else value)
    seen.only_asks = len(command) > 1 and all(word.lower() in _ONLY_ASKS for word in command[1:])
    if not seen.wallet and "@" in seen.endpoint and seen.has_scheme:
        seen.user = seen.user or seen.endpoint.partition("@")[0]
    return seen


def _pairs(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Options with their values: `-o x`, `--url=x`; a word without an option stands alone."""
    pairs: list[tuple[str, str]] = []
    place = 0
    while place < len(arguments):
        word = arguments[place]
        if word.startswith("-") and "=" in word:
            option, _, value = word.partition("=")
            pairs.append((option, value))
        elif word.startswith("-") and place + 1 < len(arguments) and not arguments[place + 1].startswith("-"):
            pairs.append((word, arguments[place + 1]))
            place += 1
        else:
            pairs.append((word, "") if word.startswith("-") else ("", word))
        place += 1
    return pairs


def _endpoint(seen: Seen, option: str, value: str, is_listed: Callable[[str], bool]) -> None:
    if match := _SCHEME.match(value):
        seen.has_scheme, seen.endpoint = True, match.group(1)
    elif option in words().pool_options and not seen.has_scheme:
        other = _OTHER_SCHEME.match(value)
        place = other.group(1) if other else value
        host = place.lower()
        if _ENDPOINT.match(place) or ("." in host and is_listed(host)):
            seen.endpoint = place
    if seen.endpoint:
        seen.listed = seen.listed or is_listed(seen.endpoint.rpartition("@")[2].rsplit(":", 1)[0].strip("[]").lower())


def _is_algorithm(option: str, value: str) -> bool:
    return option in words().algorithm_options and value.lower() in words().algorithms


def _wallet(seen: Seen, value: str) -> None:
    for part in re.split(r"[./+,@]", value.partition("://")[2] or value):
        candidate = part if part.startswith(("kaspa:", "nexa:", "cfx:")) else part.split(":")[0]
        if any(pattern.match(candidate) for pattern in _WALLETS):
            seen.wallet = candidate
            return


def encoded_words(command_line: str) -> str:
    """The first word of mining that base64 in a command line hides; empty when there is none."""
    for run in _BASE64.findall(command_line)[:_BASE64_COUNT]:
        try:
            decoded = base64.b64decode(run + "=" * (-len(run) % 4), validate=False).lower()
        except (binascii.Error, ValueError):
            continue
        for needle in _NEEDLES:
            if needle in decoded:
                return needle.decode()
    return ""
