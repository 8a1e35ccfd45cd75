"""What a path of a Linux host says of the file: anybody may write there, or somebody did not want it listed."""

from __future__ import annotations

TEMPORARY = ("/tmp/", "/var/tmp/", "/dev/shm/", "/dev/mqueue/", "/run/shm/", "/run/lock/", "/var/lock/")
# Programs unpack themselves here and run from there: AppImage mounts, PyInstaller.
UNPACKED = ("/tmp/.mount_", "/tmp/_MEI")
# Hidden folders in which tools keep programs, by their own documentation; anything else hidden was hidden by somebody.
TOOL_FOLDERS = frozenset(
    {
        ".acme.sh", ".asdf", ".bun", ".bundle", ".cabal", ".cache", ".cargo", ".composer", ".conda", ".config",
        ".cursor", ".cursor-server", ".deno", ".dotnet", ".dropbox-dist", ".env", ".fly", ".fnm", ".fzf", ".gem",
        ".ghcup", ".git", ".github", ".go", ".gradle", ".helm", ".jenkins", ".juliaup", ".krew", ".linkerd2",
        ".linuxbrew", ".local", ".m2", ".mambaforge", ".miniconda3", ".miniforge3", ".mix", ".nix-profile",
        ".node", ".nodenv", ".npm", ".npm-global", ".npm-packages", ".nvm", ".oh-my-zsh", ".opam", ".phpenv",
        ".pixi", ".plenv", ".pnpm-store", ".poetry", ".pulumi", ".pyenv", ".rbenv", ".rustup", ".rvm", ".rye",
        ".sdkman", ".serverless", ".snapshots", ".ssh", ".steam", ".terraform.d", ".tfenv", ".tox", ".venv",
        ".vim", ".virtualenvs", ".volta", ".vscode", ".vscode-server", ".windsurf-server", ".yarn", ".zinit",
        ".zplug",
    }
)  # fmt: skip
# The system's own folders: no tool keeps hidden folders here.
SYSTEM = ("/usr/bin/", "/usr/sbin/", "/usr/lib", "/bin/", "/sbin/", "/lib", "/etc/", "/dev/", "/boot/")
HOMES = ("/home/", "/root/", "~/", "$HOME/", "${HOME}/")


def is_temporary(path: str) -> bool:
    """Whether the path lies in a folder that anybody may write to and that is emptied by itself.

    >>> is_temporary("/var/tmp/.x/a"), is_temporary("/tmp/.mount_abc/usr/bin/app"), is_temporary("/usr/tmp.d/a")
    (True, False, False)
    """
    return path.startswith(TEMPORARY) and not path.startswith(UNPACKED)


def hidden_part(path: str) -> str | None:
    """The first part of the path that a plain listing leaves out and no tool is known to use; None when there is none.

    >>> hidden_part("/usr/lib/.cache/run"), hidden_part("/home/anna/.cache/run"), hidden_part("/opt/a/../b")
    ('.cache', None, None)
    """
    shown = path.split("/", 3)[-1] if path.startswith(UNPACKED) else path
    known = frozenset() if path.startswith(SYSTEM) else TOOL_FOLDERS
    for part in shown.split("/"):
        if part.startswith(".") and part not in (".", "..") and part not in known:
            return part
    return None


def in_home(path: str) -> bool:
    """Whether the path lies in somebody's own folder."""
    return path.startswith(HOMES)
