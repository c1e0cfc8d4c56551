"""A folder of numbered pictures, read like a video.

The last number in a file's name says when it was taken: ``(number - first number) / rate``
seconds after the first. Gaps in the numbers are gaps in time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from vsr.core.color import MATRIX_TAGS, ColorSpec, PixelFormat, usual_matrix
from vsr.core.errors import InputError
from vsr.core.types import Frame, YuvPicture
from vsr.core.video import VideoInfo
from vsr.media.convert import from_rgb
from vsr.media.decode import DecodeConfig, DecodeReport
from vsr.media.images import list_images, loss_notices, losses_of, read_image
from vsr.media.timeline import first_tick, keep_on_grid, parse_fps, rate_of

CONTAINER = "image2"
"""`VideoInfo.container` of a folder: ffmpeg's name for a series of pictures"""

_NUMBER = re.compile(r"(\d+)(?=\D*$)")
_MOST_NOTICES = 20


def numbered_pictures(folder: Path) -> list[tuple[int, Path]]:
    """The frames of a folder as (number, file), by rising number; other files are passed over.

    Pictures without a number are left out where others have one. Where none has, or two have
    the same, all are numbered by their place in natural order.
    Raises InputError where there is no folder or no picture in it.
    """
    paths = list_images(folder)
    found = [(int(m[1]), p) for p in paths if (m := _NUMBER.search(p.stem))]
    if not found or len({n for n, _ in found}) < len(found):
        return list(enumerate(paths))
    return sorted(found)


def probe_folder(folder: Path, cfg: DecodeConfig | None = None) -> VideoInfo:
    """What `probe` tells of a video, for a folder of pictures; looks at the first readable one.

    The time base is one over ``cfg.folder_fps``; the first picture stands at 0.
    Raises InputError where there is no folder, no picture, or none that can be read.
    """
    rate = parse_fps((cfg or DecodeConfig()).folder_fps) or Fraction(30)
    pictures = numbered_pictures(folder)
    path, rgb = _first_readable(folder, pictures)
    height, width = rgb.shape[:2]
    deep = rgb.dtype == np.uint16
    last = pictures[-1][0] - pictures[0][0]
    return VideoInfo(
        path=folder,
        container=CONTAINER,
        codec=path.suffix[1:].lower(),
        stream_index=0,
        width=width,
        height=height,
        rotation_deg=0,
        pix_fmt="rgb48le" if deep else "rgb24",
        bit_depth=16 if deep else 8,
        color=_color(width, height),
        sample_aspect=Fraction(1),
        time_base=1 / rate,
        frame_rate=rate,
        frame_count=len(pictures),
        start_pts=0,
        last_pts=last,
        duration_s=float((last + 1) / rate),
    )


