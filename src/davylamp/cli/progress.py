"""Progress on a terminal's standard error; silent anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from davylamp.app.progress import Progress, Silent


class _Drawn:
    def __init__(self, bar: object, task: object) -> None:
        self._bar = bar
        self._task = task

    def reading(self, path: str, done_count: int, total_count: int) -> None:
        """A file is about to be read."""
        self._show(f"reading {_short(path)}", done_count, total_count)

    def judging(self, unit: str) -> None:
        """A detection is about to look."""
        self._show(f"judging {unit}", None, None)

    def observing(self, elapsed_s: float, duration_s: float) -> None:
        """The host is being looked at."""
        self._show("looking at this host (seconds; Ctrl-C ends it early)", round(elapsed_s), round(duration_s))

    def _show(self, text: str, done_count: int | None, total_count: int | None) -> None:
        self._bar.update(self._task, description=text, completed=done_count, total=total_count)  # type: ignore[attr-defined]


def _short(path: str) -> str:
    name = Path(path).name
    return "".join(char if char.isprintable() else "?" for char in name)[:48]


@contextmanager
def progress_on(stream: TextIO) -> Iterator[Progress]:
    """A progress bar while the block runs, when the stream is a terminal."""
    if not stream.isatty():
        yield Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(file=stream), transient=True) as bar:
        task = bar.add_task(str(Text("starting")), total=None)
        yield _Drawn(bar, task)
