"""Coverage, assets and units on a terminal."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.text import Text

from davylamp.kit.drill import DrillMeta
from davylamp.kit.metadata import DetectionMeta, SourceMeta
from davylamp.model.coverage import READ
from davylamp.report.terminal.page import ACCENT, COOL, HEADING, QUIET, STRONG, Page
from davylamp.report.wording import (
    NOT_CLEAN,
    STATE_WORDS,
    Record,
    alike,
    coverage_gaps_first,
    coverage_sentence,
    not_looked,
    plural,
)

UnitMeta = SourceMeta | DetectionMeta | DrillMeta
_REASONS_SHOWN_COUNT = 12
_PATHS_SHOWN_COUNT = 3
_SECTIONS = (
    *("What it sees.", "Why it matters.", "How it decides.", "What it misses.", "What looks like it and is not."),
    *("What to do.", "What it reads.", "What it gives.", "What it leaves out.", "References."),
    *("What it plays.", "What it proves."),
)


def coverage_short(page: Page, scan: Record) -> None:
    """Coverage as it closes a scan: only what was not fully read, and what could not look."""
    page.heading("What was read")
    page.paragraph(coverage_sentence(scan), 2)
    gaps = [row for row in coverage_gaps_first(scan) if row["state"] != READ or row["rejected_count"]]
    groups = alike(gaps, "state", "reason", "rejected_count")
    for group in groups[:_REASONS_SHOWN_COUNT]:
        paths = ", ".join(row["path"] for row in group[:_PATHS_SHOWN_COUNT])
        more = f" and {plural(len(group) - _PATHS_SHOWN_COUNT, 'more file')}" if len(group) > _PATHS_SHOWN_COUNT else ""
        why = f"{_why(group[0])}, each" if len(group) > 1 and group[0]["rejected_count"] else _why(group[0])
        page.row(_state(page, group[0]), page.joined(why, ": ", (paths, COOL), more), 18)
    if len(groups) > _REASONS_SHOWN_COUNT:
        rest = plural(sum(len(group) for group in groups[_REASONS_SHOWN_COUNT:]), "more file")
        page.paragraph(f"and {rest}: davylamp coverage lists them all", 2)
    _blind(page, scan)


def _state(page: Page, row: Record) -> Text:
    return page.joined((f"{page.mark(row['state'])} {STATE_WORDS[row['state']]}", STRONG))


def _why(row: Record) -> str:
    parts = [row["reason"]] if row["reason"] else []
    if row["rejected_count"]:
        first = row["rejects"][0]["reason"] if row["rejects"] else ""
        parts.append(f"{plural(row['rejected_count'], 'record')} rejected" + (f" (first: {first})" if first else ""))
    return "; ".join(parts) or "no reason was given"


def _blind(page: Page, scan: Record) -> None:
    blind = not_looked(scan)
    if not blind:
        return
    page.blank()
    page.paragraph(page.text(f"{plural(len(blind), 'detection')} could not look", STRONG), 2)
    for group in alike(blind, "reason"):
        units = ", ".join(look["unit"] for look in group)
        page.row(page.text(page.mark("could_not_look")), page.text(f"{group[0]['reason']}: {units}"), 2)
    page.paragraph(NOT_CLEAN, 2)


def render_coverage(scan: Record, console: Console) -> None:
    """Every file, what was kept and refused of it, and every detection's look."""
    page = Page(console)
    page.paragraph(coverage_sentence(scan), style=STRONG)
    for row in scan["coverage"]:
        page.blank()
        page.paragraph(page.joined((f"{page.mark(row['state'])} {STATE_WORDS[row['state']]}", STRONG), "  ",
                                   (row["path"], COOL)))  # fmt: skip
        kept = ", ".join(f"{count:,} {name}" for name, count in row["event_classes"].items())
        page.paragraph(f"{row['source'] or 'no source'}: {kept or 'no rows'}", 2)
        if row["reason"]:
            page.paragraph(row["reason"], 2)
        if row["rejected_count"]:
            shown = f"{plural(row['rejected_count'], 'record')} rejected, first {len(row['rejects'])}:"
            page.paragraph(shown, 2)
        for reject in row["rejects"]:
            page.row(page.text(_reject_place(reject), QUIET), page.text(reject["reason"]), 22, 4)
    page.heading("What each detection saw")
    for look in scan["looks"]:
        outcome = look["outcome"]
        words = outcome.replace("_", " ") + (f": {look['reason']}" if look["reason"] else "")
        page.row(page.text(f"{page.mark(outcome)} {look['unit']}"), page.text(words), 34)
    if not_looked(scan):
        page.paragraph(NOT_CLEAN, 2)


