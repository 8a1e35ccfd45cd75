"""The intel room: matching, lint and import, each known complaint about shipped lists as a test."""

from __future__ import annotations

import ast
import gzip
import socket
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import davylamp
from davylamp.app.intel import check_indicator, lint_indicators
from davylamp.errors import UsageError
from davylamp.intel import build
from davylamp.intel.entries import bundled, load_imported, save_imported
from davylamp.intel.importing import import_file
from davylamp.intel.indicators import Indicators
from davylamp.intel.known_resolvers import known_resolver_table, known_resolvers
from davylamp.intel.lint import lint
from davylamp.intel.names import normal_address, normal_name, split_port
from davylamp.intel.zones import is_public_suffix, shared_network, shared_zones
from davylamp.model.indicator import Indicator

BENIGN = Path(__file__).parents[1] / "data" / "benign_domains_misp"
# Names of the popular lists that are mining businesses; their bare names are sites, not endpoints.
MINING_BUSINESSES = frozenset(("2miners.com", "f2pool.com", "nicehash.com"))
# The day the bundled lists were taken: a later day would only test the calendar.
TAKEN = max(entry.last_seen for entry in bundled() if entry.last_seen is not None)


def entry(
    value: str, indicator_class: str = "pool_endpoint", kind: str = "domain", port: int | None = None
) -> Indicator:
    return Indicator(kind, value, port, indicator_class, "test", "1", "CC0-1.0", None, None, None)


def rules(*entries: Indicator) -> set[str]:
    return {problem.rule for problem in lint(entries, at=TAKEN)}


def class_of(indicators: Indicators, name: str) -> str:
    found = indicators.match_domain(name)
    return found.indicator_class if found else ""


@pytest.fixture(scope="module")
def shipped() -> Indicators:
    return Indicators.load(at=TAKEN)


def test_the_bundled_set_passes_its_own_lint() -> None:
    assert lint(bundled(), at=TAKEN) == ()


def test_every_bundled_entry_has_provenance_and_an_expiry() -> None:
    for one in bundled():
        assert one.source and one.reference and one.licence in ("MIT", "Apache-2.0")
        assert one.last_seen and one.expires and one.expires >= TAKEN


# Sigma zeek_dns_mining_pools and Panther's matcher compare with a bare endswith.
@pytest.mark.parametrize("name", ["x1gh.com", "1gh.com.example.org", "a1gh.com"])
def test_a_name_matches_on_a_label_boundary_only(name: str) -> None:
    indicators = Indicators([entry("1gh.com")], at=TAKEN)
    assert indicators.match_domain(name) is None
    assert indicators.match_domain("1gh.com") and indicators.match_domain("eu.1GH.com.")


# Sigma net_dns_pua_cryptocoin_mining_xmr compares with contains.
def test_a_longer_name_that_contains_a_listed_one_does_not_match() -> None:
    indicators = Indicators([entry("pool.minexmr.com")], at=TAKEN)
    assert indicators.match_domain("pool.minexmr.com.attacker.example") is None
    assert indicators.match_domain("notpool.minexmr.com") is None


# Sigma zeek_dns_mining_pools holds mooo.com, a dynamic DNS zone.
@pytest.mark.parametrize(
    "zone", ["mooo.com", "us.to", "ddns.net", "duckdns.org", "cloudfront.net", "trycloudflare.com"]
)
def test_shared_zones_are_refused(zone: str) -> None:
    assert rules(entry(zone)) & {"shared_zone", "public_suffix"}


def test_shared_zones_are_known_but_are_no_evidence(shipped: Indicators) -> None:
    assert class_of(shipped, "printer.mooo.com") == "shared_zone"


# StevenBlack/hosts 509 and 869, dnscrypt-proxy 119, CoinBlockerLists 1, 119 and 124.
@pytest.mark.parametrize(
    "name",
    ["getmonero.org", "www.getmonero.org", "bitpay.com", "coinbase.com", "binance.com", "bittrex.com", "bitcoin.org"],
)
def test_exchanges_wallets_and_news_are_never_endpoints(name: str, shipped: Indicators) -> None:
    assert class_of(shipped, name) == "exchange_or_news"
    assert rules(entry(name)) == {"not_mining"}


