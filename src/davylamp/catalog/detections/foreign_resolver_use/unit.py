"""The detection `foreign_resolver_use`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.addresses import NOT_PUBLIC
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant, whole_of
from davylamp.kit.listed_names import some, texts
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity

SHOWN = ("time", "ip", "channel", "resolver_name", "detail")


class ForeignResolverUse(Detection):
    """A machine asked a resolver other than the ones it normally asks.

    What it sees.
    DNS questions, and flows to port 53 or 853, whose resolver is a public address outside the machine's normal set;
    and flows to port 443 of a known DNS-over-HTTPS resolver, by address or by server name.

    Why it matters.
    A miner that brings its own resolver is not stopped by a blocked name, and its questions are missing from the
    logs of the site's resolver. Cloud intrusions also rewrite the resolver settings of the host.

    How it decides.
    The normal set of an asset is learned from its own evidence: private and link-local addresses (a cloud's
    resolver is one), every resolver with a fifth of the asset's contacts (`normal_ratio` 0.2: two resolvers with
    a failover pair each still pass), and every resolver that at least three assets (`fleet_users_count`) and half
    of all assets use. It must have been asked 20 times (`normal_contacts_count`) to count as learned; the numbers
    are judgement, there is no public figure. An asset that asks more than 12 public servers
    (`most_resolvers_count`) is a resolver itself and stays quiet. A flow that nobody answered, or that was
    refused, is no use of a resolver. The likelihood ratio (natural log) is 1.0 for plain DNS, 1.5 for DNS over
    TLS or HTTPS: desktops do this by themselves, servers hardly. One finding per asset.

    What it misses.
    A machine that used the foreign resolver from the start; a resolver nobody knows on port 443; a change of the
    resolver settings that lasts longer than the old ones did in the evidence.

    What looks like it and is not.
    Browsers with DNS over HTTPS; containers with 8.8.8.8 as default; monitoring that checks resolvers; laptops that
    move; port scans. NetBIOS name queries to port 137, which Zeek writes into its DNS log, are not counted.

    What to do.
    Compare the machine's resolver settings with what they should be; see which process talks to the resolver.

    References.
    https://attack.mitre.org/techniques/T1071/004/
    https://attack.mitre.org/techniques/T1572/
    """

    meta = DetectionMeta(
        uid="foreign_resolver_use",
        title="Resolver outside the normal set used",
        group="name",
        stage="impairment",
        severity=Severity.LOW,
        techniques=(
            Technique("T1071.004", "Application Layer Protocol: DNS"),
            Technique("T1572", "Protocol Tunneling"),
        ),
        reads=("dns_activity", "network_activity"),
        references=("https://attack.mitre.org/techniques/T1572/",),
    )
    params: ClassVar[Mapping[str, object]] = {
        "not_public": NOT_PUBLIC,
        "normal_ratio": 0.2,
        "fleet_users_count": 3,
        "normal_contacts_count": 20,
        "most_resolvers_count": 12,
    }

    def could_look(self, facts: Facts) -> str:
        """Either class will do: flows to port 53 show the resolver as well as a DNS log does."""
        if any(facts.has_rows(name) for name in self.meta.reads):
            return ""
        return "no dns_activity and no network_activity evidence"

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per asset."""
        for first, rows in candidates(candidates_rows, "asset"):
            channels = texts(rows, "channel")
            yield build_finding(
                self.meta,
                fact_key="resolver",
                assets=(AssetRef("host", str(first["asset"])),),
                because=_sentence(first, rows),
                first_seen=instant(first["first_at"]),
                last_seen=instant(first["last_at"]),
                llr=1.0 if channels == ["DNS"] else 1.5,
                confidence=Confidence.LOW,
                evidence=evidence_of(rows, SHOWN),
                evidence_count=whole_of(first, "foreign_contacts_count"),
                observables={Observable("ip", address) for address in texts(rows, "ip")},
            )


def _sentence(first: Row, rows: Sequence[Row]) -> str:
    named = {str(row["ip"]): str(row["resolver_name"] or "") for row in rows}
    shown = [f"{address} ({name})" if name else address for address, name in sorted(named.items())]
    count = whole_of(first, "foreign_contacts_count")
    others = whole_of(first, "normal_resolvers_count") - 1
    normal = f"{first['normal_ip']}" + (f" and {others} more" if others > 0 else "")
    contacts = whole_of(first, "normal_contacts_count")
    times = f"{count} time{'s' if count > 1 else ''}"
    return (
        f"{first['asset']} spoke {some(texts(rows, 'channel'))} to {some(shown)} {times}; "
        f"{contacts} contacts in the same evidence went to its normal resolvers ({normal})."
    )
