"""The nouns that stages exchange.

Pixels inside vsr are RGB ``(H, W, 3)``: uint8, or uint16 (full 16-bit scale) for
sources above 8 bit. The one exception is `YuvPicture`, the plainly upscaled
picture in the encoder's own pixel format, into which super-resolved faces are
pasted: what lies outside a face is never converted to RGB and back.

Sizes are in pixels, origin top left. Times are integers (pts) in a `Fraction`
time base of seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np

from vsr.core.color import ColorSpec, PixelFormat
from vsr.core.geometry import Box, Window


def _check_rgb(name: str, pixels: np.ndarray) -> None:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"{name}: got an array of shape {pixels.shape} and dtype {pixels.dtype}, "
            "expected (H, W, 3) in uint8 or uint16; convert the picture to RGB first"
        )


@dataclass(frozen=True, slots=True)
class YuvPicture:
    """A picture as the encoder takes it: planes one after another in one buffer.

    The buffer may be written to by the one stage that owns the picture (paste).
    """

    buffer: np.ndarray
    """uint8, or uint16 of which the low ``bit_depth`` bits are used; shape (N,)"""
    width: int
    """luma pixels"""
    height: int
    """luma pixels"""
    format: PixelFormat
    color: ColorSpec

    def __post_init__(self) -> None:
        wanted = self.format.samples(self.width, self.height)
        dtype = np.uint16 if self.format.bit_depth > 8 else np.uint8
        if self.buffer.ndim != 1 or self.buffer.size != wanted or self.buffer.dtype != dtype:
            raise ValueError(
                f"YuvPicture: got {self.buffer.size} samples of {self.buffer.dtype}, expected "
                f"{wanted} of {np.dtype(dtype)} for {self.format.name} {self.width}x{self.height}; "
                "check size and pixel format"
            )

    def planes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Views of Y (H, W), U and V (ceil(H/v), ceil(W/h)); writing to them writes the picture."""
        luma = self.width * self.height
        cw, ch = self.format.chroma_size(self.width, self.height)
        y = self.buffer[:luma].reshape(self.height, self.width)
        u = self.buffer[luma : luma + cw * ch].reshape(ch, cw)
        v = self.buffer[luma + cw * ch :].reshape(ch, cw)
        return y, u, v


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of the source with its own timestamp."""

    index: int
    """0-based position among the frames that are kept"""
    pts: int
    """the source's own timestamp, in ``time_base`` units; may be negative"""
    time_base: Fraction
    """seconds per pts unit, > 0"""
    rgb: np.ndarray
    """uint8 or uint16, (H, W, 3), upright source picture"""
    canvas: YuvPicture | None = None
    """the source picture plainly upscaled (Lanczos) for the encoder; None where no video is made"""

    def __post_init__(self) -> None:
        _check_rgb("Frame.rgb", self.rgb)
        if self.index < 0:
            raise ValueError(f"Frame.index: got {self.index}, expected 0 or more")
        if self.time_base <= 0:
            raise ValueError(f"Frame.time_base: got {self.time_base}, expected more than 0")

    @property
    def seconds(self) -> float:
        """Presentation time in seconds."""
        return float(self.pts * self.time_base)


@dataclass(frozen=True, slots=True)
class Face:
    """One face in one frame."""

    box: Box
    """tight face box, source pixels, sub-pixel floats"""
    confidence: float
    """detector confidence, 0..1; for filled faces that of the last detection"""
    track_id: int | None = None
    """0-based, stable over the video; None before tracking"""
    filled: bool = False
    """True where no detection supports the box and the tracker put it in"""
    label: str | None = None
    """who it is, where annotations say so (ChokePoint person id)"""
    strength: float = 1.0
    """0..1: how much of the super-resolved face is blended in; less than 1 where its track
    begins or ends, so that no face jumps from blurred to sharp in one frame"""

    def __post_init__(self) -> None:
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"Face.confidence: got {self.confidence}, expected 0..1")
        if not 0.0 <= self.strength <= 1.0:
            raise ValueError(f"Face.strength: got {self.strength}, expected 0..1")


