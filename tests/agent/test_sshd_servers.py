"""A second sshd is asked with its own arguments, unless somebody else than root could have shaped what would be run."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from davylamp.agent import programs
from davylamp.agent.files import HostFiles
from davylamp.agent.packages import Packages
from davylamp.agent.record import Look, Recorder
from davylamp.agent.settings import sshd_options
from davylamp.agent.settings.sshd_servers import SshServer, _words, kept_arguments

SSHD = programs.find("sshd")
needs_sshd = pytest.mark.skipif(os.geteuid() != 0 or SSHD is None, reason="starts an sshd, as root")


@pytest.mark.parametrize(
    ("command_line", "kept"),
    [
        (b"sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups\0\0\0", ()),
        (b"sshd: /usr/sbin/sshd -f /opt/a.conf -p 2222 [listener] 0 of 10-100 startups", ("-f", "/opt/a.conf")),
        (b"/usr/sbin/sshd\0-D\0-e\0-f\0/opt/with space\0", ("-f", "/opt/with space")),
        (b"/usr/sbin/sshd\0-Df/opt/a.conf\0-oPort=2222\0", ("-f", "/opt/a.conf", "-o", "Port=2222")),
        (
            b"sshd: /usr/sbin/sshd -o PermitRootLogin yes -o UsePAM=no -D [listener] 0 of 10-100 startups",
            ("-o", "PermitRootLogin yes", "-o", "UsePAM=no"),
        ),
        (b"/usr/sbin/sshd\0-D\0-E\0-o\0", ()),  # -E takes the next word, whatever it looks like
        (b"/usr/sbin/sshd\0-f\0", ("-f", "")),
        (b"sshd: -f /home/eve/x [priv]\0", ()),  # a session shows whoever logs in
        (b"sshd: eve@pts/0 -o PermitRootLogin=yes\0", ()),
        (b"\0\0", ()),
        (b"", ()),
        (b"/usr/sbin/sshd\0-o\0\xff\xfe\0", ("-o", "\udcff\udcfe")),
    ],
)
def test_arguments_are_those_of_a_server_that_listens(command_line: bytes, kept: tuple[str, ...]) -> None:
    assert kept_arguments(_words(command_line)) == kept


def test_the_last_file_holds_and_the_server_is_shown_as_somebody_would_type_it() -> None:
    server = SshServer(7, ("-f", "/a", "-o", "PermitRootLogin yes", "-f", "/b"))
    assert server.file == "/b"
    assert server.shown == "sshd -f /a -o 'PermitRootLogin yes' -f /b"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not in the temporary folder, in which everybody may write."""
    made = Path(tempfile.mkdtemp(prefix="davylamp-test-", dir="/run"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Path]:
    """An sshd on a loopback address with a file of its own; gives the file."""
    assert SSHD is not None
    Path("/run/sshd").mkdir(exist_ok=True)
    key, configuration = folder / "key", folder / "sshd.conf"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {key}\nPidFile none\nPermitRootLogin yes\n"
        "PasswordAuthentication yes\nMatch Address 10.0.0.0/8\n  PermitEmptyPasswords yes\n"
    )
    configuration.chmod(0o644)
    with subprocess.Popen([SSHD, "-D", "-f", str(configuration), *options], stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(port)
            yield configuration
        finally:
            server.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("sshd does not listen")


def collected() -> tuple[dict[str, dict[str, object]], dict[str, str]]:
    """Options by name, and what could not be asked."""
    lines: list[str] = []
    look = Look(Recorder(lines.append), time.time())
    sshd_options.collect(HostFiles(look), Packages(look))
    rows = [json.loads(line) for line in lines]
    options = {str(row["name"]): row for row in rows if row.get("kind") == "sshd_option"}
    return options, {row["name"]: row["reason"] for row in rows if row.get("kind") == "could_not_look"}


@pytest.mark.live
@needs_sshd
def test_a_server_with_its_own_file_and_options_is_asked_for_what_takes_effect(folder: Path) -> None:
    with serving(folder, "-o", "PermitEmptyPasswords=yes") as configuration:
        options, _ = collected()
    server = f"[sshd -f {configuration} -o PermitEmptyPasswords=yes]"
    assert options[f"{server} permitemptypasswords"]["value"] == "yes"
    root = options[f"{server} permitrootlogin"]
    assert (root["value"], root["file_path"], root["file_line"]) == ("yes", str(configuration), 4)
    assert options[f"{server} match: permitemptypasswords"]["value"] == "yes [Address 10.0.0.0/8]"
    assert not any(name.startswith("[") and not name.startswith(server) for name in options)


@pytest.mark.live
@needs_sshd
@pytest.mark.parametrize(
    ("shaped", "words"),
    [
        (lambda file: file.chmod(0o666), "others than root may write to"),
        (lambda file: file.parent.chmod(0o777), "others than root may write to"),
        (lambda file: os.chown(file, 65534, 65534), "belongs to user 65534"),
        (lambda file: file.unlink(), "is gone"),
    ],
)
def test_what_another_user_could_have_shaped_is_not_run_and_coverage_says_so(
    folder: Path, shaped: object, words: str
) -> None:
    with serving(folder) as configuration:
        assert callable(shaped)
        shaped(configuration)
        options, refused = collected()
    assert not any(name.startswith("[") for name in options)
    assert words in refused[f"options of `sshd -f {configuration}`"]


@pytest.mark.live
@needs_sshd
def test_a_server_in_a_file_system_of_its_own_is_not_asked(folder: Path) -> None:
    with serving(folder) as configuration:
        pass
    apart = ["unshare", "--mount", str(SSHD), "-D", "-f", str(configuration)]
    with subprocess.Popen(apart, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(int(configuration.read_text().split()[1].rpartition(":")[2]))
            options, refused = collected()
        finally:
            server.terminate()
    assert not any(name.startswith("[") for name in options)
    assert "a file system of its own" in refused[f"options of `sshd -f {configuration}`"]
