"""The real client: OpenSSH's ssh, which guesses, and logs in, over the network of our own."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from examples.make import plan
from examples.make.namespaces import OUTSIDE, within
from examples.make.servers import SCRATCH

_ANSWER = """\
#!/bin/sh
read -r word < "$STORY_WORDS"
sed -i 1d "$STORY_WORDS"
printf '%s\\n' "$word"
"""
_OPTIONS = (
    *("-F", "none", "-T", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
    *("-o", "GlobalKnownHostsFile=/dev/null", "-o", "ConnectTimeout=5", "-o", "LogLevel=ERROR"),
    *("-o", "KexAlgorithms=curve25519-sha256", "-o", "IdentityAgent=none"),
)
_BY_PASSWORD = ("-o", "PreferredAuthentications=password", "-o", "PubkeyAuthentication=no")
LONGEST_S = 20.0


@dataclass(frozen=True, slots=True)
class Guess:
    """One connection that tries words on a name."""

    after_s: float
    source: str
    host: str
    user: str
    words: tuple[str, ...]


def planned(rng: random.Random, length_s: float) -> list[Guess]:
    """The guessing run: one loud source on both machines, a few that try now and then."""
    guesses = [
        Guess(length_s * (number + rng.uniform(0.0, 0.6)) / 128, plan.ATTACKER, plan.GUARDED[number % 2], *_try(rng))
        for number in range(128)
    ]
    for source in plan.SLOW_GUESSERS:
        for _ in range(rng.randrange(3, 6)):
            user = rng.choice(("root", "admin"))
            host = rng.choice(plan.GUARDED)
            guesses.append(Guess(rng.uniform(0.02, 0.97) * length_s, source, host, user, (rng.choice(plan.WORDS),)))
    return sorted(guesses, key=lambda guess: guess.after_s)


def _try(rng: random.Random) -> tuple[str, tuple[str, ...]]:
    user = rng.choice(plan.KNOWN_USERS if rng.random() < 0.5 else plan.UNKNOWN_USERS)
    words = rng.sample((*plan.WORDS, user, f"{user}123"), rng.choice((1, 2, 2, 3)))
    return user, tuple(words)


def carry_out(guesses: Sequence[Guess]) -> None:
    """Makes every guess at its time, or as soon as it can be; three at once at most."""
    began_s = time.monotonic()

    def one(guess: Guess) -> None:
        time.sleep(max(0.0, began_s + guess.after_s - time.monotonic()))
        log_in(guess.source, guess.host, guess.user, guess.words)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(one, guesses))


def log_in(source: str, host: str, user: str, words: Sequence[str]) -> bool:
    """One connection that offers the words in turn; tells whether one was right."""
    answer, rest = SCRATCH / "answer", SCRATCH / f"words-{time.monotonic_ns()}"
    if not answer.exists():
        answer.write_text(_ANSWER, encoding="ascii")
        answer.chmod(0o700)
    rest.write_text("".join(f"{word}\n" for word in words), encoding="ascii")
    options = (*_BY_PASSWORD, "-o", f"NumberOfPasswordPrompts={len(words)}")
    environment = {"SSH_ASKPASS": str(answer), "SSH_ASKPASS_REQUIRE": "force", "STORY_WORDS": str(rest)}
    return _ssh(source, host, user, options, environment)


def log_in_with_key(source: str, host: str, user: str, key: Path) -> bool:
    """One connection that offers a key."""
    return _ssh(source, host, user, ("-o", "BatchMode=yes", "-i", str(key)), {})


def _ssh(source: str, host: str, user: str, options: Sequence[str], environment: dict[str, str]) -> bool:
    command = ["ssh", *_OPTIONS, *options, "-b", source, f"{user}@{plan.HOSTS[host]}", "nproc"]
    done = subprocess.run(
        within(OUTSIDE, command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "HOME": str(SCRATCH), **environment},
        timeout=LONGEST_S,
        check=False,
    )
    return done.returncode == 0
