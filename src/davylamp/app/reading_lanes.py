"""Reads evidence files, small ones side by side; what came of them is given in the order in which they were named."""

from __future__ import annotations

import os
import shutil
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from davylamp.ingest.read_file import FileResult, read_file
from davylamp.ingest.walk import STANDARD_INPUT, Found
from davylamp.kit.source import Source
from davylamp.store.engine import DuckEngine

# A trail is thousands of files of some hundred KB, each too small for an engine to divide among its threads. What is
# larger has all memory and all cores to itself.
SMALL_BYTES = 16 << 20
# What a lane may take; the engine's share of it is what `--memory 400MB` would give a scan.
LANE_BYTES = 400_000_000


@dataclass(frozen=True)
class Read:
    """What came of one file.

    Args:
        results: of the source that knew it best, then of others that found lines of their own in it.
        place: folder in which the parts lie.
    """

    found: Found
    results: tuple[FileResult, ...]
    place: Path

    @property
    def short_of_memory(self) -> bool:
        """Whether more memory may give more of it."""
        return any(result.short_of_memory for result in self.results)


class ReadingLanes:
    """Engines that read, as many as there are cores and memory for; to be left (`with`).

    Args:
        engine: reads what is large.
        memory_bytes: for all of them together.
        files_count: how many may be read at most; a single one needs no further engine.
    """

    def __init__(
        self, engine: DuckEngine, scratch: Path, sources: Sequence[Source], memory_bytes: int, files_count: int
    ) -> None:
        self._engine, self._scratch, self._sources, self._memory_bytes = engine, scratch, sources, memory_bytes
        self._count = max(1, min(len(os.sched_getaffinity(0)), memory_bytes // LANE_BYTES, files_count))
        self._lane = threading.local()
        self._opened: list[DuckEngine] = []
        self._threads = ThreadPoolExecutor(self._count, "reading-lane", self._open_lane)
        self._read_count = 0

    def __enter__(self) -> ReadingLanes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for engine in self._opened:
            engine.interrupt()
        self._threads.shutdown()
        for engine in self._opened:
            engine.close()

    def read(self, files: Iterable[Found]) -> Iterator[Read]:
        """Reads each file; its parts are to be taken before the next one is asked for.

        Raises:
            CaseError: the case cannot be written.
        """
        waiting: deque[tuple[Found, Future[Read]]] = deque()
        for found in files:
            small = self._count > 1 and _is_small(found)
            while waiting and (not small or len(waiting) > self._count):
                yield from _taken(self._read_by_now(*waiting.popleft()))
            if small:
                waiting.append((found, self._threads.submit(self._read_beside, found, self._place())))
            else:
                yield from _taken(self._read_alone(found))
        while waiting:
            yield from _taken(self._read_by_now(*waiting.popleft()))

    def _open_lane(self) -> None:
        place = self._scratch / f"lane-{threading.get_ident()}"
        self._lane.engine = DuckEngine(self._memory_bytes // self._count, place)
        self._opened.append(self._lane.engine)

    def _read_by_now(self, found: Found, under_way: Future[Read]) -> Read:
        read = under_way.result()
        if not read.short_of_memory:
            return read
        # A small file of few enormous records (a JSON object of megabytes) may need more than a lane's share.
        shutil.rmtree(read.place, ignore_errors=True)
        return self._read_alone(found)

    def _read_alone(self, found: Found) -> Read:
        return self._read(found, self._engine, self._place(), self._memory_bytes)

    def _read_beside(self, found: Found, place: Path) -> Read:
        return self._read(found, self._lane.engine, place, self._memory_bytes // self._count)

    def _read(self, found: Found, engine: DuckEngine, place: Path, memory_bytes: int) -> Read:
        result = read_file(found, self._sources, engine, place, memory_bytes)
        others = []
        for source in _companions(result, self._sources):
            beside = place / source.meta.uid
            beside.mkdir()
            others.append(read_file(found, (source,), engine, beside, memory_bytes))
        # Who does not know the file says nothing of it; who knew it and failed must not go unheard.
        return Read(found, (result, *(other for other in others if other.coverage.source is not None)), place)

    def _place(self) -> Path:
        self._read_count += 1
        place = self._scratch / f"file-{self._read_count}"
        place.mkdir(parents=True, exist_ok=True)
        return place


def _taken(read: Read) -> Iterator[Read]:
    yield read
    shutil.rmtree(read.place, ignore_errors=True)


def _is_small(found: Found) -> bool:
    if found.refusal or found.path == STANDARD_INPUT:
        return False
    try:
        return Path(found.path).stat().st_size <= SMALL_BYTES
    except OSError:
        return False  # reading it will say why


def _companions(result: FileResult, sources: Sequence[Source]) -> Sequence[Source]:
    """Other sources that may find their own program's lines in the same log."""
    sharing = [source for source in sources if source.meta.shares_files]
    own = [source for source in sharing if source.meta.uid == result.coverage.source]
    if not own or result.coverage.path == STANDARD_INPUT:
        return ()
    return [source for source in sharing if source not in own]
