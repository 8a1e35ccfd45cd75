"""The real daemons: OpenSSH's sshd on two machines, dnsmasq as the site's resolver."""

from __future__ import annotations

import subprocess
from pathlib import Path

from examples.make import plan
from examples.make.namespaces import run, within

SCRATCH = Path("/run/story")
HERE = Path("/run/here")
"""Where a machine's own log socket is seen from within; /dev/log is a link to it."""

# The copies cover the system's files in this process's own mount namespace and nowhere else.
_AS_HOST = """
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/shadow" /etc/shadow
mount --bind "$1/pam" /etc/pam.d/sshd
mount --bind "$1/run" /run/here
shift
exec "$@"
"""
_PAM = """\
auth required pam_unix.so nodelay
account required pam_unix.so
session required pam_unix.so
"""
_SSHD = """\
ListenAddress {address}
HostKey {folder}/host_key
PidFile none
UsePAM yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
AuthorizedKeysFile {scratch}/keys/%u
MaxStartups 100
UseDNS no
PrintMotd no
PrintLastLog no
"""
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def prepare_places() -> None:
    """Covers /run and /dev by our own, so that nothing of the system's is seen or changed."""
    run("mount", "-t", "tmpfs", "-o", "mode=755", "none", "/run")
    for folder in (SCRATCH, HERE, SCRATCH / "keys", SCRATCH / "dev", Path("/run/sshd"), Path("/run/netns")):
        folder.mkdir(parents=True, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "mode=755", "none", str(SCRATCH / "dev"))
    for name in _DEVICES:
        (SCRATCH / "dev" / name).touch()
        run("mount", "--bind", f"/dev/{name}", str(SCRATCH / "dev" / name))
    (SCRATCH / "dev" / "fd").symlink_to("/proc/self/fd")
    (SCRATCH / "dev" / "log").symlink_to(HERE / "log")
    run("mount", "--move", str(SCRATCH / "dev"), "/dev")
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(SCRATCH / "staff_key"))
    (SCRATCH / "keys" / plan.STAFF).write_bytes((SCRATCH / "staff_key.pub").read_bytes())


def start_sshd(host: str) -> subprocess.Popen[bytes]:
    """A real sshd on one machine, with users of its own."""
    folder = SCRATCH / host
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / "host_key"))
    word = plan.PASSWORD if host == "web1" else (SCRATCH / "staff_key").read_text(encoding="ascii")[60:90].strip()
    _write_users(folder, word)
    (folder / "pam").write_text(_PAM, encoding="ascii")
    text = _SSHD.format(address=plan.HOSTS[host], folder=folder, scratch=SCRATCH)
    (folder / "sshd_config").write_text(text, encoding="ascii")
    return _start(host, folder, ["/usr/sbin/sshd", "-D", "-f", str(folder / "sshd_config")])


def _write_users(folder: Path, word: str) -> None:
    sealed = subprocess.run(
        ["openssl", "passwd", "-6", "-salt", "story", "-stdin"],
        input=word + "\n",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    passwd = [line for line in Path("/etc/passwd").read_text(encoding="utf-8").splitlines() if _kept(line)]
    passwd += [f"{name}:x:{number}:65534::/:/bin/sh" for number, name in enumerate(_USERS, start=31001)]
    shadow = [f"{line.split(':')[0]}:*:20000:0:99999:7:::" for line in passwd if line.split(":")[0] != plan.USER]
    (folder / "passwd").write_text("\n".join(passwd) + "\n", encoding="utf-8")
    (folder / "shadow").write_text("\n".join([*shadow, f"{plan.USER}:{sealed}:20000:0:99999:7:::", ""]), "utf-8")
    (folder / "shadow").chmod(0o600)


_USERS = (plan.USER, plan.STAFF, "postgres")


def _kept(line: str) -> bool:
    name, _, number, *_ = line.split(":")
    return name not in _USERS and int(number) < 1000


def _start(host: str, folder: Path, command: list[str]) -> subprocess.Popen[bytes]:
    as_host = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-eu", "-c", _AS_HOST, host, str(folder)]
    return subprocess.Popen(
        within(host, [*as_host, *command]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def start_resolver() -> subprocess.Popen[bytes]:
    """dnsmasq that answers our own names, forwards nothing and knows no other server."""
    options = ["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-poll"]
    options += ["--bind-interfaces", f"--listen-address={plan.RESOLVER}", "--port=53", "--user=root", "--pid-file="]
    options += ["--log-queries", "--log-facility=DAEMON", "--cache-size=0"]
    options += [f"--address=/{name}/{address}" for name, address in plan.NAMES.items()]
    run("mount", "--bind", str(SCRATCH / "ns1" / "run"), str(HERE))
    return subprocess.Popen(
        ["dnsmasq", *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
