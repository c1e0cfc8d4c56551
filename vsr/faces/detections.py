"""Raw detections as JSON lines, one per frame: written while faces are found, and given back."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from vsr.core.errors import DataError, OutputError
from vsr.core.geometry import Box
from vsr.core.types import Face, Frame, FrameFaces

DetectStage = Callable[[Iterable[Frame]], Iterator[FrameFaces]]


class DetectionRecord:
    """The detections of a source's first frames, in a file that grows.

    A line holds a frame's pts and its faces as ``[x, y, width, height, confidence]``; numbers
    come back bit for bit. What follows a line that was cut short or damaged counts as missing:
    a loss of power may leave such lines, and the faces can be found again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Iterator[tuple[int, tuple[Face, ...]]]:
        """(pts, faces) of each frame that is recorded whole, from the first on."""
        return (there for there, _ in self._lines())

    def _lines(self) -> Iterator[tuple[tuple[int, tuple[Face, ...]], int]]:
        """What `read` gives, and how many bytes each takes in the file."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for line in file:
                try:
                    pts, faces = json.loads(line.decode("utf-8"))
                    there = int(pts), tuple(Face(Box(*f[:4]), f[4]) for f in faces)
                except (ValueError, TypeError, IndexError):
                    return
                if not line.endswith(b"\n"):
                    return
                yield there, len(line)

    def detect(
        self, frames: Iterable[Frame], segment_frames: int, stage: DetectStage
    ) -> Iterator[FrameFaces]:
        """Give back what is recorded, in whole segments; detect and record the rest.

        frames: from the source's first on. The stage runs anew for each segment. Raises
        DataError where a recorded frame has another pts than the source's.
        """
        known = self._keep_whole(segment_frames)
        stream = iter(frames)
        for frame, there in zip(itertools.islice(stream, known), self.read(), strict=False):
            yield self._given(frame, *there)
        for _, part in itertools.groupby(stream, key=lambda f: f.index // segment_frames):
            for item in stage(part):
                self._append(_line(item.frame.pts, item.faces))
                yield item

    def replay(self, frames: Iterable[Frame]) -> Iterator[FrameFaces]:
        """Give back what is recorded of the source's frames, from its first on.

        Raises DataError where a frame is not recorded, or has another pts than the source's.
        """
        known = self.read()
        for frame in frames:
            there = next(known, None)
            if there is None:
                raise DataError(f"{self.path}: frame {frame.index} is not recorded")
            yield self._given(frame, *there)

    def _given(self, frame: Frame, pts: int, faces: tuple[Face, ...]) -> FrameFaces:
        if frame.pts != pts:
            raise DataError(
                f"{self.path}: frame {frame.index} is recorded at {pts}, the source has it "
                f"at {frame.pts}; use --restart to start over"
            )
        return FrameFaces(frame, faces)

    def _append(self, line: str) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise self._unwritable(error) from None

    def _keep_whole(self, segment_frames: int) -> int:
        """Cut off what follows the last whole segment; the number of frames that stay."""
        count = end = position = 0
        for number, (_, size) in enumerate(self._lines(), start=1):
            position += size
            if number % segment_frames == 0:
                count, end = number, position
        try:
            with self.path.open("ab") as file:
                file.truncate(end)
        except OSError as error:
            raise self._unwritable(error) from None
        return count

    def _unwritable(self, error: OSError) -> OutputError:
        return OutputError(
            f"{self.path}: cannot be written ({error.strerror or error}); free some room"
        )


def _line(pts: int, faces: Iterable[Face]) -> str:
    rows = [[f.box.x, f.box.y, f.box.width, f.box.height, f.confidence] for f in faces]
    return json.dumps([pts, rows], separators=(",", ":")) + "\n"
