"""Making text from evidence safe to show: what a reader could not see is written out."""

from __future__ import annotations

import re

# One run of letters a reader cannot see or that moves the cursor, the text direction or the line.
_HIDDEN = re.compile(r"[^\x20-\x7e]")
SHOWN_CHARACTERS_COUNT = 2000
WORD_SHOWN_COUNT = 200


def _escape(match: re.Match[str]) -> str:
    letter = match.group()
    if letter.isprintable():
        return letter
    code = ord(letter)
    if code < 0x100:
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(letter, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def visible(text: str) -> str:
    """Text in which control, format and direction characters are written as escapes.

    Terminal escapes, NUL, a right-to-left override, lone surrogates and zero-width letters reach
    reports inside user names, host names and payloads; none of them may act on the reader's screen.
    """
    return _HIDDEN.sub(_escape, text)


def clipped(text: str, limit_count: int = SHOWN_CHARACTERS_COUNT, word_limit_count: int = WORD_SHOWN_COUNT) -> str:
    """The text, or its start and how much was left out; one endless word is cut sooner.

    A user name or a host name may be ten thousand letters long; it must not push the story off the page.
    """
    if len(text) > limit_count:
        text = _cut(text, limit_count)
    if len(text) <= word_limit_count:
        return text
    return re.sub(rf"\S{{{word_limit_count + 1},}}", lambda match: _cut(match.group(), word_limit_count), text)


def _cut(text: str, limit_count: int) -> str:
    return f"{text[:limit_count]}… ({len(text) - limit_count:,} more characters)"
