"""Hostile evidence made from the sources' own cases: every kind of damage a file can come with."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import zstandard

from davylamp.kit import registry
from davylamp.kit.cases import cases_of

SEEDS_PER_SOURCE = 2
LARGEST_SEED_BYTES = 20_000
DEEP_COUNT = 20_000
LONG_LINE_BYTES = 2 << 20
Damage = Callable[[bytes, Random], bytes]

_QUOTED = re.compile(rb'"([^"\\\n]{0,80})"')
_NUMBER = re.compile(rb"(?<![\w.])\d+(?:\.\d+)?")
_WORD = re.compile(rb"[A-Za-z0-9_.:-]{3,}")
_STAMP = re.compile(
    rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"
    rb"|\b\d{9,19}(?:\.\d+)?\b|[A-Z][a-z]{2} +\d+ [\d:]{8}"
)
_NUMBERS = (
    b"99999999999999999999999999999999", b"-1", b"1e400", b"-1e400", b"NaN", b"Infinity", b"0x10", b"1_0",
    b"9223372036854775808",
    b"-9223372036854775809", b"4294967296", b"1e-400", b"00", b"-0.0", b"18446744073709551616", b"1." + b"0" * 5000,
)  # fmt: skip
_STAMPS = (
    b"292277-01-01T00:00:00Z", b"-292277-01-01T00:00:00Z", b"0000-00-00T00:00:00Z", b"9999-12-31T23:59:59.999999Z",
    b"2026-02-30T25:61:61Z", b"9223372036854775807", b"-9223372036854775808", b"1e308", b"Feb 31 99:99:99",
    b"253402300800",
    b"-1", b"2026-01-01T00:00:00+99:99", b"infinity", b"0001-01-01 00:00:00", b"1969-12-31 23:59:59",
)  # fmt: skip
_VALUES = (
    b"{}",
    b"[]",
    b"null",
    b"true",
    b'""',
    b"[[[]]]",
    b'{"":{"":[]}}',
    b"-1",
    b'"\\u0000"',
    b'"\\ud800"',
    b'"\xff"',
)
_ESCAPES = (b"\x1b]0;owned\x07", b"\x1b[2J\x1b[H", b"\x9b31m", b"\r\x1b[K", b"\x00", b"\xe2\x80\xae", b"\x7f\x08\x08")


def seeds() -> dict[str, list[bytes]]:
    """Source uid -> the bytes of its first cases."""
    found: dict[str, list[bytes]] = {}
    for source in registry.sources():
        paths = [
            case.path
            for case in cases_of(source.meta.uid, registry.folder_of(source))
            if case.verb == "fires_on" and case.path.stat().st_size <= LARGEST_SEED_BYTES
        ]
        spread = paths[:: max(1, len(paths) // SEEDS_PER_SOURCE)][:SEEDS_PER_SOURCE]
        found[source.meta.uid] = [path.read_bytes() for path in spread]
    return found


def _at(data: bytes, random: Random) -> int:
    return random.randrange(len(data)) if data else 0


def cut(data: bytes, random: Random) -> bytes:
    """A file that ends early, anywhere."""
    return data[: _at(data, random)]


def behead(data: bytes, random: Random) -> bytes:
    """A file whose beginning is missing."""
    return data[_at(data, random) :]


def flip_bits(data: bytes, random: Random) -> bytes:
    """A few bits turned over."""
    out = bytearray(data)
    for _ in range(random.choice((1, 4, 40))):
        out[_at(data, random)] ^= 1 << random.randrange(8)
    return bytes(out)


def insert_bytes(data: bytes, random: Random) -> bytes:
    """Bytes that do not belong there: NUL, lone carriage returns, no UTF-8, terminal escapes, anything."""
    out = data
    for _ in range(random.choice((1, 5, 25))):
        at = _at(out, random)
        piece = random.choice(
            (b"\x00" * 9, b"\r", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", random.randbytes(7), *_ESCAPES)
        )
        out = out[:at] + piece + out[at:]
    return out


def drop_bytes(data: bytes, random: Random) -> bytes:
    """A hole in the middle."""
    at = _at(data, random)
    return data[:at] + data[at + random.choice((1, 3, 100)) :]


def overwrite_words(data: bytes, random: Random) -> bytes:
    """Lengths and counters of a binary format set to absurd values."""
    out = bytearray(data)
    for _ in range(random.choice((1, 3, 12))):
        at = _at(data, random)
        out[at : at + 4] = random.choice(
            (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x00\x00\x00\x80", b"\x7f\xff\xff\xff")
        )
    return bytes(out[: len(data)])


def _some(pattern: re.Pattern[bytes], data: bytes, random: Random, replacement: Callable[[bytes], bytes]) -> bytes:
    return pattern.sub(lambda found: replacement(found[0]) if random.random() < 0.3 else found[0], data)


def odd_numbers(data: bytes, random: Random) -> bytes:
    """Numbers out of every type's range."""
    return _some(_NUMBER, data, random, lambda _: random.choice(_NUMBERS))


def odd_times(data: bytes, random: Random) -> bytes:
    """Instants that no calendar holds, and some at its edges."""
    return _some(_STAMP, data, random, lambda _: random.choice(_STAMPS))


