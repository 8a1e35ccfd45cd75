"""Decoded packets as columns, and the box that collects what could not be decoded."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from davylamp.catalog.sources.pcap.arrays import Bool, Int, Unsigned
from davylamp.catalog.sources.pcap.frames import Frames
from davylamp.model.coverage import Reject

TCP, UDP, ICMP, ICMP6, SCTP = 6, 17, 1, 58, 132
FIN, SYN, RST, PUSH, ACK = 1, 2, 4, 8, 16


@dataclass(frozen=True, slots=True)
class Packets:
    """Decoded packets, in file order; all columns have one length.

    Args:
        index: which frame of `Frames` it is of.
        ip_bytes: length of the innermost IP packet by its own header.
        sequence: TCP sequence number of the first payload byte.
        payload_at: offset of the transport payload in the buffer.
        payload_held: payload bytes that the file holds.
        payload_bytes: payload bytes by the headers.
    """

    index: Int
    six: Bool
    source_high: Unsigned
    source_low: Unsigned
    target_high: Unsigned
    target_low: Unsigned
    protocol: Int
    source_port: Int
    target_port: Int
    ip_bytes: Int
    flags: Int
    sequence: Int
    payload_at: Int
    payload_held: Int
    payload_bytes: Int

    def take(self, order: Int) -> Packets:
        """The same columns in another order or selection."""
        return Packets(**{each.name: getattr(self, each.name)[order] for each in fields(self)})


def joined(pieces: list[Packets]) -> Packets | None:
    """Pieces put together in file order."""
    if not pieces:
        return None
    whole = (
        pieces[0]
        if len(pieces) == 1
        else Packets(
            **{each.name: np.concatenate([getattr(piece, each.name) for piece in pieces]) for each in fields(Packets)}
        )
    )
    if bool((whole.index[1:] > whole.index[:-1]).all()):
        return whole
    return whole.take(np.argsort(whole.index, kind="stable"))


@dataclass
class Discarded:
    """Frames without a packet: bad ones (rejects), and those of other protocols than IP (counted)."""

    frames: Frames
    bad: list[tuple[int, str]] = field(default_factory=list)
    other_count: int = 0

    def reject(self, index: Int, reason: str) -> None:
        """Refuses frames for a reason."""
        self.bad.extend((each, reason) for each in index.tolist())

    def rejects(self) -> list[Reject]:
        """The refusals in file order."""
        frames = self.frames
        return [
            Reject(frames.data_offset + int(frames.record[each]), None, f"frame {int(frames.number[each])}: {reason}")
            for each, reason in sorted(self.bad)
        ]
