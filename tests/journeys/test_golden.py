"""Every data set is scanned whole; what it counts is a golden number, and without mining there is no incident."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools.data_sets import SETS, DataSet
from tools.golden import BENIGN, GOLDEN, benign_findings, counts, differences, read

from tests.journeys.conftest import Scans

pytestmark = pytest.mark.slow
EACH = [pytest.param(each, id=each.name) for each in SETS]
BENIGN_ONES = [pytest.param(each, id=each.name) for each in SETS if each.benign]
# What must never be seen where nobody mines; the other detections see guessing or acts in an account, which are there.
OF_MINING_ALONE = frozenset(
    {
        "mining_dialogue",
        "mining_message_rhythm",
        "pool_domain_lookup",
        "pool_endpoint_contact",
        "pool_like_name",
        "pool_server_name",
        "compute_launch_burst",
        "container_task_at_full_size",
        "serverless_or_build_compute_burst",
        "cpu_floor_raised",
        "quota_probe",
    }
)


@pytest.mark.parametrize("data_set", EACH)
def test_a_set_gives_its_golden_numbers(data_set: DataSet, scans: Scans) -> None:
    changed = list(differences(read(data_set.name), counts(data_set, scans.document(data_set.name))))
    assert not changed, "\n".join([f"{data_set.name} ({data_set.says}); if it is meant: make golden", *changed])


@pytest.mark.parametrize("data_set", BENIGN_ONES)
def test_without_mining_there_is_no_incident_and_no_sign_of_mining(data_set: DataSet, scans: Scans) -> None:
    document = scans.document(data_set.name)
    assert [each["title"] for each in document["incidents"]] == []
    assert [each["because"] for each in document["findings"] if each["unit"] in OF_MINING_ALONE] == []


@pytest.mark.parametrize("data_set", EACH)
def test_what_was_not_read_is_said(data_set: DataSet, scans: Scans) -> None:
    result = scans.result(data_set.name)
    for row in result.document["coverage"]:
        assert row["state"] in ("read", "partial", "unrecognized")
        assert row["state"] == "read" or row["reason"]
        assert row["rejected_count"] == 0 or row["rejects"]
    states = {row["state"] for row in result.document["coverage"]}
    assert result.exit_code == (0 if states == {"read"} else 3 if states == {"unrecognized"} else 4)


def test_no_set_is_passed_over(data: Path) -> None:
    named = {each.folder or each.name for each in SETS}
    assert named == {path.name for path in data.iterdir() if path.is_dir()}


def test_the_table_of_benign_findings_is_the_sum_of_the_sets() -> None:
    goldens = {each.name: read(each.name) for each in SETS}
    assert list(differences(read(BENIGN), benign_findings(goldens))) == []
    assert {path.stem for path in GOLDEN.iterdir()} == {*goldens, BENIGN}


def test_a_difference_is_told_by_its_place() -> None:
    old, new = {"rows_count": {"pcap": {"dns_activity": 12}}}, {"rows_count": {"pcap": {"dns_activity": 13}}}
    assert list(differences(old, new)) == ["rows_count.pcap.dns_activity: 12 -> 13"]
    assert list(differences({}, new)) == ['rows_count: null -> {"pcap": {"dns_activity": 13}}']
    assert list(differences(new, new)) == []
