"""sshd's options as they take effect (`sshd -T`), and where a Match block says otherwise."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from davylamp.agent import programs
from davylamp.agent.files import HostFiles
from davylamp.agent.packages import Packages
from davylamp.agent.record import plain
from davylamp.agent.settings.sshd_servers import SshServer, refusal, running_servers
from davylamp.agent.settings.writing import write_setting

CONFIG, FOLDER = "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d"
ASK_S, OUTPUT_BYTES = 5.0, 256 * 1024
# Option and Match block; its value, file and line.
Assigned: TypeAlias = tuple[str, str]
Place: TypeAlias = tuple[str, str, int]
OPTION = re.compile(r"^\s*([A-Za-z]+)(?:\s*=\s*|\s+)(.+?)\s*$")


def collect(files: HostFiles, packages: Packages) -> None:
    """Effective options with the line that sets each, where a file does; options within Match blocks as `match: ...`.

    Where sshd cannot be asked (another root, not root, no host keys), only what the files say is written: less than
    what takes effect, and more than nothing. Servers that run with a configuration of their own follow, named by it:
    `[sshd -f /opt/ssh.conf] permitrootlogin`.
    """
    lines = _configured(files, [*_included(files), CONFIG])
    options = [(name, value) for (name, block), (value, _, _) in lines.items() if not block]
    server = None
    if not files.look.root.rstrip("/"):
        server = programs.find("sshd")
        if server is None:
            return  # a configuration without a server
        try:
            options = _effective(server, packages)
        except OSError as error:
            files.look.could_not_look("sshd options", f"{error}; what the files say was read instead")
    _write(files, options, lines)
    for each in running_servers() if server is not None else ():
        _of_another(files, packages, server, each)


def _of_another(files: HostFiles, packages: Packages, program: str | None, server: SshServer) -> None:
    """Options of a server that does not read the usual file."""
    assert program is not None
    try:
        if why := refusal(server, program, files):
            raise OSError(why)
        options = _effective(program, packages, server.arguments)
    except OSError as error:
        files.look.could_not_look(f"options of `{plain(server.shown.encode(errors='surrogateescape'))}`", str(error))
        return
    lines = _configured(files, [server.file or CONFIG])
    _write(files, options, lines, f"[{server.shown}] ")


def _write(
    files: HostFiles, options: Sequence[tuple[str, str]], lines: Mapping[Assigned, Place], server: str = ""
) -> None:
    for name, value in options:
        _, path, number = lines.get((name, ""), (None, None, None))
        write_setting(files, "sshd_option", f"{server}{name}", value, path, number)
    for (name, block), (value, path, number) in lines.items():
        if block:
            write_setting(files, "sshd_option", f"{server}match: {name}", f"{value} [{block}]", path, number)


def _effective(server: str, packages: Packages, arguments: Sequence[str] = ()) -> list[tuple[str, str]]:
    """What `sshd -T` says; without a user, Match blocks do not apply to it."""
    if packages.owner(server)[1] == "modified":
        raise OSError(f"{server} differs from its package and was not run")
    try:
        said = plain(programs.output_of([server, "-T", *arguments], ASK_S, OUTPUT_BYTES))
    except OSError as error:
        needs = "" if os.geteuid() == 0 else " (it reads the host keys, which needs root)"
        raise OSError(f"{error}{needs}") from error
    pairs = (line.partition(" ")[::2] for line in said.split("\n"))
    return [(name, value) for name, value in pairs if name.isalnum()]


def _included(files: HostFiles) -> list[str]:
    return [path for path in files.paths(FOLDER) if path.endswith(".conf")]


def _configured(files: HostFiles, paths: Sequence[str]) -> dict[Assigned, Place]:
    """First assignment of each option, by option and Match block; the first one takes effect."""
    found: dict[Assigned, Place] = {}
    for path in paths:
        block = ""
        for number, line in files.lines(path):
            option = OPTION.match(line) if not line.lstrip().startswith("#") else None
            if option is None:
                continue
            name, value = option.group(1).lower(), option.group(2)
            if name == "match":
                block = "" if value.lower() == "all" else value
            elif len(found) < 2000:
                found.setdefault((name, block), (value, path, number))
    return found
