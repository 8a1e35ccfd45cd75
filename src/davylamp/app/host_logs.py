"""The host's own record of log-ins: sshd's log files, or its entries in the journal where there are none."""

from __future__ import annotations

from pathlib import Path

from davylamp.agent.programs import find, output_of
from davylamp.agent.record import Look

FILES = ("/var/log/auth.log", "/var/log/auth.log.1", "/var/log/secure", "/var/log/messages")
# A way in stays open for long: victims were found mining 11 days after it (correlate/graph.py bridges 14 days).
JOURNAL_SINCE = "14 days ago"
JOURNAL_BYTES = 256 << 20
JOURNAL_S = 30.0


def login_logs(look: Look, journal: Path) -> list[str]:
    """Paths of evidence about log-ins; the journal's entries are written to `journal`.

    What cannot be read is stated: without it, nobody knows how somebody got in.
    """
    files = [path for path in FILES if Path(path).is_file()]
    if files:
        return files
    program = find("journalctl")
    if program is None:
        look.could_not_look("log-ins", f"neither {', '.join(FILES[:3])} nor a journal is there")
        return []
    asked = ("--no-pager", "-o", "json", "--since", JOURNAL_SINCE, "_COMM=sshd", "+", "_COMM=sshd-session")
    try:
        entries = output_of((program, *asked), JOURNAL_S, JOURNAL_BYTES)
    except OSError as error:
        look.could_not_look("log-ins", f"the journal could not be read: {error}; group systemd-journal or root may")
        return []
    if not entries.strip():
        look.could_not_look("log-ins", f"the journal shows no entry of sshd since {JOURNAL_SINCE}")
        return []
    journal.write_bytes(entries)
    return [str(journal)]
