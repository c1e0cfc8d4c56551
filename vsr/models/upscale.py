"""The stage that super-resolves crops, batched across frames and tracks.

FrameCrops -> FrameCrops, the crops with ``sr`` set. A crop with a working scale is reduced to it,
enlarged by that scale's network, and brought to the output's size. Importing this module loads
no network library; `load_upscaler` does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np

from vsr.core.types import FaceCrop, FrameCrops, Working
from vsr.models.backend import start_backend
from vsr.models.interpolate import InterpolationUpscaler
from vsr.models.registry import resolve_model, verify
from vsr.models.spec import OUTPUT_SCALES

Precision = Literal["auto", "float32", "bfloat16"]
Device = Literal["auto", "cpu", "gpu"]
_Shape = tuple[tuple[int, ...], str, int | None]
"""of a picture, its dtype, and the scale of its network (None: the output's)"""


class Upscaler(Protocol):
    """Anything that enlarges pictures by a whole factor."""

    name: str
    """as in 'vsr models list'"""
    scale: int
    """2, 4 or 8"""
    sha256: str
    """of the weights, empty where there are none"""

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Enlarges a batch of equally sized pictures.

        Args:
            batch: ``(B, h, w, 3)`` RGB, uint8 or uint16, B from 0.

        Returns:
            ``(B, s*h, s*w, 3)``, same dtype; each picture's result does not depend on the others.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class UpscaleConfig:
    """How crops are super-resolved."""

    model: str = "auto"
    """a name of 'vsr models list', the path of a spec, or "auto": the default of the scale"""
    scale: int = 2
    """of the output: 1, 2, 4 or 8. At 1 the model takes reduced faces: see `vsr.faces.working`"""
    batch_size: int = 8
    """crops per call of the network, 1 to 64; shrinks by itself where memory is short"""
    precision: Precision = "auto"
    """"auto": bfloat16 where the processor has it and the model's error stays under one level"""
    device: Device = "auto"
    max_pending_frames: int = 16
    """frames that may wait for a full batch, 1 to 256"""
    max_pending_mb: int = 64
    """and their pictures' size in MiB; one frame may always wait"""

    def __post_init__(self) -> None:
        if self.scale not in OUTPUT_SCALES:
            raise ValueError(f"scale: got {self.scale}, expected one of {OUTPUT_SCALES}")
        for name, low, high in (
            ("batch_size", 1, 64),
            ("max_pending_frames", 1, 256),
            ("max_pending_mb", 1, 65536),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name}: got {getattr(self, name)}, expected {low} to {high}")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ValueError(
                f"precision: got {self.precision!r}, expected 'auto', 'float32' or 'bfloat16'"
            )
        if self.device not in ("auto", "cpu", "gpu"):
            raise ValueError(f"device: got {self.device!r}, expected 'auto', 'cpu' or 'gpu'")


def load_upscaler(cfg: UpscaleConfig) -> Upscaler:
    """The upscaler of a configuration, weights checked, loaded and ready to run.

    Raises:
        UsageError: model and scale do not fit together.
        ModelError: unknown model, wrong weights, or a device that is not there.
    """
    spec = resolve_model(cfg.model, cfg.scale)
    if spec.name == "bicubic" or spec.name == "lanczos":
        return InterpolationUpscaler(spec.name, cfg.scale)
    name = spec.name if cfg.model == "auto" else cfg.model
    verify(name)
    start_backend()
    from vsr.models.network import load_network

    return load_network(name, precision=cfg.precision, device=cfg.device)


def upscale(
    items: Iterable[FrameCrops],
    upscaler: Upscaler,
    cfg: UpscaleConfig,
    network: Callable[[int], Upscaler] | None = None,
) -> Iterator[FrameCrops]:
    """Sets ``sr`` of every crop, but of those that stay as they are in an output of that size.

    Frames come out complete, in order, none added, none lost.

    Crops of one shape are collected over frames until ``batch_size`` of them wait; a frame
    waits no longer than ``max_pending_frames`` frames (or their bytes) allow. A track's crop
    whose `FaceCrop.seen` equals the one before pixel for pixel (of a repeated frame) shares its
    result. Where ``cfg.scale`` is 1, crops without a working scale become "kept".
    upscaler: for crops without a working scale. network: gives that of a working scale.
    """
    queue = _Queue(upscaler, cfg, network)
    for item in items:
        queue.add(item)
        yield from queue.done()
    yield from queue.finish()


@dataclass(slots=True)
class _Waiting:
    """A frame whose crops are not all super-resolved."""

    item: FrameCrops
    results: list[np.ndarray | None]
    kept: list[bool]
    """crops that get no result"""
    size: int
    """bytes it holds in memory"""

    @property
    def complete(self) -> bool:
        pairs = zip(self.results, self.kept, strict=True)
        return all(kept or sr is not None for sr, kept in pairs)


