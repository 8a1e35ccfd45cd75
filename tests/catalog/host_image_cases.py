"""Cases of `mining_image_content`; written by `tests.catalog.make_host_cases`."""

from __future__ import annotations

from typing import Any

from tests.catalog.make_host_cases import BEGAN_AT, HostFile

UNIT = "mining_image_content"
TALK, SCHEMES, NAMES = "mining_dialogue_words", "mining_pool_schemes", "mining_algorithm_names"
OPTIONS, WORDS = "mining_program_options", "mining_progress_words"


def _looked_into(rules: list[str], **columns: Any) -> HostFile:
    made = HostFile()
    started_at = made.process(4242, "dbus-worker", **columns)
    made.recorder.record(
        "image_content",
        BEGAN_AT + 21,
        process_pid=4242,
        process_started_at=started_at,
        image_path="/usr/local/bin/dbus-worker",
        image_bytes=6_000_000,
        image_sha256="ab" * 32 if rules else None,
        strings_count=5 * len(rules) or None,
        rules=rules,
    )
    return made


def image_content() -> None:
    """Writes them."""
    _looked_into([NAMES, OPTIONS, TALK, WORDS]).write(UNIT, "fires_on_four_kinds_of_words")
    _looked_into([TALK], image_state="deleted").write(UNIT, "fires_on_one_kind_weakly")
    made = _looked_into([NAMES, SCHEMES], image_package="miner-tools", image_package_state="unmodified")
    made.write(UNIT, "fires_on_a_packaged_program_weakly")
    _looked_into([]).write(UNIT, "quiet_on_an_image_without_such_words")
    made = _looked_into([SCHEMES], image_package="suricata", image_package_state="unmodified")
    made.write(UNIT, "quiet_on_a_packaged_security_tool")
    HostFile().write(UNIT, "misses_an_image_nobody_looked_into")
    made = _looked_into(["\x1b[31m", "a, b", TALK + "\n"])
    made.lines.append('{"record":"image_content","time":1764210001,"rules":{"a":1},"process_pid":"x"}\n')
    made.write(UNIT, "survives_hostile_names_of_rules")
