"""PAM: programs that log-ins run, and modules that no package left so."""

from __future__ import annotations

import re

from davylamp.agent.startup.item import ITEMS_PER_FILE_COUNT, StartupItems

# Where PAM's modules lie; the middle folder is the multiarch triplet.
LIBRARIES = ("/usr/lib/security", "/usr/lib64/security", "/lib/security", "/lib64/security", "/usr/local/lib/security")
PARENTS = ("/usr/lib", "/lib")
TRIPLET = re.compile(r"^[a-z0-9_]+-linux-[a-z0-9]+$")
EXEC = re.compile(r"\bpam_exec\.so\b(.*)$")
MODULE = re.compile(r"(?:^|\s)(/\S+\.so)\b")


def collect(items: StartupItems) -> None:
    """`pam_exec` lines, modules named by a path, and modules that are unowned or differ from their package."""
    for path in ["/etc/pam.conf", *items.files.paths("/etc/pam.d")]:
        for number, line in items.files.lines(path):
            if line.lstrip().startswith("#") or number > ITEMS_PER_FILE_COUNT:
                continue
            name = path.rpartition("/")[2]
            ran, module = EXEC.search(line), MODULE.search(line)
            if ran:
                command = " ".join(word for word in ran.group(1).split() if "/" in word or not _is_option(word))
                items.add("pam", path, name=name, command=command or line.strip(), user_name="root", line=number)
            elif module:
                items.add(
                    "pam", path, name=name, command=module.group(1), program=module.group(1), line=number, follow=False
                )
    for folder in _module_folders(items):
        for path in items.files.paths(folder):
            if path.endswith(".so") and items.packages.owner(path)[1] not in ("unmodified", "unknown"):
                items.add("pam", path, name=path.rpartition("/")[2], command=path, program=path, follow=False)


def _is_option(word: str) -> bool:
    return word in ("quiet", "seteuid", "debug", "expose_authtok", "stdout") or word.startswith(("type=", "log="))


def _module_folders(items: StartupItems) -> list[str]:
    triplets = [
        f"{parent}/{name}/security" for parent in PARENTS for name in items.files.names(parent) if TRIPLET.match(name)
    ]
    folders = [folder for folder in (*LIBRARIES, *triplets) if items.files.stat(folder) is not None]
    return list({items.files.resolve(folder): folder for folder in folders}.values())
