"""The campaign detection: why K = 5 and H = 40, and that a thousand quiet addresses are seen within a day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from davylamp.app.scan import ScanRequest, scan
from davylamp.catalog.detections.ssh_guessing_campaign.unit import SshGuessingCampaign

_PER_BLOCK = 100
_A, _B = 2.0, 26.0
_START = datetime(2026, 3, 1, tzinfo=UTC)
_NAMES = ("admin", "test", "oracle", "postgres", "pi", "ftp", "jenkins", "git", "ubuntu", "root")


def _honest(random: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Failures in 100 attempts of strangers: beta-binomial, mean 7.2, standard deviation 5.4."""
    return random.binomial(_PER_BLOCK, random.beta(_A, _B, shape)).astype(np.float64)


def _blocks_to_alarm(failures: npt.NDArray[np.float64], allowance: float, alarm: float) -> npt.NDArray[np.float64]:
    """For each row of blocks the number until the sum is over the alarm; the row's length when it never is."""
    rows, length = failures.shape
    total = np.zeros(rows)
    reached = np.full(rows, float(length))
    for step in range(length):
        total = np.maximum(0.0, total + failures[:, step] - 7.2 - allowance)
        over = (total > alarm) & (reached == length)
        reached[over] = step + 1
    return reached


def test_the_thresholds_are_what_the_simulation_supports() -> None:
    params: Mapping[str, object] = SshGuessingCampaign.params
    allowance, alarm = float(str(params["allowance_count"])), float(str(params["alarm_count"]))
    random = np.random.default_rng(1)
    clean = _honest(random, (400, 20_000))
    # Never reaching the end counts as its length, so the means of the slow settings are lower bounds.
    assert _blocks_to_alarm(clean[:, :4000], 3.0, 20.0).mean() < 250
    assert _blocks_to_alarm(clean, allowance, alarm).mean() > 7000
    attacked = np.minimum(_PER_BLOCK, _honest(random, (4000, 200)) + 10)
    assert _blocks_to_alarm(attacked, allowance, alarm).mean() == pytest.approx(8.8, abs=1.0)
    heavy = np.minimum(_PER_BLOCK, _honest(random, (4000, 200)) + 20)
    assert _blocks_to_alarm(heavy, allowance, alarm).mean() == pytest.approx(3.3, abs=0.5)


def test_a_binomial_model_would_alarm_on_honest_days() -> None:
    """With K and H for a binomial of the same mean (standard deviation 2.6), the same days alarm every few blocks."""
    random = np.random.default_rng(2)
    honest = _honest(random, (400, 2000))
    tossed = random.binomial(_PER_BLOCK, 0.072, (400, 2000)).astype(np.float64)
    assert _blocks_to_alarm(tossed, 1.5, 14.0).mean() > 1000
    assert _blocks_to_alarm(honest, 1.5, 14.0).mean() < 60


def _line(moment: datetime, host: str, pid: int, said: str) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ} {host} sshd[{pid}]: {said}\n"


def _staff(random: np.random.Generator, hours: int) -> Iterator[tuple[datetime, str]]:
    """300 people who log in twice a day to ten machines and mistype one time in eight."""
    for number in range(300 * hours // 12):
        moment = _START + timedelta(seconds=float(random.uniform(0, hours * 3600)))
        person, host = int(random.integers(300)), f"web{int(random.integers(10))}"
        source = f"198.51.{100 + person // 250}.{person % 250 + 1}"
        if random.random() < 0.125:
            early = moment - timedelta(seconds=8)
            yield early, _line(early, host, number, f"Failed password for user{person} from {source} port 9 ssh2")
        yield moment, _line(moment, host, number, f"Accepted password for user{person} from {source} port 9 ssh2")


def _botnet(random: np.random.Generator, hours: int) -> Iterator[tuple[datetime, str]]:
    """A thousand addresses, three attempts a day each, spread evenly."""
    for number in range(3000 * hours // 24):
        moment = _START + timedelta(seconds=float(random.uniform(0, hours * 3600)))
        bot, name = int(random.integers(1000)), _NAMES[int(random.integers(len(_NAMES)))]
        unknown = "" if name == "root" else "invalid user "
        said = f"Failed password for {unknown}{name} from 203.0.{bot // 250}.{bot % 250 + 1} port 9 ssh2"
        yield moment, _line(moment, f"web{int(random.integers(10))}", 9_000_000 + number, said)


def _findings(lines: Iterator[tuple[datetime, str]], folder: Path) -> list[dict[str, object]]:
    evidence = folder / "auth.log"
    evidence.write_text("".join(text for _, text in sorted(lines)))
    units = frozenset({"ssh_guessing_campaign", "ssh_guessing_burst", "ssh_login_after_guessing"})
    result = scan(ScanRequest(paths=(str(evidence),), case_folder=folder / "case", units=units))
    assert result.failures == ()
    findings: list[dict[str, object]] = result.document["findings"]
    return findings


def _both(random: np.random.Generator) -> Iterator[tuple[datetime, str]]:
    yield from _staff(random, 24)
    yield from _botnet(random, 24)


def test_a_thousand_quiet_addresses_are_one_finding_within_a_day(tmp_path: Path) -> None:
    [finding] = _findings(_both(np.random.default_rng(3)), tmp_path)
    assert finding["unit"] == "ssh_guessing_campaign"
    observables = finding["observables"]
    assert isinstance(observables, list)
    named = {item["value"] for item in observables}
    honest = {source for source in named if str(source).startswith("198.51.")}
    assert len(honest) <= len(named) / 100
    assert len(named - honest) >= 900
    assets = finding["assets"]
    assert isinstance(assets, list)
    assert len(assets) == 10


def test_honest_weeks_are_quiet(tmp_path: Path) -> None:
    assert _findings(_staff(np.random.default_rng(4), 14 * 24), tmp_path) == []
