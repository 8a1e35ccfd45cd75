"""A baseline on a terminal: what it declares, what would be approved, and what is new against it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from rich.console import Console
from rich.text import Text

from davylamp.model.baseline import NEED_LISTS, Baseline, Entry
from davylamp.model.finding import Finding
from davylamp.report.terminal.page import QUIET, STRONG, Page
from davylamp.report.wording import plural

LABEL_COLUMNS = 16
LIST_WORDS = {
    "services": "service",
    "listening_ports": "listening port",
    "resolvers": "resolver",
    "name_sources": "name source",
    "routes": "route",
    "startup_items": "startup item",
    "authorized_keys": "authorized key",
    "user_accounts": "user account",
}


class ChangeShown(Protocol):
    """What the renderer reads of a change."""

    @property
    def list_name(self) -> str: ...
    @property
    def entry(self) -> Entry: ...
    @property
    def added(self) -> bool: ...


def render_baseline(baseline: Baseline, console: Console) -> None:
    """Everything that a baseline declares, list by list."""
    page = Page(console)
    page.paragraph(page.text(_headline(baseline), STRONG))
    for need in NEED_LISTS:
        page.heading(f"{LIST_WORDS[need.name].capitalize()}s")
        entries = baseline.entries.get(need.name)
        if entries is None:
            page.paragraph("not approved: it could not be looked at; nothing is compared with it", 2, QUIET)
        elif not entries:
            page.paragraph("none", 2, QUIET)
        for entry in entries or ():
            page.paragraph(entry_words(need.name, entry), 2)


def render_changes(
    changes: Sequence[ChangeShown], refused: Iterable[tuple[str, str]], host: str, console: Console
) -> None:
    """What an approval would change."""
    page = Page(console)
    added = sum(change.added for change in changes)
    if changes:
        page.paragraph(
            page.text(f"{host}: {plural(added, 'entry', 'entries')} to approve, {len(changes) - added} to drop", STRONG)
        )
    for name, words in LIST_WORDS.items():
        own = [change for change in changes if change.list_name == name]
        if own:
            page.heading(f"{words.capitalize()}s")
        for change in own:
            page.row(page.text("+" if change.added else "-"), page.text(entry_words(name, change.entry)), 2)
    _render_refused(page, refused)


def render_drift(
    baseline: Baseline,
    findings: Sequence[Finding],
    gone: Sequence[ChangeShown],
    refused: Iterable[tuple[str, str]],
    console: Console,
) -> None:
    """What is new on a host, with who did it and when; what is gone; what could not be looked at."""
    page = Page(console)
    new = plural(len(findings), "thing is", "things are") if findings else "Nothing is"
    page.paragraph(page.text(f"{new} new on {_headline(baseline)}.", STRONG))
    if findings:
        page.heading("New, and not declared")
    for finding in findings:
        word = finding.severity.word
        label = page.joined(page.mark(word), " ", word)
        page.row(label, page.text(f"{finding.title}", STRONG), LABEL_COLUMNS)
        page.row(Text(), page.text(f"{finding.because}."), LABEL_COLUMNS)
    if gone:
        page.heading("Declared, and not seen by this look")
    for change in gone:
        page.row(
            page.text(LIST_WORDS[change.list_name]), page.text(entry_words(change.list_name, change.entry)),
            LABEL_COLUMNS,
        )  # fmt: skip
    _render_refused(page, refused)
    if findings:
        page.blank()
        page.paragraph("Stop what should not be there; approve what should: davylamp baseline approve --now")


def entry_words(list_name: str, entry: Entry) -> str:
    """One entry in words."""
    if list_name == "listening_ports":
        image = f" by {entry['image_path']}" if entry.get("image_path") else ""
        reach = {"loopback": "on loopback", "address": "on one address"}.get(str(entry.get("exposure")), "on any")
        return f"{entry['protocol']} {entry['port']} {reach}{image}"
    if list_name == "startup_items":
        command = f": {entry['value']}" if entry.get("value") else ""
        return f"{entry['item_kind']} {entry['name']} in {entry.get('file_path', 'any file')}{command}"
    if list_name == "authorized_keys":
        comment = f" ({entry['name']})" if entry.get("name") else ""
        return f"{entry.get('user_name') or 'any user'} {entry['value']}{comment}"
    return " ".join(str(entry[key]) for key in ("name", "value") if entry.get(key))


def _headline(baseline: Baseline) -> str:
    try:
        at = f"{datetime.fromisoformat(baseline.approved_at):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        at = baseline.approved_at
    return f"{baseline.device_name}, by the baseline that {baseline.approved_by or 'somebody'} approved at {at}"


def _render_refused(page: Page, refused: Iterable[tuple[str, str]]) -> None:
    rows = list(refused)
    if rows:
        page.heading("Could not look")
    for name, reason in rows:
        page.row(page.text(name), page.text(reason), LABEL_COLUMNS)
