"""The price book and the four figures."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davylamp.cost.assess import assess
from davylamp.cost.bill import growth_said
from davylamp.cost.egress import bill_egress
from davylamp.cost.price_book import PriceBook
from davylamp.errors import UnitError, UsageError
from davylamp.model.asset import PRICE_MODELS, Asset
from davylamp.model.money import Cost
from davylamp.model.usage import ComputeUsage

START = datetime(2026, 3, 1, tzinfo=UTC)
BOOK = PriceBook.load()


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def stolen(
    start_h: float = 0.0, end_h: float | None = None, share: float | None = 1.0, asset: str = "web1"
) -> ComputeUsage:
    ended = None if end_h is None else at(end_h)
    return ComputeUsage("stolen", at(start_h), "CPU floor", asset=asset, share_ratio=share, ended_at=ended)


def launched(resource: str, instance_type: str, start_h: float = 0.0, end_h: float | None = None) -> ComputeUsage:
    ended = None if end_h is None else at(end_h)
    return ComputeUsage(
        "launched",
        at(start_h),
        "RunInstances",
        instance_type=instance_type,
        region="us-east-1",
        resource=resource,
        ended_at=ended,
    )


def cost_of(instance_type: str, *usages: ComputeUsage, now_h: float = 24.0, price_model: str = "") -> Cost:
    asset = Asset("web1", instance_type=instance_type, region="us-east-1", price_model=price_model)
    return assess(usages, {"web1": asset}, BOOK, at(now_h))


# The book


def test_listed_price_names_table_and_date() -> None:
    price = BOOK.price("c5.2xlarge", "us-east-1")
    assert (price.usd_per_hour, price.vcpu, price.fallback) == (0.34, 8.0, False)
    assert "2026-07-20" in price.basis and "us-east-1" in price.basis


def test_another_region_is_priced_by_factor_and_says_so() -> None:
    price = BOOK.price("c5.2xlarge", "eu-central-1")
    assert price.usd_per_hour == pytest.approx(0.34 * 1.1985)
    assert "1.1985" in price.basis
    assert BOOK.price("c5.2xlarge", "eu-central-1b").usd_per_hour == price.usd_per_hour


def test_a_region_with_its_own_rows_needs_no_factor() -> None:
    assert BOOK.price("t3.nano", "us-gov-west-1").usd_per_hour == 0.0061


def test_unknown_region_is_assumed_and_said() -> None:
    assert "region unknown" in BOOK.price("c5.2xlarge", "").basis
    assert "no price or factor" in BOOK.price("c5.2xlarge", "moon-1").basis


@pytest.mark.parametrize(
    ("instance_type", "provider", "vcpu", "said"),
    [
        ("c99x.4xlarge", "aws", 16.0, "read from the size name"),
        ("z9.large", "aws", 2.0, "read from the size name"),
        ("c99x.metal", "aws", 2.0, "assumed"),
        ("c99x.medium", "aws", 2.0, "assumed"),
        ("Standard_Unheard_v9", "azure", 2.0, "assumed"),
        ("", "aws", 2.0, "instance type unknown"),
    ],
)
def test_unknown_type_falls_back_and_says_so(instance_type: str, provider: str, vcpu: float, said: str) -> None:
    price = BOOK.price(instance_type, "us-east-1", provider)
    assert price.fallback and price.vcpu == vcpu
    assert said in price.basis
    memory_gib = price.memory_gib
    assert memory_gib is not None
    assert price.usd_per_hour == pytest.approx(vcpu * 0.0316 + memory_gib * 0.0042)


@pytest.mark.parametrize(
    ("instance_type", "region", "provider", "usd"),
    [
        ("g5.xlarge", "us-east-1", "aws", 1.006),
        ("p5.48xlarge", "us-east-1", "aws", 55.04),
        ("g2-standard-4", "us-central1", "gcp", 0.7068),
        ("a2-highgpu-1g", "us-central1", "gcp", 3.673),
        ("Standard_NC24ads_A100_v4", "eastus", "azure", 3.673),
    ],
)
def test_gpu_prices(instance_type: str, region: str, provider: str, usd: float) -> None:
    assert BOOK.price(instance_type, region, provider).usd_per_hour == pytest.approx(usd, rel=1e-3)


def test_unit_rates() -> None:
    assert BOOK.rate_usd("fargate_x86_vcpu_hour") == 0.04048
    assert BOOK.rate_usd("lambda_x86_gb_second") == pytest.approx(1.66667e-05)
    with pytest.raises(UnitError):
        BOOK.rate_usd("no_such_rate")


def test_overlay_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        "provider,region,instance_type,usd_per_hour,vcpu\naws,us-east-1,c5.2xlarge,0.2,8\naws,,house.big,1.5,\n"
    )
    book = PriceBook.load(path)
    assert book.price("c5.2xlarge", "us-east-1").usd_per_hour == 0.2
    assert "own price file" in book.price("c5.2xlarge", "us-east-1").basis
    assert book.price("house.big", "anywhere").usd_per_hour == 1.5
    assert book.price("c5.large", "us-east-1").usd_per_hour == BOOK.price("c5.large", "us-east-1").usd_per_hour


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("provider,region,instance_type\n", "line 1, column usd_per_hour"),
        ("provider,region,instance_type,usd_per_hour,colour\n", "line 1, column colour"),
        ("provider,region,instance_type,usd_per_hour\naws,r,a,1\naws,r,b,cheap\n", "line 3, column usd_per_hour"),
        ("provider,region,instance_type,usd_per_hour\naws,r,a,-1\n", "line 2, column usd_per_hour"),
        ("provider,region,instance_type,usd_per_hour\naws,r,a,nan\n", "line 2, column usd_per_hour"),
        ("provider,region,instance_type,usd_per_hour\naws,r,,1\n", "line 2, column instance_type"),
        ("provider,region,instance_type,usd_per_hour\naws,r,a,\n", "line 2, column usd_per_hour"),
        ("provider,region,instance_type,usd_per_hour\naws,r,a,1,2\n", "line 2"),
        ("provider,region,instance_type,usd_per_hour\naws,r,a,1\naws,r,a,1\n", "line 3, column instance_type"),
    ],
)
def test_overlay_errors_name_line_and_column(tmp_path: Path, text: str, where: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        PriceBook.load(path)
    assert where in caught.value.where


def test_missing_or_binary_overlay_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        PriceBook.load(tmp_path / "none.csv")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError):
        PriceBook.load(binary)


def test_import_is_cheap() -> None:
    program = "import sys, davylamp.cost.assess; print([m for m in ('pyarrow', 'duckdb', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# The four figures


@pytest.mark.parametrize(
    ("instance_type", "surplus_usd", "rise"),
    [
        ("t3.nano", 0.095, "+1,827 %"),
        ("t3.micro", 0.090, "+865 %"),
        ("t3.small", 0.080, "+385 %"),
        ("t3.medium", 0.080, "+192 %"),
        ("t3.large", 0.070, "+84 %"),
        ("t3.xlarge", 0.120, "+72 %"),
        ("t3.2xlarge", 0.240, "+72 %"),
        ("t3a.nano", 0.095, "+2,021 %"),
        ("t4g.nano", 0.076, "+1,810 %"),
    ],
)
def test_burst_credits_at_full_load(instance_type: str, surplus_usd: float, rise: str) -> None:
    cost = cost_of(instance_type, stolen(), now_h=10.0)
    assert cost.billed_extra_usd == pytest.approx(10 * surplus_usd)
    assert any(rise in sentence for sentence in cost.basis)


def test_a_flat_price_loses_capacity_and_bills_nothing() -> None:
    cost = cost_of("c5.2xlarge", stolen(share=0.5), now_h=10.0)
    assert cost.billed_extra_usd == 0.0
    assert cost.capacity_lost_usd == pytest.approx(0.34 * 10 * 0.5)
    assert cost.run_rate_usd_per_hour == pytest.approx(0.17)
    assert cost.exposure_24h_usd == pytest.approx(0.17 * 24)
    assert not any("%," in sentence and "is +" in sentence for sentence in cost.basis)


def test_an_unmeasured_share_is_bounded_and_said() -> None:
    cost = cost_of("c5.2xlarge", stolen(share=None), now_h=10.0)
    assert cost.capacity_lost_usd == pytest.approx(3.4)
    assert cost.low_usd == pytest.approx(0.85)
    assert cost.high_usd == pytest.approx(3.4)
    assert any("not measured" in sentence for sentence in cost.basis)


def test_t2_and_standard_throttle_and_bill_nothing() -> None:
    for cost in (
        cost_of("t2.micro", stolen()),
        cost_of("t3.micro", stolen(), price_model="burstable_standard"),
    ):
        assert cost.billed_extra_usd == 0.0
        assert any("throttled" in sentence for sentence in cost.basis)


def test_a_burstable_type_declared_flat_says_what_that_leaves_out() -> None:
    cost = cost_of("t3.large", stolen(), price_model="on_demand")
    assert cost.billed_extra_usd == 0.0
    assert any("declare burstable_unlimited" in sentence for sentence in cost.basis)


def test_overlapping_usages_of_one_asset_are_one_theft() -> None:
    both = cost_of("c5.2xlarge", stolen(share=None), stolen(2, 10, share=0.25), now_h=10.0)
    assert both.capacity_lost_usd == pytest.approx(0.34 * (2 * 1.0 + 8 * 0.25))


def test_autoscaled_growth_is_billed() -> None:
    cost = cost_of("c5.2xlarge", stolen(share=0.5), now_h=10.0, price_model="autoscaled")
    assert cost.billed_extra_usd == pytest.approx(1.7)
    assert cost.exposure_24h_usd == pytest.approx(24 * 0.34)


def test_a_running_task_bills_nothing_more() -> None:
    cost = cost_of("", stolen(), now_h=1.0, price_model="serverless")
    assert cost.billed_extra_usd == 0.0
    assert cost.capacity_lost_usd == pytest.approx(2 * 0.04048 + 8 * 0.004445)


def test_a_launched_task_is_all_billed() -> None:
    usage = ComputeUsage("serverless", START, "RunTask", vcpu=4, memory_gib=8, resource="task/1")
    cost = assess([usage], {}, BOOK, at(1))
    assert cost.billed_extra_usd == pytest.approx(0.1975, abs=1e-4)


def test_launched_machines_are_billed_once_each() -> None:
    usages = [launched(f"i-{number}", "c6a.4xlarge") for number in range(100)]
    cost = assess([*usages, *usages], {}, BOOK, at(2))
    assert cost.run_rate_usd_per_hour == pytest.approx(61.20)
    assert cost.billed_extra_usd == pytest.approx(122.4)
    assert "100 x" in cost.basis[0]
    assert cost.basis[1:] == ("RunInstances",)


def test_a_managed_service_with_a_machine_type_is_priced_by_it() -> None:
    usage = ComputeUsage("serverless", START, "a notebook", instance_type="g5.xlarge", region="us-east-1", resource="n")
    assert assess([usage], {}, BOOK, at(1)).billed_extra_usd == pytest.approx(1.006)


def test_many_launches_are_not_all_listed() -> None:
    usages = [
        ComputeUsage("launched", START, f"call {n}", instance_type="c5.large", resource=f"i-{n}") for n in range(9)
    ]
    assert "and 4 more of this kind" in assess(usages, {}, BOOK, at(1)).basis


def test_a_known_end_closes_the_open_window_of_the_same_resource() -> None:
    cost = assess([launched("i-1", "g5.xlarge"), launched("i-1", "g5.xlarge", 0, 3)], {}, BOOK, at(10))
    assert cost.billed_extra_usd == pytest.approx(3 * 1.006)
    assert cost.run_rate_usd_per_hour == 0.0


def test_a_launched_asset_is_not_stolen_too() -> None:
    asset = Asset("miner", instance_id="i-1", instance_type="g5.xlarge", region="us-east-1")
    cost = assess([launched("i-1", "g5.xlarge"), stolen(asset="miner")], {"miner": asset}, BOOK, at(10))
    assert cost.capacity_lost_usd == 0.0
    assert cost.billed_extra_usd == pytest.approx(10.06)


def test_what_was_tried_before_it_was_started_is_not_exposed_twice() -> None:
    tried = ComputeUsage("requested", START, "DryRun", instance_type="c5.2xlarge", region="us-east-1", count=1)
    running = launched("i-1", "c5.2xlarge")
    small = assess([tried, running], {}, BOOK, at(10))
    assert small.exposure_24h_usd == pytest.approx(0.34 * 24)
    large = assess([replace(tried, count=5), running], {}, BOOK, at(10))
    assert large.exposure_24h_usd == pytest.approx(5 * 0.34 * 24)
    assert any("whichever is more" in sentence for sentence in large.basis)


def test_requested_compute_is_exposure_only() -> None:
    usage = ComputeUsage("requested", START, "DryRun", instance_type="p5.48xlarge", region="us-east-1", count=2)
    cost = assess([usage], {}, BOOK, at(5))
    assert (cost.billed_extra_usd, cost.run_rate_usd_per_hour) == (0.0, 0.0)
    assert cost.exposure_24h_usd == pytest.approx(2 * 55.04 * 24)


def test_what_was_launched_in_the_last_record_runs() -> None:
    """The first of two launches was a minute ago, the second is the last that the evidence says."""
    earlier, last = launched("i-1", "c5.2xlarge", 24.0 - 1 / 60), launched("i-2", "c5.2xlarge", 24.0)
    cost = cost_of("", earlier, last)
    assert cost.run_rate_usd_per_hour == pytest.approx(2 * 0.34)
    assert cost.exposure_24h_usd == pytest.approx(2 * 0.34 * 24)
    assert cost.billed_extra_usd == pytest.approx(0.34 / 60)
    assert cost_of("", launched("i-3", "c5.2xlarge", 24.0, 24.0)).run_rate_usd_per_hour == 0


def test_nothing_running_at_the_end_has_no_rate_now() -> None:
    cost = cost_of("c5.2xlarge", stolen(0, 2), now_h=10.0)
    assert (cost.run_rate_usd_per_hour, cost.exposure_24h_usd) == (0.0, 0.0)
    assert cost.capacity_lost_usd == pytest.approx(0.68)


def test_an_unknown_machine_is_priced_by_vcpu_and_says_so() -> None:
    cost = cost_of("", stolen(), now_h=1.0)
    assert cost.capacity_lost_usd == pytest.approx(2 * 0.0316 + 8 * 0.0042)
    assert any("assumed" in sentence for sentence in cost.basis)


def test_no_usage_no_dollars() -> None:
    cost = assess([], {}, BOOK, START)
    assert (cost.billed_extra_usd, cost.low_usd, cost.high_usd) == (0.0, 0.0, 0.0)


def test_factor_and_delta() -> None:
    assert growth_said(1.0, 5.5) == "x6.5 is +550 %"
    assert growth_said(1.0, 0.0) == ""


def test_egress() -> None:
    assert bill_egress(2e9, BOOK).so_far.billed_usd == pytest.approx(0.18)
    assert bill_egress(2**30, BOOK, "gcp").so_far.billed_usd == pytest.approx(0.12)


# Properties

TYPES = ("", "c5.2xlarge", "t3.nano", "t3.large", "t2.micro", "g5.xlarge", "odd.huge")
USAGES = st.builds(
    stolen,
    start_h=st.floats(0, 60),
    end_h=st.none() | st.floats(0, 60),
    share=st.none() | st.floats(0, 1),
)
LAUNCHES = st.builds(
    launched,
    resource=st.sampled_from(("i-1", "i-2", "")),
    instance_type=st.sampled_from(TYPES),
    start_h=st.floats(0, 60),
    end_h=st.none() | st.floats(0, 60),
)


@given(st.lists(USAGES | LAUNCHES, max_size=6), st.sampled_from(TYPES), st.sampled_from(("", *PRICE_MODELS)))
def test_figures_are_never_negative_and_bounds_bound(
    usages: list[ComputeUsage], instance_type: str, price_model: str
) -> None:
    cost = cost_of(instance_type, *usages, now_h=48.0, price_model=price_model)
    figures = (cost.billed_extra_usd, cost.capacity_lost_usd, cost.run_rate_usd_per_hour, cost.exposure_24h_usd)
    assert all(figure >= 0 for figure in figures)
    assert 0 <= cost.low_usd <= cost.billed_extra_usd + cost.capacity_lost_usd <= cost.high_usd
    assert cost.basis


@given(st.lists(USAGES, min_size=1, max_size=6), st.sampled_from(("", "on_demand", "spot", "reserved")))
def test_a_flat_price_never_grows_with_load(usages: list[ComputeUsage], price_model: str) -> None:
    cost = cost_of("c5.2xlarge", *usages, now_h=48.0, price_model=price_model)
    assert cost.billed_extra_usd == 0.0
    assert cost.capacity_lost_usd <= 0.34 * 48.0 + 1e-9


@given(
    st.floats(0.001, 0.999),
    st.none() | st.floats(0, 1),
    st.sampled_from(TYPES),
    st.sampled_from(("", *PRICE_MODELS)),
    st.booleans(),
)
def test_splitting_a_window_gives_the_same_sum(
    cut: float, share: float | None, instance_type: str, price_model: str, open_end: bool
) -> None:
    end = None if open_end else 40.0
    whole = cost_of(instance_type, stolen(0, end, share), now_h=48.0, price_model=price_model)
    parts = (stolen(0, 40 * cut, share), stolen(40 * cut, end, share))
    split = cost_of(instance_type, *parts, now_h=48.0, price_model=price_model)
    for name in ("billed_extra_usd", "capacity_lost_usd", "run_rate_usd_per_hour", "low_usd", "high_usd"):
        assert getattr(split, name) == pytest.approx(getattr(whole, name), rel=1e-6, abs=1e-6)


@given(st.lists(USAGES | LAUNCHES, max_size=5))
def test_order_does_not_matter(usages: list[ComputeUsage]) -> None:
    turned = list(reversed(usages))
    one, other = cost_of("t3.large", *usages, now_h=48.0), cost_of("t3.large", *turned, now_h=48.0)
    assert one.basis == other.basis
    assert one.billed_extra_usd == pytest.approx(other.billed_extra_usd)


def test_a_terminated_machine_costs_nothing_from_then_on() -> None:
    usages = [launched("i-1", "g5.xlarge"), launched("i-2", "g5.xlarge")]
    cost = assess(usages, {}, BOOK, at(10), {"i-1": at(3), "i-2": at(9.9)})
    assert cost.billed_extra_usd == pytest.approx(12.9 * 1.006)
    assert (cost.run_rate_usd_per_hour, cost.exposure_24h_usd) == (0.0, 0.0)
    assert assess(usages, {}, BOOK, at(10), {"i-1": at(3)}).run_rate_usd_per_hour == pytest.approx(1.006)


def test_a_stolen_machine_that_was_terminated_loses_no_more() -> None:
    asset = Asset(name="web1", instance_id="i-1", instance_type="m5.large", region="us-east-1")
    cost = assess([stolen()], {"web1": asset}, BOOK, at(10), {"i-1": at(4)})
    whole = assess([stolen()], {"web1": asset}, BOOK, at(4))
    assert cost.capacity_lost_usd == pytest.approx(whole.capacity_lost_usd)
    assert cost.run_rate_usd_per_hour == 0.0
    assert cost.low_usd <= cost.capacity_lost_usd <= cost.high_usd


def test_surplus_counts_the_owner_s_own_load() -> None:
    def billed(base: float | None) -> float:
        usage = ComputeUsage("stolen", at(0), "CPU floor", asset="web1", share_ratio=0.6, base_ratio=base)
        return cost_of("t3.medium", usage, now_h=10.0).billed_extra_usd

    # t3.medium: 2 vCPU, 20 % baseline, $0.05 per vCPU-hour above it.
    assert billed(None) == pytest.approx(10 * 0.4 * 2 * 0.05)
    assert billed(0.1) == pytest.approx(10 * 0.5 * 2 * 0.05)
    assert billed(0.3) == pytest.approx(10 * 0.6 * 2 * 0.05)


@pytest.mark.parametrize(("kind", "region"), [("Standard_D4s_v5", "westeurope"), ("n2-standard-4", "europe-west1")])
def test_a_type_of_another_cloud_is_found_without_being_told_whose(kind: str, region: str) -> None:
    price = BOOK.price(kind, region)
    assert not price.fallback
    assert f"list price, {region}" in price.basis


def test_two_processes_of_one_machine_add_up_and_two_findings_of_one_do_not() -> None:
    first = replace(stolen(share=0.3), resource="7@a")
    second = replace(stolen(share=0.2), resource="8@b", basis="process 8 used a fifth")
    alone = cost_of("m5.large", first).run_rate_usd_per_hour
    assert cost_of("m5.large", first, first).run_rate_usd_per_hour == pytest.approx(alone)
    both = cost_of("m5.large", first, second, replace(second, share_ratio=0.1))
    assert both.run_rate_usd_per_hour == pytest.approx(alone * 0.5 / 0.3)
    assert "process 8 used a fifth" in " ".join(both.basis)
