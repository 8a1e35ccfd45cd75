"""The detection `kernel_thread_masquerade`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_finding, process_started_at
from davylamp.model.finding import Finding, Technique
from davylamp.model.severity import Severity

# Names that a kernel gives its threads and nobody gives a program, and what miners made of them (`kdevtmpfsi`,
# `kworkerds`, `kthreaddk`): the first row matches beginnings, the second whole names.
_THREAD_NAME = (
    "^(kworker|kthread|kswapd|ksoftirqd|kdevtmpfs|khugepaged|khungtaskd|kintegrityd|kthrotld|kcompactd|"
    "rcu_|rcu[a-z]*/|migration/|cpuhp/|idle_inject/|watchdog/|irq/|jbd2/|xfsaild/|scsi_eh_|scsi_tmf_|dm_bufio_)|"
    "^(kauditd|kblockd|ksmd|kstrp|khelper|kpsmoused|oom_reaper|mm_percpu_wq|ipv6_addrconf|ext4-rsv-conver|zswap-shrink)$"
)
# A whole command line in brackets is how `ps` shows a thread of the kernel; titles of real programs say more.
_ANY_THREAD = r"^\[[a-z0-9_/:.-]{2,20}\] *$"


class KernelThreadMasquerade(Detection):
    """A program of user space carries the name of one of the kernel's own threads.

    What it sees.
    A process with an image (a file, a removed file or memory it was started from) whose name, command line or file is
    that of a kernel thread: `kworker/0:1`, `[kswapd0]`, `/tmp/kdevtmpfsi`.

    Why it matters.
    A thread of the kernel has no image, no arguments and the parent 2. A name that an administrator's eye passes over
    in a list is what Outlaw (`kswapd0`), Kinsing (`kdevtmpfsi`) and ShadowRay (`kworker/0:0`) give their miners.

    How it decides.
    The sensor says whether the kernel itself marks the process as its thread; in an audit log everything that was
    executed is none. Compared are the name, the file's name and what stands in brackets at the beginning of the command
    line, with the names that kernels of versions 3 to 6 give their threads (read from process lists of Debian, Ubuntu,
    RHEL and Alpine machines), and, for the most used of them, everything that begins so. The ratio is 5.0: of the named
    campaigns most do it, and apart from exercises nothing does it by accident. A command line of one word in brackets
    that is no thread we know gives 2.0. A package's unmodified program that really is called so gives none.

    What it misses.
    Names of ordinary daemons (`name_image_mismatch` sees some of those); a kernel module that marks its process as a
    thread of the kernel; processes whose image could not be read.

    What looks like it and is not.
    Titles that programs write in brackets with more words in them (`[celeryd: w1@web:MainProcess] -active-`, `[lxc
    monitor] /var/lib/lxc web`); `(sd-pam)`; KDE's `kded5`, `kwin`, `ksmserver`; helpers that the kernel starts, before
    they have an image; exercises for defenders.

    What to do.
    Keep a copy of `/proc/PID/exe`, its maps and its command line; see who started it and what it is connected to; look
    for what would start it again before ending it.

    References.
    https://attack.mitre.org/techniques/T1036/004/
    https://attack.mitre.org/techniques/T1036/011/
    """

    meta = DetectionMeta(
        uid="kernel_thread_masquerade",
        title="Program under the name of a kernel thread",
        group="host_identity",
        stage="impairment",
        severity=Severity.HIGH,
        techniques=(
            Technique("T1036.004", "Masquerading: Masquerade Task or Service"),
            Technique("T1036.005", "Masquerading: Match Legitimate Resource Name or Location"),
            Technique("T1036.011", "Masquerading: Overwrite Process Arguments"),
        ),
        reads=("process_activity",),
        references=(
            "https://attack.mitre.org/techniques/T1036/004/",
            "https://attack.mitre.org/techniques/T1036/011/",
        ),
    )
    params: ClassVar[Mapping[str, object]] = {
        "thread_name": _THREAD_NAME,
        "any_thread": _ANY_THREAD,
        "rows_count": 5,
    }
    known_llr, bracketed_llr = 5.0, 2.0

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a process."""
        for _, rows in candidates(candidates_rows, "asset", "process_pid", "started_key"):
            ordered = sorted(rows, key=lambda row: -whole_of(row, "is_known"))
            first = ordered[0]
            known = first["is_known"] == 1
            state = {"deleted": ", which has been removed", "memory": ", which is memory and no file"}
            yield process_finding(
                self.meta,
                ordered,
                because=(
                    f"process {first['process_pid']} on {first['asset']} calls itself {first['claim']}, the name of a "
                    f"kernel thread, and runs {first['image_path']}{state.get(str(first['image_state']), '')}"
                ),
                llr=self.known_llr if known else self.bracketed_llr,
                severity=None if known else Severity.MEDIUM,
                first_seen=process_started_at(first),
                columns=("image_state",),
                evidence_count=whole_of(first, "records_count"),
            )
