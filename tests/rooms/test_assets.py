"""Joining identities: on stated grounds, never on a hint."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from davylamp.assets.book import AssetBook, build_book
from davylamp.assets.declared import read_declared
from davylamp.errors import UsageError
from davylamp.model.asset import DeclaredAsset

DAY = datetime(2026, 3, 1)  # noqa: DTZ001 - event tables hold naive UTC


def row(ground: str, day: int = 0, **columns: str) -> dict[str, object]:
    return {"ground": ground, "time": DAY.replace(day=1 + day), "path": "evidence", **columns}


def book(
    *inventory: dict[str, object],
    declared: tuple[DeclaredAsset, ...] = (),
    scopes: tuple[tuple[str, str], ...] = (),
    shared: tuple[tuple[str, str, str], ...] = (),
) -> AssetBook:
    return build_book(declared, inventory, scopes, shared, [], None)


def holder(made: AssetBook, ip: str, day: int = 10, scope: str = "/") -> str | None:
    at = DAY.replace(day=1 + day)
    tables = ("asset_by_address", "asset_by_scoped_address")
    rows: list[dict[str, Any]] = [row for name in tables for row in made.tables[name].to_pylist()]
    found = [
        each["asset"]
        for each in rows
        if each["ip"] == ip and each.get("scope", scope) == scope and each["valid_from"] <= at < each["valid_to"]
    ]
    assert len(found) <= 1
    return found[0] if found else None


def test_a_declared_asset_joins_address_name_and_instance() -> None:
    made = book(
        row("run_instances", instance_uid="i-0abc", ip="10.0.0.5", instance_type="c5.large", account_uid="1"),
        declared=(DeclaredAsset("web1", host_names=("web-1",), instance_id="i-0abc"),),
    )
    assert holder(made, "10.0.0.5") == "web1"
    assert made.tables["asset_by_instance"].to_pylist() == [{"instance_uid": "i-0abc", "asset": "web1"}]
    assert {"device_name": "web-1", "asset": "web1"} in made.tables["asset_by_name"].to_pylist()
    assert made.assets["web1"].instance_type == "c5.large"


def test_the_same_private_address_in_two_accounts_stays_two_assets() -> None:
    made = book(
        row("run_instances", instance_uid="i-1", ip="10.0.0.5", account_uid="111"),
        row("run_instances", instance_uid="i-2", ip="10.0.0.5", account_uid="222"),
        scopes=(("111", ""), ("222", "")),
    )
    assert holder(made, "10.0.0.5", scope="111/") == "i-1"
    assert holder(made, "10.0.0.5", scope="222/") == "i-2"
    assert holder(made, "10.0.0.5") is None


def test_the_same_private_address_in_two_networks_of_one_account_stays_two_assets() -> None:
    made = book(
        row("run_instances", instance_uid="i-1", ip="10.0.0.5", account_uid="1", vpc_uid="vpc-a"),
        row("run_instances", instance_uid="i-2", ip="10.0.0.5", account_uid="1", vpc_uid="vpc-b"),
        scopes=(("1", "vpc-a"), ("1", "vpc-b"), ("1", "")),
    )
    assert holder(made, "10.0.0.5", scope="1/vpc-a") == "i-1"
    assert holder(made, "10.0.0.5", scope="1/vpc-b") == "i-2"
    assert holder(made, "10.0.0.5", scope="1/") is None


def test_an_address_that_nobody_claims_is_named_by_its_scope_when_two_scopes_use_it() -> None:
    made = book(shared=(("111", "", "10.0.0.5"), ("222", "", "10.0.0.5")), scopes=(("111", ""), ("222", "")))
    assert holder(made, "10.0.0.5", scope="111/") == "111/10.0.0.5"
    assert holder(made, "10.0.0.5", scope="222/") == "222/10.0.0.5"


def test_a_declaration_without_an_account_does_not_join_what_two_accounts_use() -> None:
    made = book(
        declared=(DeclaredAsset("web1", addresses=("10.0.0.5",)),),
        shared=(("111", "", "10.0.0.5"), ("222", "", "10.0.0.5")),
        scopes=(("111", ""), ("222", "")),
    )
    assert holder(made, "10.0.0.5", scope="111/") == "111/10.0.0.5"
    assert holder(made, "10.0.0.5", scope="222/") == "222/10.0.0.5"


def test_a_declaration_with_an_account_joins_that_account_alone() -> None:
    made = book(
        declared=(DeclaredAsset("web1", addresses=("10.0.0.5",), account="111"),),
        shared=(("111", "", "10.0.0.5"), ("222", "", "10.0.0.5")),
        scopes=(("111", ""), ("222", "")),
    )
    assert holder(made, "10.0.0.5", scope="111/") == "web1"
    assert holder(made, "10.0.0.5", scope="222/") == "222/10.0.0.5"


def test_a_declared_instance_takes_its_account_from_the_evidence() -> None:
    made = book(
        row("run_instances", instance_uid="i-1", ip="10.0.0.5", account_uid="111"),
        declared=(DeclaredAsset("web1", addresses=("10.0.0.5",), instance_id="i-1"),),
        shared=(("111", "", "10.0.0.5"), ("222", "", "10.0.0.5")),
        scopes=(("111", ""), ("222", "")),
    )
    assert holder(made, "10.0.0.5", scope="111/") == "web1"
    assert holder(made, "10.0.0.5", scope="222/") == "222/10.0.0.5"


def test_an_address_reused_after_a_lease_is_two_assets() -> None:
    made = book(
        row("dhcp_lease", 0, mac="aa", device_name="laptop", ip="10.0.0.9"),
        row("dhcp_lease", 5, mac="bb", device_name="printer", ip="10.0.0.9"),
    )
    assert holder(made, "10.0.0.9", 2) == "laptop"
    assert holder(made, "10.0.0.9", 7) == "printer"


def test_an_address_outlives_no_termination() -> None:
    made = book(
        row("run_instances", 0, instance_uid="i-1", ip="10.0.0.5"),
        row("terminate", 3, instance_uid="i-1"),
    )
    assert holder(made, "10.0.0.5", 2) == "i-1"
    assert holder(made, "10.0.0.5", 4) is None


def test_a_launch_says_nothing_of_the_time_before_it() -> None:
    made = book(row("run_instances", 3, instance_uid="i-1", ip="10.0.0.5"))
    assert holder(made, "10.0.0.5", 1) is None
    assert holder(made, "10.0.0.5", 4) == "i-1"


def test_a_host_name_that_two_machines_use_joins_neither() -> None:
    made = book(
        row("run_instances", instance_uid="i-1", device_name="web1", ip="10.0.0.5"),
        row("run_instances", instance_uid="i-2", device_name="web1", ip="10.0.0.6"),
    )
    assert made.tables["asset_by_name"].to_pylist() == []
    assert holder(made, "10.0.0.5") == "i-1"


def test_sshd_says_which_address_its_host_has() -> None:
    made = book(row("sshd_connection", 5, device_name="web1", ip="10.0.0.5"))
    assert holder(made, "10.0.0.5", 1) == "web1"


def test_one_address_joins_the_instance_and_the_host_that_both_have_it() -> None:
    made = book(
        row("run_instances", instance_uid="i-0abc", ip="10.0.0.5", account_uid="1", vpc_uid="vpc-1"),
        row("sshd_connection", 1, device_name="web1", ip="10.0.0.5"),
        scopes=(("1", "vpc-1"),),
    )
    assert holder(made, "10.0.0.5", scope="1/vpc-1") == holder(made, "10.0.0.5") == "web1"
    assert made.tables["asset_by_instance"].to_pylist() == [{"instance_uid": "i-0abc", "asset": "web1"}]
    assert "both have the address 10.0.0.5" in made.assets["web1"].grounds


def test_a_declared_address_names_the_instance_that_has_it() -> None:
    made = book(
        row("flow_log", instance_uid="i-0abc", ip="10.0.0.5", account_uid="1"),
        declared=(DeclaredAsset("web1", addresses=("10.0.0.5",)),),
    )
    assert made.tables["asset_by_instance"].to_pylist() == [{"instance_uid": "i-0abc", "asset": "web1"}]


@pytest.mark.parametrize(
    ("inventory", "shared"),
    [
        # Two accounts use the address; the host's log does not say which it is in.
        (
            (row("flow_log", instance_uid="i-1", ip="10.0.0.5", account_uid="1"),),
            (("1", "", "10.0.0.5"), ("2", "", "10.0.0.5")),
        ),
        # The address went from one instance to another.
        (
            (
                row("flow_log", instance_uid="i-1", ip="10.0.0.5"),
                row("flow_log", 2, instance_uid="i-2", ip="10.0.0.5"),
            ),
            (),
        ),
        # The host had the address before the instance was launched.
        ((row("run_instances", 2, instance_uid="i-1", ip="10.0.0.5"),), ()),
        # Two hosts say that they have it.
        (
            (
                row("flow_log", instance_uid="i-1", ip="10.0.0.5"),
                row("sshd_connection", 1, device_name="web2", ip="10.0.0.5"),
            ),
            (),
        ),
        # One name, the addresses of two instances: every host that is called localhost.
        (
            (
                row("flow_log", instance_uid="i-1", ip="10.0.0.5"),
                row("flow_log", instance_uid="i-2", ip="10.0.0.6"),
                row("sshd_connection", 1, device_name="web1", ip="10.0.0.6"),
            ),
            (),
        ),
    ],
)
def test_an_address_that_could_mean_two_machines_joins_none(
    inventory: tuple[dict[str, object], ...], shared: tuple[tuple[str, str, str], ...]
) -> None:
    made = book(*inventory, row("sshd_connection", 1, device_name="web1", ip="10.0.0.5"), shared=shared)
    instances = made.tables["asset_by_instance"].to_pylist()
    assert "web1" not in {each["asset"] for each in instances} and instances
    assert {"device_name": "web1", "asset": "web1"} in made.tables["asset_by_name"].to_pylist()


def test_a_providers_host_name_states_the_address() -> None:
    made = book(
        row("flow_log", instance_uid="i-0abc", ip="10.0.0.5", account_uid="1"),
        row("host_name", 1, device_name="ip-10-0-0-5", ip="10.0.0.5"),
        row("host_name", 1, device_name="ip-10-0-0-5.ec2.internal", ip="10.0.0.5"),
    )
    names = {each["device_name"]: each["asset"] for each in made.tables["asset_by_name"].to_pylist()}
    assert names == {"ip-10-0-0-5": "i-0abc", "ip-10-0-0-5.ec2.internal": "i-0abc"}


def test_globs_give_files_to_assets(tmp_path: Path) -> None:
    declared = (DeclaredAsset("web1", paths=("cpu*.csv",)), DeclaredAsset("web2", paths=("other/*.csv",)))
    made = build_book(declared, (), (), (), [str(tmp_path / "cpu-1.csv"), str(tmp_path / "other/x.csv")], tmp_path)
    rows = made.tables["asset_by_path"].to_pylist()
    assert [each["asset"] for each in rows] == ["web1", "web2"]


def test_a_star_stays_within_its_folder(tmp_path: Path) -> None:
    declared = (DeclaredAsset("web1", paths=("m/*.csv",)), DeclaredAsset("web2", paths=("**/y.csv",)))
    paths = [str(tmp_path / name) for name in ("m/a.csv", "m/x/b.csv", "m/x/y.csv", "y.csv")]
    made = build_book(declared, (), (), (), paths, tmp_path)
    rows = {
        each["path"].removeprefix(f"{tmp_path}/"): each["asset"] for each in made.tables["asset_by_path"].to_pylist()
    }
    assert rows == {"m/a.csv": "web1", "m/x/y.csv": "web2", "y.csv": "web2"}


def test_a_copy_under_another_name_does_not_take_a_file_from_its_asset(tmp_path: Path) -> None:
    declared = (DeclaredAsset("web1", paths=("cpu*.csv",)),)
    copy, own = str(tmp_path / "a-copy.csv"), str(tmp_path / "cpu-1.csv")
    made = build_book(declared, (), (), (), [copy, own], tmp_path, {own: copy})
    rows = made.tables["asset_by_path"].to_pylist()
    assert {each["path"]: each["asset"] for each in rows} == {copy: "web1", own: "web1"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[asset]]\nname = "a"\nadresses = []\n', "adresses"),
        ('[[asset]]\naddresses = ["10.0.0.1"]\n', "without a name"),
        ('[[asset]]\nname = "a"\naddresses = ["10.0.0.999"]\n', "10.0.0.999"),
        ('[[asset]]\nname = "a"\n[[asset]]\nname = "a"\n', "twice"),
        ('[[asset]]\nname = "a"\nprice_model = "cheap"\n', "cheap"),
        ('[[asset]]\nname = "a"\naddresses = "10.0.0.1"\n', "addresses"),
        ("[[asset]\n", "not TOML"),
        ("[assets]\n", "'assets'"),
    ],
)
def test_a_wrong_assets_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "davylamp.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_declared(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
