"""``vsr faces``: find and follow the faces of a video, and write them down to be chosen from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

import vsr
from vsr.core.errors import OutputError
from vsr.core.names import hidden_beside
from vsr.core.progress import Progress, ProgressHook, silent
from vsr.core.types import FaceCrop, FrameFaces, Track
from vsr.faces.crop import crop
from vsr.faces.cuts import to_uint8
from vsr.faces.facesfile import frame_line, header_line, track_line
from vsr.faces.tracklog import TrackLog
from vsr.faces.working import find_working
from vsr.run.flow import Flow
from vsr.run.keyframes import clearness
from vsr.run.manifest import detector_entry
from vsr.run.output import claim, write_atomically
from vsr.run.recipe import Recipe
from vsr.run.restore import face_finder, followed_faces
from vsr.run.samesize import crop_config, crop_grid
from vsr.run.source import open_source, probe_source, source_hash
from vsr.run.tracksheet import Portrait, track_sheet

_NETWORKS = (2, 4, 8)
"""scales at which detail is looked for"""


@dataclass(frozen=True, slots=True)
class FoundFaces:
    """What a video's faces file holds."""

    frames: int
    faces: int
    tracks: tuple[Track, ...]
    notices: tuple[str, ...]
    broken_at_s: float | None
    """where the source broke off"""


def find_faces(
    source: Path,
    out: Path,
    recipe: Recipe,
    *,
    sheet: Path | None = None,
    overwrite: bool = False,
    progress: ProgressHook = silent,
) -> FoundFaces:
    """Write the faces file ``out`` of a video or a folder of numbered pictures.

    sheet: a picture (PNG) to be written too, which shows each track's clearest face.
    Raises VsrError; then nothing stands under the outputs' names.
    """
    claim(source, out, overwrite=overwrite)
    if sheet is not None:
        claim(source, sheet, overwrite=overwrite)
        if sheet.suffix.lower() != ".png":
            raise OutputError(f"--sheet {sheet}: expected a name that ends in .png")
    info = probe_source(source, recipe.decode)
    reader = open_source(info, scale=1, canvas=None, cfg=recipe.decode)
    finder, log, portraits = face_finder(recipe), TrackLog(), _Portraits()
    seconds: dict[int, tuple[float, float]] = {}
    lines, faces = list[str](), 0

    def noted(items: Iterable[FrameFaces]) -> Iterator[FrameFaces]:
        for item in items:
            lines.append(frame_line(item))
            for face in item.faces:
                if face.track_id is not None:
                    now = item.frame.seconds
                    seconds[face.track_id] = seconds.get(face.track_id, (now, now))[0], now
            yield item

    with Flow() as flow:
        followed = followed_faces(flow, reader, finder, log, recipe)
        cut = crop(noted(followed), crop_config(recipe), grid=crop_grid(recipe))
        cut = find_working(cut, recipe.upscale.scale, _NETWORKS, recipe.working)
        for item in log.crops(cut):
            faces += len(item.crops)
            for face_crop in item.crops:
                portraits.consider(face_crop, item.frame.seconds)
            progress(Progress("finding faces", len(lines), reader.expected_frames, faces))
    tracks = log.tracks
    header = header_line(
        vsr_version=vsr.__version__,
        source=source.name,
        sha256=source_hash(source),
        width=info.width,
        height=info.height,
        time_base=str(info.time_base),
        frames=len(lines),
        detector=detector_entry(recipe.detect),
        settings={k: recipe.to_dict()[k] for k in ("decode", "detect", "track")},
    )
    told = [track_line(track, seconds[track.track_id]) for track in tracks]
    if sheet is not None:
        shown = [(t, seconds[t.track_id], portraits.best.get(t.track_id)) for t in tracks]
        _written(sheet, track_sheet(shown, source.name))
    write_atomically(out, "".join([header, *lines, *told]))
    notices = tuple(reader.report.notices)
    return FoundFaces(len(lines), faces, tracks, notices, reader.report.broken_at_s)


class _Portraits:
    """The clearest picture of each track."""

    def __init__(self) -> None:
        self.best: dict[int, Portrait] = {}
        self._scores: dict[int, float] = {}

    def consider(self, crop: FaceCrop, seconds: float) -> None:
        """Keep a crop where its track has none as clear."""
        track, score = crop.face.track_id, clearness(crop)[1]
        if track is None or crop.face.filled or score <= self._scores.get(track, -1.0):
            return
        self._scores[track] = score
        self.best[track] = Portrait(to_uint8(crop.lr), seconds)


def _written(path: Path, picture: Image.Image) -> None:
    part = hidden_beside(path, ".partial")
    try:
        picture.save(part, "PNG")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from None
