"""The campaign of November 2025 in any order and pace is seen before it launches, and the account's own work is not."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from davylamp.correlate.fusion import posterior
from davylamp.correlate.incidents import correlate
from davylamp.model.finding import Finding
from davylamp.model.incident import Incident
from davylamp.model.money import Cost
from tests.catalog.audit_campaign import (
    ACCOUNT,
    START,
    Caller,
    Record,
    accelerator_sweep,
    aws_service,
    clean_up_in_all_regions,
    container_theft,
    early_stages,
    first_training,
    in_account,
    large_rollout,
    launch,
    managed_campaign,
    managed_sweep,
    managed_theft,
    new_region,
    own_work,
    pipeline,
    pipeline_from,
    thief,
)
from tests.catalog.audit_rows import Trail, audit_unit, audit_units

BEGIN = START + timedelta(days=14, hours=3)


def _by_thief(found: list[Finding], account: str = ACCOUNT) -> list[Finding]:
    principal = f"principal:{thief().arn.replace(ACCOUNT, account)}"
    return [finding for finding in found if principal in finding.entities]


def _all(trail: Trail) -> list[Finding]:
    return [finding for unit in audit_units() for finding in trail.findings(unit)]


def _seen_ratio(seeds: range) -> float:
    """Share of sequences with a finding about the thief in what was recorded before the first launch.

    Each is played in an account of its own of one organisation, amid the same work: an account is judged by its own.
    """
    others = {}
    for seed in seeds:
        theirs, launched_at = early_stages(seed, BEGIN)
        others[f"{seed:012d}"] = (in_account(f"{seed:012d}", theirs), launched_at)
    found = _all(Trail.of_accounts(ACCOUNT, own_work(), others))
    return sum(bool(_by_thief(found, account)) for account in others) / len(seeds)


def test_sequences_are_seen_before_the_first_machine_starts() -> None:
    assert _seen_ratio(range(8)) >= 0.95


@pytest.mark.slow
def test_200_sequences_are_seen_before_the_first_machine_starts() -> None:
    assert _seen_ratio(range(1000, 1200)) >= 0.95


def test_the_account_s_own_month_is_quiet_but_for_the_first_weekly_fleet() -> None:
    found = _all(Trail(own_work()))
    assert {finding.unit for finding in found} <= {"compute_launch_burst", "audit_trail_impaired"}
    assert posterior(found) < 0.02, [finding.because for finding in found]


def test_the_launch_gives_burst_protection_and_price() -> None:
    trail = Trail([*own_work(), *launch(thief(), BEGIN, random.Random(3))])
    (burst,) = _by_thief(trail.findings(audit_unit("compute_launch_burst")))
    assert burst.llr >= 5
    assert "an hour" in burst.because and "$" in burst.because
    launched = [usage for usage in burst.compute if usage.model == "launched"]
    assert sum(usage.count for usage in launched) == 12
    assert all(usage.resource.startswith("i-") for usage in launched)
    assert {f"host:{usage.resource}" for usage in launched} <= set(burst.entities)
    (protected,) = _by_thief(trail.findings(audit_unit("termination_protection_on_new_instance")))
    assert sum(observable.type == "instance" for observable in protected.observables) == 12


def test_machines_that_a_thief_s_group_starts_are_the_thief_s() -> None:
    who, at = thief(), BEGIN
    group = who.call(
        at,
        "autoscaling",
        "CreateAutoScalingGroup",
        request={"autoScalingGroupName": "g0", "minSize": 20, "maxSize": 999},
    )
    service = aws_service("autoscaling", "AWSServiceRoleForAutoScaling")
    started = service.run_instances(at + timedelta(minutes=2), "c5.9xlarge", 20, group="g0")
    (burst,) = _by_thief(Trail([group, started]).findings(audit_unit("compute_launch_burst")))
    assert sum(usage.count for usage in burst.compute if usage.model == "launched") == 20


def test_ten_days_of_small_steps_are_seen() -> None:
    who = thief()
    days = [who.run_instances(BEGIN + timedelta(days=day), "c5.9xlarge", 2, seed=day) for day in range(10)]
    (burst,) = _by_thief(Trail([*own_work(), *days]).findings(audit_unit("compute_launch_burst")))
    assert burst.llr >= 1.5


def _incidents(trail: Trail) -> tuple[Incident, ...]:
    return correlate(_all(trail), {}, lambda usages: Cost(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, ()))


@pytest.mark.parametrize("day", [3, 10, 20])
def test_a_pipeline_that_opens_a_region_is_no_incident(day: int) -> None:
    trail = Trail([*own_work(), *new_region(START + timedelta(days=day, hours=9))])
    assert _incidents(trail) == ()


@pytest.mark.parametrize("day", [9, 16])
def test_a_pipeline_that_grows_is_no_incident(day: int) -> None:
    trail = Trail([*own_work(), *large_rollout(START + timedelta(days=day, hours=10))])
    assert _incidents(trail) == ()


@pytest.mark.parametrize("seed", range(6))
def test_the_whole_campaign_in_any_order_is_one_incident_of_the_thief(seed: int) -> None:
    early, launched_at = early_stages(seed, BEGIN)
    [made] = _incidents(Trail([*own_work(), *early, *launch(thief(), launched_at, random.Random(seed))]))
    assert made.entry_point is not None and thief().arn in made.entry_point.text
    assert "AKIAEXAMPLETHIEF0001" in made.entry_point.text
    assert "ASIAEXAMPLESERVICE01" not in made.entry_point.text


def test_mining_in_managed_services_alone_through_a_new_user_is_one_incident() -> None:
    [made] = _incidents(Trail([*own_work(), *managed_campaign(BEGIN)]))
    assert made.story[0].stage == "persistence"
    assert made.entry_point is not None and thief().arn in made.entry_point.text


def test_large_managed_jobs_in_five_regions_are_one_incident_and_in_two_none() -> None:
    [made] = _incidents(Trail([*own_work(), *managed_sweep(BEGIN, 5)]))
    assert made.entry_point is not None and thief().arn in made.entry_point.text
    assert _incidents(Trail([*own_work(), *managed_sweep(BEGIN, 2)])) == ()
    assert _incidents(Trail([*own_work(), *clean_up_in_all_regions(BEGIN)])) == ()


def test_accelerators_in_six_new_regions_by_a_stranger_are_one_incident() -> None:
    [made] = _incidents(Trail([*own_work(), *accelerator_sweep(thief(), BEGIN, 7)]))
    assert made.entry_point is not None and thief().arn in made.entry_point.text
    assert _incidents(Trail([*own_work(), *accelerator_sweep(thief(), BEGIN, 3)])) == ()
    assert _incidents(Trail([*own_work(), *accelerator_sweep(pipeline(), BEGIN, 7)])) == ()


def test_the_first_training_of_a_known_engineer_is_no_incident_and_from_a_strange_address_it_is_one() -> None:
    assert _incidents(Trail([*own_work(), *first_training(BEGIN, "203.0.113.44")])) == ()
    [made] = _incidents(Trail([*own_work(), *first_training(BEGIN, "198.51.100.77")]))
    assert made.entry_point is not None and "user/eve" in made.entry_point.text


THEFTS = (container_theft, managed_theft, lambda who, at: accelerator_sweep(who, at, 4))


@pytest.mark.parametrize("theft", THEFTS, ids=("containers", "managed", "accelerators"))
def test_launches_of_a_role_that_is_used_in_two_places_are_one_incident(
    theft: Callable[[Caller, datetime], list[Record]],
) -> None:
    [made] = _incidents(Trail([*own_work(), *theft(pipeline_from("198.51.100.77"), BEGIN)]))
    assert made.entry_point is not None and "took compute" in made.entry_point.text
    assert "198.51.100.77" in made.entry_point.text and "assumed-role/Deploy" in made.entry_point.text
    assert abs(made.first_seen - BEGIN.replace(tzinfo=UTC)) < timedelta(minutes=5), "and nothing the owner did is in it"
    assert _incidents(Trail([*own_work(), *theft(pipeline(), BEGIN)])) == (), "from where it always called"


def test_a_role_of_hosted_runners_is_nowhere_unfamiliar() -> None:
    moving = [
        {**record, "sourceIPAddress": f"{20 + (int(str(record['eventTime'])[8:10]) * 24 + number % 24) // 24}.7.3.9"}
        if record["sourceIPAddress"] == "203.0.113.20"
        else record
        for number, record in enumerate(own_work())
    ]
    for theft in THEFTS:
        trail = Trail([*moving, *theft(pipeline_from("198.51.100.77"), BEGIN)])
        assert trail.findings(audit_unit("launch_from_unfamiliar_network")) == []
        assert _incidents(trail) == ()


@pytest.mark.parametrize("later", [(), (BEGIN + timedelta(days=2),)], ids=("only moves", "opens a region"))
def test_a_pipeline_that_moved_for_good_is_no_incident(later: tuple[datetime, ...]) -> None:
    cut = f"{BEGIN:%Y-%m-%dT%H:%M:%SZ}"
    records = [*own_work(), *(record for at in later for record in new_region(at))]
    moved = [
        {**record, "sourceIPAddress": "198.51.100.20"}
        if record["sourceIPAddress"] == "203.0.113.20" and str(record["eventTime"]) >= cut
        else record
        for record in records
    ]
    assert _incidents(Trail(moved)) == ()


def test_a_busy_morning_a_week_before_is_not_the_beginning_of_a_theft() -> None:
    # Keys of a build server were stolen a week after its one large morning: told as one burst, the theft began there.
    who, week = thief(), timedelta(days=7)
    usual = who.run_instances(BEGIN, "c5.xlarge", 8)
    stolen = who.run_instances(BEGIN + week, "c5a.16xlarge", 40, "ap-south-1")
    found = Trail([*own_work(), usual, stolen]).findings(audit_unit("compute_launch_burst"))
    morning, theft = sorted(_by_thief(found), key=lambda each: each.first_seen)
    assert morning.last_seen < theft.first_seen and theft.first_seen.replace(tzinfo=None) == (BEGIN + week).replace(
        tzinfo=None
    )
    assert {usage.started_at for usage in theft.compute if usage.model == "launched"} == {theft.first_seen}
    assert morning.uid != theft.uid


def test_builds_have_the_size_of_their_project_and_plans_that_of_their_name() -> None:
    found = Trail([*own_work(), *managed_campaign(BEGIN)]).findings(audit_unit("serverless_or_build_compute_burst"))
    vcpus = {
        finding.title.split()[0]: sum(
            usage.count * (usage.vcpu or 0) for usage in finding.compute if usage.model != "requested"
        )
        for finding in found
        if "svc-health" in finding.because
    }
    assert vcpus["CodeBuild"] == 39 * 72
    assert vcpus["Lightsail"] == 12 * 8