# SigmaHQ 6175 and blockconvert 26.
@pytest.mark.parametrize(
    "name", ["pangolinminer.comgandalph3000.com", "bitcoin.comnews.bitcoin.com", "xmrpool.eupool.example.com"]
)
def test_concatenated_names_are_refused(name: str) -> None:
    assert "concatenated" in rules(entry(name))


@pytest.mark.parametrize("name", ["api.community.example.org", "eu.ionos.com", "pool.network.com", "x.information.net"])
def test_labels_that_begin_like_an_ending_are_not_concatenated(name: str) -> None:
    assert "concatenated" not in rules(entry(name))


@pytest.mark.parametrize("name", ["co.uk", "com", "s3.amazonaws.com", "github.io"])
def test_public_suffixes_are_refused(name: str) -> None:
    assert rules(entry(name)) & {"public_suffix", "shared_zone"}
    assert is_public_suffix(name) or name in shared_zones()


def test_duplicates_dead_covered_and_short_entries_are_reported() -> None:
    dead = Indicator("domain", "old.pool.example.com", None, "pool_endpoint", "", "", "", None, None, date(2020, 1, 1))
    assert rules(entry("a-pool.com"), entry("a-pool.com")) == {"duplicate"}
    assert rules(dead) == {"dead"}
    assert rules(entry("a-pool.com"), entry("eu.a-pool.com")) == {"redundant"}
    assert rules(entry("*.a-pool.com"), entry("a-pool.com", "pool_website")) == set()
    assert "too_short" in rules(entry("x.co"))
    assert "not_a_name" in rules(entry("Pool.Example.com"))
    assert "unknown_suffix" in rules(entry("pool.internal-zone"))


def test_addresses_of_shared_networks_are_refused() -> None:
    assert rules(entry("104.16.132.229", kind="ip", port=3333)) == {"shared_network"}
    assert rules(entry("2606:4700::1", kind="ip")) == {"shared_network"}
    assert rules(entry("198.51.100.7", kind="ip", port=3333)) == set()
    assert shared_network("198.51.100.7") is None
    assert rules(entry("198.51.100.07", kind="ip")) == {"not_an_address"}


def test_a_wildcard_does_not_cover_its_own_parent() -> None:
    indicators = Indicators([entry("*.a-pool.com")], at=TAKEN)
    assert indicators.match_domain("a-pool.com") is None
    assert indicators.match_domain("deep.eu.a-pool.com") is not None


def test_the_most_specific_entry_wins() -> None:
    indicators = Indicators([entry("*.a-pool.com"), entry("wallet.a-pool.com", "exchange_or_news")], at=TAKEN)
    assert class_of(indicators, "x.wallet.a-pool.com") == "exchange_or_news"
    assert class_of(indicators, "eu.a-pool.com") == "pool_endpoint"


@pytest.mark.parametrize(
    "name", ["supportxmr.com", "www.supportxmr.com", "api2.nanopool.org", "blog.f2pool.com", "xmrig.com"]
)
def test_a_visit_to_a_pools_site_is_not_mining(name: str, shipped: Indicators) -> None:
    assert class_of(shipped, name) == "pool_website"


@pytest.mark.parametrize(
    "name",
    [
        "pool.supportxmr.com",
        "xmr-eu1.nanopool.org",
        "de.monero.herominers.com",
        "donate.v2.xmrig.com",
        "gulf.moneroocean.stream",
        "xmrpool.eu",
        "randomxmonero.auto.nicehash.com",
        "MINE.c3pool.com.",
    ],
)
def test_stratum_hosts_are_endpoints(name: str, shipped: Indicators) -> None:
    assert class_of(shipped, name) == "pool_endpoint"


def test_cname_chains_are_followed(shipped: Indicators) -> None:
    found = shipped.match_chain(["build.example.org", "supportxmr.com", "pool.supportxmr.com"])
    assert found is not None and found.value == "*.supportxmr.com"
    assert shipped.match_chain(["build.example.org"]) is None


