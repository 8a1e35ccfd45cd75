"""Stratum version 2, which is encrypted without TLS: its opening and its frames have lengths of their own.

The opening is Noise NX over secp256k1 with EllSwift keys: 64 bytes, answered by 234 (a key of 64, a sealed key of 80,
a sealed certificate of 90). Each frame after it is 38 bytes longer than its message: 6 of header and two MACs of 16.
Sizes are those of the protocol's fixed fields (sv2-spec, Protocol Security 4.5 and 4.6, Mining Protocol 5.3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from davylamp.catalog.detections.mining_message_rhythm.exchange import whole_messages

KEY_BYTES, CERTIFIED_BYTES = 64, 234
FRAME_BYTES = 38
SHORTEST_BYTES = 6
"""SetupConnection.Success: no message says less."""
SETUP_MESSAGES_COUNT = 3
SHARE_BYTES = frozenset((24, *range(26, 58)))
"""SubmitSharesStandard; SubmitSharesExtended adds a length and up to 32 bytes of extranonce."""
JOB_BYTES_FEWEST = 42
"""NewMiningJob without a time; SetNewPrevHash has 48, an extended job some hundred. SetTarget, with 36, is no job."""
SHARES_RATIO_FEWEST = 0.7
SHARES_FEWEST_COUNT = JOBS_FEWEST_COUNT = 2
PROXY_MESSAGES_MOST = 6
"""SOCKS 5 takes four, six with a password; CONNECT two."""
DISTINCT_FEWEST_COUNT = 40
"""Of 64 random bytes 57 are distinct on average, and fewer than 40 once in 5 * 10^10."""


def speaks_stratum_v2(
    times_s: Sequence[float], sizes_bytes: Sequence[int], payload_out: bytes, payload_in: bytes
) -> bool:
    """Whether a connection seen from its beginning opens so and then has shares and jobs in such frames."""
    sizes = [size for _, size in whole_messages(times_s, sizes_bytes)]
    begin = _opening_at(sizes)
    if begin is None or not all(
        _is_sealed(payload, sum(abs(size) for size in sizes[:begin] if (size > 0) == outbound))
        for payload, outbound in ((payload_out, True), (payload_in, False))
    ):
        return False
    rest = _after_opening(sizes[begin:])
    if any(abs(size) < FRAME_BYTES + SHORTEST_BYTES for size in rest):
        return False
    sent = [size - FRAME_BYTES for size in rest if size > 0][SETUP_MESSAGES_COUNT - 1 :]
    told = [-size - FRAME_BYTES for size in rest if size < 0][SETUP_MESSAGES_COUNT - 1 :]
    usual, count = Counter(sent).most_common(1)[0] if sent else (0, 0)
    jobs = sum(size >= JOB_BYTES_FEWEST for size in told)
    return (
        usual in SHARE_BYTES
        and count >= max(SHARES_FEWEST_COUNT, SHARES_RATIO_FEWEST * len(sent))
        and jobs >= JOBS_FEWEST_COUNT
    )


def _opening_at(sizes: Sequence[int]) -> int | None:
    """The place of the opening: the first message, or the one after the few that ask a proxy for the way."""
    places = range(min(PROXY_MESSAGES_MOST, len(sizes)) + 1)
    return next((place for place in places if _after_opening(sizes[place:])), None)


def _after_opening(sizes: Sequence[int]) -> list[int]:
    """The sizes after the two halves of the opening, which may come in pieces; empty where it is another."""
    at = 0
    for due in (KEY_BYTES, -CERTIFIED_BYTES):
        got = 0
        while at < len(sizes) and abs(got) < abs(due) and (sizes[at] > 0) == (due > 0):
            got += sizes[at]
            at += 1
        if got != due:
            return []
    return list(sizes[at:])


def _is_sealed(payload: bytes, begin: int) -> bool:
    """Whether bytes are those of a cipher: nothing that a protocol in clear writes has so many values."""
    return len(set(payload[begin : begin + KEY_BYTES])) >= DISTINCT_FEWEST_COUNT
