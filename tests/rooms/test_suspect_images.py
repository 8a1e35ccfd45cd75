"""Images of suspects: what the rules see in harmless files that hold such words, and what they leave alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davylamp.agent import procfs
from davylamp.agent.record import Recorder
from davylamp.app.suspect_images import look_into_images
from davylamp.intel.image_rules import ImageRules, can_match

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "davylamp"
TALK = ("mining.subscribe", "mining.authorize", "mining.submit", "mining.notify", "mining.set_difficulty")
NAMES = ("rx/0", "rx/wow", "cn/r", "kawpow", "ghostrider", "argon2/chukwa")
OPTIONS = ("--donate-level", "--max-threads-hint", "--randomx-mode", "--cpu-affinity", "--rig-id", "--coin")


@pytest.fixture(scope="module")
def rules() -> ImageRules:
    if not can_match():
        pytest.skip("not looked at: YARA-X is not installed (pip install 'davylamp[yara]')")
    return ImageRules()


def image(folder: Path, *words: str) -> Path:
    """A copy of `sleep` with words behind its end, which it never reads."""
    made = folder / "dbus-worker"
    made.write_bytes(Path(shutil.which("sleep") or "/bin/sleep").read_bytes() + "\0".join(("", *words, "")).encode())
    made.chmod(0o755)
    return made


def test_kinds_of_words_are_told_apart(rules: ImageRules, tmp_path: Path) -> None:
    match = rules.match_file(str(image(tmp_path, *TALK, *NAMES, *OPTIONS)))
    assert match.rules == ("mining_algorithm_names", "mining_dialogue_words", "mining_program_options")
    assert match.strings_count >= 15
    assert rules.match_file(str(image(tmp_path, *TALK[:4], *NAMES[:3], "stratum+tcp://"))).rules == ()


def test_a_list_of_all_the_words_is_no_program(rules: ImageRules, tmp_path: Path) -> None:
    text = tmp_path / "block-list.txt"
    text.write_text("\n".join((*TALK, *NAMES, *OPTIONS)), encoding="ascii")
    assert rules.match_file(str(text)).rules == ()


def test_ordinary_programs_and_our_own_files_match_nothing(rules: ImageRules) -> None:
    named = [shutil.which(name) for name in ("sh", "openssl", "git", "perl", "ssh", "tar", "python3")]
    programs = [path for path in (*named, sys.executable) if path]
    own = [path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in (".yar", ".pyc")]
    assert len(own) > 300
    matched = {str(path): rules.match_file(str(path)).rules for path in (*programs, *own)}
    assert {path: found for path, found in matched.items() if found} == {}


def test_a_file_that_is_gone_is_an_error_of_reading(rules: ImageRules, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="could not be looked into"):
        rules.match_file(str(tmp_path / "none"))


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    made = image(tmp_path, *TALK, *NAMES, *OPTIONS)
    process = subprocess.Popen([made, "60"])
    made.unlink()
    yield process
    process.kill()
    process.wait()


def test_a_removed_image_is_read_through_its_process(
    rules: ImageRules, worker: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    evidence = tmp_path / "look.jsonl"
    stat = procfs.stat_of(worker.pid)
    assert stat is not None
    started_at = procfs.started_at(stat, procfs.boot_at())
    with evidence.open("w", encoding="ascii") as out:
        recorder = Recorder(out.write)
        recorder.header(time.time())
        columns: dict[str, Any] = {"process_pid": worker.pid, "image_path": "/x/dbus-worker", "image_state": "deleted"}
        # The same pid at another time is another process, whose image is not there to be read.
        for start, uid in ((started_at, "1:2"), (1.0, "1:3")):
            told = columns | {"process_started_at": start, "image_uid": uid}
            recorder.record("process_activity", time.time(), activity="snapshot", **told)
    look_into_images(evidence)
    records = [json.loads(line) for line in evidence.read_text(encoding="ascii").splitlines()]
    (found,) = [each for each in records if each["record"] == "image_content"]
    assert found["process_pid"] == worker.pid
    assert len(found["rules"]) == 3
    assert len(found["image_sha256"]) == 64