@dataclass(frozen=True, slots=True)
class FrameFaces:
    """A frame and the faces found in it (an empty tuple is a normal frame)."""

    frame: Frame
    faces: tuple[Face, ...] = ()


CropOutcome = Literal["pending", "super-resolved", "plain", "kept"]


@dataclass(frozen=True, slots=True)
class Working:
    """The working scale of a crop: it is reduced to ``side``, then enlarged ``scale`` times."""

    side: int
    """pixels, of the square that the network gets"""
    scale: int
    """of the network: 2, 4 or 8"""

    def __post_init__(self) -> None:
        if self.side < 1 or self.scale < 1:
            raise ValueError(
                f"Working: got side {self.side} and scale {self.scale}, expected 1 or more"
            )


@dataclass(frozen=True, slots=True)
class Span:
    """How many kept frames before and after a face's own are looked at with it."""

    past: int = 0
    """0 or more"""
    future: int = 0
    """0 or more; so many frames must be known before a frame is final"""

    def __post_init__(self) -> None:
        if self.past < 0 or self.future < 0:
            raise ValueError(f"Span: got {self.past} and {self.future}, expected 0 or more")

    @property
    def length(self) -> int:
        """Frames in all, the face's own included."""
        return self.past + 1 + self.future


@dataclass(frozen=True, slots=True)
class FaceClip:
    """A face over neighbouring frames, shifted by whole pixels so that it stands still."""

    pixels: np.ndarray
    """uint8 or uint16, (T, h, w, 3), by time; ``pixels[centre]`` is `FaceCrop.lr`"""
    valid: np.ndarray
    """bool (T,); False: the face is not known there, and the crop itself is repeated"""
    centre: int
    """0..T-1: place of the face's own frame"""

    def __post_init__(self) -> None:
        if self.pixels.ndim != 4 or self.valid.shape != (len(self.pixels),):
            raise ValueError(
                f"FaceClip: got {self.pixels.shape} and {self.valid.shape}, "
                "expected (T, h, w, 3) and (T,)"
            )
        if not 0 <= self.centre < len(self.pixels) or not self.valid[self.centre]:
            raise ValueError(f"FaceClip.centre: got {self.centre}, expected the place of a view")


@dataclass(frozen=True, slots=True)
class Fusion:
    """What the views of a face in the frames around it were good for."""

    views: float
    """how many independent views the network's input is worth, in the mean over its pixels:
    1 where nothing was averaged"""
    noise: float
    """8-bit grey levels of luma by which neighbouring views differ where they agree best"""


@dataclass(frozen=True, slots=True)
class FaceCrop:
    """A face cut out of its frame, before or after super-resolution."""

    face: Face
    window: Window
    """integer region of the source picture that the crop stands for"""
    lr: np.ndarray
    """uint8 or uint16, (h, w, 3): the window's pixels in native mode, else the window resampled;
    generator input where nothing was ``fused``"""
    sr: np.ndarray | None = None
    """generator output, (s*h, s*w, 3), dtype of ``lr``; None until upscaled"""
    outcome: CropOutcome = "pending"
    """"plain" where the super-resolved picture left its evidence and is not pasted; "kept" where an
    output of the source's size had nothing to gain: the face is as sharp as its pixels"""
    deviation: float | None = None
    """how far ``sr`` contradicts ``lr``: 0 not at all, 1 as far as noise and coding explain
    (records of older versions: 8-bit grey levels)"""
    detail_px: float | None = None
    """pixels across the window that hold all the detail it shows, at most its width: 34 where a
    face of 34 pixels was enlarged to 128; None where that was not estimated"""
    working: Working | None = None
    """None: the generator takes ``lr`` as it is"""
    weight: float = 1.0
    """0..1: how much of ``sr`` is blended in, besides ``face.strength``; less than 1 where its
    track becomes accepted or refused"""
    clip: FaceClip | None = None
    """the face in the frames around, until these views are fused"""
    fused: np.ndarray | None = None
    """average of the views, shape and dtype of ``lr``; None where nothing was averaged"""
    fusion: Fusion | None = None
    """None where other views were not looked for"""

    def __post_init__(self) -> None:
        _check_rgb("FaceCrop.lr", self.lr)
        if self.sr is not None:
            _check_rgb("FaceCrop.sr", self.sr)
        if self.fused is not None and (
            self.fused.shape != self.lr.shape or self.fused.dtype != self.lr.dtype
        ):
            raise ValueError(
                f"FaceCrop.fused: got {self.fused.shape} {self.fused.dtype}, expected "
                f"{self.lr.shape} {self.lr.dtype} like lr"
            )

    @property
    def seen(self) -> np.ndarray:
        """What the network is shown; the evidence that its result is judged by is ``lr``."""
        return self.lr if self.fused is None else self.fused

    @property
    def resampled(self) -> bool:
        """Whether the generator sees other pixels than the source's own."""
        return self.lr.shape[0] != self.window.height or self.lr.shape[1] != self.window.width


