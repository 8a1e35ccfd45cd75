"""The detection `mining_image_content`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from davylamp.kit.detection import Detection, Facts, Row
from davylamp.kit.findings import candidates
from davylamp.kit.metadata import DetectionMeta
from davylamp.kit.processes import process_finding, process_named, process_started_at
from davylamp.model.finding import Finding, Observable, Technique
from davylamp.model.severity import Severity

_LLR = {1: 1.0, 2: 3.0, 3: 5.0}
_WORDS = {
    "mining_dialogue_words": "words of stratum's dialogues",
    "mining_pool_schemes": "address schemes of pools",
    "mining_algorithm_names": "names of mining algorithms",
    "mining_program_options": "options of mining programs",
    "mining_progress_words": "what mining programs say of their work",
}


class MiningImageContent(Detection):
    """The program that a process runs holds the words of a mining program.

    What it sees.
    What our own rules (`intel/data/image_rules.yar`, asked through YARA-X) found in the images of processes that burn
    CPU, run from memory, from a removed or changed file or from a temporary folder, or hide. An image is read through
    `/proc/PID/exe`, so that a removed one, or one in memory, is read as well.

    Why it matters.
    A renamed miner without arguments still has its options, its algorithms and its dialogue inside, whatever pool it
    talks to and however it is wrapped.

    How it decides.
    Five kinds of words: stratum's dialogues, schemes of pools' addresses, names of algorithms, options, and what miners
    print. A rule asks for two to five different words of its kind, because single ones are in block lists, browsers and
    security tools. The ratio (natural log) is 5 for three kinds or more, 3 for two and 1 for one; one kind alone is
    told only for an image that is no package's. For an unchanged file of a package it is 0.5 and told from two kinds
    on: distributions carry tools that look for miners, and hardly a miner. The rules were written
    from protocols and published options, no miner was looked into; figures on real ones are lacking.

    What it misses.
    Packed images (UPX), whose words are compressed; miners that lie in an interpreter's script or are loaded later;
    programs built without words; GPU programs with other vocabularies. `davylamp watch` does not look into images.
    Without the extra `yara` nothing is looked into, and the scan says so.

    What looks like it and is not.
    Pools' own servers and proxies (they talk, they do not burn); wallets with a built-in miner; security tools that
    carry rules in their program; build jobs of such programs.

    What to do.
    Keep the image (`/proc/PID/exe`) before anything else, and look its hash up where your policy allows it.

    References.
    https://virustotal.github.io/yara-x/ https://attack.mitre.org/techniques/T1496/001/
    """

    meta: ClassVar[DetectionMeta] = DetectionMeta(
        uid="mining_image_content",
        title="Image with the words of a mining program",
        group="host_identity",
        stage="mining",
        severity=Severity.HIGH,
        techniques=(Technique("T1496.001", "Resource Hijacking: Compute Hijacking"),),
        reads=("image_content", "process_activity"),
        references=("https://virustotal.github.io/yara-x/", "https://attack.mitre.org/techniques/T1496/001/"),
    )
    params: ClassVar[Mapping[str, object]] = {"rows_count": 3}
    packaged_llr = 0.5

    def could_look(self, facts: Facts) -> str:
        """Images are looked into on the host itself, where YARA-X is installed."""
        if facts.has_rows("image_content"):
            return ""
        return "no image was looked into: that takes `davylamp scan host` with YARA-X, pip install 'davylamp[yara]'"

    def judge(self, candidates_rows: Sequence[Row], facts: Facts) -> Iterable[Finding]:
        """One finding a process."""
        for first, rows in candidates(candidates_rows, "asset", "process_pid", "process_started_at"):
            names = [name for name in str(first["rule_names"]).split(", ") if name in _WORDS]
            packaged = first["image_package_state"] == "unmodified"
            if not names or (packaged and len(names) < 2):
                continue
            told = ", ".join(_WORDS[name] for name in names)
            sha256 = str(first["image_sha256"] or "")
            yield process_finding(
                self.meta,
                rows,
                because=f"{process_named(first)} on {first['asset']} runs {first['image_path']}, which holds {told}",
                llr=self.packaged_llr if packaged else _LLR[min(3, len(names))],
                severity=Severity.LOW if packaged or len(names) < 2 else None,
                first_seen=process_started_at(first),
                columns=("rule_names", "strings_count", "image_sha256"),
                observables=[Observable("file.hash", sha256)] if sha256 else [],
            )
