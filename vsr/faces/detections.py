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

    def read(self) -> list[tuple[int, tuple[Face, ...]]]:
        """(pts, faces) of each frame that is recorded whole."""
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.exists() else ""
        found = []
        for line in text.split("\n")[:-1]:
            try:
                pts, faces = json.loads(line)
                found.append((int(pts), tuple(Face(Box(*f[:4]), f[4]) for f in faces)))
            except (ValueError, TypeError, IndexError):
                break
        return found

    def detect(
        self, frames: Iterable[Frame], segment_frames: int, stage: DetectStage
    ) -> Iterator[FrameFaces]:
        """Give back what is recorded, in whole segments; detect and record the rest.

        frames: from the source's first on. The stage runs anew for each segment. Raises
        DataError where a recorded frame has another pts than the source's.
        """
        known = self.read()
        known = known[: len(known) - len(known) % segment_frames]
        self._write(known)
        stream = iter(frames)
        for frame, (pts, faces) in zip(itertools.islice(stream, len(known)), known, strict=False):
            if frame.pts != pts:
                raise DataError(
                    f"{self.path}: frame {frame.index} is recorded at {pts}, the source has it "
                    f"at {frame.pts}; begin anew with --restart"
                )
            yield FrameFaces(frame, faces)
        for _, part in itertools.groupby(stream, key=lambda f: f.index // segment_frames):
            for item in stage(part):
                self._append(_line(item.frame.pts, item.faces))
                yield item

    def _append(self, line: str) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise self._unwritable(error) from None

    def _write(self, known: list[tuple[int, tuple[Face, ...]]]) -> None:
        partial = self.path.with_name(f".{self.path.name}.partial")
        try:
            partial.write_text("".join(_line(p, f) for p, f in known), encoding="utf-8")
            partial.replace(self.path)
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> OutputError:
        return OutputError(
            f"{self.path}: cannot be written ({error.strerror or error}); free some room"
        )


def _line(pts: int, faces: Iterable[Face]) -> str:
    rows = [[f.box.x, f.box.y, f.box.width, f.box.height, f.confidence] for f in faces]
    return json.dumps([pts, rows], separators=(",", ":")) + "\n"
