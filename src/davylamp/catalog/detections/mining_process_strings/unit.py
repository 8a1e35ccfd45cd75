"""The detection `mining_process_strings`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from davylamp.catalog.detections.mining_process_strings.commands import base_name, commands
from davylamp.catalog.detections.mining_process_strings.evidence import Seen, encoded_words, seen_in
from davylamp.catalog.detections.mining_process_strings.words import words
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_finding, process_named, process_started_at
from davylamp.model.finding import Finding, Observable, Technique
from davylamp.model.severity import Severity


def _any_of(texts: Iterable[str]) -> str:
    return "|".join(re.escape(text).replace("/", "[/]") for text in sorted(texts))


_KNOWN = words()
_PROGRAM = f"^({_any_of(_KNOWN.programs)})([-_.v0-9].*)?$"
_WORDS = f"stratum|ethproxy|nicehash|zils?://|--algo|--coin|(^| )-wal |{_any_of(_KNOWN.options | _KNOWN.programs)}"
_ENDPOINT = "-(o|p|s|f|url|pool|-url|-pool|-server|-host)[ =][^ ]*[a-z0-9.-]:[0-9]{2,5}( |/|$)"
_USER = "-(u|w|o|user|wal|wallet|-user|-username|-wallet|-userpass)[ =]"
_USER_AND_ENDPOINT = f"(^| ){_ENDPOINT}(.* )?{_USER}|(^| ){_USER}.* {_ENDPOINT}"
_WALLET = "(^|[ =/.,])[48][0-9AB][1-9A-HJ-NP-Za-km-z]{93}"
# `stratum+`, `--donate-level`, `xmrig` and `nicehash` as base64 writes them, at each of its three positions.
_ENCODED = (
    "c3RyYXR1b|N0cmF0dW|zdHJhdHVt|LS1kb25hdGUt|0tZG9uYXRl|tLWRvbmF0Z|eG1yaWc|htcmln|4bXJpZ|"
    "bmljZWhhc2|5pY2VoYXNo|uaWNlaGFza"
)
_ENVIRONMENT = f"(^| )({_any_of(_KNOWN.wallet_names | _KNOWN.program_names)}|XMRIG_[A-Z_]+)( |$)"
_FILES = "/(xmrig|xmr-stak|srbminer|nbminer|lolminer)[^/ ]*[.](json|log|conf|txt)( |$)|/pools[.]txt( |$)"


@dataclass(frozen=True)
class _Verdict:
    llr: float
    said: str
    fact: bool = False
    seen: Seen | None = None


class MiningProcessStrings(Detection):
    """A process was started the way miners are started: with a pool, a wallet, an algorithm.

    What it sees.
    The arguments of processes and of what their shell was told to run, names of programs, names (never values) of
    environment variables, and names of files held open.

    Why it matters.
    Most intruders run stock miners with stock arguments, whatever the file is called. Arguments tell more than any
    other single observation: the pool, and the wallet that ties machines to one actor.

    How it decides.
    A command line is cut into the commands it starts (what `sh -c` was told, without `nohup`, `sudo`, `nice`, ...) and
    each is read as a miner would read it. The list of programs, algorithms, options and variables is `words.toml` in
    the unit, written from the miners' public help texts. A pool is an address behind a scheme that only mining has
    (`stratum+tcp://`, `stratum1+ssl://`, `ethproxy://`, ...), or host and port after a pool's option (`-o`, `--url`,
    `--pool`, `-P`, ...); its host may be on the pool list. A wallet has the shape of an address of Monero's, Ethereum's
    or Bitcoin's kind and some others. Ratios: pool and wallet 8.0, and a fact: nothing but a miner is told where to
    send its work and who is paid for it; where the pool has no scheme and is on no list, something else of a miner's
    arguments (password, worker, algorithm, option, program) or a wallet of Monero's or Ethereum's length must be there
    as well. Pool with scheme and user, and one such detail: 7.0. Pool, user and an algorithm, option or program: 6.0.
    Wallet with one of these: 5.5. Two options that only miners have, or one with an algorithm or program: 5.0. A pool's
    scheme alone: 4.5. A miner's name alone, and arguments hidden in base64: 4.0. One such option, or host, port, user
    and password in their usual order: 3.0. Environment names of a pool and of a wallet together: 2.5, names of a
    miner's own 3.0; files of a miner held open 3.0. Whose arguments they are decides: a program that is given such
    words to find, show, fetch, build, log or forbid (`grep`, `pkill`, `vim`, `git`, `make`, `iptables`, `yara`, ...
    `readers` in the same file) is no miner, as long as the image agrees with that name.

    What it misses.
    Arguments in a file, wiped before they were seen, or compiled in; options that a recompiled miner renamed; a pool
    written as a plain host name without port and scheme.

    What looks like it and is not.
    Searches, editors, builds and documentation of mining software; scanners with such words in their rules; a clean-up
    that kills miners (`rival_miner_cleanup` looks at those); `--help` and `--version`; programs with `-o`, `-u` and
    `-p` of their own (`mount`, `curl`, database clients), which name no algorithm; a farm's owner, who mines on
    purpose: declare it.

    What to do.
    Copy the image and keep the process's parents and sockets before ending it. Look for the wallet and the pool on
    other machines. See what would start it again.

    References.
    https://attack.mitre.org/techniques/T1496/001/
    https://xmrig.com/docs/miner/command-line-options
    """

    meta = DetectionMeta(
        uid="mining_process_strings",
        title="Process started with a miner's arguments",
        group="host_identity",
        stage="mining",
        severity=Severity.HIGH,
        techniques=(Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),),
        reads=("process_activity",),
        references=(
            "https://attack.mitre.org/techniques/T1496/001/",
            "https://xmrig.com/docs/miner/command-line-options",
        ),
    )
    params: ClassVar[Mapping[str, object]] = {
        "words": _WORDS,
        "program": _PROGRAM,
        "user_and_endpoint": _USER_AND_ENDPOINT,
        "wallet": _WALLET,
        "encoded": _ENCODED,
        "environment": _ENVIRONMENT,
        "files": _FILES,
        "rows_count": 5,
    }

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a process, for what tells most."""

        def is_listed(host: str) -> bool:
            return bool(host) and (facts.match_domain(host) is not None or facts.match_address(host, None) is not None)

        for _, rows in candidates(candidates_rows, "asset", "process_pid", "started_key"):
            judged = [(verdict, row) for row in rows for verdict in _verdicts(row, is_listed)]
            if not judged:
                continue
            best, row = max(judged, key=lambda each: each[0].llr)
            cited = [row, *(each for each in rows if each is not row)]
            yield process_finding(
                self.meta,
                cited,
                because=f"{process_named(row)} on {row['asset']} {best.said}",
                llr=best.llr,
                fact=best.fact,
                severity=None if best.llr >= 4 else Severity.MEDIUM,
                first_seen=process_started_at(row),
                observables=_observables(best.seen),
                evidence_count=whole_of(row, "records_count"),
            )


