"""What the text of a startup item does: pure judgements on shell text, in bounded time."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from itertools import islice

from davylamp.kit.findings import is_address
from davylamp.kit.host_paths import hidden_part, in_home, is_temporary

FETCH = r"\b(?:curl|wget|wget2|lwp-download|lwp-request|lynx|aria2c|axel|tftp|fetch|GET)\b"
FOLDER = r"(?:[\w./-]{0,60}/)?"
SHELL = rf"{FOLDER}(?:ba|da|z|k|a)?sh\b"
# An interpreter that reads its program from the pipe; `python3 -m json.tool` and `perl -ne` are filters.
READS = rf"(?:{SHELL}|{FOLDER}(?:python[\d.]*|perl|php|ruby|node)(?=\s*(?:-\s*)?(?:$|[;&|)>'\"\n])))"
AS_OTHER = rf"(?:{FOLDER}sudo\s+(?:-[ug]\s+\S+\s+|-\S+\s+){{0,3}})?(?:{FOLDER}env\s+)?(?:{FOLDER}nohup\s+)?"
PIPED = re.compile(rf"{FETCH}[^\n;]{{0,600}}\|\s*{AS_OTHER}{READS}")
SUBSTITUTED = re.compile(
    rf"(?:(?:{SHELL}\s+(?:-\w+\s+){{0,3}}|\beval\s+|(?:^|[;&|\s])(?:source|\.)\s+)[\"']?(?:\$\(|<\(|`))\s*{FETCH}"
)
# Code given to an interpreter on the command line; it must both fetch (or decode) and execute.
CODE = re.compile(r"\b(?:python[\d.]*|perl|ruby|php|node)\s+(?:-\w+\s+){0,3}-[cer]\b")
CODE_FETCHES = re.compile(
    r"urlopen|urllib|requests\.get|LWP|HTTP::Tiny|IO::Socket|Net::HTTP|file_get_contents|b64decode|base64_decode"
)
CODE_RUNS = re.compile(r"\bexec\s*\(|\beval\b|os\.system|subprocess|popen|\bsystem\b")
CODE_COUNT = 1200
DEVICE = re.compile(r"/dev/(?:tcp|udp)/[^\s/]+/\d+")
DECODED = re.compile(
    rf"(?:\bbase64\s+(?:-\w+\s+){{0,3}}(?:-d|-D|-di|--decode)\b|\bopenssl\s+(?:enc|base64)\b[^\n|]{{0,200}}-d\b|"
    rf"\bxxd\s+-r\b)[^\n;]{{0,300}}\|\s*{AS_OTHER}{READS}"
)
SAVED = re.compile(
    rf"{FETCH}[^\n;|]{{0,600}}?(?:-o\s*|-O\s*|--output[= ]|--output-document=|>\s*)[\"']?(/[\w./@%+-]+|[\w.@%+-]+)"
)
CHANGED_FOLDER = re.compile(r"\bcd\s+[\"']?(/tmp|/var/tmp|/dev/shm|/run/shm)\b")
RAN_HERE = re.compile(rf"(?:^|[;&|\n]\s*|nohup\s+|{SHELL}\s+)\./[\w.-]+|{SHELL}\s+[\w.-]+\.sh\b")
URL = re.compile(r"\b(?:https?|ftp)://(?:[^\s/@\"']{1,64}@)?(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(\d+))?", re.ASCII)
BARE = re.compile(rf"{FETCH}(?:\s+-\S+){{0,8}}\s+[\"']?(\d{{1,3}}(?:\.\d{{1,3}}){{3}})(?::\d+)?/")
# A word in the place of a command: at the start, after a separator, or after something that runs its argument.
COMMAND = re.compile(
    r"(?:^|[;&|({\n]|(?<!\\)`|\$\(|\bthen\s|\bdo\s|\belse\s)\s*"
    r"(?:(?:sudo|nohup|exec|setsid|nice|ionice|env|timeout|command|source|\.|(?:/[\w./-]{0,60}/)?(?:ba|da|z|k|a)?sh|(?:/[\w./-]{0,60}/)?"
    r"(?:python[\d.]*|perl|php|ruby|node))\s+(?:-[\w.=-]+\s+|\d+\S*\s+|\w+=\S*\s+){0,6}){0,4}"
    r"[\"']?((?:/|~/|\$HOME/|\$\{HOME\}/)[\w./@%+:~-]{1,300})"
)
SCHEME = re.compile(
    r"\bstratum\d?\+(?:tcp|ssl|tls|udp)://|--donate-level\b|\b--?(?:algo|coin)[= ](?:rx/|randomx|monero|cn/)|--randomx-"
)
WALLET = re.compile(r"(?<![0-9A-Za-z])[48][0-9AB][1-9A-HJ-NP-Za-km-z]{93}(?![0-9A-Za-z])")
RIVALS = re.compile(
    r"(?:pkill|killall|kill\b|grep)[^\n]{0,80}\b(?:xmrig|kdevtmpfsi|kinsing|minerd|xmr-stak|cryptonight|masscan)\b"
)
# Names reported for miners' own startup items and files (knowledge base: threats 1.5, 2.1, 2.5, D1).
NAMES = re.compile(
    r"(?<![\w])(?:moneroocean_miner|c3pool_miner|kdevtmpfsi|kinsing|xmrig|perfcc|perfctl|perfclean|wizlmsh|pwnrig|"
    r"libgcwrap\.so|libprocesshider(?:\.so)?|system-update-service|KubeUpdate|\.configrc\d*|\.X\d+-unix/\.rsync|\.dockerd|"
    r"monerodaemon|\.xdiag|\.perf\.c)(?![\w])"
)
OFTEN_FIELDS = re.compile(r"^(?:\*|\*/[1-5]|0-59(?:/[1-5])?)\s")
OFTEN_TIMER = re.compile(
    r"\bOn(?:Unit(?:In)?Active|Active)Sec=(?:[1-5]\s*(?:m|min|minutes?)?|\d{1,2}\s*s(?:ec)?|[1-2]?\d\d\s*s(?:ec)?)(?:;|$)|"
    r"\bOnCalendar=(?:minutely|\*:0?[0*]/[1-5]\b|\*:\*)"
)


COMMANDS_COUNT = 200


@dataclass(frozen=True, order=True)
class Trait:
    """One thing that the text does.

    Args:
        llr: what it is worth alone.
        name: its kind; of one kind the strongest counts.
        words: what was seen, for the sentence.
        place: offset in the text.
    """

    llr: float
    name: str
    words: str
    place: int = 0


def traits(text: str, kind: str) -> list[Trait]:
    """What a startup item's text does that miners' startup items do; empty for nearly all.

    Args:
        kind: kind of the item; what a log-in shell may do differs from what a table of cron may.
    """
    return [
        *_named(text),
        *_fetches(text),
        *_decodes(text),
        *_saves(text),
        *_places(text, kind),
    ]


def often(kind: str, schedule: str) -> bool:
    """Whether an item runs at least every five minutes."""
    if kind in ("cron", "at"):
        return bool(OFTEN_FIELDS.match(schedule))
    return bool(OFTEN_TIMER.search(schedule))


def hosts(text: str) -> list[str]:
    """Hosts and addresses that URLs in the text name, in order."""
    named = [found.group(1).strip("[]").lower() for found in URL.finditer(text)]
    return list(dict.fromkeys([*named, *(found.group(1) for found in BARE.finditer(text))]))


def _named(text: str) -> list[Trait]:
    found = []
    # Who ends a miner names it, and does not bear its name; the text keeps its length.
    others = RIVALS.sub(lambda hit: " " * len(hit.group()), text)
    for pattern, llr, name, words in (
        (SCHEME, 6.0, "miner", "a miner's own arguments ({})"),
        (WALLET, 6.0, "miner", "a Monero address ({})"),
        (NAMES, 5.0, "name", "a name that miners' startup items bear ({})"),
        (RIVALS, 3.5, "rivals", "it ends other miners ({})"),
    ):
        if hit := pattern.search(others if pattern is NAMES else text):
            found.append(Trait(llr, name, words.format(_short(hit.group())), hit.start()))
    return found


def _fetches(text: str) -> list[Trait]:
    for pattern in (PIPED, SUBSTITUTED):
        if hit := pattern.search(text):
            source = _source(text[hit.start() : hit.end() + 600])
            return [Trait(source[0], "fetch", f"it fetches a script from {source[1]} and runs it", hit.start())]
    for hit in CODE.finditer(text):
        code = text[hit.end() : hit.end() + CODE_COUNT]
        if CODE_FETCHES.search(code) and CODE_RUNS.search(code):
            return [Trait(4.0, "fetch", "code on a command line fetches or decodes more code and runs it", hit.start())]
    if hit := DEVICE.search(text):
        return [Trait(3.5, "fetch", f"a shell talks through {_short(hit.group())}", hit.start())]
    return []


def _source(text: str) -> tuple[float, str]:
    """What it is worth that a script comes from there, and the words for it."""
    named = hosts(text)
    address = next((host for host in named if is_address(host)), None)
    if address is not None:
        inside = ipaddress.ip_address(address)
        corporate = inside.is_private and not inside.is_loopback and not _is_documentation(address)
        return (3.0 if corporate else 4.5), address
    host = named[0] if named else "somewhere"
    if host.endswith((".onion", ".anondns.net")) or "pastebin" in host or "paste" in host.split("."):
        return 4.5, host
    # HTTPS to a name is how installers are documented; without HTTPS, or with the address in a variable, it is not.
    return (2.0 if re.search(r"\bhttps://", text) else 3.0), host


def _is_documentation(address: str) -> bool:
    return address.startswith(("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:"))


def _decodes(text: str) -> list[Trait]:
    hit = DECODED.search(text)
    return [Trait(4.0, "decode", "it decodes a text and runs it", hit.start())] if hit else []


def _saves(text: str) -> list[Trait]:
    for hit in SAVED.finditer(text):
        target = hit.group(1)
        if is_temporary(target) or hidden_part(target):
            after = text[hit.end() : hit.end() + 4000]
            if re.search(rf"(?:^|[\s;&|\"'(]){re.escape(target)}\b", after):
                return [Trait(4.0, "save", f"it fetches {_short(target)} and runs it", hit.start())]
    moved = CHANGED_FOLDER.search(text)
    if moved and (fetched := re.search(FETCH, text[moved.end() : moved.end() + 2000])):
        after = text[moved.end() + fetched.end() : moved.end() + 4000]
        if RAN_HERE.search(after) or re.search(r"\bchmod\s+(?:\+x|[0-7]*7[0-7]*)\s", after):
            return [Trait(3.5, "save", f"it fetches a file into {moved.group(1)} and runs it", moved.start())]
    return []


def _places(text: str, kind: str) -> list[Trait]:
    found = []
    for hit in islice(COMMAND.finditer(text), COMMANDS_COUNT):
        found += place_trait(hit.group(1), kind, hit.start(1))
    return found


def place_trait(path: str, kind: str, place: int = 0) -> list[Trait]:
    """What it is worth that a program runs from there; empty for nearly all."""
    hidden = hidden_part(path)
    if is_temporary(path):
        return [Trait(4.5 if hidden else 3.0, "place", f"it runs {_short(path)}", place)]
    if hidden and not in_home(path):
        return [Trait(3.5, "place", f"it runs the hidden {_short(path)}", place)]
    if hidden and kind != "profile":
        return [Trait(1.0, "place", f"it runs the hidden {_short(path)}", place)]
    return []


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= 80 else plain[:77] + "..."
