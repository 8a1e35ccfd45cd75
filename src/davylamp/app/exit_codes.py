"""The exit codes of the command, in one table (documented in docs/reference/exit-codes.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from davylamp.model.coverage import READ, UNREADABLE, UNRECOGNIZED
from davylamp.model.severity import Severity

READ_ALL = 0
INTERNAL_ERROR = 1
USAGE = 2
NOTHING_READABLE = 3
PARTIAL_COVERAGE = 4
NOT_AS_EXPECTED = 10
SEVERITY_BASE = 10
INTERRUPTED = 130

MEANINGS: tuple[tuple[int, str], ...] = (
    (READ_ALL, "everything was read, whatever was found"),
    (INTERNAL_ERROR, "internal error: a defect of Davylamp; the findings shown are still true"),
    (USAGE, "the command line or a configuration file is wrong"),
    (NOTHING_READABLE, "nothing of the named evidence could be read"),
    (PARTIAL_COVERAGE, "coverage is partial: something could not be read or looked at, whatever was found"),
    (
        NOT_AS_EXPECTED,
        "davylamp drill: a drill did not come out as expected; davylamp baseline diff: something is new on the host",
    ),
    (11, "with --exit-code: the highest severity found is informational"),
    (12, "with --exit-code: the highest severity found is low"),
    (13, "with --exit-code: the highest severity found is medium"),
    (14, "with --exit-code: the highest severity found is high"),
    (15, "with --exit-code: the highest severity found is critical"),
    (INTERRUPTED, "stopped by Ctrl-C; the case holds what was read until then"),
)


def exit_code(document: Mapping[str, Any], failures: Sequence[str], by_severity: bool, short_of_memory: bool) -> int:
    """The exit code for a finished scan."""
    coverage = document["coverage"]
    if failures:
        return INTERNAL_ERROR
    if all(row["state"] in (UNREADABLE, UNRECOGNIZED) for row in coverage):
        return NOTHING_READABLE
    if by_severity and (highest := _highest(document)) is not None:
        return SEVERITY_BASE + highest
    whole = not short_of_memory and all(row["state"] == READ for row in coverage)
    return READ_ALL if whole else PARTIAL_COVERAGE


def _highest(document: Mapping[str, Any]) -> int | None:
    words = [item["severity"] for item in (*document["findings"], *document["incidents"])]
    return max((int(Severity[word.upper()]) for word in words), default=None)
