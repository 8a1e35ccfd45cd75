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
DISTINCT_FEWEST_COUNT = 40
"""Of 64 random bytes 57 are distinct on average, and fewer than 40 once in 5 * 10^10."""


def speaks_stratum_v2(
    times_s: Sequence[float], sizes_bytes: Sequence[int], payload_out: bytes, payload_in: bytes
) -> bool:
    """Whether a connection seen from its beginning opens so and then has shares and jobs in such frames."""
    messages = list(whole_messages(times_s, sizes_bytes))
    rest = _after_opening(messages)
    if not rest or not (_is_sealed(payload_out) and _is_sealed(payload_in)):
        return False
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


def _after_opening(messages: Sequence[tuple[float, int]]) -> list[int]:
    """The sizes after the two halves of the opening, which may come in pieces; empty where it is another."""
    sizes = [size for _, size in messages]
    at = 0
    for due in (KEY_BYTES, -CERTIFIED_BYTES):
        got = 0
        while at < len(sizes) and abs(got) < abs(due) and (sizes[at] > 0) == (due > 0):
            got += sizes[at]
            at += 1
        if got != due:
            return []
    return sizes[at:]


def _is_sealed(payload: bytes) -> bool:
    """Whether the first bytes are those of a cipher: nothing that a protocol in clear writes has so many values."""
    return len(set(payload[:KEY_BYTES])) >= DISTINCT_FEWEST_COUNT
