"""Which file a command line runs first, as far as its text tells."""

from __future__ import annotations

import re

FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# Words before the program: they set conditions or circumstances and then run what follows.
CONDITIONS = frozenset(
    {"[", "[[", "test", "cd", "export", "set", "unset", "umask", "ulimit", "true", ":", "if", "command", "sleep"}
)
WRAPPERS = frozenset(
    {
        "sudo", "nice", "ionice", "env", "exec", "nohup", "timeout", "setsid", "chronic", "flock", "then", "do",
        "time", "stdbuf", "chrt", "taskset", "eatmydata", "su", "runuser", "setpriv", "systemd-cat", "systemd-run",
        "!", "(", "{",
    }
)  # fmt: skip
INTERPRETERS = re.compile(
    r"^(?:sh|bash|dash|ash|zsh|ksh|fish|busybox|python[\d.]*|perl[\d.]*|ruby[\d.]*|php[\d.]*|node)$"
)
# A command is looked at to here; a program beyond it is not told.
TEXT_COUNT, WORDS_COUNT = 4096, 64
SEGMENT = re.compile(r"&&|\|\||[;|&\n]")
WORD = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""")
ASSIGNMENT = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*=")


def program_of(command: str) -> str | None:
    """The program, or the script that an interpreter runs.

    Returns:
        An absolute path, or a bare name to look up in `FOLDERS`; None when the text does not tell.

    >>> program_of("cd / && run-parts --report /etc/cron.hourly")
    'run-parts'
    >>> program_of("nice -n 10 /usr/bin/python3 -u /opt/report.py --all")
    '/opt/report.py'
    """
    for segment in SEGMENT.split(command[:TEXT_COUNT]):
        words = [word.strip("\"'") for word in WORD.findall(segment)[:WORDS_COUNT]]
        found = _first(words)
        if found is not None:
            return found
    return None


def _first(words: list[str]) -> str | None:
    wrapped = False
    for place, word in enumerate(words):
        bare = word.rpartition("/")[2]
        if word in CONDITIONS:
            return None
        if bare in WRAPPERS:
            wrapped = True
        elif _is_argument(word, wrapped):
            continue
        elif INTERPRETERS.match(bare):
            script = next((each for each in words[place + 1 :] if each.startswith("/")), None)
            return script or word
        else:
            return word
    return None


def _is_argument(word: str, wrapped: bool) -> bool:
    """Whether a word is an assignment or option, or an argument of the wrapper before it (a time, a user)."""
    if not word or word.startswith("-") or ASSIGNMENT.match(word):
        return True
    return wrapped and (word[0].isdigit() or word in ("root", "nobody"))
