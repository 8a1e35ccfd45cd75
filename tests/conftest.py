"""Settings of every test: no deadline on generated examples, since a busy machine is no defect; slow ones first."""

import fcntl
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("davylamp", deadline=None)
settings.load_profile("davylamp")

# A shell that runs the tests in the background hands down an ignored Ctrl-C, and they hand it down to what they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests come first, the slowest of all before them: the workers then end together, sharing short ones."""
    items.sort(key=_length_s, reverse=True)


def _length_s(item: pytest.Item) -> float:
    slow = item.get_closest_marker("slow")
    return 0.0 if slow is None else float(slow.kwargs.get("about_s", 10.0))


@pytest.fixture(autouse=True)
def _alone_on_this_machine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests marked `live` look at the machine, or play on it, one after another whatever run they belong to."""
    if request.node.get_closest_marker("live") is None:
        yield
        return
    with (Path(tempfile.gettempdir()) / "davylamp-live-tests.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
