"""The drill `video_encoding`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from davylamp.kit.drill import QUIET, Drill, DrillMeta

if TYPE_CHECKING:
    from davylamp.kit.emulation.stage import Stage


class VideoEncoding(Drill):
    """A look-alike: a video encoding.

    What it plays.
    ffmpeg encodes a generated picture to H.264 or MPEG-4 and throws it away.

    What it proves.
    That an encoder's shape of work is not a miner's.
    """

    meta = DrillMeta(
        uid="video_encoding",
        title="Look-alike: a video encoding",
        letter="i",
        expects=QUIET,
    )

    def could_play(self) -> str:
        """ffmpeg is needed."""
        return "" if shutil.which("ffmpeg") else "needs ffmpeg: apt-get install ffmpeg"

    def play(self, stage: Stage) -> tuple[int, ...]:
        """Starts it."""
        command = [
            "ffmpeg",
            "-nostdin",
            "-loglevel",
            "quiet",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=1280x720:rate=25",
        ]
        return (stage.load([*command, "-t", "600", "-threads", "1", "-c:v", "mpeg4", "-f", "null", "-"]),)
