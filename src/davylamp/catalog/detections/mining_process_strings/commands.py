"""Takes a command line apart: which programs it starts, and with which arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from davylamp.catalog.detections.mining_process_strings.words import words

# More than a shell's script of a screen is no command line that anybody typed.
COMMANDS_COUNT, WORDS_COUNT = 200, 400
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"})
_SPLIT = re.compile(r"\s*(?:;|&&|\|\|?|&(?![&0-9])|\n|`|\$\()\s*")
_ASSIGNMENT = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*=")
_VERSION = re.compile(r"(?:[-_.]?v?[0-9]+(?:\.[0-9]+)+.*|\.exe|\.bin|\.elf|-linux.*|[-_.](?:x64|x86_64|amd64|arm64))$")


def base_name(word: str) -> str:
    """A program's name: without folder, login dash, quotes, version and extension, in lower case."""
    name = word.strip("'\"()").lstrip("-").rsplit("/", 1)[-1].lower()
    return _VERSION.sub("", name) or name


def commands(command_line: str) -> Iterator[list[str]]:
    """The commands that a process's arguments start: itself, or what its shell or wrapper was told to run.

    Arguments arrive joined by blanks, so quotes that the shell took away are gone; words are cut at blanks.
    """
    arguments = command_line.split()[:WORDS_COUNT]
    script = _script(arguments)
    if script is None:
        if whole := _unwrapped(arguments):
            yield whole
        return
    for count, part in enumerate(_SPLIT.split(script)):
        if count == COMMANDS_COUNT:
            return
        inner = _unwrapped(part.split()[:WORDS_COUNT])
        if inner:
            yield inner


def _script(arguments: list[str]) -> str | None:
    """What a shell was told with -c; None for other programs."""
    inner = _unwrapped(arguments)
    if not inner or base_name(inner[0]) not in _SHELLS:
        return None
    for place, word in enumerate(inner[1:5], start=1):
        if re.fullmatch(r"-[a-z]*c", word):
            return " ".join(inner[place + 1 :])
    return None


def _unwrapped(arguments: list[str]) -> list[str]:
    """The words without what only starts the program: assignments, sudo, nohup, `docker run IMAGE`."""
    rest = [word.strip("'\"") for word in arguments]
    for _ in range(8):
        if not rest:
            return rest
        name = base_name(rest[0])
        if _ASSIGNMENT.match(rest[0]):
            rest = rest[1:]
        elif name in words().wrappers and not (name == "busybox" and len(rest) > 1 and base_name(rest[1]) in _SHELLS):
            rest = _after_options(rest[1:])
        elif name in _SHELLS and len(rest) > 1 and not rest[1].startswith("-"):
            # A script run by its name: what follows are the script's arguments.
            return rest[1:]
        else:
            return rest
    return rest


def _after_options(arguments: list[str]) -> list[str]:
    """What follows a wrapper's own options: numbers, durations, masks and names belong to them."""
    place = 0
    while place < len(arguments):
        word = arguments[place]
        if word.startswith("-") or _ASSIGNMENT.match(word) or re.fullmatch(r"[0-9a-fx,.-]+[smhd%]?", word):
            place += 1
        elif place and arguments[place - 1] in (
            "-S",
            "-u",
            "-n",
            "-c",
            "-l",
            "-p",
            "-U",
            "-g",
            "-k",
            "--unit",
            "--user",
            "-I",
        ):
            if _is_program(word):
                break
            place += 1
        else:
            break
    return arguments[place:]


def _is_program(word: str) -> bool:
    return "/" in word or word.startswith("./")
