"""One connection's messages sorted into requests, answers and pushes, by time and size alone."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

ALERT_BYTES = 2
KEY_UPDATE_BYTES = 5
"""What the record layer says for itself (RFC 8446 6 and 4.6.3)."""
KEY_UPDATES_MOST_RATIO = 0.05
"""Rarer than this, messages of that size are new keys; more often they are words of a protocol of its own."""
OPENING_S = 5.0
OPENING_MESSAGES_MOST = 12
MESSAGES_MOST = 6000
"""Enough for hours of any dialogue; bounds the work on a connection of millions of messages."""
SEGMENT_BYTES = 500
SEGMENT_GAP_S = 0.005
LATE_ANSWER_S = 5.0
UNASKED_CLASS_RATIO = 0.3
ANSWER_CLASS_RATIO = 0.7
STRAY_CLASS_RATIO = 0.95
"""In a class that answers this often the odd message without a request lost its request, as in a burst of shares."""
OWN_SIZE_PUSHES_COUNT = 3
"""From so many pushes of sizes that answers do not have, others count as answers whose request was lost."""
CLASS_STEPS_BYTES = (2, 8, 32)
CLASSES_COVERED_RATIO = 0.9


@dataclass(frozen=True, slots=True)
class Exchange:
    """Instants in seconds and sizes in payload bytes, in order of time.

    Args:
        answer_window_s: how long after a request a server message counts as its answer.
        step_out_bytes, step_in_bytes: how far sizes of one class stand apart, per direction.
    """

    requests: tuple[tuple[float, int], ...]
    answers: tuple[tuple[float, int], ...]
    pushes: tuple[tuple[float, int], ...]
    answered_count: int
    answer_window_s: float
    duration_s: float
    step_out_bytes: int
    step_in_bytes: int


def whole_messages(times_s: Sequence[float], sizes_bytes: Sequence[int]) -> Iterator[tuple[float, int]]:
    """Messages from segments: a largest segment and what follows it at once were one write.

    A Zcash share is 2.8 kB and comes as two segments, a Bitcoin job with many branches too. Single
    bytes are TCP keep-alives (a 2018 miner sent one each 60 s) and are left out.
    """
    full_bytes = (max((-size for size in sizes_bytes if size < 0), default=0), max(sizes_bytes, default=0))
    held: tuple[float, int] | None = None
    last_s, last_bytes = 0.0, 0
    for moment_s, size_bytes in zip(times_s, sizes_bytes, strict=False):
        if -2 < size_bytes < 2:
            continue
        follows = held is not None and (held[1] > 0) == (size_bytes > 0)
        full = abs(last_bytes) >= max(SEGMENT_BYTES, full_bytes[last_bytes > 0])
        if held and follows and full and moment_s - last_s <= SEGMENT_GAP_S:
            held = (held[0], held[1] + size_bytes)
        else:
            if held is not None:
                yield held
            held = (moment_s, size_bytes)
        last_s, last_bytes = moment_s, size_bytes
    if held is not None:
        yield held


def size_classes(sizes_bytes: Sequence[int], step_bytes: int) -> dict[int, int]:
    """Each size's class: sizes no more than a step apart, and not spread over more than three, are one.

    The smallest step takes up what a growing counter adds, the larger ones blanks and padding.
    """
    classes: dict[int, int] = {}
    first = last = None
    for size in sorted(set(sizes_bytes)):
        spread_bytes = max(6, min(3 * step_bytes, 32))
        if first is None or last is None or size - last > step_bytes or size - first > spread_bytes:
            first = size
        classes[size] = first
        last = size
    return classes


def learned_step(sizes_bytes: Sequence[int], classes_count: int) -> int:
    """The smallest step at which so many classes cover nine messages of ten; the smallest where none does.

    Learned per connection and direction; no size is known beforehand.
    """
    for step_bytes in CLASS_STEPS_BYTES:
        if covered_ratio(sizes_bytes, classes_count, step_bytes) >= CLASSES_COVERED_RATIO:
            return step_bytes
    return CLASS_STEPS_BYTES[0]


def covered_ratio(sizes_bytes: Sequence[int], classes_count: int, step_bytes: int) -> float:
    """Share of messages in the most frequent size classes."""
    if not sizes_bytes:
        return 0.0
    classes = size_classes(sizes_bytes, step_bytes)
    counts = Counter(classes[size] for size in sizes_bytes)
    return sum(count for _, count in counts.most_common(classes_count)) / len(sizes_bytes)


def without_record_layer(messages: Sequence[tuple[float, int]], overhead_bytes: int) -> Sequence[tuple[float, int]]:
    """The messages without those that TLS sends for itself: the closing alerts at the end, new keys on the way.

    A close that nobody answers is no share, and new keys from the server are no jobs.
    """
    if not overhead_bytes:
        return messages
    kept = list(messages)
    while kept and abs(kept[-1][1]) <= overhead_bytes + ALERT_BYTES:
        kept.pop()
    rekeyed_bytes = overhead_bytes + KEY_UPDATE_BYTES
    if sum(abs(size) == rekeyed_bytes for _, size in kept) > max(3, KEY_UPDATES_MOST_RATIO * len(kept)):
        return kept
    return [message for message in kept if abs(message[1]) != rekeyed_bytes]


def read_exchange(
    times_s: Sequence[float], sizes_bytes: Sequence[int], overhead_bytes: int = 0, opened_before: bool = False
) -> Exchange | None:
    """Requests, answers and pushes after the opening; None where nothing is left to judge.

    Args:
        overhead_bytes: what TLS adds to each message; 0 in clear.
        opened_before: the look began in the middle, so that there is no opening to leave out.
    """
    messages = without_record_layer(list(whole_messages(times_s, sizes_bytes)), overhead_bytes)
    if not messages:
        return None
    begin_s = messages[0][0]
    opening = [] if opened_before else messages[:OPENING_MESSAGES_MOST]
    skipped = sum(1 for moment_s, _ in opening if moment_s - begin_s < OPENING_S)
    messages = messages[skipped : skipped + MESSAGES_MOST]
    requests = [(moment_s, size) for moment_s, size in messages if size > 0]
    served = [(moment_s, -size) for moment_s, size in messages if size < 0]
    if not requests or not served:
        return None
    window_s = _answer_window(requests, served)
    step_out = learned_step([size for _, size in requests], 2)
    step_in = learned_step([size for _, size in served], 3)
    answers, pushes = _told_apart(requests, served, window_s, step_in)
    answered = _answered_count(requests, served, window_s)
    duration_s = messages[-1][0] - messages[0][0]
    return Exchange(tuple(requests), tuple(answers), tuple(pushes), answered, window_s, duration_s, step_out, step_in)


def _answer_window(requests: Sequence[tuple[float, int]], served: Sequence[tuple[float, int]]) -> float:
    """Four times the quicker quarter's delay, within 0.1 to 2 s (detection.md 2.4: 4 x RTT)."""
    delays = []
    position = 0
    for moment_s, _ in requests:
        while position < len(served) and served[position][0] < moment_s:
            position += 1
        if position == len(served):
            break
        delays.append(served[position][0] - moment_s)
    delays.sort()
    quick_s = delays[len(delays) // 4] if delays else 0.0
    return min(max(4 * quick_s, 0.1), 2.0)


def _matched(
    requests: Sequence[tuple[float, int]], served: Sequence[tuple[float, int]], window_s: Callable[[int], float]
) -> list[bool]:
    """For each server message whether an open request explains it; the window depends on the size."""
    explained: list[bool] = []
    position = 0
    opened: deque[float] = deque()
    for moment_s, size in served:
        while position < len(requests) and requests[position][0] <= moment_s:
            opened.append(requests[position][0])
            position += 1
        while opened and opened[0] < moment_s - LATE_ANSWER_S:
            opened.popleft()
        answers = bool(opened) and opened[-1] >= moment_s - window_s(size)
        while answers and opened[0] < moment_s - window_s(size):
            opened.popleft()
        if answers:
            opened.popleft()
        explained.append(answers)
    return explained


def _told_apart(
    requests: Sequence[tuple[float, int]], served: Sequence[tuple[float, int]], window_s: float, step_bytes: int
) -> tuple[list[tuple[float, int]], list[tuple[float, int]]]:
    """Answers and pushes: first by time, then once more with what the first look says of each size."""
    first = _matched(requests, served, lambda _: window_s)
    classes = size_classes([size for _, size in served], step_bytes)
    total = Counter(classes[size] for _, size in served)
    explained = Counter(classes[size] for (_, size), answers in zip(served, first, strict=True) if answers)
    windows = {size: _window_of(explained[kind] / total[kind], window_s) for size, kind in classes.items()}
    second = _matched(requests, served, windows.__getitem__)
    answers = [message for message, is_answer in zip(served, second, strict=True) if is_answer]
    pushes = [message for message, is_answer in zip(served, second, strict=True) if not is_answer]
    settled = Counter(classes[size] for _, size in answers)
    never_unasked = {size for size, kind in classes.items() if settled[kind] >= STRAY_CLASS_RATIO * total[kind]}
    pushes = [push for push in pushes if push[1] not in never_unasked]
    of_own_size = [push for push in pushes if windows[push[1]] < LATE_ANSWER_S]
    return answers, of_own_size if len(of_own_size) >= OWN_SIZE_PUSHES_COUNT else pushes


def _window_of(answers_ratio: float, window_s: float) -> float:
    """How long after a request a message of this size class may still be its answer.

    A class that mostly comes unasked is one of pushes even where, by chance, a request stood open:
    otherwise a job that overtakes an answer makes a push of that answer. A class that mostly
    answers may be late: a busy pool in a 2018 capture took a second for one share in ten.
    """
    if answers_ratio < UNASKED_CLASS_RATIO:
        return 0.0
    return LATE_ANSWER_S if answers_ratio >= ANSWER_CLASS_RATIO else window_s


def _answered_count(requests: Sequence[tuple[float, int]], served: Sequence[tuple[float, int]], window_s: float) -> int:
    """Requests followed by any server message within the window."""
    position = answered = 0
    for moment_s, _ in requests:
        while position < len(served) and served[position][0] <= moment_s:
            position += 1
        answered += position < len(served) and served[position][0] - moment_s <= window_s
    return answered
