"""The detection `pool_like_name`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.catalog.detections.pool_like_name.name_shape import (
    features,
    is_stratum_host,
    may_be_a_pool,
    registered_part,
)
from davylamp.catalog.detections.pool_like_name.weights import INTERCEPT, LEAST_SCORE, WEIGHTS
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant, whole_of
from davylamp.kit.listed_names import some, texts
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity

SHOWN = ("time", "name", "how", "dst_ip", "dst_port", "rcode")
_WORDS = {
    "coin_word": "a coin's short name",
    "coin_glued": "a coin's name",
    "algorithm_word": "a mining algorithm",
    "pool_word": "`pool`",
    "pool_glued": "`pool` within a word",
    "mine_word": "`mine`",
    "mine_glued": "`mine` within a word",
    "stratum_word": "`stratum`",
    "hash_glued": "`hash` within a word",
    "door_beside_core": "a region or mode beside it",
}


def score(name: str) -> float:
    """Log odds of the shape, as learned by `bench/train_pool_like_name.py`; minus infinity where none is due."""
    if not may_be_a_pool(name):
        return float("-inf")
    return INTERCEPT + sum(WEIGHTS.get(feature, 0.0) for feature in features(name))


class PoolLikeName(Detection):
    """A machine used a host name of the shape that mining pools choose, listed or not.

    What it sees.
    Names asked in DNS or named on a connection (TLS server name, HTTP host) whose labels are made of the words
    pools use: coin tickers, coins and algorithms, `pool`, `mine`, `stratum`, `hash`, with regions and modes such as
    `us-east`, `solo` and `ssl` beside them.

    Why it matters.
    Lists are late: pools open new names, and private pools are in no list. The way they are named has stayed.

    How it decides.
    Labels are cut into words at every character that is no letter. Each kind of word adds a weight; the weights are
    learned by `bench/train_pool_like_name.py` (ridge logistic regression on kinds of words, never on names) from
    the host names of a public pool list against 10,500 popular names, each also with a common host label before it.
    Judged with whole registered domains left out of learning, the score finds 157 of 222 listed pool hosts (of 173
    that hold any word of mining at all; the others hide behind neutral names) and 2 of 20,164 popular names at the
    threshold 0.2, 98 and 1 at 1.5, 57 and 0 at 3 (the script prints these figures). The likelihood ratio (natural
    log) is 1.0 from a score of 0.2, 1.5 from 1.5, 2.0 from 3 and 2.5 from 4.5: the ratio measured on lists would be
    higher, but the names of a company's own servers are in no list, so it stays a hint. One finding per asset and
    registered domain; above 10 of them (`many_domains_count`) the asset is a resolver or a crawler and nothing is
    reported but one finding of 0.5.

    What it misses.
    Neutral names (about a fifth of the listed hosts), bare registered domains, names that only look like words of
    another language.

    What looks like it and is not.
    Time servers (`pool.ntp.org`, `ntp.pool...`, `stratum1.time...`); a pool's own site (`www.`, `api.`, the bare
    domain, names known as sites unless a label says `stratum`); car, swimming, connection, node and address pools;
    Minecraft; mineral and data mining; private names (`.internal`, `.local`).

    What to do.
    Look at who runs the name and what the machine sent there; a long connection of small messages settles it.

    References.
    https://attack.mitre.org/techniques/T1496/001/
    """

    meta = DetectionMeta(
        uid="pool_like_name",
        title="Name shaped like a mining pool's",
        group="name",
        stage="mining",
        severity=Severity.LOW,
        techniques=(
            Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),
            Technique("T1071.004", "Application Layer Protocol: DNS"),
        ),
        reads=("dns_activity", "network_activity"),
        references=("https://attack.mitre.org/techniques/T1496/001/",),
    )
    params: ClassVar[Mapping[str, object]] = {}
    many_domains_count = 10

    def could_look(self, facts: Facts) -> str:
        """Either class will do: a name may be asked for, or stand on a connection."""
        if any(facts.has_rows(name) for name in self.meta.reads):
            return ""
        return "no dns_activity and no network_activity evidence"

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per asset and registered domain."""
        shaped = [row for row in candidates_rows if _is_shaped(str(row["name"]), facts)]
        for first, rows in candidates(shaped, "asset"):
            asset = AssetRef("host", str(first["asset"]))
            domains: dict[str, list[Row]] = {}
            for row in rows:
                domains.setdefault(registered_part(str(row["name"])), []).append(row)
            if len(domains) > self.many_domains_count:
                yield self._finding(asset, "many", rows, 0.5, _many_sentence(asset.name, sorted(domains)))
                continue
            for domain, cited in sorted(domains.items()):
                best = max(texts(cited, "name"), key=lambda name: (score(name), name))
                yield self._finding(asset, domain, cited, _llr(score(best)), _sentence(asset.name, best, cited))

    def _finding(self, asset: AssetRef, key: str, rows: Sequence[Row], llr: float, because: str) -> Finding:
        counts = {str(row["name"]): whole_of(row, "seen_count") for row in rows}
        return build_finding(
            self.meta,
            fact_key=key,
            assets=(asset,),
            because=because,
            first_seen=min(instant(row["first_at"]) for row in rows),
            last_seen=max(instant(row["last_at"]) for row in rows),
            llr=llr,
            confidence=Confidence.LOW,
            evidence=evidence_of(rows, SHOWN),
            evidence_count=sum(counts.values()),
            observables={Observable("domain", name) for name in counts},
        )


def _is_shaped(name: str, facts: Facts) -> bool:
    if score(name) < LEAST_SCORE:
        return False
    indicator = facts.match_domain(name)
    if indicator is not None and indicator.indicator_class == "pool_website":
        return is_stratum_host(name)  # `stratum.viabtc.com`: no page, though the list knows the domain by its pages
    return indicator is None or indicator.indicator_class in ("pool_endpoint", "shared_zone")


def _llr(points: float) -> float:
    steps = ((4.5, 2.5), (3.0, 2.0), (1.5, 1.5))
    return next((llr for least, llr in steps if points >= least), 1.0)


def _sentence(asset: str, best: str, rows: Sequence[Row]) -> str:
    words = [text for feature, text in _WORDS.items() if feature in features(best)]
    count = len(texts(rows, "name"))
    more = f" (and {count - 1} more below that domain)" if count > 1 else ""
    how = " and ".join(reversed(texts(rows, "how")))
    return f"{asset} {how} {best}{more}; its labels hold {some(words, 5)}, as pools' names do."


def _many_sentence(asset: str, domains: list[str]) -> str:
    return (
        f"{asset} used names shaped like pools' under {len(domains)} different domains ({some(domains)}); that many "
        "belong to a resolver, a crawler or a job that checks lists rather than to a miner."
    )