def _observables(seen: Seen | None) -> Iterable[Observable]:
    if seen is None:
        return
    if seen.wallet:
        yield Observable("wallet", seen.wallet)
    if seen.endpoint:
        yield Observable("pool", seen.endpoint.rpartition("@")[2])


def _verdicts(row: Row, is_listed: Callable[[str], bool]) -> Iterable[_Verdict]:
    command_line = str(row["command_line"] or "")
    image_name = base_name(str(row["image_path"] or ""))
    is_reader = False
    for command in commands(command_line):
        name = base_name(command[0])
        # Who calls itself grep and is another program does not search.
        if name in _KNOWN.readers and (image_name in ("", name) or _is_system(row)):
            is_reader = True
            continue
        seen = seen_in(command, is_listed)
        if not seen.only_asks and (verdict := _of_arguments(seen)) is not None:
            yield verdict
        is_reader = is_reader or seen.only_asks
    if word := encoded_words(command_line):
        yield _Verdict(4.0, f"was started with `{word}` hidden in base64")
    if not is_reader and (known := _known_name(row, image_name)):
        yield _Verdict(4.0, f"runs under the name of the miner {known}")
    yield from _of_surroundings(row)


def _is_system(row: Row) -> bool:
    """Whether the image is the system's: busybox and coreutils go by many names, scripts by their interpreter's."""
    return str(row["image_path"]).startswith(("/usr/", "/bin/", "/sbin/", "/nix/", "/opt/", "/snap/"))


def _known_name(row: Row, image_name: str) -> str:
    for name in (image_name, base_name(str(row["process_name"] or ""))):
        if name in words().programs:
            return name
    return ""


def _of_arguments(seen: Seen) -> _Verdict | None:
    telling = bool(seen.algorithm or seen.options or seen.program)
    sure_pool = bool(seen.endpoint) and (seen.has_scheme or seen.listed)
    sure_wallet = len(seen.wallet) >= 42
    pool = f"the pool {seen.endpoint.rpartition('@')[2]}"
    if seen.wallet and seen.endpoint and (sure_pool or sure_wallet or seen.details_count):
        return _Verdict(8.0, f"was started with {pool} and the wallet {seen.wallet}{_details(seen)}", True, seen)
    if sure_pool and seen.user and seen.details_count:
        return _Verdict(7.0, f"was started with {pool} and the user {seen.user}{_details(seen)}", seen=seen)
    if seen.endpoint and seen.user and telling:
        return _Verdict(6.0, f"was started with {pool} and the user {seen.user}{_details(seen)}", seen=seen)
    if seen.wallet and telling:
        return _Verdict(5.5, f"was started with the wallet {seen.wallet}{_details(seen)}", seen=seen)
    if len(seen.options) >= 2 or (seen.options and (seen.algorithm or seen.program)):
        return _Verdict(5.0, f"was started with a miner's options{_details(seen)}", seen=seen)
    if sure_pool:
        return _Verdict(4.5, f"was started with {pool}", seen=seen)
    if seen.program:
        return _Verdict(4.0, f"was started as the miner {seen.program}", seen=seen)
    if seen.options:
        return _Verdict(3.0, f"was started with an option of miners{_details(seen)}", seen=seen)
    if seen.endpoint and seen.user and seen.has_password:
        return _Verdict(3.0, f"was started with {pool}, a user and a password, as miners are", seen=seen)
    return None


def _details(seen: Seen) -> str:
    told = [f"algorithm {seen.algorithm}"] if seen.algorithm else []
    told += [" ".join(dict.fromkeys(seen.options))] if seen.options else []
    return f" ({', '.join(told)})" if told else ""


def _of_surroundings(row: Row) -> Iterable[_Verdict]:
    """What variables and open files say, which is less than arguments say."""
    known = words()
    names = set(str(row["environment_names"] or "").split(" "))
    own = sorted(name for name in names if name in known.program_names or name.startswith("XMRIG_"))
    pools, wallets = sorted(names & known.pool_names), sorted(names & known.wallet_names)
    if own:
        yield _Verdict(3.0, f"has a miner's environment variable {own[0]}")
    elif pools and wallets:
        yield _Verdict(2.5, f"has environment variables of a pool and a wallet: {pools[0]}, {wallets[0]}")
    image_name = base_name(str(row["image_path"] or ""))
    found = re.search(_FILES, str(row["open_files"] or ""))
    if found and image_name not in _KNOWN.readers:
        yield _Verdict(3.0, f"holds a miner's file open: {found.group(0).strip().lstrip('/')}")