def test_addresses_match_by_port(shipped: Indicators) -> None:
    indicators = Indicators([entry("198.51.100.7", kind="ip", port=3333), entry("2001:db8::7", kind="ip")], at=TAKEN)
    assert indicators.match_address("198.51.100.7", 3333) is not None
    assert indicators.match_address("::ffff:198.51.100.7", 3333) is not None
    assert indicators.match_address("198.51.100.7", 443) is None
    assert indicators.match_address("2001:0DB8:0::7", 9999) is not None
    assert indicators.match_address("not an address", 1) is None
    assert shipped.match_address("107.191.47.239", 3333) is not None


def test_expired_entries_are_history() -> None:
    old = Indicator("domain", "a-pool.com", None, "pool_endpoint", "", "", "", None, None, TAKEN)
    assert Indicators([old], at=TAKEN).match_domain("a-pool.com") is not None
    late = Indicators([old], at=TAKEN + timedelta(days=1))
    assert late.match_domain("a-pool.com") is None and len(late.list()) == 1 and late.table().num_rows == 0


def test_names_are_compared_as_a_labels() -> None:
    indicators = Indicators([entry("xn--bcher-kva.example")], at=TAKEN)
    assert indicators.match_domain("pool.BÜCHER.example.") is not None
    assert normal_name("_stratum._tcp.a-pool.com") == "_stratum._tcp.a-pool.com"
    assert split_port("[2001:db8::1]:3333") == ("2001:db8::1", 3333)


@given(st.text(max_size=300))
def test_matching_never_raises(text: str) -> None:
    indicators = Indicators.load(at=TAKEN)
    indicators.match_domain(text)
    indicators.match_address(text, 1)
    normal_address(text)
    split_port(text)


def test_no_popular_name_is_an_endpoint(shipped: Indicators) -> None:
    hits = set()
    for path in BENIGN.glob("*.txt.gz"):
        for name in gzip.decompress(path.read_bytes()).decode().split():
            if {class_of(shipped, name), class_of(shipped, f"www.{name}")} & {"pool_endpoint", "browser_miner"}:
                hits.add(name)
    assert hits == set()
    assert all(class_of(shipped, name) in ("pool_website", "exchange_or_news") for name in MINING_BUSINESSES)


def test_the_table_has_live_entries(shipped: Indicators) -> None:
    table = shipped.table()
    assert table.column_names == ["type", "value", "port", "indicator_class", "source"]
    assert table.num_rows == len(shipped.live()) > 1500
    assert known_resolver_table().num_rows == len(known_resolvers()) > 60
    assert all(normal_address(ip) == ip for ip in known_resolvers())


LISTS = {
    "hosts": "# mine\n127.0.0.1 localhost\n0.0.0.0 pool.example-a.com # x\n0.0.0.0 mooo.com\n",
    "plain": "pool.example-a.com\npangolinminer.comgandalph3000.com\n198.51.100.7:3333\n",
    "adblock": "[Adblock Plus 2.0]\n! t\n||pool.example-a.com^$third-party\n/miner.js\n@@||good.com^\n",
    "rpz": "$TTL 60\n@ SOA a. b. 1 2 3 4 5\n@ NS a.\npool.example-a.com CNAME .\n"
    "*.example-b.com IN CNAME .\nok.com CNAME rpz-passthru.\n",
    "stix": '{"type":"bundle","objects":[{"type":"indicator","pattern":"[domain-name:value = \'pool.example-a.com\']",'
    '"valid_from":"2026-01-02T00:00:00Z"},{"type":"indicator","pattern":"[file:name = \'x\']"},'
    '{"type":"ipv6-addr","value":"2001:db8::9"},{"type":"domain-name","value":"gone.example.com","revoked":true}]}',
    "misp": '{"name":"x","list":["pool.example-a.com",".example-b.com","co.uk",7]}',
}
EXPECTED = {
    "hosts": ({"pool.example-a.com"}, 1),
    "plain": ({"pool.example-a.com", "198.51.100.7"}, 1),
    "adblock": ({"pool.example-a.com"}, 2),
    "rpz": ({"pool.example-a.com", "*.example-b.com"}, 1),
    "stix": ({"pool.example-a.com", "2001:db8::9"}, 2),
    "misp": ({"pool.example-a.com", "*.example-b.com"}, 2),
}


