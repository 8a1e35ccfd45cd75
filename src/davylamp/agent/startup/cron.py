"""cron, anacron and at: tables, folders whose scripts run by the clock, users' own tables, jobs that wait."""

from __future__ import annotations

import re

from davylamp.agent.startup.item import ITEMS_PER_FILE_COUNT, StartupItems

FIELD = r"[0-9A-Za-z*/,\-~?#]+"
ENTRY = re.compile(rf"^\s*(@[a-z]+|(?:{FIELD}\s+){{4}}{FIELD})\s+(\S.*)$")
USER = re.compile(r"^(-?[A-Za-z_][A-Za-z0-9_.-]*(?::[^\s]*)?)\s+(\S.*)$")
ANACRON = re.compile(r"^\s*([0-9]+|@[a-z]+)\s+([0-9]+)\s+(\S+)\s+(\S.*)$")
SETTING = re.compile(r"^\s*(PATH|SHELL|LD_[A-Z_]+|BASH_ENV|ENV)\s*=\s*(.*)$")
DAYS = ("hourly", "daily", "weekly", "monthly", "yearly")
# Debian; Red Hat, where the folder holds the tables themselves; SUSE; Alpine.
SPOOLS = ("/var/spool/cron/crontabs", "/var/spool/cron", "/var/spool/cron/tabs", "/etc/crontabs")
NO_TABLES = frozenset({"crontabs", "tabs", "atjobs", "atspool", "lastrun", "cron.update"})
JOBS = ("/var/spool/cron/atjobs", "/var/spool/at", "/var/spool/atjobs")


def collect(items: StartupItems) -> None:
    """Every entry of every table, and every script of the timed folders."""
    _table(items, "/etc/crontab", None)
    for folder in ("/etc/cron.d", "/etc/cron.d.local"):
        for path in items.files.paths(folder):
            if not path.endswith("/.placeholder"):
                _table(items, path, None)
    _anacron(items)
    for period in DAYS:
        for folder in (f"/etc/cron.{period}", f"/etc/periodic/{period}"):
            for path in items.files.paths(folder):
                if not path.endswith("/.placeholder"):
                    items.add_script("cron", path, name=path.rpartition("/")[2], schedule=period, user_name="root")
    for folder in SPOOLS:
        for name in items.files.names(folder):
            if name not in NO_TABLES:
                _table(items, f"{folder}/{name}", name)
    for folder in JOBS:
        for path in items.files.paths(folder):
            if items.files.is_file(path) and not path.endswith(("/.SEQ", "/.lockfile")):
                status = items.files.stat(path)
                owner = items.facts(path).get("file_owner_name") if status else None
                items.add_script("at", path, name=path.rpartition("/")[2], user_name=str(owner) if owner else None)


def _table(items: StartupItems, path: str, user_name: str | None) -> None:
    """One table; `user_name` None for those whose entries name the user themselves."""
    written_count = 0
    for number, line in items.files.lines(path):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if written_count >= ITEMS_PER_FILE_COUNT:
            items.files.failures.append((path, f"more than {ITEMS_PER_FILE_COUNT} entries, the rest was not read"))
            return
        setting, entry = SETTING.match(line), ENTRY.match(line)
        if setting:
            command = f"{setting.group(1)}={setting.group(2)}"
            items.add("cron", path, name="environment", command=command, user_name=user_name, line=number, follow=False)
        elif entry:
            user, command = user_name, entry.group(2)
            named = USER.match(command) if user_name is None else None
            if named:
                user, command = named.groups()
            items.add(
                "cron",
                path,
                name=path.rpartition("/")[2],
                command=command,
                schedule=" ".join(entry.group(1).split()),
                user_name=user,
                line=number,
            )
        written_count += 1


def _anacron(items: StartupItems) -> None:
    path = "/etc/anacrontab"
    for number, line in items.files.lines(path):
        found = ANACRON.match(line)
        if found and not line.lstrip().startswith("#") and number <= ITEMS_PER_FILE_COUNT:
            period, delay, name, command = found.groups()
            items.add(
                "cron", path, name=name, command=command, schedule=f"{period} {delay}", user_name="root", line=number
            )