def _reject_place(reject: Record) -> str:
    if reject["line"] is not None:
        return f"line {reject['line']}"
    return f"byte {reject['offset']}" if reject["offset"] is not None else "somewhere"


def render_assets(scan: Record, console: Console) -> None:
    """Every asset, its identities, and on what ground they are its."""
    page = Page(console)
    page.paragraph(plural(len(scan["assets"]), "asset"), style=STRONG)
    for asset in scan["assets"]:
        page.blank()
        page.paragraph(page.joined((asset["name"], STRONG), f" ({asset['kind']})"))
        for label, value in (
            ("addresses", ", ".join(asset["addresses"])),
            ("host names", ", ".join(asset["host_names"])),
            ("instance", " ".join(part for part in (asset["instance_id"], asset["instance_type"]) if part)),
            ("where", " ".join(part for part in (asset["region"], asset["account"]) if part)),
            ("priced as", asset["price_model"]),
        ):
            if value:
                page.row(page.text(label), page.text(value), 13)
        for number, ground in enumerate(asset["grounds"]):
            page.row(page.text("" if number else "because"), page.text(ground), 13)


def render_units(units: Iterable[UnitMeta], console: Console) -> None:
    """Units by kind: id and title."""
    page = Page(console)
    kind = ""
    for meta in sorted(units, key=lambda unit: (unit.kind, unit.uid)):
        if meta.kind != kind:
            if kind:
                page.blank()
            page.paragraph(f"{meta.kind}s", style=HEADING)
            kind = meta.kind
        title = meta.title if meta.maturity == "stable" else f"{meta.title} ({meta.maturity})"
        page.row(page.text(meta.uid, COOL), page.text(title), 34)


def render_unit_page(meta: UnitMeta, docstring: str, params: Mapping[str, object], console: Console) -> None:
    """A unit's page: its metadata, and its docstring as its author wrote it."""
    page = Page(console)
    page.paragraph(page.joined((meta.uid, ACCENT), "  ", (meta.title, STRONG)))
    for label, value in _facts_of(meta):
        page.row(page.text(label, QUIET), page.text(value), 13)
    page.blank()
    for indent, words in _paragraphs(docstring):
        if words in _SECTIONS:
            page.heading(words)
        elif words.startswith(("- ", "* ")):
            page.row(page.text("-"), page.text(words[2:], whole=True), 2, indent)
        else:
            page.paragraph(page.text(words, whole=True), indent)
    if params:
        page.heading("Thresholds")
        for name, number in params.items():
            page.row(page.text(name, COOL), page.text(number), 34)


def _facts_of(meta: UnitMeta) -> list[tuple[str, str]]:
    if isinstance(meta, DrillMeta):
        return [("plays", f"letter {meta.letter} of the score sheet"), ("expects", meta.expects)]
    if isinstance(meta, SourceMeta):
        return [("reads", ", ".join(meta.formats)), ("gives", ", ".join(meta.event_classes))]
    techniques = ", ".join(f"{item.id} {item.name}" for item in meta.techniques)
    return [("reads", ", ".join(meta.reads)), ("severity", meta.severity.word), ("evidence", meta.group),
            ("technique", techniques)]  # fmt: skip


def _paragraphs(docstring: str) -> list[tuple[int, str]]:
    """A docstring's paragraphs with their indent, each as one line; headings, items and addresses stand alone."""
    made: list[tuple[int, str]] = []
    joins = False
    for line in inspect.cleandoc(docstring).splitlines():
        words = line.strip()
        indent = len(line) - len(line.lstrip())
        alone = words in _SECTIONS or words.startswith(("http://", "https://"))
        if words and joins and not alone and not words.startswith(("- ", "* ")):
            made[-1] = (made[-1][0], f"{made[-1][1]} {words}")
        elif words:
            made.append((indent, words))
        joins = bool(words) and not alone
    return made