@pytest.mark.parametrize("kind", sorted(LISTS))
def test_lists_are_imported_with_rejects(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text(LISTS[kind], encoding="utf-8")
    done = import_file(path, at=TAKEN)
    values, reject_count = EXPECTED[kind]
    assert (done.format, {one.value for one in done.entries}, len(done.rejects)) == (kind, values, reject_count)
    assert all(reject.line and reject.reason for reject in done.rejects)
    assert all(one.expires and one.expires > TAKEN for one in done.entries)


HOSTILE = {
    # A network is no address; a leading dot is the name and all below it; a URL is read for its host.
    "plain": (
        "198.51.100.0/24\n.pool.example-a.com\nstratum+tcp://pool.example-b.com:3333\n127.0.0.1\n0.0.0.0\n224.0.0.1\n"
        "10.1.2.3:3333\npool.lab.test\n",
        {"pool.example-a.com", "pool.example-b.com", "10.1.2.3", "pool.lab.test"},
        4,
    ),
    "rpz": (
        "$ORIGIN rpz.example.net.\n@ IN SOA a. b. (\n 1 2\n 3 4 5 )\n@ NS a.\n"
        "pool.example-a.com.rpz.example.net. CNAME .\npool.example-b.com 60 IN A 127.0.0.1\n"
        "pool.example-b.com 60 IN AAAA ::1\n32.7.100.51.198.rpz-ip CNAME .\n128.7.zz.db8.2001.rpz-ip CNAME .\n"
        "24.0.100.51.198.rpz-ip CNAME .\nns.example.org.rpz-nsdname CNAME .\n",
        {"pool.example-a.com", "pool.example-b.com", "198.51.100.7", "2001:db8::7"},
        2,
    ),
    "stix": (
        '{"type":"bundle","objects":['
        '{"type":"indicator","pattern":"[network-traffic:dst_ref.value = \'198.51.100.7\' AND '
        'network-traffic:dst_port = 3333]"},'
        '{"type":"indicator","pattern":"[domain-name:value IN (\'pool.example-a.com\', \'pool.example-b.com\')]"},'
        '{"type":"indicator","pattern":"[domain-name:value != \'good.example-c.com\']"},'
        '{"type":"indicator","pattern":"[domain-name:value NOT = \'good.example-c.com\']"},'
        '{"type":"indicator","pattern":"[domain-name:value NOT IN (\'good.example-c.com\')]"},'
        '{"type":"indicator","pattern":"[domain-name:value = \'old.example-c.com\']",'
        '"valid_until":"2020-01-01T00:00:00Z"}'
        "]}",
        {"198.51.100.7", "pool.example-a.com", "pool.example-b.com"},
        4,
    ),
}


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_what_a_list_does_not_say_is_not_read_into_it(kind: str, tmp_path: Path) -> None:
    text, values, reject_count = HOSTILE[kind]
    path = tmp_path / "list"
    path.write_text(text, encoding="utf-8")
    done = import_file(path, at=TAKEN)
    assert (done.format, {one.value for one in done.entries}, len(done.rejects)) == (kind, values, reject_count)


def test_lint_of_a_list_tells_what_an_import_would_refuse(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text(LISTS["plain"] + "mooo.com\ntwo words\n", encoding="utf-8")
    problems = lint_indicators(path)
    assert [(problem.rule, problem.value) for problem in problems] == [
        ("concatenated", "line 2"),
        ("shared_zone", "line 4"),
        ("no_entry", "line 5"),
    ]


@pytest.mark.parametrize("text", ["", "two words", "a..b", "192.0.2.1:99999"])
def test_what_is_no_name_cannot_be_checked(text: str) -> None:
    with pytest.raises(UsageError):
        check_indicator(text)


@given(st.binary(max_size=400))
def test_import_survives_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile-list"
    path.write_bytes(data)
    import_file(path, at=TAKEN)


def test_imported_sets_are_kept_and_replace_bundled_entries(tmp_path: Path) -> None:
    path = tmp_path / "sets" / "mine.jsonl"
    assert load_imported(path) == ()
    assert save_imported(path, [entry("pool.supportxmr.com", "exchange_or_news"), entry("my-own-pool.net")]) == 2
    assert save_imported(path, [entry("my-own-pool.net")]) == 2
    indicators = Indicators.load([path], at=TAKEN)
    assert class_of(indicators, "pool.supportxmr.com") == "exchange_or_news"
    assert class_of(indicators, "eu.my-own-pool.net") == "pool_endpoint"
    path.write_text("{not json\n", encoding="utf-8")
    with pytest.raises(UsageError, match="damaged"):
        load_imported(path)


def test_an_unreadable_list_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        import_file(tmp_path / "none")
    with pytest.raises(UsageError):
        import_file(tmp_path, indicator_class="evil")


def test_a_refresh_is_one_command(tmp_path: Path) -> None:
    trail = tmp_path / "trail.txt"
    trail.write_text(
        "# Reference: https://x.example/status/1326915356028493826\n198.51.100.7:3333\nxmr.private-pool.net\n"
        "pangolinminer.comgandalph3000.com\npool.supportxmr.com\n# TITLE-HOST/IP=A Pool\nfilms.example-c.com\n",
        encoding="utf-8",
    )
    hosts, adblock, output = tmp_path / "hosts", tmp_path / "adblock", tmp_path / "out.csv"
    hosts.write_text("0.0.0.0 browser-miner.net\n0.0.0.0 my.domain\n", encoding="utf-8")
    adblock.write_text("||other-miner.net^$third-party\n", encoding="utf-8")
    arguments = ["--maltrail", str(trail), "--maltrail-commit", "c0ffee", "--nocoin", str(hosts), str(adblock)]
    arguments += ["--nocoin-commit", "beef", "--at", "2026-08-23", "--output", str(output)]
    assert build.main(arguments) == 0
    rows = {line.split(",")[1]: line.split(",") for line in output.read_text(encoding="utf-8").splitlines()}
    assert rows["198.51.100.7"][2:5] == ["3333", "pool_endpoint", "stamparm/maltrail"]
    assert rows["198.51.100.7"][7] == "2020-11-12"
    assert rows["xmr.private-pool.net"][3] == "pool_endpoint"
    assert rows["films.example-c.com"][3] == "pool_website"
    assert rows["browser-miner.net"][3] == rows["other-miner.net"][3] == "browser_miner"
    assert not {"my.domain", "pangolinminer.comgandalph3000.com", "pool.supportxmr.com"} & rows.keys()


RESOLVING = (
    "getaddrinfo",
    "gethostbyname",
    "gethostbyname_ex",
    "gethostbyaddr",
    "getnameinfo",
    "create_connection",
    "socket",
)


def test_no_indicator_is_ever_resolved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError(f"a name was about to be resolved: {arguments}")

    for name in RESOLVING:
        monkeypatch.setattr(socket, name, refuse)
    bundled.cache_clear()
    indicators = Indicators.load(at=TAKEN)
    for one in indicators.list():
        indicators.match_domain(one.value.removeprefix("*."))
        indicators.match_address(one.value, one.port)
    lint(indicators.list(), at=TAKEN)
    indicators.table()
    for kind, text in LISTS.items():
        (tmp_path / kind).write_text(text, encoding="utf-8")
        save_imported(tmp_path / "set.jsonl", import_file(tmp_path / kind, at=TAKEN).entries)


FORBIDDEN = frozenset(
    ("socket", "http", "urllib", "ftplib", "smtplib", "requests", "httpx", "aiohttp", "dns", "asyncio")
)
NO_NETWORK = ("intel", "catalog", "detect", "correlate", "cost", "assets", "report", "kit", "model")


def test_no_module_that_sees_indicators_imports_a_network_library() -> None:
    root = Path(davylamp.__file__).parent
    for room in NO_NETWORK:
        for path in (root / room).rglob("*.py"):
            if "emulation" in path.relative_to(root).parts:
                continue  # our own pool and miner talk over loopback there; they are given no indicator
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names: list[str] = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names = [node.module]
                found = {name for name in names if name.partition(".")[0] in FORBIDDEN and name != "urllib.parse"}
                assert not found, f"{path} imports {found}"
