"""A whole scan on a terminal."""

from __future__ import annotations

from rich.console import Console

from davylamp.report.terminal.incident import incident_money, incident_processes, incident_steps, incident_story
from davylamp.report.terminal.lists import coverage_short
from davylamp.report.terminal.page import ACCENT, COOL, QUIET, STRONG, Page
from davylamp.report.wording import (
    Record,
    alike,
    any_read,
    asset_names,
    headline,
    loose_findings,
    moment,
    plural,
    what_none_means,
)
from davylamp.units import format_bytes, format_duration

FINDINGS_SHOWN_COUNT = 20
# Of one kind the strongest are told: two hundred guessers are one fact for whoever reads this at night.
ALIKE_SHOWN_COUNT = 3
STORY_SHOWN_COUNT = 20


def render_scan(scan: Record, console: Console) -> None:
    """The story first, then the money, then what to do, then other findings, then coverage."""
    page = Page(console)
    incidents = scan["incidents"]
    if len(incidents) != 1:
        page.paragraph(headline(scan), style=STRONG)
    if not incidents and any_read(scan):
        page.paragraph(what_none_means(scan))
    for number, incident in enumerate(incidents):
        if number or len(incidents) > 1:
            page.blank()
            page.paragraph(f"Incident {number + 1} of {len(incidents)}", style=QUIET)
        incident_story(page, incident, STORY_SHOWN_COUNT)
        incident_processes(page, scan, incident)
        incident_money(page, incident)
        incident_steps(page, incident)
    _loose(page, loose_findings(scan))
    coverage_short(page, scan)
    _run(page, scan["run"])


def _loose(page: Page, findings: list[Record]) -> None:
    if not findings:
        return
    page.heading("Findings that are no incident")
    kinds = [(kind, kind[:ALIKE_SHOWN_COUNT]) for kind in alike(findings, "unit")]
    shown_count = 0
    for kind, first in kinds:
        if shown_count >= FINDINGS_SHOWN_COUNT:
            break
        shown_count += len(first)
        _kind(page, first)
        if len(kind) > len(first):
            page.row(page.text(""), page.text(f"and {len(kind) - len(first):,} more of this kind", QUIET), 17)
    if shown_count < len(findings):
        page.paragraph(f"{plural(len(findings), 'finding')} in all: davylamp scan --format json has them", 2)


def _kind(page: Page, findings: list[Record]) -> None:
    for finding in findings:
        severity = finding["severity"]
        label = page.joined((f"{page.mark(severity)} {severity}", ACCENT))
        when = moment(finding["first_seen"])
        page.row(label, page.joined((asset_names(finding["assets"]), COOL), f" · {when} · {finding['title']}"), 17)
        page.row(page.text(""), page.text(finding["because"]), 17)


def _run(page: Page, run: Record) -> None:
    page.blank()
    figures = (
        f"davylamp {run['version']} read {format_bytes(run['bytes_count'])} in {_elapsed(run['elapsed_s'])}, "
        f"{format_bytes(run['peak_memory_bytes'])} of memory at most"
    )
    page.paragraph(figures, style=QUIET)


def _elapsed(elapsed_s: float) -> str:
    return f"{elapsed_s:.1f} s" if elapsed_s < 10 else format_duration(elapsed_s)
