"""The sensor as a program of its own: a spool that `davylamp scan` reads, and nothing heavy in its memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from davylamp.agent.spool import segments

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT / "src")}


def test_it_writes_a_spool_that_is_evidence_and_stays_small(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "davylamp.agent", str(tmp_path / "sensed")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT) as child:
        assert child.stdout is not None
        assert json.loads(child.stdout.readline())["kind"] == "started"
        time.sleep(1.5)
        status = Path(f"/proc/{child.pid}/status").read_text(encoding="ascii")
        maps = Path(f"/proc/{child.pid}/maps").read_text(encoding="utf-8", errors="replace")
        threads = len(list(Path(f"/proc/{child.pid}/task").iterdir()))
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=30) == 0
    resident_kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert resident_kib < 40 * 1024
    assert threads == 1
    assert not any(name in maps for name in ("duckdb", "pyarrow", "numpy"))
    folder = tmp_path / "sensed/spool"
    records = [json.loads(line) for name in segments(str(folder)) for line in (folder / name).read_text().splitlines()]
    kinds = {record["record"] for record in records}
    assert {"header", "process_activity", "sensor_state"} <= kinds
    own = [record for record in records if record.get("process_pid") == child.pid]
    assert any("davylamp.agent" in record.get("command_line", "") for record in own)


def test_a_spool_in_use_is_told_calmly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    command = [sys.executable, "-m", "davylamp.agent", str(tmp_path / "file")]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "cannot be used" in done.stderr
