"""Raw detections as JSON lines, one per frame: written while faces are found, and given back."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from vsr.core.errors import DataError
from vsr.core.geometry import Box
from vsr.core.types import Face, Frame, FrameFaces

DetectStage = Callable[[Iterable[Frame]], Iterator[FrameFaces]]


class DetectionRecord:
    """The detections of a source's first frames, in a file that grows.

    A line holds a frame's pts and its faces as ``[x, y, width, height, confidence]``; numbers
    come back bit for bit. A last line that was cut short counts as missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[tuple[int, tuple[Face, ...]]]:
        """(pts, faces) of each frame that is recorded whole. Raises DataError."""
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        found = []
        for number, line in enumerate(text.split("\n")[:-1], 1):
            try:
                pts, faces = json.loads(line)
                found.append((int(pts), tuple(Face(Box(*f[:4]), f[4]) for f in faces)))
            except (ValueError, TypeError, IndexError) as error:
                raise DataError(
                    f"{self.path}: line {number} is damaged ({error}); delete the file"
                ) from None
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
                    f"at {frame.pts}; delete the file"
                )
            yield FrameFaces(frame, faces)
        with self.path.open("a", encoding="utf-8") as file:
            for _, part in itertools.groupby(stream, key=lambda f: f.index // segment_frames):
                for item in stage(part):
                    file.write(_line(item.frame.pts, item.faces))
                    file.flush()
                    yield item

    def _write(self, known: list[tuple[int, tuple[Face, ...]]]) -> None:
        partial = self.path.with_name(f".{self.path.name}.partial")
        partial.write_text("".join(_line(p, f) for p, f in known), encoding="utf-8")
        partial.replace(self.path)


def _line(pts: int, faces: Iterable[Face]) -> str:
    rows = [[f.box.x, f.box.y, f.box.width, f.box.height, f.confidence] for f in faces]
    return json.dumps([pts, rows], separators=(",", ":")) + "\n"
