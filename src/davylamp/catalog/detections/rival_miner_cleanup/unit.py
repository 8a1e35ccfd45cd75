"""The detection `rival_miner_cleanup`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.audit import count_of, listed
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_finding
from davylamp.model.finding import Finding, Technique
from davylamp.model.severity import Severity

# Names of miners, of the bots that bring them and of pools, as kill scripts in public reports name them
# (reports on Kinsing, 8220, TeamTNT, Rocke, WatchDog, Outlaw, z0miner, Sysrv, RedTail and perfctl, 2019 to 2026).
_RIVALS = (
    "xmrig|xmr-stak|xmrstak|xmr64|minerd|minergate|cpuminer|ccminer|cryptonight|cryptominer|coinhive|kinsing|kdevtmpfsi|"
    "kthreaddk|kthrotlds|kworkerds|kerberods|khugepageds|ksoftirqds|watchbog|watchdogs|sysrv|sysupdate|sysguard|"
    "networkservice|networkmanage[^r]|ddgs|ddg[.]|qw3xt|sustes|sustse|wnTKYg|wnkfyg|gates[.]lod|networkxm|nanominer|"
    "srbminer|lolminer|nbminer|t-rex|phoenixminer|teamredminer|bfgminer|cgminer|xmrigdaemon|xmrigminer|mixnerdx|"
    "performedl|jnkihgjn|irqba2anc1|irqba5xnc1|irqbalanc1|irqbnc1|biosetjenkins|apaceha|cryptohash|devtool|disknyp|"
    "ir29xc1|pastebin|solr[.]sh|crloger|c3pool|nanopool|supportxmr|moneroocean|hashvault|minexmr|monerohash|"
    "crypto-pool|dwarfpool|2miners|f2pool|unmineable|xmrpool|monero|stratum|pwnrig|dbused|tsunami|perfctl|perfcc|"
    "redtail|zzh|z0miner|autom[.]sh|initdz|phpupdate|phpguard|sysdr|trace2|hezb|kswapd0|pnscan|masscan|"
    "loligang|muhstik|xm64|x86_64-mine|bashirc|blockchain-miner"
)
_RIVAL = f"(^|[^a-z0-9])({_RIVALS.lower()})"
_ENDING = (
    "(^|[ /;&|(])(pkill|killall|kill|skill|fuser -k|systemctl (stop|disable|kill|mask)|service [^ ]+ stop|crontab -r|"
    "docker (rm|kill|stop|rmi)|docker container (rm|kill|stop)|xargs .*(kill|rm)|chattr -[a-z]*i|rm -[a-z]*[rf]|"
    "iptables .*(drop|reject))( |$)"
)
# Programs whose arguments are text, searched for or written.
_TALKS = re.compile(
    "^(git|gh|hg|svn|vim|vi|nvim|nano|emacs|code|less|more|cat|echo|printf|logger|mail|grep|egrep|fgrep|rg|ag|curl|wget|tee|"
    "sed|awk|find|yara|clamscan|auditctl|ausearch|journalctl)$"
)
WINDOW_S = 60


class RivalMinerCleanup(Detection):
    """Within a minute, miners by many names were ended, removed or cut off on one machine.

    What it sees.
    Launches of `pkill`, `killall`, `kill`, `docker rm`, `crontab -r`, `rm -rf`, `systemctl disable`, `iptables ...
    DROP` and the `grep` before them, that name rival miners, their bots or pools; also one shell command that holds
    them all.

    Why it matters.
    Miners fight for the CPU. Kill scripts run before the own miner starts, with dozens of rivals' names, and are the
    loudest minute of an intrusion (Kinsing, 8220, TeamTNT, Rocke, RedTail: each of them has one).

    How it decides.
    Within 60 s (`WINDOW_S`) at least three different rivals' names and three commands that end something. An
    administrator who ends one miner names it, perhaps twice; a script names ten. The ratio is 4.5 from three names on,
    5.5 from six on, severity high. The names are from public reports on kill scripts; the list is in the unit.

    What it misses.
    Scripts that end processes by CPU use or port without names; ends by the shell's own `kill` without a process;
    compiled killers.

    What looks like it and is not.
    A clean-up after an infection by its owner or an agent does the same, and says as well that there were miners;
    scanners that only search (`grep`, `pgrep`, chkrootkit, clamscan); `killall nginx`; a pkill of one name by
    configuration management.

    What to do.
    Ask whether somebody cleaned up. If not, take what was started in the next minutes for the new miner, and the shell
    before it for the way in.

    References.
    https://attack.mitre.org/techniques/T1489/
    https://attack.mitre.org/groups/G0106/
    """

    meta = DetectionMeta(
        uid="rival_miner_cleanup",
        title="Rival miners removed",
        group="host_identity",
        stage="preparation",
        severity=Severity.HIGH,
        techniques=(
            Technique("T1489", "Service Stop"),
            Technique("T1562.001", "Impair Defenses: Disable or Modify Tools"),
        ),
        reads=("process_activity",),
        references=("https://attack.mitre.org/techniques/T1489/", "https://attack.mitre.org/groups/G0106/"),
    )
    params: ClassVar[Mapping[str, object]] = {
        "rival": _RIVAL,
        "ending": _ENDING,
        "ending_count": 3,
        "rival_count": 3,
        "rows_count": 500,
    }
    many_names_count, many_llr, few_llr = 6, 5.5, 4.5

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per machine and run of such minutes."""
        for _, rows in candidates(candidates_rows, "asset"):
            for run in _runs(sorted(rows, key=_at_s)):
                names = sorted({name for row in run for name in _names(row)})
                ends_count = sum(_ends_count(row) for row in run)
                if len(names) >= 3 and ends_count >= 3:
                    yield self._finding(run, names, ends_count)

    def _finding(self, run: Sequence[Row], names: Sequence[str], ends_count: int) -> Finding:
        first = run[0]
        return process_finding(
            self.meta,
            run,
            because=(
                f"within {max(1, _at_s(run[-1]) - _at_s(first))} s {count_of(ends_count, 'command')} on "
                f"{first['asset']} ended or removed miners by {count_of(len(names), 'name')}: {listed(names, 6)}"
            ),
            llr=self.many_llr if len(names) >= self.many_names_count else self.few_llr,
        )


def _at_s(row: Row) -> int:
    return whole_of(row, "at_s")


def _names(row: Row) -> set[str]:
    return {match.group(2) for match in re.finditer(_RIVAL, str(row["command_line"]).lower())}


def _ends_count(row: Row) -> int:
    """Commands that end something; a shell's script may hold many, and a text may speak of them."""
    words = str(row["command_line"]).split(maxsplit=1)
    if words and _TALKS.match(words[0].rsplit("/", 1)[-1].lower()):
        return 0
    return len(re.findall(_ENDING, str(row["command_line"]).lower().replace(";", " ; ")))


def _runs(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Rows of a minute, and what goes on without a pause of a minute."""
    run: list[Row] = []
    for row in rows:
        if run and _at_s(row) - _at_s(run[-1]) > WINDOW_S:
            yield run
            run = []
        run.append(row)
    if run:
        yield run
