"""sshd's entries out of the journal, on hosts that write no log files: exported by `journalctl`, once a judging."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

from davylamp.agent.log_tail import LinesFolder

JOURNALS = ("/var/log/journal", "/run/log/journal")
# A start looks this far back, as a way in is some hours older than the mining; guessing writes some entries a second.
BEGIN = "-24 hours"
ENTRIES_COUNT = 20_000
LONGEST_S = 30.0
# What journalctl answers, without a word, when nothing matches.
NO_ENTRIES = 1
# Who speaks for sshd, by the kernel's word and by its own name.
MATCHES = ("_COMM=sshd", "+", "_COMM=sshd-session", "+", "_COMM=sshd-auth", "+", "SYSLOG_IDENTIFIER=sshd")
_CURSOR = b"-- cursor: "


@dataclass
class JournalExport:
    """Appends new entries to files that the source `journald_export` reads.

    Args:
        target: where the entries go.
        place: file that keeps the cursor after the last one.
    """

    target: LinesFolder
    place: str

    def forward(self) -> str:
        """Exports what is new; gives why it could not, or an empty text.

        No journal on the host is no failure: its log files are followed.
        """
        program = shutil.which("journalctl")
        if program is None or not any(os.path.isdir(path) for path in JOURNALS):
            return ""
        since = self._cursor()
        begin = [f"--after-cursor={since}"] if since else [f"--since={BEGIN}"]
        command = [program, *begin, "-o", "json", "-q", "--no-pager", f"--lines={ENTRIES_COUNT}", "--show-cursor"]
        try:
            done = subprocess.run([*command, *MATCHES], capture_output=True, timeout=LONGEST_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        said = done.stderr.decode("utf-8", "replace").strip()
        if done.returncode and (said or done.returncode != NO_ENTRIES):
            if since:
                os.unlink(self.place)  # the journal that the cursor belongs to is gone: the next export begins anew
            return said or f"journalctl ended with code {done.returncode}"
        self._take(done.stdout)
        return ""

    def _take(self, output: bytes) -> None:
        lines = output.splitlines(keepends=True)
        cursors = [line[len(_CURSOR) :].strip() for line in lines if line.startswith(_CURSOR)]
        self.target.write([line for line in lines if line.startswith(b"{") and line.endswith(b"\n")])
        if cursors and not self.target.refused:
            draft = self.place + ".draft"
            with open(draft, "wb") as out:
                out.write(cursors[-1])
            os.replace(draft, self.place)

    def _cursor(self) -> str:
        try:
            with open(self.place, encoding="ascii") as kept:
                return kept.read().strip()
        except (FileNotFoundError, ValueError):
            return ""
