"""What findings say of a machine, for detections that are asked after the others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, order=True)
class Suspect:
    """One instant from which a machine is suspect.

    Args:
        until_at: until when something later may still be of the same intrusion.
        role: `taken`, a machine of an incident; `harmed`, something telling began there that no way in of its own
            explains.
    """

    asset: str
    seen_at: datetime
    until_at: datetime
    role: str
