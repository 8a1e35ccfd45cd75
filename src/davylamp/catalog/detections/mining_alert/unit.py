"""The detection `mining_alert`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import build_finding, candidates, evidence_of, instant, whole_of
from davylamp.kit.listed_names import some, texts
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import AssetRef, Finding, Observable, Technique
from davylamp.model.severity import Confidence, Severity

SHOWN = ("time", "rule_uid", "title", "category", "action", "src_ip", "src_port", "dst_ip", "dst_port")


class MiningAlert(Detection):
    """An intrusion detection system recognised mining in what a machine sent or was sent.

    What it sees.
    Alerts of another tool whose category is coin mining (Suricata's class `coin-mining`, "Crypto Currency Mining
    Activity Detected"), or whose title speaks of coin miners or of the stratum protocol, on flows that one of our
    machines opened and in which the tool recognised no application protocol: mining dialogues in clear.

    Why it matters.
    Where only the alerts were kept, they are all that is left of the conversation; beside other evidence they say
    which machine to look at.

    How it decides.
    One finding per asset. The likelihood ratio (natural log) is 3.5, a judgement: the rules match phrases of the
    dialogue and not its sequence, what they match is not in the evidence, and rule sets differ; `mining_dialogue`,
    which reads the bytes, is of the same evidence group, so the two do not add up. 0.5 less where every flow was
    blocked. Above 20 addresses (`many_addresses_count`) the asset is a scanner: 1.0. Alerts inside DNS, TLS and HTTP,
    and those whose title speaks of a domain or a certificate, are left out: such a rule mostly knows a name, which the
    detections of names judge by themselves, and one look-up must not count as two kinds of evidence.

    What it misses.
    Alerts by name, by address lists under another category, and over HTTP (getwork, browser miners); rules in
    other words; machines with public addresses that no other evidence knows, since they cannot be told from strangers.

    What looks like it and is not.
    A stranger who tries mining commands on our servers (not reported: who opens the flow is what counts); a test of the
    rules; a machine that is meant to mine.

    What to do.
    Find the process that holds the connection; capture its packets, so that the dialogue itself can be read.

    References.
    https://attack.mitre.org/techniques/T1496/001/
    https://docs.suricata.io/en/latest/output/eve/eve-json-format.html
    """

    meta = DetectionMeta(
        uid="mining_alert",
        title="Intrusion detection alert about coin mining",
        group="wire",
        stage="mining",
        severity=Severity.MEDIUM,
        techniques=(Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),),
        reads=("detection_finding",),
        references=(
            "https://attack.mitre.org/techniques/T1496/001/",
            "https://docs.suricata.io/en/latest/output/eve/eve-json-format.html",
        ),
    )
    params: ClassVar[Mapping[str, object]] = {}
    many_addresses_count = 20

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per asset."""
        for first, rows in candidates(candidates_rows, "asset"):
            many = whole_of(first, "peers_count") > self.many_addresses_count
            blocked = first["blocked_count"] == first["alerts_count"]
            llr = 1.0 if many else 3.0 if blocked else 3.5
            yield build_finding(
                self.meta,
                fact_key="alerts",
                assets=(AssetRef("host", str(first["asset"])),),
                because=_sentence(first, rows, many, blocked),
                first_seen=instant(first["first_at"]),
                last_seen=instant(first["last_at"]),
                llr=llr,
                confidence=Confidence.LOW if many else Confidence.MEDIUM,
                severity=Severity.LOW if many else Severity.MEDIUM,
                evidence=evidence_of(rows, SHOWN),
                evidence_count=whole_of(first, "alerts_count"),
                observables={Observable("ip", address) for address in texts(rows, "dst_ip")},
            )


def _sentence(first: Row, rows: Sequence[Row], many: bool, blocked: bool) -> str:
    count = whole_of(first, "alerts_count")
    product = str(first["product"] or "another tool")
    text = f"{first['asset']} opened flows to {some(texts(rows, 'dst_ip'))} that raised {count} "
    text += f"alert{'s' if count > 1 else ''} of {product} about coin mining ({some(texts(rows, 'title'))})"
    text += "; all were blocked" if blocked else ""
    text += "; so many different addresses are a scanner's" if many else ""
    return text + "."
