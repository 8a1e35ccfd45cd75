"""A scan document in which every free text is an attack on the reader's screen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parents[1] / "data/scan_example.json"
ATTACKS = (
    "</script><img src=x onerror=\"document.title='owned'\">",
    "'\"><svg onload=document.title='owned'>",
    "</style><script>document.title='owned'</script>",
    "javascript:document.title='owned'",
    "{{ 7*7 }}{% raw %}[bold red]markup[/]",
    "\x1b[2J\x1b[31mred\x1b]0;owned\x07\x9b31m\x00\x08\x7f",
    "\u202egnp.exe\u202c\u2066\u200b\ufeff\u2028\ud800",
    "--><!--<!DOCTYPE html></textarea></title><base href=//attacker.example>",
    "W" * 10_000,
    "Z\u0301\u0316\u035c" * 2_000,
    "a\r\nb\tc",
)
# Values of these keys come from the program's own vocabularies, never from evidence.
_OWN = {"severity", "state", "outcome", "confidence", "first_seen", "last_seen", "at", "started_at"}


def _poisoned(value: Any, key: str, counter: list[int]) -> Any:
    if isinstance(value, dict):
        if "levels" in value:
            return {**value, "levels": {ATTACKS[1]: 0.4, ATTACKS[0]: 0.9}}
        return {name: _poisoned(inner, name, counter) for name, inner in value.items()}
    if isinstance(value, list):
        return [_poisoned(item, key, counter) for item in value]
    if isinstance(value, str) and key not in _OWN:
        counter[0] += 1
        return ATTACKS[counter[0] % len(ATTACKS)]
    return value


def hostile_document() -> dict[str, Any]:
    """The example with every free text replaced; findings keep distinct uids, so that links still resolve."""
    made: dict[str, Any] = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    renamed = {item["uid"]: f"{ATTACKS[number % 8]}{number}" for number, item in enumerate(made["findings"])}
    counter = [0]
    poisoned: dict[str, Any] = _poisoned(made, "", counter)
    for item, before in zip(poisoned["findings"], made["findings"], strict=True):
        item["uid"] = renamed[before["uid"]]
        item["evidence"][0]["columns"] = {attack: attack for attack in ATTACKS}
    for item, before in zip(poisoned["incidents"], made["incidents"], strict=True):
        item["findings"] = [renamed[uid] for uid in before["findings"]]
        for line, old in zip(item["story"], before["story"], strict=True):
            line["finding"] = renamed[old["finding"]]
    return poisoned
