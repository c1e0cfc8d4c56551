"""``--output faces``: one video per face track at the generator's output size."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from vsr.core.color import PIXEL_FORMATS, ColorSpec
from vsr.core.errors import OutputError
from vsr.core.types import FaceCrop, FrameCrops
from vsr.core.video import VideoInfo
from vsr.media.convert import from_rgb
from vsr.media.encode import CONTAINERS, EncodeConfig, VideoWriter

_COLOR = ColorSpec(
    matrix="bt709", tag_space="bt709", tag_primaries="bt709", tag_transfer="bt709", tag_range="tv"
)
_IDLE_FRAMES = 120
"""a track unseen for so many frames is over: its encoder is closed"""


class FaceVideos:
    """Opens an encoder per track, closes it when the track is over, places all at the end.

    ``out`` is a folder to be made (``out/face_0000.mp4``), or a video file name after
    which the videos are named (``clip.mp4`` -> ``clip.face_0000.mp4``).
    """

    def __init__(self, out: Path, info: VideoInfo, cfg: EncodeConfig) -> None:
        self._out = out
        self._info = info
        self._cfg = cfg
        self._single = out.suffix.lower() in CONTAINERS
        self._suffix = out.suffix.lower() if self._single else ".mp4"
        self._folder: Path | None = None
        self._open: dict[int, VideoWriter] = {}
        self._seen: dict[int, int] = {}
        self._frames = 0

    def __enter__(self) -> FaceVideos:
        self._folder = Path(
            tempfile.mkdtemp(prefix=f".{self._out.name}.partial", dir=self._out.parent)
        )
        self._folder.chmod(0o755)
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._open.values():
            writer.abort()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def write(self, item: FrameCrops) -> None:
        """Append each crop's picture to the video of its track."""
        self._frames += 1
        for crop in item.crops:
            track = crop.face.track_id
            if track is None or crop.sr is None:
                continue
            self._writer(track, crop).write(
                from_rgb(crop.sr, self._format(), _COLOR), item.frame.pts
            )
            self._seen[track] = self._frames
        for track in [t for t, at in self._seen.items() if self._frames - at > _IDLE_FRAMES]:
            self._open.pop(track).close()
            del self._seen[track]

    def close(self) -> list[Path]:
        """Finish all videos and give them their final names; returns those names."""
        assert self._folder is not None
        for writer in self._open.values():
            writer.close()
        self._open.clear()
        made = sorted(self._folder.iterdir())
        try:
            if self._single:
                finals = [self._out.with_name(f"{self._out.stem}.{p.name}") for p in made]
                for path, final in zip(made, finals, strict=True):
                    path.replace(final)
                return finals
            if self._out.is_dir():
                shutil.rmtree(self._out)
            self._folder.replace(self._out)
            return [self._out / p.name for p in made]
        except OSError as error:
            raise OutputError(f"{self._out}: cannot be placed ({error.strerror})") from error

    def _writer(self, track: int, crop: FaceCrop) -> VideoWriter:
        if track not in self._open:
            assert crop.sr is not None  # write() passed over the others
            assert self._folder is not None
            height, width = crop.sr.shape[:2]
            self._open[track] = VideoWriter(
                self._folder / f"face_{track:04d}{self._suffix}",
                info=self._info,
                width=width,
                height=height,
                format=self._format(),
                color=_COLOR,
                cfg=self._cfg,
                with_streams=False,
            )
        return self._open[track]

    @staticmethod
    def _format():
        return PIXEL_FORMATS["yuv420p"]
