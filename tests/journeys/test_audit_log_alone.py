"""An audit log alone: a miner's launch is an incident with its process, its money and its disguise."""

from __future__ import annotations

from pathlib import Path

from davylamp.app.scan import ScanRequest, scan

WALLET = "48edfHu7V9Z84YzzMa6fUueoELZ9ZRXq9VetWzYGzKt52XU5xvqgzYnDK9URnRoJMk1j8nLwEVsaSWJ4fhdUyZijBGUicoD"
WHO = (
    "a0=1 a1=2 a2=3 a3=0 items=2 ppid=700 pid={pid} auid=1000 uid=33 gid=33 euid=33 suid=33 fsuid=33 egid=33 sgid=33 "
    'fsgid=33 tty=(none) ses=3 comm="{name}" exe="{image}" key=(null)'
)


def launched(serial: int, pid: int, name: str, image: str, *arguments: str) -> str:
    head = f"node=db7 type={{}} msg=audit(1772510700.{serial:03d}:{serial}): "
    said = " ".join(f'a{place}="{argument}"' for place, argument in enumerate(arguments))
    call = "arch=c000003e syscall=59 success=yes exit=0 " + WHO.format(pid=pid, name=name, image=image)
    return f"{head.format('SYSCALL')}{call}\n{head.format('EXECVE')}argc={len(arguments)} {said}\n"


def test_a_launch_with_pool_and_wallet_is_an_incident_of_that_process(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(
        launched(1, 701, "kworker/0:1", "/tmp/.x/a", "[kworker/0:1]", "-o", "10.9.9.9:3333", "-u", WALLET)
        + launched(2, 702, "grep", "/usr/bin/grep", "grep", WALLET, "/var/log/syslog"),
        encoding="utf-8",
    )
    result = scan(ScanRequest(paths=(str(log),), case_folder=tmp_path / "case"))
    assert result.failures == ()
    (incident,) = result.document["incidents"]
    assert incident["title"] == "Crypto mining on db7"
    assert {asset["name"] for asset in incident["assets"]} == {"db7", "701@2026-03-03T04:05:00Z"}
    assert incident["cost"]["run_rate_usd_per_hour"] > 0
    found = {finding["unit"] for finding in result.document["findings"]}
    assert {"mining_process_strings", "kernel_thread_masquerade", "image_in_temporary_path"} <= found
    (look,) = [each for each in result.document["looks"] if each["unit"] == "hidden_process"]
    assert (look["outcome"], look["reason"].partition(",")[0]) == ("could_not_look", "no host was looked at")


def test_the_words_in_a_search_are_no_incident(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(launched(2, 702, "grep", "/usr/bin/grep", "grep", "-o", f"stratum+tcp://p:3333 {WALLET}", "x"))
    result = scan(ScanRequest(paths=(str(log),), case_folder=tmp_path / "case"))
    assert result.document["incidents"] == []
    assert result.document["findings"] == []
