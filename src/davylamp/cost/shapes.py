"""Shapes of machines that the price table does not know: guessed only where the name says it."""

from __future__ import annotations

import re
from dataclasses import dataclass

ASSUMED_VCPU = 2.0
ASSUMED_GIB_PER_VCPU = 4.0

# `large` is 2 vCPU and `Nxlarge` 4N: right for 1,136 of the 1,142 such types in the 2026-07 table. The
# six exceptions are of families that are no longer offered to new accounts (c1, m2, c4.8xlarge, d2.8xlarge).
_AWS_SIZE = re.compile(r"(?P<family>[a-z][a-z0-9-]*)\.(?:(?P<many>\d{0,3})xlarge|large)", re.ASCII)
# Memory per vCPU of the families whose first letter fixes it in the same table.
_GIB_PER_VCPU = {"c": 2.0, "m": 4.0, "t": 4.0, "r": 8.0, "x": 16.0}


@dataclass(frozen=True, slots=True)
class Shape:
    """vCPUs and memory, and the words that say how they are known."""

    vcpu: float
    memory_gib: float
    said: str


def guess_shape(instance_type: str, provider: str) -> Shape:
    """The shape an unknown type's name states, or two vCPUs assumed and said."""
    match = _AWS_SIZE.fullmatch(instance_type) if provider == "aws" else None
    if match is None:
        memory_gib = ASSUMED_VCPU * ASSUMED_GIB_PER_VCPU
        return Shape(ASSUMED_VCPU, memory_gib, f"{ASSUMED_VCPU:.0f} vCPU and {memory_gib:.0f} GiB assumed")
    many = match.group("many")
    vcpu = 2.0 if many is None else 4.0 * int(many or "1")
    memory_gib = vcpu * _GIB_PER_VCPU.get(match.group("family")[0], ASSUMED_GIB_PER_VCPU)
    return Shape(vcpu, memory_gib, f"{vcpu:.0f} vCPU read from the size name, {memory_gib:.0f} GiB assumed")


def known_shape(vcpu: float, memory_gib: float | None) -> Shape:
    """The shape the evidence states; memory is assumed where it does not."""
    if memory_gib is None:
        memory_gib = vcpu * ASSUMED_GIB_PER_VCPU
        return Shape(vcpu, memory_gib, f"{vcpu:g} vCPU from the evidence, {memory_gib:g} GiB assumed")
    return Shape(vcpu, memory_gib, f"{vcpu:g} vCPU and {memory_gib:g} GiB from the evidence")
