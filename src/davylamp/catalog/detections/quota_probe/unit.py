"""The detection `quota_probe`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import ClassVar

from davylamp.kit.audit import audit_finding, called_by, failed, first_text, listed, number, request, text_of
from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates, instant, number_of, whole_of
from davylamp.kit.metadata import DetectionMeta
from davylamp.model.finding import Finding, Technique
from davylamp.model.severity import Severity
from davylamp.units import format_duration

WINDOW = timedelta(minutes=10)


class QuotaProbe(Detection):
    """Somebody measured how many machines the account may start, over regions or quotas, or asked for more.

    What it sees.
    Reads of compute quotas (Service Quotas for EC2, Fargate, SageMaker, Lambda and other computing services, such
    as L-1216C47A, the vCPUs of standard machines), reads of what a region offers (DescribeAccountAttributes,
    instance types, offerings, spot prices), and requests to raise a compute quota, by one principal.

    Why it matters.
    Who wants to turn keys into machines has to know how many and where. Such reads came before the launches in the
    campaign of November 2025, and cost nothing, so nobody looks.

    How it decides.
    A day of a principal is looked at when it read quotas or offers in three regions (`regions_count`; people work
    in one or two), or three quotas (`quotas_count`), or asked for a raise. Principals with five such days
    (`steady_days_count`, a working week) are monitors and stay quiet. The likelihood ratio (natural log): 1.2 for a
    few quotas, 2 for three regions, 3 for three regions within ten minutes, 4 for ten (Elastic's published rule
    asks for ten regions and ten calls of L-1216C47A in 30 s), 1.5 for a raise asked for (2 with reads); 0.5 less
    where only offers were read. A principal that called 60 different operations that day
    (`inventory_operations_count`; a posture scan calls hundreds, a person few dozens) is most likely taking an
    inventory: 1.5 less. 0.5 less where the evidence reaches back less than a day (`history_least_s`): a monitor's
    first run looks the same. Nothing below 1 is reported.

    What it misses.
    One region, one quota; a reader that keeps going for weeks; attackers who try and read the quota from the
    refusal (that is `compute_launch_burst`).

    What looks like it and is not.
    Posture scanners and quota monitors; an engineer who plans a large rollout and asks for more vCPUs first.

    What to do.
    Ask the owner. Withdraw a quota request that nobody knows of, and look at what the principal did next.

    References.
    https://github.com/elastic/detection-rules (EC2 quota enumeration across regions)
    https://docs.aws.amazon.com/servicequotas/latest/userguide/request-quota-increase.html
    """

    meta = DetectionMeta(
        uid="quota_probe",
        title="Compute quotas probed",
        group="audit",
        stage="discovery",
        severity=Severity.LOW,
        techniques=(
            Technique("T1580", "Cloud Infrastructure Discovery"),
            Technique("T1578.005", "Modify Cloud Compute Infrastructure: Modify Cloud Compute Configurations"),
        ),
        reads=("api_activity",),
        references=("https://docs.aws.amazon.com/servicequotas/latest/userguide/request-quota-increase.html",),
    )
    params: ClassVar[Mapping[str, object]] = {
        "regions_count": 3,
        "quotas_count": 3,
        "steady_days_count": 5,
        "rows_count": 400,
    }
    inventory_operations_count = 60
    history_least_s = 86400.0
    least_llr = 1.0

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding per account and principal."""
        for _, rows in candidates(candidates_rows, "account", "principal"):
            llr = self._llr(rows)
            if llr < self.least_llr:
                continue
            yield audit_finding(
                self.meta,
                rows,
                fact_key="quota",
                because=_sentence(rows),
                llr=llr,
                severity=Severity.MEDIUM if llr >= 3 else None,
                calls_count=_calls_count(rows),
            )

    def _llr(self, rows: Sequence[Row]) -> float:
        regions = {text_of(row, "region") for row in rows}
        quick = most_regions(rows, WINDOW)
        llr = 1.2
        if len(regions) >= 3:
            llr = 4.0 if quick >= 10 else 3.0 if quick >= 3 else 2.0
        if any(row["kind"] == "increase" for row in rows):
            llr = max(llr, 2.0 if any(row["kind"] == "quota" for row in rows) else 1.5)
        llr -= 0.5 if all(row["kind"] == "capacity" for row in rows) else 0.0
        inventory = all(whole_of(row, "operations_count") >= self.inventory_operations_count for row in rows)
        llr -= 1.5 if inventory else 0.0
        llr -= 0.5 if all(map(failed, rows)) else 0.0
        llr -= 0.5 if all(number_of(row, "history_s") < self.history_least_s for row in rows) else 0.0
        return llr


def most_regions(rows: Sequence[Row], window: timedelta) -> int:
    """The most regions asked within any window."""
    ordered = sorted(rows, key=lambda row: instant(row["time"]))
    most = start = 0
    for end, row in enumerate(ordered):
        while instant(row["time"]) - instant(ordered[start]["time"]) > window:
            start += 1
        most = max(most, len({text_of(inside, "region") for inside in ordered[start : end + 1]}))
    return most


def _calls_count(rows: Sequence[Row]) -> int:
    return sum({row.get("day"): whole_of(row, "day_calls_count") for row in rows}.values())


def _sentence(rows: Sequence[Row]) -> str:
    regions = {text_of(row, "region") for row in rows}
    codes = {text_of(row, "quota_code") for row in rows} - {""}
    moments = [instant(row["time"]) for row in rows]
    length = format_duration((max(moments) - min(moments)).total_seconds())
    asked = f", quotas {listed(codes)}" if codes else ""
    reads = [row for row in rows if row["kind"] != "increase"]
    where = listed(regions) if len(regions) <= 2 else f"{len(regions)} regions ({listed(regions)})"
    during = f" within {length}" if moments[1:] else ""
    text = f"{called_by(rows[0])} asked how much may be started in {where}{during}{asked}" if reads else ""
    raises = [row for row in rows if row["kind"] == "increase"]
    if raises:
        most = max(number(first_text(request(row), "desiredValue")) for row in raises)
        times = "once" if len(raises) == 1 else f"{len(raises)} times"
        asking = f"{times} for a higher quota (up to {most:,})"
        text = f"{text}; it asked {asking}" if reads else f"{called_by(rows[0])} asked in {where} {asking}{asked}"
    return text + "."
