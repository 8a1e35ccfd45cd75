"""Where a watch keeps what it senses, inside its case."""

from __future__ import annotations

from pathlib import Path


class WatchPlaces:
    """Paths below `CASE/watch`.

    Args:
        case_folder: the case.
    """

    def __init__(self, case_folder: Path) -> None:
        self.root = case_folder / "watch"
        self.logs = self.root / "logs"
        self.state = self.root / "state"
        self.known = self.root / "known.json"
        self.units = self.root / "units.json"

    def evidence(self) -> tuple[str, ...]:
        """Everything that is judged, the sensor's records first."""
        folders = (self.root / "spool", self.logs, self.state)
        found = [str(path) for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]
        return (*found, *self.captures())

    def captures(self) -> tuple[str, ...]:
        """Packets of suspects' connections."""
        folder = self.root / "packets"
        return tuple(str(path) for path in sorted(folder.glob("*.pcap"))) if folder.is_dir() else ()
