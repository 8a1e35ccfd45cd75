"""Who a process of an incident is: user, image, arguments, parents, connections, as its findings' evidence says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from davylamp.report.wording import Record, moment

CARDS_SHOWN_COUNT = 6
PARENTS_SHOWN_COUNT = 4
# Two lines of a terminal; the whole of it stands in the evidence.
ARGUMENTS_SHOWN_COUNT = 160
_IMAGE_STATES = {"deleted": " (removed since)", "memory": " (in memory only)"}


@dataclass(frozen=True, slots=True)
class ProcessCard:
    """One process: its name for a heading, and labelled facts."""

    name: str
    facts: tuple[tuple[str, str], ...]


def process_cards(incident: Record, findings: Mapping[str, Record]) -> tuple[ProcessCard, ...]:
    """Cards of an incident's processes, in the order of its assets.

    Args:
        findings: findings of the document by uid.
    """
    own = [findings[uid] for uid in incident["findings"] if uid in findings]
    names = [asset["name"] for asset in incident["assets"] if asset["kind"] == "process"]
    return tuple(_card(name, own) for name in names[:CARDS_SHOWN_COUNT])


def _card(name: str, findings: list[Record]) -> ProcessCard:
    pid, _, started_at = name.partition("@")
    told: dict[str, object] = {}
    remotes: dict[str, None] = {}
    for finding in findings:
        if not any(asset["kind"] == "process" and asset["name"] == name for asset in finding["assets"]):
            continue
        for cited in finding["evidence"]:
            columns = cited["columns"]
            # A record that names no process is of the one that the finding is about.
            if str(columns.get("process_pid", pid)) == pid:
                told = {**{key: value for key, value in columns.items() if value not in (None, "")}, **told}
                if columns.get("dst_ip") is not None:
                    remotes[f"{columns['dst_ip']}:{columns.get('dst_port', '?')}"] = None
    image = str(told.get("image_path") or "")
    facts = (
        ("user", str(told.get("user_name") or "")),
        ("since", f"{moment(started_at)} UTC" if started_at else ""),
        ("image", image and image + _IMAGE_STATES.get(str(told.get("image_state")), "")),
        ("arguments", _cut(str(told.get("command_line") or ""))),
        ("started by", _parents(told)),
        ("talks to", ", ".join(list(remotes)[:3])),
        ("container", str(told.get("container_uid") or "")[:12]),
    )
    called = f" ({told['process_name']})" if told.get("process_name") else ""
    return ProcessCard(f"process {pid}{called}", tuple((label, text) for label, text in facts if text))


def _parents(told: Mapping[str, object]) -> str:
    """`bash (2401) of sshd (910)` from `PID@START NAME`; the pid alone where no names are known."""
    lineage = told.get("lineage")
    if isinstance(lineage, list) and lineage:
        named = [str(entry).partition(" ") for entry in lineage[:PARENTS_SHOWN_COUNT]]
        return " of ".join(f"{name or 'an unnamed process'} ({place.partition('@')[0]})" for place, _, name in named)
    parent = told.get("parent_process_pid")
    return f"process {parent}" if parent is not None else ""


def _cut(text: str) -> str:
    return text if len(text) <= ARGUMENTS_SHOWN_COUNT else text[: ARGUMENTS_SHOWN_COUNT - 3] + "..."
