"""The page: one self-contained file with no network, rendered from the scan document alone."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from davylamp.model.coverage import COULD_NOT_LOOK, NO, YES
from davylamp.model.finding import STAGES
from davylamp.report import wording
from davylamp.report.charts import Curve, Rhythm, Timeline, cpu_curve, rhythm, timeline
from davylamp.report.process_cards import ProcessCard, process_cards
from davylamp.report.visible import WORD_SHOWN_COUNT, clipped, visible
from davylamp.report.wording import Record
from davylamp.units import format_bytes, format_duration, format_usd

FINDINGS_SHOWN_COUNT = 200
FILES_SHOWN_COUNT = 300
_ESCAPES = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[nrt])")


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing beside a finding: exactly one of the two is set."""

    finding: Record
    rhythm: Rhythm | None = None
    cpu: Curve | None = None


@dataclass(frozen=True, slots=True)
class IncidentView:
    """An incident with what the page draws beside it."""

    record: Record
    number: int
    money: wording.Money
    findings: tuple[Record, ...]
    findings_count: int
    numbers: Mapping[str, int]
    timeline: Timeline | None
    plots: tuple[Plot, ...]
    processes: tuple[ProcessCard, ...]


def render_html(scan: Record) -> str:
    """The whole page as text; encode it as UTF-8."""
    style, script = _asset("report.css"), _asset("report.js")
    incidents = _incident_views(scan)
    loose = wording.loose_findings(scan)
    shown = [*(finding for view in incidents for finding in view.findings), *loose[:FINDINGS_SHOWN_COUNT]]
    return (
        _environment()
        .get_template("report.html")
        .render(
            scan=scan,
            csp=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'",
            style=Markup(style),
            script=Markup(script),
            headline=wording.headline(scan),
            total=wording.money([incident["cost"] for incident in scan["incidents"]]),
            anchors={finding["uid"]: f"f{number}" for number, finding in enumerate(shown)},
            incidents=incidents,
            overview=timeline(scan["findings"], _first_asset),
            loose=loose[:FINDINGS_SHOWN_COUNT],
            loose_count=len(loose),
            files=wording.coverage_gaps_first(scan)[:FILES_SHOWN_COUNT],
            looks={outcome: _looks(scan, outcome) for outcome in (COULD_NOT_LOOK, YES, NO)},
            blind=wording.alike(wording.not_looked(scan), "reason"),
        )
    )


def _incident_views(scan: Record) -> tuple[IncidentView, ...]:
    findings = {finding["uid"]: finding for finding in scan["findings"]}
    views = []
    for number, incident in enumerate(scan["incidents"], 1):
        mine = sorted(
            (findings[uid] for uid in incident["findings"] if uid in findings),
            key=lambda finding: (finding["first_seen"], finding["uid"]),
        )
        views.append(
            IncidentView(
                record=incident,
                number=number,
                money=wording.money([incident["cost"]]),
                findings=tuple(mine[:FINDINGS_SHOWN_COUNT]),
                findings_count=len(mine),
                numbers={finding["uid"]: place for place, finding in enumerate(mine, 1)},
                timeline=timeline(mine, lambda finding: str(finding["stage"]), STAGES),
                plots=_plots(mine),
                processes=process_cards(incident, findings),
            )
        )
    return tuple(views)


def _plots(findings: Sequence[Record]) -> tuple[Plot, ...]:
    plots = []
    for finding in findings:
        for series in finding["series"]:
            if series["kind"] == "rhythm" and (drawn := rhythm(series)):
                plots.append(Plot(finding, rhythm=drawn))
            if series["kind"] == "cpu_floor" and (curve := cpu_curve(series)):
                plots.append(Plot(finding, cpu=curve))
    return tuple(plots)


def _first_asset(finding: Record) -> str:
    return str(finding["assets"][0]["name"]) if finding["assets"] else "no asset"


def _looks(scan: Record, outcome: str) -> list[Record]:
    return [look for look in scan["looks"] if look["outcome"] == outcome]


def _asset(name: str) -> str:
    return resources.files("davylamp.report").joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _finalized(value: object) -> object:
    """Every value a template prints passes here: text that is not markup shows its hidden letters."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(clipped(value))
    return value


def _shown(value: object, word_limit_count: int = WORD_SHOWN_COUNT) -> Markup:
    """Evidence text, its hidden letters marked as such."""
    text = visible(clipped(wording.column_text(value), word_limit_count=word_limit_count))
    pieces: list[str] = []
    start = 0
    for match in _ESCAPES.finditer(text):
        pieces += [escape(text[start : match.start()]), Markup("<i>{}</i>").format(match.group())]
        start = match.end()
    return Markup("").join([*pieces, escape(text[start:])])


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("davylamp.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        shown=_shown,
        moment=wording.moment,
        percent=wording.percent,
        place=wording.place,
        usd=format_usd,
        size=format_bytes,
        duration=format_duration,
    )
    environment.globals.update(
        plural=wording.plural,
        asset_names=wording.asset_names,
        span_s=wording.span_s,
        any_read=wording.any_read,
        what_none_means=wording.what_none_means,
        coverage_sentence=wording.coverage_sentence,
        files_count=wording.files_count,
        stage_words=wording.STAGE_WORDS,
        state_words=wording.STATE_WORDS,
        no_entry_point=wording.NO_ENTRY_POINT,
        not_clean=wording.NOT_CLEAN,
    )
    return environment