class FolderReader:
    """Iterates the numbered pictures of a folder as frames, like `VideoReader` a video.

    Pictures that can't be read, or are of another size than ``info``'s, are skipped and noted
    in ``report``. Arguments as of `VideoReader`; ``info`` comes from `probe_folder`.
    """

    def __init__(
        self,
        info: VideoInfo,
        *,
        scale: int = 2,
        canvas: PixelFormat | None = None,
        cfg: DecodeConfig | None = None,
        start_s: float | None = None,
        end_s: float | None = None,
        first: int = 0,
        end: int | None = None,
    ) -> None:
        if scale < 1:
            raise ValueError(f"FolderReader.scale: got {scale}, expected 1 or more")
        self.info = info
        self.report = DecodeReport()
        self._scale = scale
        self._canvas = canvas
        self._closed = False
        pictures = numbered_pictures(info.path)
        self._first_number = pictures[0][0]
        self._note_left_out(pictures)
        times = np.array([n - self._first_number for n, _ in pictures], np.int64)
        grid = parse_fps((cfg or DecodeConfig()).fps)
        keep = np.ones(len(times), bool)
        if grid is not None:
            keep = keep_on_grid(times, info.time_base, grid)
        if start_s is not None:
            keep &= times >= first_tick(start_s, info.time_base)
        if end_s is not None:
            keep &= times < first_tick(end_s, info.time_base)
        self._thinned = not keep.all()
        self._pictures = [(n, p) for (n, p), k in zip(pictures, keep, strict=True) if k]
        self._skipped = 0
        self._lost: Counter[str] = Counter()
        self._canvas_from, self._stop_at = first, end

    def _note_left_out(self, pictures: list[tuple[int, Path]]) -> None:
        """Tell of pictures that carry no number where others do."""
        taken = {path for _, path in pictures}
        left = [path.name for path in list_images(self.info.path) if path not in taken]
        if left:
            self.report.notices.append(
                f"{len(left)} of {len(left) + len(taken)} pictures were left out, since their "
                f"names hold no number ({left[0]}{', …' if len(left) > 1 else ''})"
            )

    @property
    def expected_frames(self) -> int:
        """Number of pictures that will be handed out if all can be read."""
        count = len(self._pictures)
        return count if self._stop_at is None else min(count, self._stop_at)

    def expected_times(self) -> np.ndarray:
        """Timestamps of the pictures that the grid and the window keep: int64 (N,), rising."""
        return np.array([n - self._first_number for n, _ in self._pictures], np.int64)

    @property
    def frame_rate(self) -> Fraction | None:
        """Rate of the frames handed out between gaps (the folder's own where all are kept)."""
        if not self._thinned:
            return self.info.frame_rate
        return rate_of(self.expected_times(), self.info.time_base) or self.info.frame_rate

    def number_of(self, frame: Frame) -> int:
        """The number in the file name of a frame, as annotations use it."""
        return self._first_number + frame.pts

    def __iter__(self) -> Iterator[Frame]:
        """The frames; raises InputError where not one picture can be read."""
        info, report = self.info, self.report
        for number, path in self._pictures:
            if self._closed or report.frames_kept == self._stop_at:
                return
            rgb = self._read(path)
            if rgb is None:
                continue
            pts = number - self._first_number
            self._lost.update(losses_of(path))
            report.frames_decoded += 1
            report.frames_kept += 1
            report.last_seconds = float(pts * info.time_base)
            index = report.frames_kept - 1
            canvas = self._upscaled(rgb) if index >= self._canvas_from else None
            yield Frame(index, pts, info.time_base, rgb, canvas)
        if self._skipped > _MOST_NOTICES:
            report.notices.append(f"{self._skipped} pictures were skipped in all")
        report.notices += loss_notices(self._lost, report.frames_kept)
        if not report.frames_kept:
            if not self._pictures:
                raise InputError(
                    f"{info.path}: no picture lies in the stretch asked for, expected times below "
                    f"{info.duration_s:.2f} s; change start or end"
                )
            raise InputError(f"{info.path}: not one of its pictures can be read; check the files")

    def close(self) -> None:
        """Stop before the next picture; safe from any thread."""
        self._closed = True

    def __enter__(self) -> FolderReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, path: Path) -> np.ndarray | None:
        """A picture in the folder's size and depth; None, and a notice, where it is not usable."""
        info = self.info
        try:
            rgb = read_image(path)
        except InputError as error:
            self._note(f"{error} (skipped)")
            return None
        if rgb.shape[:2] != (info.height, info.width):
            self._note(
                f"{path.name}: is {rgb.shape[1]}x{rgb.shape[0]}, the others "
                f"{info.width}x{info.height} (skipped)"
            )
            return None
        if info.bit_depth > 8 and rgb.dtype == np.uint8:
            return rgb.astype(np.uint16) * 257
        if info.bit_depth == 8 and rgb.dtype == np.uint16:
            return np.rint(rgb / np.float32(257)).astype(np.uint8)
        return rgb

    def _note(self, text: str) -> None:
        self._skipped += 1
        if self._skipped <= _MOST_NOTICES:
            self.report.notices.append(text)

    def _upscaled(self, rgb: np.ndarray) -> YuvPicture | None:
        if self._canvas is None:
            return None
        size = rgb.shape[1] * self._scale, rgb.shape[0] * self._scale
        # OpenCV's Lanczos is more than twice as fast on floats as on bytes
        unit = rgb * np.float32(1 / np.iinfo(rgb.dtype).max)
        large = cv2.resize(unit, size, interpolation=cv2.INTER_LANCZOS4)
        return from_rgb(large, self._canvas, self.info.color)


def _first_readable(folder: Path, pictures: list[tuple[int, Path]]) -> tuple[Path, np.ndarray]:
    for _, path in pictures:
        try:
            return path, read_image(path)
        except InputError:
            continue
    raise InputError(f"{folder}: not one of its {len(pictures)} pictures can be read; check them")


def _color(width: int, height: int) -> ColorSpec:
    """The Y'CbCr that RGB pictures become: by size, limited range, and tagged so."""
    matrix = usual_matrix(width, height)
    return ColorSpec(matrix=matrix, tag_space=MATRIX_TAGS[matrix], tag_range="tv")
