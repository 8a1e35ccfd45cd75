"""Shells' profiles, desktop autostart, and sshd's own login scripts: what runs when somebody logs in."""

from __future__ import annotations

from davylamp.agent.accounts import homes
from davylamp.agent.startup.item import StartupItems

SYSTEM = (
    "/etc/profile", "/etc/bash.bashrc", "/etc/bashrc", "/etc/bash.bash_logout", "/etc/zshenv", "/etc/zprofile",
    "/etc/zshrc", "/etc/zlogin", "/etc/zsh/zshenv", "/etc/zsh/zprofile", "/etc/zsh/zshrc", "/etc/zsh/zlogin",
    "/etc/csh.cshrc", "/etc/csh.login", "/etc/fish/config.fish", "/etc/environment", "/etc/ssh/sshrc",
    "/etc/X11/Xsession", "/etc/skel/.bashrc", "/etc/skel/.profile",
)  # fmt: skip
FOLDERS = ("/etc/profile.d", "/etc/bash_completion.d", "/etc/environment.d", "/etc/X11/Xsession.d")
HOME = (
    ".profile", ".bash_profile", ".bash_login", ".bashrc", ".bash_logout", ".bash_aliases", ".zshenv", ".zprofile",
    ".zshrc", ".zlogin", ".cshrc", ".tcshrc", ".login", ".config/fish/config.fish", ".xprofile", ".xinitrc",
    ".xsession", ".ssh/rc", ".ssh/environment", ".pam_environment",
)  # fmt: skip
AUTOSTART = "/etc/xdg/autostart"


def collect(items: StartupItems) -> None:
    """Lines of each profile, without comments and without what every new user gets from /etc/skel."""
    for path in SYSTEM:
        _profile(items, path, None)
    for folder in FOLDERS:
        for path in items.files.paths(folder):
            if items.files.is_file(path) and not (
                folder == "/etc/bash_completion.d" and items.packages.owner(path)[1] == "unmodified"
            ):
                _profile(items, path, None)
    _autostart(items, AUTOSTART, None)
    given = {name: frozenset(line for _, line in items.files.lines(f"/etc/skel/{name}")) for name in HOME}
    for home, account in homes(items.files):
        for name in HOME:
            path = f"{home}/{name}"
            if items.files.is_file(path):
                items.add_script("profile", path, name=name, user_name=account.name, known_lines=given[name])
        _autostart(items, f"{home}/.config/autostart", account.name)


def _profile(items: StartupItems, path: str, user_name: str | None) -> None:
    if items.files.is_file(path):
        items.add_script("profile", path, name=path.rpartition("/")[2], user_name=user_name)


def _autostart(items: StartupItems, folder: str, user_name: str | None) -> None:
    for path in items.files.paths(folder):
        if not path.endswith(".desktop") or items.packages.owner(path)[1] == "unmodified":
            continue
        for number, line in items.files.lines(path):
            if line.startswith("Exec="):
                name = path.rpartition("/")[2]
                items.add("profile", path, name=name, command=line[5:], user_name=user_name, line=number)
