"""Frames on their way through the header stack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from davylamp.catalog.sources.pcap.arrays import Bool, Int, Unsigned


@dataclass(frozen=True, slots=True)
class At:
    """Frames that stand at a header: which frame, the header's EtherType, and its offset."""

    index: Int
    ether: Int
    at: Int

    def where(self, chosen: Bool) -> At:
        """The chosen ones."""
        return At(self.index[chosen], self.ether[chosen], self.at[chosen])

    def bounded(self, end: Int) -> At:
        """The same with no offset behind the frame's end, so that gathering stays inside the buffer."""
        return At(self.index, self.ether, np.minimum(self.at, end[self.index]))

    @staticmethod
    def joined(parts: list[At]) -> At:
        """Parts put together."""
        if len(parts) == 1:
            return parts[0]
        empty = [np.zeros(0, np.int64)]
        return At(
            np.concatenate([part.index for part in parts] or empty),
            np.concatenate([part.ether for part in parts] or empty),
            np.concatenate([part.at for part in parts] or empty),
        )


@dataclass(frozen=True, slots=True)
class Datagrams:
    """IP packets whose IP headers are read.

    Args:
        at: offset of what follows the IP headers.
        end: offset where the packet ends by its own header (the file may hold less).
        fragment: fragment offset in bytes; 0 for whole packets and first fragments.
        more: whether fragments follow.
        identity: fragment identification.
    """

    index: Int
    version: int
    source_high: Unsigned
    source_low: Unsigned
    target_high: Unsigned
    target_low: Unsigned
    protocol: Int
    ip_bytes: Int
    at: Int
    end: Int
    fragment: Int
    more: Bool
    identity: Int

    def where(self, chosen: Bool) -> Datagrams:
        """The chosen ones."""
        return Datagrams(
            self.index[chosen],
            self.version,
            self.source_high[chosen],
            self.source_low[chosen],
            self.target_high[chosen],
            self.target_low[chosen],
            self.protocol[chosen],
            self.ip_bytes[chosen],
            self.at[chosen],
            self.end[chosen],
            self.fragment[chosen],
            self.more[chosen],
            self.identity[chosen],
        )