def odd_values(data: bytes, random: Random) -> bytes:
    """JSON values of another type than the format has."""
    return _some(
        re.compile(rb'(?<=:)\s*(?:"[^"\n]{0,200}"|[\d.]+|true|false|null)'),
        data,
        random,
        lambda _: random.choice(_VALUES),
    )


def odd_text(data: bytes, random: Random) -> bytes:
    """Words with terminal escapes, quotes, SQL and a forged log line in them."""
    pieces = (
        *_ESCAPES,
        b"'; DROP TABLE records; --",
        b'"',
        b"\\",
        b" from 192.0.2.66 port 22 ssh2",
        b"<script>alert(1)</script>",
        b"%s%n{0}$x",
    )
    return _some(_WORD, data, random, lambda word: word + random.choice(pieces))


def double_keys(data: bytes, random: Random) -> bytes:
    """JSON objects that name a key twice."""
    return _QUOTED.sub(lambda found: found[0] + b": 1, " + found[0] if random.random() < 0.1 else found[0], data)


def empty_records(data: bytes, random: Random) -> bytes:
    """Records of no length between the true ones."""
    fill = random.choice((b"\n\n\n", b"{}\n", b"[]\n", b"\t\t\t\n", b",,,\n", b" \n"))
    return (fill * 3).join(data.splitlines(keepends=True)) + fill


def nested(data: bytes, random: Random) -> bytes:
    """A value nested deeper than any parser's stack."""
    opening = random.choice((b"[", b'{"a":', b'[{"a":'))
    closing = {b"[": b"]", b'{"a":': b"}", b'[{"a":': b"}]"}[opening]
    deep = opening * DEEP_COUNT + b"1" + closing * random.choice((0, DEEP_COUNT))
    at = data.find(b":") + 1
    return data[:at] + deep + data[at:] if at else deep + data


def long_line(data: bytes, random: Random) -> bytes:
    """A line, and a value, of megabytes."""
    at = _at(data, random)
    return data[:at] + random.choice((b"A", b"(", b"\\", b'"', b" ", b"\xff")) * LONG_LINE_BYTES + data[at:]


def crlf(data: bytes, random: Random) -> bytes:
    """Line ends of another system."""
    return data.replace(b"\n", random.choice((b"\r\n", b"\r", b"\n\r", b"\x0b\n")))


def other_encoding(data: bytes, random: Random) -> bytes:
    """The same text in UTF-16 or with a byte order mark."""
    if random.random() < 0.3:
        return b"\xef\xbb\xbf" * 2 + data
    return data.decode("utf-8", "replace").encode(random.choice(("utf-16", "utf-16-be", "utf-32")), "surrogatepass")


def repeat(data: bytes, random: Random) -> bytes:
    """The file twice in itself, headers and all."""
    return data + data[: _at(data, random)] + data


_PACKERS: tuple[Callable[[bytes], bytes], ...] = (
    lambda data: gzip.compress(data, mtime=0),
    bz2.compress,
    lzma.compress,
    zstandard.ZstdCompressor().compress,
)


def pack(data: bytes, random: Random) -> bytes:
    """Compressed: in members, inside each other, cut, damaged, or with something behind."""
    squeeze = random.choice(_PACKERS)
    half = _at(data, random)
    return random.choice(
        (
            squeeze(data[:half]) + squeeze(data[half:]),
            squeeze(random.choice(_PACKERS)(data)),
            cut(squeeze(data), random),
            flip_bits(squeeze(data), random),
            squeeze(data) + random.randbytes(50),
            squeeze(b"") + squeeze(data),
            squeeze(data)[:12],
        )
    )


DAMAGES: tuple[Damage, ...] = (
    cut, cut, cut, behead, flip_bits, flip_bits, insert_bytes, insert_bytes, drop_bytes, overwrite_words,
    overwrite_words, odd_numbers, odd_numbers, odd_times, odd_times, odd_values, odd_values, odd_text, odd_text,
    double_keys, empty_records, nested, long_line, crlf, other_encoding, repeat, pack, pack,
)  # fmt: skip


def corpus(uid: str, number: int) -> Iterator[tuple[str, bytes]]:
    """Named hostile files of one source; the same number gives the same bytes."""
    everything = seeds()
    random = Random(f"{uid} {number}")
    others = [data for name, many in sorted(everything.items()) if name != uid for data in many]
    for place, seed in enumerate(everything[uid]):
        for turn, damage in enumerate(DAMAGES):
            yield f"{place}-{turn:02d}-{damage.__name__}", damage(seed, random)
        for turn in range(4):
            first, second = random.choice(DAMAGES), random.choice(DAMAGES)
            yield (
                f"{place}-twice-{turn}-{first.__name__}-{second.__name__}",
                second(first(seed, random) or seed, random),
            )
        yield f"{place}-mixed", seed + random.choice(others)
        yield f"{place}-mixed-after", random.choice(others)[:3000] + seed


def write_corpus(folder: Path, uid: str, number: int = 0) -> list[Path]:
    """Writes one source's hostile files and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, data in corpus(uid, number):
        path = folder / name
        path.write_bytes(data)
        paths.append(path)
    return paths
