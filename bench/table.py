"""The README's table, written from the results so that no figure is typed by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_MARKERS = "<!-- {0} begin -->", "<!-- {0} end -->"
_HEAD = ["evidence", "rows", "size", "floor", "CPU ratio", "wall ratio", "scan CPU", "scan", "rows/s", "peak memory"]


def _row(name: str, result: Mapping[str, Any]) -> list[str]:
    scan = result["scan"]
    floor_name, floor = next(iter(result["floors"].items()))
    return [
        name,
        f"{result['rows_count']:,}",
        f"{result['size_bytes'] / 1e6:,.0f} MB",
        f"{floor_name}: {floor['wall_s']:.1f} s, CPU {floor['cpu_s']:.1f} s",
        f"**{scan['cpu_s'] / floor['cpu_s']:.1f}**",
        f"{scan['wall_s'] / floor['wall_s']:.1f}",
        f"{scan['cpu_s']:.1f} s",
        f"{scan['wall_s']:.1f} s",
        f"{result['rows_count'] / scan['wall_s']:,.0f}",
        f"{scan['peak_bytes'] / 1e6:,.0f} MB",
    ]


def table_of(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in markdown."""
    lines = [head, ["---"] * len(head), *rows]
    escaped = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in escaped)


def standing(document: Mapping[str, Any]) -> str:
    """How each scan stands to its floor, as markdown."""
    machine, results = document["machine"], document["results"]
    return "\n\n".join(
        (
            f"{machine['cores_count']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB, {machine['system']}, "
            f"Python {machine['python']}, DuckDB {machine['duckdb']}, pyarrow {machine['pyarrow']}; "
            f"scale {document['scale']:g}; median of {document['runs_count']} run(s); "
            f"load before the run {machine['load']:.1f}.",
            table_of(_HEAD, [_row(name, result) for name, result in results.items() if "scan" in result]),
        )
    )


def figures(document: Mapping[str, Any]) -> str:
    """The other figures of the run as markdown: other floors, peers, the commands."""
    results = document["results"]
    parts = [
        "Other floors and peers on the same files:",
        table_of(
            ["evidence", "what", "wall", "CPU", "peak memory", "scan's wall : its wall (CPU : CPU)"],
            [line for name, result in results.items() if "scan" in result for line in _others(name, result)],
        ),
    ]
    if help_result := results.get("help"):
        ratio = help_result["davylamp --help"]["cpu_s"] / help_result["python -c pass"]["cpu_s"]
        parts.append(
            f"`davylamp --help` takes {help_result['davylamp --help']['cpu_s'] * 1000:.0f} ms of CPU, "
            f"{ratio:.1f} times `python -c pass` ({help_result['python -c pass']['cpu_s'] * 1000:.0f} ms)."
        )
    parts.append("The commands:\n\n```\n" + "\n".join(_commands(results)) + "\n```")
    return "\n\n".join(parts)


def _others(name: str, result: Mapping[str, Any]) -> list[list[str]]:
    scan_s = result["scan"]["wall_s"]
    others = {**dict(list(result["floors"].items())[1:]), **result.get("peers", {})}
    return [
        [
            name,
            what,
            f"{other['wall_s']:.1f} s",
            f"{other['cpu_s']:.1f} s",
            f"{other['peak_bytes'] / 1e6:,.0f} MB",
            f"{scan_s / other['wall_s']:.2f} (CPU {result['scan']['cpu_s'] / other['cpu_s']:.2f})",
        ]
        for what, other in others.items()
    ]


def _commands(results: Mapping[str, Any]) -> list[str]:
    lines = []
    for result in results.values():
        for group in (result, result.get("floors", {}), result.get("peers", {})):
            lines += [entry["command"] for entry in group.values() if isinstance(entry, dict) and "command" in entry]
    return lines


def write_into(readme: Path, document: Mapping[str, Any]) -> None:
    """Puts both between the README's markers."""
    text = readme.read_text(encoding="utf-8")
    for name, made in (("standing", standing(document)), ("figures", figures(document))):
        begin, end = (marker.format(name) for marker in _MARKERS)
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n\n{made}\n\n{end}{after}"
    readme.write_text(text, encoding="utf-8")