@dataclass(slots=True)
class _Picture:
    """One low-resolution picture, and every crop that shows just it (of repeated frames)."""

    lr: np.ndarray
    working: Working | None
    places: list[tuple[_Waiting, int]] = field(default_factory=list)
    """crops that wait for the result"""
    sr: np.ndarray | None = None
    """its super-resolved picture, once there"""

    def show_at(self, waiting: _Waiting, index: int) -> None:
        """Takes one more crop in that is this picture."""
        self.places.append((waiting, index))
        if self.sr is not None:
            self.arrive(self.sr)

    def arrive(self, sr: np.ndarray) -> None:
        """Hands the result to all crops that wait for it."""
        self.sr = sr
        for waiting, index in self.places:
            waiting.results[index] = sr
        self.places.clear()


class _Queue:
    """Frames in order on one side, groups of equal crops on the other."""

    def __init__(
        self,
        upscaler: Upscaler,
        cfg: UpscaleConfig,
        network: Callable[[int], Upscaler] | None,
    ) -> None:
        self._upscaler = upscaler
        self._network = network
        self._cfg = cfg
        self._frames: deque[_Waiting] = deque()
        self._groups: dict[_Shape, list[_Picture]] = {}
        """pictures of one shape and type that wait for a full batch"""
        self._latest: dict[int, _Picture] = {}
        """what each track showed in the frame before"""
        self._bytes = 0

    def add(self, item: FrameCrops) -> None:
        """Takes a frame in and runs every batch that it fills."""
        kept = [self._cfg.scale == 1 and crop.working is None for crop in item.crops]
        waiting = _Waiting(item, [None] * len(item.crops), kept, _bytes(item))
        self._frames.append(waiting)
        self._bytes += waiting.size
        latest: dict[int, _Picture] = {}
        for index, crop in enumerate(item.crops):
            if kept[index]:
                continue
            track_id = crop.face.track_id
            known = self._latest.get(track_id) if track_id is not None else None
            repeated = known is not None and _same(known, crop)
            picture = known if known is not None and repeated else _Picture(crop.seen, crop.working)
            picture.show_at(waiting, index)
            if not repeated:
                self._wait_for_batch(picture)
            if track_id is not None:
                latest[track_id] = picture
        self._latest = latest

    def _wait_for_batch(self, picture: _Picture) -> None:
        shape, working = picture.lr.shape, picture.working
        scale = None if working is None else working.scale
        if working is not None:
            shape = (working.side, working.side, *shape[2:])
        key = (shape, picture.lr.dtype.str, scale)
        group = self._groups.setdefault(key, [])
        group.append(picture)
        if len(group) == self._cfg.batch_size:
            self._run(key)

    def done(self) -> Iterator[FrameCrops]:
        """The frames that are ready, the oldest first; makes room where too many wait."""
        while self._frames:
            if not self._frames[0].complete:
                if not self._crowded():
                    return
                self._run_oldest()
            yield self._pop()

    def finish(self) -> Iterator[FrameCrops]:
        """Everything that is left."""
        while self._frames:
            if not self._frames[0].complete:
                self._run_oldest()
            yield self._pop()

    def _crowded(self) -> bool:
        many = len(self._frames) > self._cfg.max_pending_frames
        large = self._bytes > self._cfg.max_pending_mb * 2**20 and len(self._frames) > 1
        return many or large

    def _run_oldest(self) -> None:
        """Completes the oldest frame by partial batches, in which younger crops ride along."""
        oldest = self._frames[0]
        for key in [k for k, g in self._groups.items() if g[0].places[0][0] is oldest]:
            self._run(key)

    def _run(self, key: _Shape) -> None:
        pictures = self._groups.pop(key)
        scale = key[-1]
        height, width = key[0][:2]
        large = self._at(scale)(np.stack([_resized(p.lr, height, width) for p in pictures]))
        for picture, sr in zip(pictures, large, strict=True):
            if scale is not None:
                sr = _resized(sr, *(self._cfg.scale * side for side in picture.lr.shape[:2]))
            picture.arrive(sr)

    def _at(self, scale: int | None) -> Upscaler:
        if scale is None:
            return self._upscaler
        if self._network is None:
            raise ValueError("upscale: got crops with a working scale, but no networks for them")
        return self._network(scale)

    def _pop(self) -> FrameCrops:
        waiting = self._frames.popleft()
        self._bytes -= waiting.size
        found = zip(waiting.item.crops, waiting.results, waiting.kept, strict=True)
        crops: tuple[FaceCrop, ...] = tuple(
            replace(crop, sr=sr, outcome="kept" if kept else crop.outcome)
            for crop, sr, kept in found
        )
        return replace(waiting.item, crops=crops)


def _same(known: _Picture, crop: FaceCrop) -> bool:
    a, b = known.lr, crop.seen
    return known.working == crop.working and a.dtype == b.dtype and np.array_equal(a, b)


def _resized(rgb: np.ndarray, height: int, width: int) -> np.ndarray:
    """``(h, w, 3)`` in another size: area averages where it becomes smaller, else bicubic."""
    if rgb.shape[:2] == (height, width):
        return rgb
    import cv2  # not at the top: nothing heavy is imported before a network is needed

    way = cv2.INTER_AREA if height < rgb.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(rgb, (width, height), interpolation=way)


def _bytes(item: FrameCrops) -> int:
    canvas = item.frame.canvas
    return item.frame.rgb.nbytes + (canvas.buffer.nbytes if canvas is not None else 0)