@dataclass(frozen=True, slots=True)
class FrameCrops:
    """A frame and the crops taken from it, in the order of its faces."""

    frame: Frame
    crops: tuple[FaceCrop, ...] = ()


@dataclass(frozen=True, slots=True)
class FaceSample:
    """One face of a track worth a look: enough to cut its picture out of source and output."""

    frame: int
    """index among the frames that were kept"""
    pts: int
    """the source's own timestamp, in the source's time base"""
    seconds: float
    """presentation time"""
    box: Box
    """of the face, source pixels"""
    window: Window
    """that was super-resolved, source pixels"""
    confidence: float
    """0..1"""
    filled: bool
    """True where the tracker put the box in"""
    outcome: CropOutcome
    deviation: float | None
    """as in `FaceCrop.deviation`"""
    strength: float = 1.0
    """as in `Face.strength`"""


@dataclass(frozen=True, slots=True)
class TrackPoint:
    """Where a face stood and what became of it, at one of the moments that are recorded."""

    frame: int
    seconds: float
    box: Box
    """source pixels"""
    filled: bool
    outcome: CropOutcome | None
    """None where the face was not cut out (too narrow, or outside the picture)"""
    deviation: float | None
    """as in `FaceCrop.deviation`"""


@dataclass(frozen=True, slots=True)
class Track:
    """What is known of one face over the whole video, for manifest and reports."""

    track_id: int
    first_frame: int
    """index of the first frame, inclusive"""
    last_frame: int
    """index of the last frame, inclusive"""
    frames: int
    """number of frames in which the face stands"""
    filled: int
    """how many of them were put in by the tracker"""
    median_width_px: float
    """median width of the face box in source pixels"""
    plain: int = 0
    """crops whose super-resolved picture was refused by the evidence check"""
    kept: int = 0
    """crops left as they are in an output of the source's size: as sharp as their pixels"""
    label: str | None = field(default=None)
    narrowest_px: float = 0.0
    """smallest width of the face box in source pixels"""
    widest_px: float = 0.0
    """largest width of the face box in source pixels"""
    filled_frames: tuple[tuple[int, int], ...] = ()
    """(first, last) of each run of filled frames; only the first runs where there are many"""
    plain_frames: tuple[tuple[int, int], ...] = ()
    """the same of refused crops"""
    best: tuple[FaceSample, ...] = ()
    """clear faces from all over the track, by time"""
    worst: tuple[FaceSample, ...] = ()
    """faces whose super-resolved picture left its evidence the furthest, the furthest first"""
    timeline: tuple[TrackPoint, ...] = ()
    """evenly thinned out; every frame in short videos"""
    window_px: int | None = None
    """median width of the windows that were cut out, source pixels"""
    detail_px: int | None = None
    """pixels across such a window that hold all its detail (`FaceCrop.detail_px`): the median"""
    working_px: int | None = None
    """side of the pictures that the network got in most frames"""
    working_scale: int | None = None
    """how many times that network enlarges; None where the run's own took the crop as it was"""
    views: float | None = None
    """mean of `Fusion.views` over its crops; None where other views were not looked for"""
    noise: float | None = None
    """mean of `Fusion.noise`, 8-bit grey levels"""
