"""The terminal report: the story first, then the money, then what to do, then coverage."""

from davylamp.report.terminal.incident import render_incident
from davylamp.report.terminal.lists import render_assets, render_coverage, render_unit_page, render_units
from davylamp.report.terminal.page import console_for
from davylamp.report.terminal.scan import render_scan

__all__ = [
    "console_for",
    "render_assets",
    "render_coverage",
    "render_incident",
    "render_scan",
    "render_unit_page",
    "render_units",
]
