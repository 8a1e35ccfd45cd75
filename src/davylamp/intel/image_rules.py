"""Our own rules for images of processes, asked through YARA-X (the extra `yara`)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from davylamp.intel.entries import data_text

# A miner is some megabytes; a browser is a quarter of a gigabyte and takes half a second.
LONGEST_S = 10
MODULE = "yara_x"


@dataclass(frozen=True, slots=True)
class ImageMatch:
    """Rules that matched, and how many of their strings were found."""

    rules: tuple[str, ...]
    strings_count: int


def can_match() -> bool:
    """Whether YARA-X is installed."""
    return find_spec(MODULE) is not None


class ImageRules:
    """The rules, compiled once.

    Raises:
        ModuleNotFoundError: YARA-X is not installed.
    """

    def __init__(self) -> None:
        import yara_x

        self._scanner: Any = yara_x.Scanner(yara_x.compile(data_text("image_rules.yar")))
        self._scanner.set_timeout(LONGEST_S)
        self._failures: tuple[type[Exception], ...] = (yara_x.ScanError, yara_x.TimeoutError)

    def match_file(self, path: str) -> ImageMatch:
        """What a file holds.

        Raises:
            OSError: it cannot be read, or not in time.
        """
        try:
            found = self._scanner.scan_file(path).matching_rules
        except self._failures as error:
            raise OSError(f"could not be looked into: {error}") from error
        hits = sum(bool(pattern.matches) for rule in found for pattern in rule.patterns)
        return ImageMatch(tuple(sorted(rule.identifier for rule in found)), hits)
