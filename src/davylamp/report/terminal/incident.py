"""An incident on a terminal: in short for a scan, in full with its evidence for `show`."""

from __future__ import annotations

from rich.console import Console

from davylamp.errors import UsageError
from davylamp.report.process_cards import process_cards
from davylamp.report.terminal.page import ACCENT, COOL, HEADING, QUIET, STRONG, Page
from davylamp.report.wording import (
    NO_ENTRY_POINT,
    STAGE_WORDS,
    Record,
    asset_names,
    column_text,
    moment,
    money,
    percent,
    place,
    plural,
    span_s,
)
from davylamp.units import format_duration

_LABEL_COLUMNS = 15


def incident_story(page: Page, incident: Record, lines_count: int | None = None) -> None:
    """Title, assets, since when, the story (its first lines, when a count is given) and how it got in."""
    severity = incident["severity"]
    title = page.joined((f"{page.mark(severity)} {severity.upper()}", ACCENT), "  ", (incident["title"], STRONG))
    page.paragraph(title)
    since = f"since {moment(incident['first_seen'])} UTC"
    lasted = f"last seen {format_duration(span_s(incident))} later"
    page.paragraph(page.joined((asset_names(incident["assets"]), COOL), f" · {since}, {lasted}"), 2)
    page.paragraph(f"probability {percent(incident['probability'])} · incident {incident['uid']}", 2, QUIET)
    page.heading("What happened")
    _story(page, incident["story"][:lines_count])
    rest_count = len(incident["story"]) - len(incident["story"][:lines_count])
    if rest_count:
        page.paragraph(f"and {plural(rest_count, 'more line')}: davylamp show {incident['uid']}", 2)
    page.heading("How it got in")
    entry_point = incident["entry_point"]
    page.paragraph(NO_ENTRY_POINT if entry_point is None else entry_point["text"], 2)
    if incident["follow_on"]:
        page.heading("What else was done")
        for statement in incident["follow_on"]:
            page.paragraph(statement["text"], 2)


def _story(page: Page, story: list[Record]) -> None:
    day = ""
    for line in story:
        date, time = moment(line["at"]).split(" ")
        if date != day:
            page.paragraph(page.text(date, QUIET), 2)
            day = date
        stage = STAGE_WORDS.get(line["stage"], line["stage"])
        page.row(page.joined((time, COOL), "  ", (stage, STRONG)), page.text(line["text"]), 23, 2)


def incident_processes(page: Page, scan: Record, incident: Record) -> None:
    """Who the processes are, so that nobody has to look them up before they end."""
    cards = process_cards(incident, {finding["uid"]: finding for finding in scan["findings"]})
    if not cards:
        return
    page.heading("Which processes")
    for card in cards:
        page.paragraph(page.text(card.name, STRONG), 2)
        for label, text in card.facts:
            page.row(page.text(label, QUIET), page.text(text), _LABEL_COLUMNS, 4)


def incident_money(page: Page, incident: Record) -> None:
    """The four figures and what they rest on."""
    figures = money([incident["cost"]])
    bounds = f" ({figures.between})" if figures.between else ""
    page.heading("What it costs")
    for label, body in (
        ("per hour now", page.text(figures.run_rate, ACCENT)),
        ("so far", page.joined((figures.so_far, STRONG), f"{bounds}: {figures.split}")),
        ("next 24 hours", page.joined((figures.next_24h, STRONG), " if nobody acts")),
    ):
        page.row(page.text(label), body, _LABEL_COLUMNS)
    for number, sentence in enumerate(incident["cost"]["basis"]):
        page.row(page.text("" if number else "basis"), page.text(sentence), _LABEL_COLUMNS)


def incident_steps(page: Page, incident: Record) -> None:
    """What to do now."""
    page.heading("What to do")
    page.numbered(incident["next_steps"])


def render_incident(scan: Record, uid: str, console: Console) -> None:
    """One incident in full, with every finding and the records that say so.

    Raises:
        UsageError: no incident of the document has this uid, or more than one begins with it.
    """
    matching = [incident for incident in scan["incidents"] if uid and incident["uid"].startswith(uid)]
    if len(matching) != 1:
        known = ", ".join(incident["uid"] for incident in scan["incidents"]) or "none"
        raise UsageError(
            "no single incident has this name", where=uid, why=f"incidents of this case: {known}",
            hint="davylamp show INCIDENT, with one of these",
        )  # fmt: skip
    incident = matching[0]
    page = Page(console)
    incident_story(page, incident)
    incident_processes(page, scan, incident)
    incident_money(page, incident)
    incident_steps(page, incident)
    page.heading("What says so")
    findings = {finding["uid"]: finding for finding in scan["findings"]}
    for finding_uid in incident["findings"]:
        if finding_uid in findings:
            _finding(page, findings[finding_uid])


def _finding(page: Page, finding: Record) -> None:
    page.blank()
    severity = finding["severity"]
    page.paragraph(page.joined((f"{page.mark(severity)} {severity}", ACCENT), "  ", (finding["title"], STRONG)), 2)
    page.paragraph(finding["because"], 4)
    window = f"{moment(finding['first_seen'])} to {moment(finding['last_seen'])} UTC"
    techniques = ", ".join(f"{item['id']} {item['name']}" for item in finding["techniques"])
    weight = "unknown" if finding["llr"] is None else f"{finding['llr']:+.1f}"
    for label, body in (
        ("when", window),
        ("seen by", f"{finding['unit']} (confidence {finding['confidence']}, log likelihood ratio {weight})"),
        ("technique", techniques),
        ("search for", ", ".join(f"{item['type']} {item['value']}" for item in finding["observables"])),
    ):
        if body:
            page.row(page.text(label, QUIET), page.text(body), _LABEL_COLUMNS, 4)
    shown_count = len(finding["evidence"])
    page.paragraph(page.text(f"evidence, {shown_count} of {finding['evidence_count']:,} records", HEADING), 4)
    for cited in finding["evidence"]:
        page.paragraph(page.text(place(cited), COOL), 4)
        columns = "  ".join(f"{name}={column_text(value)}" for name, value in cited["columns"].items())
        if columns:
            page.paragraph(columns, 6)
