"""Packet captures in pcap and pcapng."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from davylamp.kit.metadata import SourceMeta
from davylamp.kit.sample import Sample
from davylamp.kit.source import Batch, EvidenceFile, RowSource
from davylamp.model.coverage import Reject

_PCAP_MAGICS = frozenset(
    bytes.fromhex(each) for each in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "a1b2cd34", "34cdb2a1")
)
_SECTION_MAGIC = bytes.fromhex("0a0d0d0a")
_BYTE_ORDER_MAGICS = frozenset(bytes.fromhex(each) for each in ("1a2b3c4d", "4d3c2b1a"))


class Pcap(RowSource):
    """TODO"""

    meta: ClassVar[SourceMeta] = SourceMeta(
        uid="pcap",
        title="Packet captures",
        formats=("pcap", "pcapng"),
        event_classes=("network_activity", "dns_activity", "device_inventory"),
        references=(
            "https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/",
            "https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/",
            "https://www.tcpdump.org/linktypes.html",
        ),
    )

    def recognize(self, sample: Sample) -> float:
        """By the file's magic number and nothing else."""
        if sample.head[:4] in _PCAP_MAGICS:
            return 1.0
        return 1.0 if sample.head[:4] == _SECTION_MAGIC and sample.head[8:12] in _BYTE_ORDER_MAGICS else 0.0

    def read(self, file: EvidenceFile) -> Iterator[Batch | Reject]:
        """Flows when they are over, DNS questions when they are answered, leases when they are granted."""
        # Imported here: the columns are numpy's, which the command line must not load to print its help.
        from davylamp.catalog.sources.pcap.reader import Reader

        return Reader(file).read()
