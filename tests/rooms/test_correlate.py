"""Fusion, graph, story: what makes an incident, what joins it, and how it is told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davylamp.correlate.fusion import FACT_PROBABILITY, PRIOR_PROBABILITY, fused_llr, is_incident, posterior
from davylamp.correlate.incidents import correlate
from davylamp.model.asset import Asset
from davylamp.model.finding import AssetRef, Evidence, Finding, Observable
from davylamp.model.incident import Incident
from davylamp.model.money import Cost
from davylamp.model.severity import Confidence, Severity
from davylamp.model.usage import ComputeUsage

T0 = datetime(2026, 3, 4, 2, 0, tzinfo=UTC)


def finding(
    unit: str,
    group: str,
    llr: float,
    *,
    at_h: float = 0.0,
    lasts_h: float = 0.0,
    stage: str = "mining",
    fact: bool = False,
    hosts: Sequence[str] = ("web1",),
    accounts: Sequence[str] = (),
    process: str = "",
    entities: Sequence[str] = (),
) -> Finding:
    assets = (*(AssetRef("host", name) for name in hosts), *(AssetRef("account", name) for name in accounts))
    assets += (AssetRef("process", process),) if process else ()
    first = T0 + timedelta(hours=at_h)
    return Finding(
        uid="-".join(part for part in (unit, *hosts, process, str(at_h)) if part),
        unit=unit,
        title=unit,
        group=group,
        severity=Severity.MEDIUM,
        confidence=Confidence.MEDIUM,
        llr=llr,
        stage=stage,
        fact=fact,
        techniques=(),
        assets=assets,
        observables=(),
        first_seen=first,
        last_seen=first + timedelta(hours=lasts_h),
        because=f"{unit} at {at_h}",
        evidence=(),
        evidence_count=0,
        entities=tuple(sorted({*(f"{asset.kind}:{asset.name}" for asset in assets), *entities})),
    )


def no_cost(usages: Sequence[ComputeUsage]) -> Cost:
    return Cost(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, tuple(usage.basis for usage in usages))


def incidents(*findings: Finding, assets: dict[str, Asset] | None = None) -> tuple[Incident, ...]:
    return correlate(findings, assets or {}, no_cost)


def test_one_group_alone_is_no_incident_however_strong() -> None:
    assert incidents(finding("a", "name", 9.0), finding("b", "name", 9.0), finding("c", "name", 9.0)) == ()


def test_two_groups_make_one_incident() -> None:
    [made] = incidents(finding("a", "name", 6.5), finding("b", "wire", 6.5))
    assert made.probability > 0.9
    assert len(made.findings) == 2


def test_two_weak_groups_do_not() -> None:
    assert incidents(finding("a", "name", 3.0), finding("b", "wire", 3.0)) == ()


def test_oddities_of_two_processes_are_not_added_up() -> None:
    computes = finding("steady", "host_cpu", 6.5, process="1@a")
    assert incidents(computes, finding("image", "host_identity", 6.5, process="2@b")) == ()
    [made] = incidents(computes, finding("image", "host_identity", 6.5, process="1@a"))
    assert [asset.name for asset in made.assets if asset.kind == "process"] == ["1@a"]


def test_what_is_known_of_the_host_counts_with_each_of_its_processes() -> None:
    [made] = incidents(finding("cron", "audit", 6.0), finding("steady", "host_cpu", 6.0, process="1@a"))
    assert made.probability > 0.9


def test_a_daemon_or_a_job_beside_the_miner_is_no_part_of_the_story() -> None:
    daemon = finding("image", "host_identity", 1.0, process="2@b")
    job = finding("steady", "host_cpu", 5.0, process="3@c")
    [made] = incidents(finding("dialogue", "wire", 9.0, fact=True, process="1@a"), daemon, job)
    assert [asset.name for asset in made.assets if asset.kind == "process"] == ["1@a"]
    assert {daemon.uid, job.uid}.isdisjoint(made.findings)


def test_two_hosts_that_give_one_pid_in_one_second_are_not_joined() -> None:
    both = [finding("dialogue", "wire", 9.0, fact=True, process="1@a", hosts=(name,)) for name in ("web1", "web2")]
    assert len(incidents(*both)) == 2


def test_a_process_is_frozen_before_anything_is_lost() -> None:
    [made] = incidents(finding("dialogue", "wire", 9.0, fact=True, process="4242@2026-03-04T02:00:00Z"))
    assert any("kill -STOP 4242" in step for step in made.next_steps)
    assert any("/proc/4242/exe" in step for step in made.next_steps)


def test_what_computes_after_a_break_in_is_part_of_it_and_what_did_before_is_not() -> None:
    login = finding("login", "auth", 8.0, stage="access", fact=True)
    before = finding("steady", "host_cpu", 5.0, at_h=-3, process="2@b")
    after = finding("steady", "host_cpu", 5.0, at_h=1, process="3@c")
    [made] = incidents(login, before, after)
    assert [asset.name for asset in made.assets if asset.kind == "process"] == ["3@c"]


def test_a_fact_alone_is_an_incident() -> None:
    [made] = incidents(finding("dialogue", "wire", 9.0, fact=True))
    assert made.probability >= FACT_PROBABILITY


def test_three_audit_stages_of_one_principal_are_enough_and_two_are_not() -> None:
    def act(unit: str, stage: str, principal: str = "arn:eve") -> Finding:
        return finding(unit, "audit", 6.0, stage=stage, hosts=(), accounts=("1",), entities=(f"principal:{principal}",))

    three = [act("probe", "discovery"), act("launch", "mining"), act("protect", "persistence")]
    assert len(incidents(*three)) == 1
    assert incidents(*three[:2]) == ()
    other = act("protect", "persistence", "arn:bob")
    assert incidents(*three[:2], other) == ()


def test_within_a_group_the_strongest_counts_in_full_and_the_rest_at_a_fraction() -> None:
    assert fused_llr([finding("a", "name", 4.0), finding("b", "name", 2.0)]) == pytest.approx(4.6)
    assert fused_llr([finding("a", "name", 4.0), finding("b", "wire", 2.0)]) == pytest.approx(6.0)


def test_two_groups_that_begin_in_the_same_hour_say_a_little_more_than_two_that_do_not() -> None:
    together = [finding("a", "name", 4.0), finding("b", "wire", 3.0, at_h=0.9)]
    apart = [finding("a", "name", 4.0), finding("b", "wire", 3.0, at_h=1.1)]
    one_group = [finding("a", "name", 4.0), finding("b", "name", 3.0)]
    assert fused_llr(together) == pytest.approx(8.0)
    assert fused_llr(apart) == pytest.approx(7.0)
    assert fused_llr(one_group) == pytest.approx(4.9)


def test_no_evidence_leaves_the_prior() -> None:
    assert posterior([]) == pytest.approx(PRIOR_PROBABILITY)


@given(st.lists(st.tuples(st.sampled_from(["name", "wire", "auth", "cost"]), st.floats(0, 9)), max_size=8))
def test_more_evidence_never_lowers_the_posterior(parts: list[tuple[str, float]]) -> None:
    members = [finding(f"u{number}", group, llr) for number, (group, llr) in enumerate(parts)]
    grown = [posterior(members[:count]) for count in range(len(members) + 1)]
    assert all(math.isfinite(each) and 0 < each < 1 for each in grown)
    assert grown == sorted(grown)


def test_the_neighbour_that_was_only_guessed_at_is_in_no_incident() -> None:
    source = "ip:203.0.113.7"
    [made] = incidents(
        finding("burst", "auth", 2.0, at_h=-1, stage="reconnaissance", entities=(source,)),
        finding("login", "auth", 8.0, at_h=0, stage="access", fact=True, entities=(source,)),
        finding("dialogue", "wire", 9.0, at_h=0.1, fact=True),
        finding("burst", "auth", 2.0, at_h=-1, stage="reconnaissance", hosts=("web2",), entities=(source,)),
    )
    assert {asset.name for asset in made.assets} == {"web1"}
    assert made.entry_point is not None
    assert made.entry_point.finding == "login-web1-0"
    assert [line.stage for line in made.story] == ["reconnaissance", "access", "mining"]


def test_a_campaign_over_many_hosts_joins_the_incident_but_lends_it_no_assets() -> None:
    campaign = finding("campaign", "auth", 3.0, at_h=-2, stage="reconnaissance", hosts=("web1", "web2", "db1"))
    [made] = incidents(campaign, finding("dialogue", "wire", 9.0, fact=True))
    assert campaign.uid in made.findings
    assert {asset.name for asset in made.assets} == {"web1"}


def test_neighbours_that_a_campaign_names_are_not_told_to_be_cut_off() -> None:
    """The guessed neighbour of a mining machine was to be cut off and to have its passwords changed."""
    campaign = finding("campaign", "auth", 3.0, at_h=-2, stage="reconnaissance", hosts=("web1", "web2", "db1"))
    login = finding("login", "auth", 8.0, stage="access", fact=True)
    [made] = incidents(campaign, login, finding("dialogue", "wire", 9.0, at_h=0.1, fact=True))
    steps = " ".join(made.next_steps)
    assert "Cut web1 off" in steps
    assert "web2" not in steps
    assert "db1" not in steps


def test_two_hosts_entered_from_one_address_are_one_intrusion() -> None:
    source = "ip:203.0.113.7"
    [made] = incidents(
        finding("login", "auth", 8.0, stage="access", fact=True, entities=(source,)),
        finding("login", "auth", 8.0, at_h=1, stage="access", fact=True, hosts=("web2",), entities=(source,)),
    )
    assert {asset.name for asset in made.assets} == {"web1", "web2"}


def test_an_entry_days_before_still_is_the_entry_and_other_gaps_end_a_story() -> None:
    login = finding("login", "auth", 8.0, at_h=-24 * 9, stage="access", fact=True)
    dialogue = finding("dialogue", "wire", 9.0, fact=True)
    [made] = incidents(login, dialogue)
    assert made.entry_point is not None and made.entry_point.finding == login.uid
    old_lookup = finding("lookup", "name", 6.0, at_h=-24 * 9)
    [alone] = incidents(old_lookup, dialogue)
    assert alone.findings == (dialogue.uid,)


def test_a_later_success_is_not_the_way_in() -> None:
    before = finding("login", "auth", 8.0, at_h=-1, stage="access", fact=True, entities=("ip:203.0.113.7",))
    after = finding("login", "auth", 8.0, at_h=2, stage="access", fact=True, entities=("ip:203.0.113.9",))
    [made] = incidents(before, finding("dialogue", "wire", 9.0, fact=True), after)
    assert made.entry_point is not None and made.entry_point.finding == before.uid


def test_a_process_that_seems_a_second_older_than_the_login_that_started_it_was_started_by_it() -> None:
    login = finding("ssh_login_after_guessing", "auth", 7.0, stage="access", fact=True)
    for early_s, known in ((1.0, True), (30.0, False)):
        miner = finding(
            "mining_dialogue", "wire", 7.0, at_h=-early_s / 3600, fact=True, process="7@2026-03-04T02:00:00Z"
        )
        (incident,) = incidents(miner, login)
        assert (incident.entry_point is not None) is known


def test_a_launched_instance_joins_the_host_findings_on_it() -> None:
    asset = Asset("batch-7", instance_id="i-0abc")
    launch = finding("launch", "audit", 5.0, hosts=(), accounts=("1",), entities=("principal:arn:eve", "host:i-0abc"))
    lookup = finding("lookup", "name", 7.0, at_h=1, hosts=("batch-7",))
    [made] = incidents(launch, lookup, assets={"batch-7": asset})
    assert set(made.findings) == {launch.uid, lookup.uid}


def test_order_of_findings_does_not_matter() -> None:
    parts = [
        finding("login", "auth", 8.0, at_h=-1, stage="access", fact=True),
        finding("lookup", "name", 7.0),
        finding("dialogue", "wire", 9.0, at_h=0.5, fact=True),
    ]
    assert incidents(*parts) == incidents(*reversed(parts))


def test_is_incident_ignores_groups_that_say_nothing() -> None:
    assert not is_incident([finding("a", "name", 14.0), finding("b", "wire", 0.0)])


def guess(at_h: float, source: str, *, lasts_h: float = 1.0, host: str = "web1") -> Finding:
    return finding(
        f"ssh_guessing_burst-{source}",
        "auth",
        1.5,
        at_h=at_h,
        lasts_h=lasts_h,
        stage="reconnaissance",
        hosts=(host,),
        entities=(f"ip:{source}",),
    )


def test_a_month_of_strangers_guessing_is_no_part_of_one_night() -> None:
    strangers = [guess(-12.0 * number, f"198.51.100.{number}") for number in range(1, 60)]
    own = guess(-1, "203.0.113.7")
    login = finding("login", "auth", 7.0, stage="access", fact=True, entities=("ip:203.0.113.7",))
    mining = finding("dialogue", "wire", 9.0, at_h=0.2, fact=True)
    [made] = incidents(*strangers, own, login, mining)
    assert set(made.findings) == {own.uid, login.uid, mining.uid}
    assert made.first_seen == own.first_seen


def test_without_a_known_way_in_the_guessing_of_the_day_before_is_told_and_older_is_not() -> None:
    recent, old = guess(-5, "203.0.113.7"), guess(-40, "203.0.113.8")
    [made] = incidents(recent, old, finding("name", "name", 7.5), finding("cpu", "cost", 2.9, at_h=0.1))
    assert recent.uid in made.findings
    assert old.uid not in made.findings


def test_a_story_names_three_guessers_and_counts_the_rest() -> None:
    many = [guess(-2 - number / 10, f"203.0.113.{number}") for number in range(9)]
    [made] = incidents(*many, finding("dialogue", "wire", 9.0, fact=True))
    told = [line for line in made.story if line.stage == "reconnaissance"]
    assert len(told) == 4
    assert any("6 more sources were guessing" in line.text for line in told)
    assert [line.at for line in made.story] == sorted(line.at for line in made.story)


def test_a_way_back_in_links_what_is_done_through_it_days_later() -> None:
    made_key = finding(
        "key",
        "audit",
        4.0,
        stage="persistence",
        hosts=(),
        accounts=("1",),
        entities=("principal:arn:eve", "access_key:B"),
    )
    used = finding("launch", "audit", 6.0, at_h=24 * 9, hosts=(), accounts=("1",), entities=("access_key:B",))
    blind = finding(
        "blind", "audit", 4.0, at_h=24 * 9, stage="impairment", hosts=(), accounts=("1",), entities=("access_key:B",)
    )
    [made] = incidents(made_key, used, blind)
    assert len(made.findings) == 3
    assert made.entry_point is not None and made.entry_point.finding == made_key.uid


def test_compute_taken_in_several_services_is_several_acts_and_the_same_calls_are_one() -> None:
    def taken(unit: str, line: int) -> Finding:
        cited = (Evidence(path="trail.json", line=line),)
        made = finding(unit, "audit", 7.0, hosts=(), accounts=("1",), entities=("principal:arn:eve",))
        return replace(made, evidence=cited)

    foothold = finding(
        "key", "audit", 4.0, stage="persistence", hosts=(), accounts=("1",), entities=("principal:arn:eve",)
    )
    assert len(incidents(taken("notebooks", 1), taken("builds", 2), foothold)) == 1
    assert incidents(taken("burst", 1), taken("region", 1), foothold) == ()


def test_a_weak_hint_before_the_login_does_not_hide_that_it_is_the_way_in() -> None:
    login = finding("login", "auth", 7.0, stage="access", fact=True, entities=("ip:203.0.113.7",))
    hint = finding("pool_like_name", "name", 1.5, at_h=-20)
    [made] = incidents(hint, login, finding("dialogue", "wire", 9.0, at_h=1, fact=True))
    assert made.entry_point is not None and made.entry_point.finding == login.uid
    assert hint.uid not in made.findings
    assert made.first_seen == login.first_seen


def test_what_a_process_computes_and_what_it_says_on_one_connection_count_more_than_on_two() -> None:
    """A renamed miner behind TLS shows nothing but these two, in the look of a minute."""
    computes = finding("computes", "host_cpu", 5.0, process="7@a", entities=["remote:192.0.2.1:443"])
    speaks = finding("speaks", "wire", 3.84, process="7@a", entities=["remote:192.0.2.1:443"])
    elsewhere = replace(speaks, entities=("remote:192.0.2.2:443",))
    assert is_incident([computes, speaks])
    assert not is_incident([computes, elsewhere])
    assert not is_incident([computes, replace(computes, uid="again")])


def test_many_names_are_one_list_and_with_some_thin_connection_no_incident() -> None:
    asked = [finding(f"pool_domain_lookup_{number}", "name", 7.5, entities=["host:web1"]) for number in range(6)]
    agent = finding("mining_flow_candidate", "wire", 2.0, entities=["host:web1", "ip:198.51.100.8"])
    assert not is_incident([*asked, agent])
    floor = finding("cpu_floor_raised", "cost", 2.9, at_h=0.5)
    assert is_incident([*asked[:1], floor, agent])


def test_a_pool_s_name_and_a_connection_to_what_it_was_answered_with_are_an_incident() -> None:
    name = finding("pool_domain_lookup", "name", 7.5, entities=["host:web1", "answer:198.51.100.7"])
    there = finding("mining_flow_candidate", "wire", 2.0, entities=["host:web1", "ip:198.51.100.7"])
    elsewhere = finding("mining_flow_candidate", "wire", 2.0, entities=["host:web1", "ip:198.51.100.8"])
    neighbour = replace(there, assets=(AssetRef("host", "web2"),), entities=("host:web2", "ip:198.51.100.7"))
    assert is_incident([name, there])
    assert not is_incident([name, elsewhere])
    assert not is_incident([name, neighbour])
    assert not is_incident([replace(name, llr=2.4), there])
    assert fused_llr([name, there, elsewhere]) < fused_llr([name, there]) + 1.0


def test_a_pool_on_an_address_of_the_machine_itself_is_looked_for_there_and_not_at_the_security_group() -> None:
    """A proxy or a tunnel listens there."""
    said = [Observable("ip", "127.0.0.1"), Observable("port", "3333")]
    heard = replace(finding("heard", "wire", 9.0, fact=True, process="7@a"), observables=tuple(said))
    [made] = incidents(heard)
    steps = " ".join(made.next_steps)
    assert "sport = :3333" in steps
    assert "security group" not in steps
    both = replace(heard, observables=(*said, Observable("ip", "192.0.2.1")))
    [made] = incidents(both)
    assert "traffic to 192.0.2.1," in " ".join(made.next_steps)


def test_where_an_api_was_called_from_is_not_what_the_machine_is_cut_off_from() -> None:
    launch = finding("launch", "audit", 7.0, hosts=("i-1",), accounts=("1234",))
    launch = replace(launch, observables=(Observable("ip", "198.51.100.7"),))
    heard = replace(
        finding("heard", "wire", 9.0, fact=True, hosts=("i-1",)), observables=(Observable("ip", "192.0.2.1"),)
    )
    [made] = incidents(launch, heard)
    assert any(step.startswith("Cut i-1 off from outgoing traffic to 192.0.2.1,") for step in made.next_steps)


def test_every_process_is_frozen_with_what_it_started_and_its_image_kept() -> None:
    [made] = incidents(
        finding("a", "wire", 9.0, fact=True, process="7@a"), finding("b", "wire", 9.0, fact=True, process="12@b")
    )
    steps = " ".join(made.next_steps)
    assert "kill -STOP 7 12; pkill -STOP -P 7,12" in steps
    assert "for p in 7 12; do cp /proc/$p/exe miner-$p.bin" in steps


@pytest.mark.parametrize(("fact", "count"), [(False, 2), (True, 1)])
def test_an_administrator_who_mistypes_on_the_bastion_joins_no_two_stories(fact: bool, count: int) -> None:
    def entered(host: str) -> Finding:
        return finding("l", "auth", 3.0, hosts=(host,), stage="access", fact=fact, entities=("ip:10.0.0.9",))

    mined = [finding("m", "wire", 9.0, hosts=(host,), at_h=1, fact=True) for host in ("web1", "db1")]
    bastion = {"bastion": Asset("bastion", addresses=("10.0.0.9",))}
    assert len(incidents(entered("web1"), entered("db1"), *mined, assets=bastion)) == count


def test_the_way_in_is_walked_back_from_machine_to_machine() -> None:
    """The second machine is entered with the first one's key, the third one by guessing from the second."""
    first = finding("g", "auth", 7.0, hosts=("web1",), stage="access", fact=True, entities=("ip:203.0.113.7",))
    hop = finding("h", "auth", 1.0, hosts=("db1",), at_h=1, stage="access", entities=("ip:10.0.0.5", "host:web1"))
    onward = finding("h", "auth", 1.0, hosts=("app1",), at_h=2, stage="access", entities=("ip:10.0.0.6", "host:db1"))
    guess = finding("g", "auth", 7.0, hosts=("app1",), at_h=2, stage="access", fact=True, entities=("ip:10.0.0.6",))
    mined = finding("m", "wire", 9.0, hosts=("app1",), at_h=3, fact=True)
    [incident] = incidents(first, hop, onward, guess, mined)
    assert incident.entry_point is not None
    assert incident.entry_point.finding == first.uid
