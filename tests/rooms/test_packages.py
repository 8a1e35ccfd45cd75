"""Whose a file is and whether it is unmodified, over package databases written into a scratch root."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from davylamp.agent import programs
from davylamp.agent.packages import Packages
from davylamp.agent.record import Look, Recorder

TOP = b"\x7fELF the real one"
CONF = b"as shipped\n"


def put(root: Path, path: str, data: bytes | str) -> Path:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data.encode() if isinstance(data, str) else data)
    return place


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def dpkg(root: Path) -> None:
    info = "/var/lib/dpkg/info"
    put(root, f"{info}/procps:amd64.list", "/.\n/bin\n/bin/top\n/etc\n/etc/top.conf\n/usr/bin/w\n")
    put(root, f"{info}/procps:amd64.md5sums", f"{md5(TOP)}  bin/top\n{md5(TOP)}  usr/bin/w\n")
    put(root, f"{info}/wrapper.list", "/.\n/usr/bin/w\n")
    put(root, f"{info}/wrapper.md5sums", f"{md5(b'wrapper')}  usr/bin/w\n")
    put(root, "/var/lib/dpkg/diversions", "/usr/bin/w\n/usr/bin/w.real\nwrapper\n")
    status = f"Package: procps\nStatus: install ok installed\nConffiles:\n /etc/top.conf {md5(CONF)}\n\n"
    put(root, "/var/lib/dpkg/status", status)


def apk(root: Path) -> None:
    sums = [
        "Q1" + base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode() for data in (TOP, CONF)
    ]
    put(
        root,
        "/lib/apk/db/installed",
        f"P:procps\nV:4\nF:usr/bin\nR:top\na:0:0:755\nZ:{sums[0]}\nF:etc\nR:top.conf\nZ:{sums[1]}\n\nP:none\nF:\nR:bare\n\n",
    )


def pacman(root: Path) -> None:
    folder = "/var/lib/pacman/local/procps-4-1"
    put(root, f"{folder}/files", "%FILES%\nusr/\nusr/bin/\nusr/bin/top\netc/top.conf\n\n%BACKUP%\netc/top.conf\t00\n")
    lines = [
        f"./{path} time=1.0 size=9 sha256digest={hashlib.sha256(data).hexdigest()}"
        for path, data in (("usr/bin/top", TOP), ("etc/top.conf", CONF))
    ]
    put(root, f"{folder}/mtree", gzip.compress("\n".join(["#mtree", *lines, ""]).encode()))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path, "/usr/bin/top", TOP)
    put(tmp_path, "/etc/top.conf", CONF)
    (tmp_path / "bin").symlink_to("usr/bin")
    return tmp_path


def packages_of(root: Path, written: list[str] | None = None) -> Packages:
    return Packages(Look(Recorder((written if written is not None else []).append, "host"), 0.0, str(root)))


@pytest.mark.parametrize("database", [dpkg, apk, pacman])
def test_a_package_says_whether_its_file_is_as_it_brought_it(root: Path, database: Callable[[Path], None]) -> None:
    database(root)
    packages = packages_of(root)
    package = "procps-4-1" if database is pacman else "procps"
    assert packages.owner("/usr/bin/top") == (package, "unmodified")
    assert packages.owner("/bin/top") == (package, "unmodified")
    assert packages.owner("/etc/top.conf") == (package, "unmodified")
    put(root, "/usr/bin/top", b"\x7fELF another one")
    put(root, "/etc/top.conf", b"administrator's\n")
    assert packages.owner("/bin/top") == (package, "modified")
    assert packages.owner("/etc/top.conf") == (package, "configured")
    put(root, "/usr/bin/topp", TOP)
    assert packages.owner("/usr/bin/topp") == (None, "unowned")
    assert packages.owner("/usr/bin/gone") == (None, "unknown")


SPEC = """Name: procps
Version: 4
Release: 1
Summary: top
License: none
BuildArch: noarch
%description
top
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/etc
printf real > %{buildroot}/usr/bin/top
printf conf > %{buildroot}/etc/top.conf
%files
/usr/bin/top
%config(noreplace) /etc/top.conf
"""


@pytest.mark.skipif(programs.find("rpmbuild") is None, reason="builds a package with rpmbuild, which is not installed")
def test_rpm_says_it_of_a_package_it_installed(tmp_path: Path) -> None:
    put(tmp_path, "top.spec", SPEC)
    root = tmp_path / "root"
    own = ["--define", f"_topdir {tmp_path}", "--define", f"_dbpath {tmp_path}/build"]
    subprocess.run(["rpmbuild", "-bb", *own, str(tmp_path / "top.spec")], check=True, capture_output=True)
    [built] = (tmp_path / "RPMS").rglob("*.rpm")
    there = ["rpm", "--root", str(root), "--dbpath", "/var/lib/rpm"]
    for arguments in (["--initdb"], ["-i", "--nodeps", str(built)]):
        subprocess.run([*there, *arguments], check=True, capture_output=True)
    packages = packages_of(root)
    assert packages.owner("/usr/bin/top") == ("procps", "unmodified")
    put(root, "/usr/bin/top", b"another")
    put(root, "/etc/top.conf", b"administrator's")
    put(root, "/usr/bin/other", b"x")
    assert packages.owner("/usr/bin/top") == ("procps", "modified")
    assert packages.owner("/etc/top.conf") == ("procps", "configured")
    assert packages.owner("/usr/bin/other") == (None, "unowned")


def test_a_diverted_file_is_its_packages_under_the_other_name(root: Path) -> None:
    dpkg(root)
    put(root, "/usr/bin/w", b"wrapper")
    put(root, "/usr/bin/w.real", TOP)
    packages = packages_of(root)
    assert packages.owner("/usr/bin/w") == ("wrapper", "unmodified")
    assert packages.owner("/usr/bin/w.real") == ("procps", "unmodified")
    put(root, "/usr/bin/w", TOP)
    assert packages.owner("/usr/bin/w") == ("wrapper", "modified")


def test_an_image_without_a_package_manager_keeps_status_d(root: Path) -> None:
    put(root, "/var/lib/dpkg/status.d/base.md5sums", f"{md5(TOP)}  usr/bin/top\n")
    assert packages_of(root).owner("/usr/bin/top") == ("base", "unmodified")


def test_without_a_database_it_says_that_it_could_not_look(root: Path) -> None:
    written: list[str] = []
    assert packages_of(root, written).owner("/usr/bin/top") == (None, "unknown")
    states = [json.loads(line) for line in written]
    assert [state["kind"] for state in states] == ["could_not_look"]


@pytest.mark.parametrize("database", [dpkg, apk, pacman])
def test_a_spoiled_database_and_odd_files_do_no_harm(root: Path, database: Callable[[Path], None]) -> None:
    database(root)
    for place in (root / "var", root / "lib"):
        for file in [path for path in place.rglob("*") if path.is_file()]:
            data = file.read_bytes()
            file.write_bytes(b"\xff\x00" + data[: len(data) // 2] + b"\n\xc3\x28\n" + data[::-1])
    (root / "usr/bin/loop").symlink_to("loop")
    packages = packages_of(root)
    for path in ("/usr/bin/top", "/usr/bin/loop", "", "/", "/nul\x00", "relative", "/a\nb"):
        owner, state = packages.owner(path)
        assert state in ("unmodified", "modified", "configured", "unowned", "unknown"), (path, owner)
