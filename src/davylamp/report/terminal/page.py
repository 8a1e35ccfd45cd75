"""A page on a terminal: headings, paragraphs and labelled rows, wrapped, in colour where there is any."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.text import Text

from davylamp.report.visible import clipped, visible

WIDTH_COLUMNS = 80
WIDEST_COLUMNS = 100
# Blue and orange stay apart for every common colour blindness; every meaning has its word or mark besides.
HEADING, STRONG, ACCENT, COOL, QUIET = "bold underline", "bold", "bold dark_orange", "dodger_blue1", "dim"
_MARKS = {
    "critical": ("◆", "!!"),
    "high": ("▲", "!"),
    "medium": ("●", "*"),
    "low": ("○", "-"),
    "informational": ("·", "."),
    "yes": ("●", "*"),
    "no": ("○", "-"),
    "could_not_look": ("?", "?"),
    "read": ("●", "*"),
    "partial": ("◐", "~"),
    "unrecognized": ("?", "?"),
    "unreadable": ("×", "x"),
}


def console_for(stream: TextIO) -> Console:
    """A console on a stream: plain and 80 columns wide when it is no terminal."""
    if stream.isatty():
        return Console(file=stream, highlight=False, markup=False, emoji=False)
    return Console(
        file=stream, highlight=False, markup=False, emoji=False, width=WIDTH_COLUMNS, force_terminal=False,
        color_system=None,
    )  # fmt: skip


class Page:
    """Prints wrapped text; every text goes through `visible`, so evidence cannot act on the terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.width = max(20, min(console.width, WIDEST_COLUMNS))
        self._unicode = console.encoding.lower().replace("-", "").startswith("utf8")

    def text(self, words: object, style: str = "", *, whole: bool = False) -> Text:
        """One piece of text, made safe for this console's encoding; clipped, unless `whole` is asked for."""
        shown = visible(str(words) if whole else clipped(str(words)))
        return Text(shown if self._unicode else self._ascii(shown), style)

    def joined(self, *pieces: tuple[object, str] | str) -> Text:
        """Pieces of text in a row, each plain or with a style."""
        made = Text()
        for piece in pieces:
            made.append_text(self.text(*piece) if isinstance(piece, tuple) else self.text(piece))
        return made

    def mark(self, word: str) -> str:
        """The sign that stands beside a word of severity, outcome or state."""
        signs = _MARKS.get(word, ("·", "."))
        return signs[0] if self._unicode else signs[1]

    @staticmethod
    def _ascii(shown: str) -> str:
        plain = shown.replace("·", "-").replace("…", "...")
        return plain.encode("ascii", "backslashreplace").decode("ascii")

    def blank(self) -> None:
        """An empty line."""
        self.console.print()

    def heading(self, words: str) -> None:
        """A section's heading, with an empty line before it."""
        self.blank()
        self.paragraph(self.text(words, HEADING))

    def paragraph(self, words: Text | str, indent: int = 0, style: str = "") -> None:
        """Wrapped text."""
        self.row(Text(), words if isinstance(words, Text) else self.text(words, style), 0, indent)

    def row(self, label: Text, body: Text, label_width: int, indent: int = 2) -> None:
        """A label and its wrapped text beside it; a label wider than its column stands on its own line."""
        start = " " * indent
        if label.cell_len >= label_width and label.cell_len:
            self._print(Text(start) + label)
            label = Text()
        room = max(10, self.width - indent - label_width)
        for number, line in enumerate(body.wrap(self.console, room, overflow="fold")):
            line.rstrip()
            lead = label.copy() if number == 0 else Text()
            lead.append(" " * (label_width - lead.cell_len))
            self._print(Text(start) + lead + line)

    def numbered(self, texts: Iterable[str], indent: int = 2) -> None:
        """Numbered paragraphs."""
        for number, words in enumerate(texts, 1):
            self.row(self.text(f"{number}.", STRONG), self.text(words), 4, indent)

    def _print(self, line: Text) -> None:
        line.rstrip()
        if line.cell_len > self.width:
            for part in line.wrap(self.console, self.width, overflow="fold"):
                part.rstrip()
                self.console.print(part, no_wrap=True, crop=False, overflow="ignore")
            return
        self.console.print(line, no_wrap=True, crop=False, overflow="ignore")
