"""Classic BPF programs for sockets: the kernel passes on what is wanted, and the sensor is not woken for the rest."""

from __future__ import annotations

import array
import socket
import struct

SO_ATTACH_FILTER = 26
Instruction = tuple[int, int, int, int]

# include/uapi/linux/bpf_common.h
_LD_W_ABS, _LD_H_ABS, _LD_B_ABS, _LD_H_IND, _LDX_B_MSH = 0x20, 0x28, 0x30, 0x48, 0xB1
_JEQ_K, _JEQ_X, _JSET_K, _JA, _RET_K, _TAX = 0x15, 0x1D, 0x45, 0x05, 0x06, 0x07

ACCEPT: Instruction = (_RET_K, 0, 0, 0x40000)
DROP: Instruction = (_RET_K, 0, 0, 0)


def load_word(offset: int) -> Instruction:
    """A = four bytes at the offset."""
    return (_LD_W_ABS, 0, 0, offset)


def load_half(offset: int) -> Instruction:
    """A = two bytes at the offset."""
    return (_LD_H_ABS, 0, 0, offset)


def load_byte(offset: int) -> Instruction:
    """A = the byte at the offset."""
    return (_LD_B_ABS, 0, 0, offset)


def load_half_at_x(offset: int) -> Instruction:
    """A = two bytes at X + the offset."""
    return (_LD_H_IND, 0, 0, offset)


def header_length_to_x(offset: int) -> Instruction:
    """X = length in bytes of the IPv4 header that begins at the offset."""
    return (_LDX_B_MSH, 0, 0, offset)


def to_x() -> Instruction:
    """X = A."""
    return (_TAX, 0, 0, 0)


def jump_if(value: int, passed_over: int, otherwise: int) -> Instruction:
    """Passes over that many instructions if A is the value, or `otherwise` that many."""
    return (_JEQ_K, passed_over, otherwise, value)


def jump_if_any(bits: int, passed_over: int, otherwise: int) -> Instruction:
    """Passes over that many instructions if A has any of the bits."""
    return (_JSET_K, passed_over, otherwise, bits)


def jump_if_x(passed_over: int, otherwise: int) -> Instruction:
    """Passes over that many instructions if A is X."""
    return (_JEQ_X, passed_over, otherwise, 0)


def attach(channel: socket.socket, program: list[Instruction]) -> None:
    """Puts the program before a socket, in the place of an earlier one.

    Raises:
        OSError: the kernel refuses it.
    """
    code = array.array("B", b"".join(struct.pack("=HBBI", *instruction) for instruction in program))
    address, _ = code.buffer_info()
    channel.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(program), address))
