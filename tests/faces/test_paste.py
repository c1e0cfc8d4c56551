from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from vsr.core.color import PIXEL_FORMATS, ColorSpec, rgb_to_yuv
from vsr.core.errors import DataError, UsageError
from vsr.core.geometry import Box, Window
from vsr.core.types import Face, FaceCrop, Frame, FrameCrops, FrameFaces, YuvPicture
from vsr.faces.crop import CropConfig, crop
from vsr.faces.paste import PasteConfig, paste, verify

Upscaled = Callable[..., tuple[np.ndarray, YuvPicture]]

FORMATS = ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p10le"]
CFG = PasteConfig()


def _lanczos(rgb: np.ndarray, scale: int) -> np.ndarray:
    size = (rgb.shape[1] * scale, rgb.shape[0] * scale)
    return cv2.resize(rgb, size, interpolation=cv2.INTER_LANCZOS4)


def _crops(
    rgb: np.ndarray,
    canvas: YuvPicture | None,
    boxes: list[Box],
    scale: int,
    *,
    make: Callable[[np.ndarray, int], np.ndarray] = _lanczos,
    cfg: CropConfig | None = None,
) -> FrameCrops:
    """Faces cut out of a frame and enlarged by a stand-in for the generator."""
    frame = Frame(0, 0, Fraction(1, 30), rgb, canvas)
    faces = tuple(Face(b, 0.9, i) for i, b in enumerate(boxes))
    (item,) = crop([FrameFaces(frame, faces)], cfg or CropConfig())
    return replace(item, crops=tuple(replace(c, sr=make(c.lr, scale)) for c in item.crops))


def _passed(item: FrameCrops) -> FrameCrops:
    return replace(item, crops=tuple(replace(c, outcome="super-resolved") for c in item.crops))


def _psnr(a: np.ndarray, b: np.ndarray, top: int) -> float:
    mse = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float("inf") if mse == 0 else float(10 * np.log10(top**2 / mse))


def _inverted(lr: np.ndarray, scale: int) -> np.ndarray:
    return np.iinfo(lr.dtype).max - _lanczos(lr, scale)


def _bright(lr: np.ndarray, scale: int) -> np.ndarray:
    return np.minimum(_lanczos(lr, scale), 215) + lr.dtype.type(40)


@pytest.fixture
def scene(
    astronaut: np.ndarray, upscaled: Upscaled
) -> Callable[..., tuple[np.ndarray, YuvPicture]]:
    small = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)

    def make(scale: int = 2, name: str = "yuv420p", full_range: bool = False):  # type: ignore[no-untyped-def]
        deep = PIXEL_FORMATS[name].bit_depth > 8
        return upscaled(small.astype(np.uint16) * 257 if deep else small, scale, name, full_range)

    return make


FACE = Box(90, 32, 45, 56)


class TestFaithful:
    """With Lanczos in the generator's place the picture must stay what it was."""

    @pytest.mark.parametrize("scale", [2, 4])
    @pytest.mark.parametrize("name", FORMATS)
    @pytest.mark.parametrize("full_range", [False, True])
    def test_lanczos_into_lanczos(
        self, scene: Callable[..., tuple[np.ndarray, YuvPicture]], scale, name, full_range
    ) -> None:
        rgb, canvas = scene(scale, name, full_range)
        before = canvas.buffer.copy()
        plain = replace(canvas, buffer=before)
        item = _crops(rgb, canvas, [FACE], scale)
        (frame,) = paste([_passed(item)], scale, CFG)
        assert frame.canvas is canvas
        window = item.crops[0].window.scaled(scale)
        top = 2**canvas.format.bit_depth - 1
        w, h = canvas.format.log2_chroma_w, canvas.format.log2_chroma_h
        for plane, (now, then) in enumerate(zip(canvas.planes(), plain.planes(), strict=True)):
            x, y = (w, h) if plane else (0, 0)
            part = (
                slice(window.y >> y, (window.y + window.height) >> y),
                slice(window.x >> x, (window.x + window.width) >> x),
            )
            assert not np.array_equal(now[part], then[part])
            assert _psnr(now[part], then[part], top) > 45

    @pytest.mark.parametrize(
        "cfg", [CropConfig(max_side=48, sides=(32, 48)), CropConfig(mode="canonical", size=64)]
    )
    def test_detail_of_a_resampled_crop_adds_nothing_lanczos_knows(
        self, scene: Callable[..., tuple[np.ndarray, YuvPicture]], cfg: CropConfig
    ) -> None:
        rgb, canvas = scene()
        before = canvas.buffer.copy()
        item = _crops(rgb, canvas, [FACE], 2, cfg=cfg)
        assert item.crops[0].resampled
        list(paste([_passed(item)], 2, CFG))
        assert np.array_equal(before, canvas.buffer)

    def test_strength_is_the_share_that_is_blended_in(
        self, scene: Callable[..., tuple[np.ndarray, YuvPicture]]
    ) -> None:
        changes = []
        for strength in (1.0, 0.25):
            rgb, canvas = scene()
            before = canvas.planes()[0].astype(float)
            item = _passed(_crops(rgb, canvas, [FACE], 2, make=_bright))
            half = np.sqrt(strength)  # of its track's beginning, and of its acceptance
            faint = [
                replace(c, face=replace(c.face, strength=half), weight=half) for c in item.crops
            ]
            list(paste([replace(item, crops=tuple(faint))], 2, CFG))
            changes.append(canvas.planes()[0] - before)
        assert np.abs(changes[0]).max() > 10
        assert np.abs(changes[1] - 0.25 * changes[0]).max() <= 1

    def test_detail_of_a_resampled_crop_arrives(
        self, scene: Callable[..., tuple[np.ndarray, YuvPicture]]
    ) -> None:
        rgb, canvas = scene()
        before = canvas.planes()[0].astype(float)

        def dotted(lr: np.ndarray, scale: int) -> np.ndarray:
            sr = _lanczos(lr, scale).astype(int)
            sr[60:68, 60:68] += 40
            return np.clip(sr, 0, 255).astype(np.uint8)

        cfg = CropConfig(max_side=64, sides=(32, 64))
        item = _crops(rgb, canvas, [FACE], 2, make=dotted, cfg=cfg)
        list(paste([_passed(item)], 2, CFG))
        change = canvas.planes()[0] - before
        w = item.crops[0].window.scaled(2)
        middle = change[w.slices]
        ratio = w.width / 128
        y, x = np.unravel_index(np.argmax(cv2.GaussianBlur(middle, (0, 0), 2)), middle.shape)
        assert (x, y) == (pytest.approx(64 * ratio, abs=2), pytest.approx(64 * ratio, abs=2))
        assert middle.sum() == pytest.approx(40 * 219 / 255 * (8 * ratio) ** 2, rel=0.05)

    @pytest.mark.parametrize(("blur", "gain"), [(0.0, -0.1), (1.0, 0.8)])
    def test_detail_is_added_where_the_source_lacks_it(
        self, astronaut: np.ndarray, upscaled: Upscaled, blur: float, gain: float
    ) -> None:
        # a window of 128 pixels, of which the generator sees 64 and guesses the next octave
        # right: a sharp source knows that octave itself, a blurred one does not
        truth = np.ascontiguousarray(astronaut[0:256, 96:352])
        sharp = cv2.resize(truth, (128, 128), interpolation=cv2.INTER_AREA)
        source = cv2.GaussianBlur(sharp, (0, 0), blur) if blur else sharp
        rgb, canvas = upscaled(source, 2, "yuv444p")
        wanted = rgb_to_yuv(truth, canvas.color, 8)[..., 0]
        before = canvas.planes()[0].copy()
        lr = cv2.resize(source, (64, 64), interpolation=cv2.INTER_AREA)
        face = Face(Box(42, 30, 44, 56), 0.9, 0)
        crop = FaceCrop(face, Window(0, 0, 128, 128), lr, sharp, "super-resolved")
        list(paste([FrameCrops(Frame(0, 0, Fraction(1, 30), rgb, canvas), (crop,))], 2, CFG))
        after = canvas.planes()[0]
        assert _psnr(after, wanted, 255) - _psnr(before, wanted, 255) > gain

    def test_no_seam(self, scene: Callable[..., tuple[np.ndarray, YuvPicture]]) -> None:
        # a generator that is brighter by 6 levels everywhere: the change must rise softly
        rgb, canvas = scene()
        before = canvas.planes()[0].astype(int)
        item = _crops(
            rgb,
            canvas,
            [FACE],
            2,
            make=lambda lr, s: np.minimum(_lanczos(lr, s), 249) + np.uint8(6),
        )
        list(paste([_passed(item)], 2, CFG))
        change = canvas.planes()[0].astype(int) - before
        w = item.crops[0].window.scaled(2)
        rim = np.concatenate([change[w.y : w.y + 4, w.x : w.x + w.width].ravel()])
        assert np.abs(rim).max() <= 1
        assert np.median(change[w.y + 80 : w.y + 112, w.x + 80 : w.x + 112]) in (4, 5, 6)


class TestBits:
    @pytest.mark.parametrize("name", FORMATS)
    def test_outside_the_window_every_bit_stays(
        self, scene: Callable[..., tuple[np.ndarray, YuvPicture]], name: str
    ) -> None:
        rgb, canvas = scene(2, name)
        before = replace(canvas, buffer=canvas.buffer.copy())
        item = _crops(rgb, canvas, [FACE], 2, make=_inverted)
        list(paste([_passed(item)], 2, CFG))
        window = item.crops[0].window.scaled(2)
        w, h = canvas.format.log2_chroma_w, canvas.format.log2_chroma_h
        for plane, (now, then) in enumerate(zip(canvas.planes(), before.planes(), strict=True)):
            x, y = (w, h) if plane else (0, 0)
            changed = np.argwhere(now != then)
            assert len(changed)
            # the outermost pixels of the window have weight 0 as well
            low, high = changed.min(axis=0), changed.max(axis=0)
            assert low[0] > window.y >> y
            assert low[1] > window.x >> x
            assert high[0] < ((window.y + window.height) >> y) - 1
            assert high[1] < ((window.x + window.width) >> x) - 1

    def test_middle_is_the_super_resolved_picture(
        self, scene: Callable[..., tuple[np.ndarray, YuvPicture]]
    ) -> None:
        rgb, canvas = scene()
        item = _crops(rgb, canvas, [FACE], 2, make=_inverted)
        list(paste([_passed(item)], 2, CFG))
        sr = item.crops[0].sr
        assert sr is not None
        w = item.crops[0].window.scaled(2)
        wanted = np.rint(rgb_to_yuv(sr, canvas.color, 8)[..., 0])
        middle = slice(w.height // 2 - 20, w.height // 2 + 20)
        got = canvas.planes()[0][w.slices][middle, middle]
        assert np.array_equal(got, wanted[middle, middle])

    def test_refused_crops_change_nothing(
        self, scene: Callable[..., tuple[np.ndarray, YuvPicture]]
    ) -> None:
        rgb, canvas = scene()
        before = canvas.buffer.copy()
        item = _crops(rgb, canvas, [FACE], 2, make=_inverted)
        (judged,) = verify([item], 2, CFG)
        assert [c.outcome for c in judged.crops] == ["plain"]
        list(paste([judged], 2, CFG))
        assert np.array_equal(before, canvas.buffer)
        list(paste([item], 2, CFG))  # nobody judged it: paste does
        assert np.array_equal(before, canvas.buffer)

    def test_saturated_blue_does_not_wrap(self) -> None:
        # full range: Cb of pure blue is 255.5, which rounds to one more than fits
        rgb = np.zeros((64, 64, 3), np.uint8)
        rgb[..., 2] = 255
        fmt = PIXEL_FORMATS["yuv420p"]
        canvas = YuvPicture(
            np.full(fmt.samples(128, 128), 200, np.uint8), 128, 128, fmt, ColorSpec(full_range=True)
        )
        item = _crops(rgb, canvas, [Box(12, 12, 34, 40)], 2)
        list(paste([_passed(item)], 2, CFG))
        u = canvas.planes()[1]
        assert u.min() >= 200
        assert u[32, 32] == 255


class TestBorders:
    @pytest.mark.parametrize(("cx", "cy"), [(6, 60), (122, 60), (60, 6), (60, 122)])
    def test_a_face_at_the_border_is_pasted_up_to_it(self, cx: int, cy: int) -> None:
        rgb = np.full((128, 128, 3), 100, np.uint8)
        fmt = PIXEL_FORMATS["yuv420p"]
        canvas = YuvPicture(
            np.full(fmt.samples(256, 256), 128, np.uint8), 256, 256, fmt, ColorSpec()
        )
        item = _crops(
            rgb,
            canvas,
            [Box.from_center(cx, cy, 24, 28)],
            2,
            make=lambda lr, s: _lanczos(lr, s) + np.uint8(90),
        )
        list(paste([_passed(item)], 2, CFG))
        row, column = min(2 * cy, 255), min(2 * cx, 255)
        if cx < 20:
            column = 0
        elif cx > 100:
            column = 255
        elif cy < 20:
            row = 0
        else:
            row = 255
        assert canvas.planes()[0][row, column] > 170


class TestNeighbours:
    def test_overlapping_windows_blend_without_a_double_edge(self) -> None:
        rgb = np.full((128, 256, 3), 90, np.uint8)
        fmt = PIXEL_FORMATS["yuv444p"]
        canvas = YuvPicture(
            np.full(fmt.samples(512, 256), 90, np.uint8), 512, 256, fmt, ColorSpec(full_range=True)
        )
        canvas.planes()[1][:] = canvas.planes()[2][:] = 128
        boxes = [Box.from_center(108, 64, 40, 50), Box.from_center(138, 64, 40, 50)]
        item = _crops(rgb, canvas, boxes, 2, make=lambda lr, s: _lanczos(lr, s) + np.uint8(60))
        assert len(item.crops) == 2
        list(paste([_passed(item)], 2, CFG))
        row = canvas.planes()[0][128].astype(int)
        # both say +60: nowhere more, no dip where they meet, as much left as right
        assert row.max() == 150
        between = row[2 * 108 : 2 * 138]
        assert between.min() >= 149
        mirrored = np.interp(2 * 246 - np.arange(512), np.arange(512), row)
        assert np.abs(row[160:330] - mirrored[160:330]).max() <= 4

    def test_order_of_faces_does_not_matter(
        self, scene: Callable[..., tuple[np.ndarray, YuvPicture]]
    ) -> None:
        boxes = [FACE, Box(120, 40, 45, 56), Box(30, 150, 30, 36)]
        buffers = []
        for order in (boxes, boxes[::-1]):
            rgb, canvas = scene()
            item = _crops(rgb, canvas, order, 2, make=_inverted)
            list(paste([_passed(item)], 2, CFG))
            buffers.append(canvas.buffer.astype(int))
        assert np.abs(buffers[0] - buffers[1]).max() <= 1


class TestStage:
    def test_order_and_count_hold(
        self, scene: Callable[..., tuple[np.ndarray, YuvPicture]]
    ) -> None:
        rgb, canvas = scene()
        items = [
            FrameCrops(
                Frame(i, i, Fraction(1, 30), rgb, replace(canvas, buffer=canvas.buffer.copy()))
            )
            for i in range(4)
        ]
        with_face = _crops(rgb, canvas, [FACE], 2)
        items[2] = replace(with_face, frame=items[2].frame)
        out = list(paste(verify(iter(items), 2, CFG), 2, CFG))
        assert out == [i.frame for i in items]

    def test_colour_drift_does_not_arrive(
        self, scene: Callable[..., tuple[np.ndarray, YuvPicture]]
    ) -> None:
        def tinted(lr: np.ndarray, scale: int) -> np.ndarray:
            wide = _lanczos(lr, scale).astype(int) + np.array([4, -4, 3])
            return np.clip(wide, 0, 255).astype(np.uint8)

        means = []
        for make in (_lanczos, tinted):
            rgb, canvas = scene()
            item = _crops(rgb, canvas, [FACE], 2, make=make)
            list(paste([item], 2, CFG))
            w = item.crops[0].window.scaled(2)
            halves = tuple(slice(s.start // 2, s.stop // 2) for s in w.slices)
            y, u, v = canvas.planes()
            means.append([y[w.slices].mean(), u[halves].mean(), v[halves].mean()])
        assert means[1] == pytest.approx(means[0], abs=0.1)

    def test_verify_keeps_what_was_judged(
        self, scene: Callable[..., tuple[np.ndarray, YuvPicture]]
    ) -> None:
        rgb, canvas = scene()
        item = _passed(_crops(rgb, canvas, [FACE], 2, make=_inverted))
        (judged,) = verify([item], 2, CFG)
        assert judged.crops[0] is item.crops[0]

    def test_without_a_canvas(self, scene: Callable[..., tuple[np.ndarray, YuvPicture]]) -> None:
        rgb, canvas = scene()
        item = _passed(_crops(rgb, None, [FACE], 2))
        with pytest.raises(DataError, match=r"got canvas none for frame 0, expected 512x512"):
            list(paste([item], 2, CFG))
        other = replace(item, frame=replace(item.frame, canvas=canvas))
        with pytest.raises(DataError, match=r"got canvas 512x512 .* expected 1024x1024"):
            list(paste([other], 4, CFG))

    def test_odd_scale_with_subsampled_chroma(self) -> None:
        rgb = np.zeros((96, 96, 3), np.uint8)
        fmt = PIXEL_FORMATS["yuv420p"]
        canvas = YuvPicture(np.zeros(fmt.samples(288, 288), np.uint8), 288, 288, fmt, ColorSpec())
        item = _passed(_crops(rgb, canvas, [Box(30, 33, 34, 40)], 3))
        assert item.crops[0].window.x % 2
        with pytest.raises(UsageError, match="expected an even one for yuv420p"):
            list(paste([item], 3, CFG))

    def test_wrong_size_of_the_super_resolved_picture(
        self, scene: Callable[..., tuple[np.ndarray, YuvPicture]]
    ) -> None:
        rgb, canvas = scene()
        item = _crops(rgb, canvas, [FACE], 4)
        with pytest.raises(DataError, match="use the scale the model was made for"):
            list(paste([item], 2, CFG))

    @pytest.mark.parametrize(
        ("key", "value"),
        [("feather", 1.2), ("max_contradiction", -1.0), ("fade", -1), ("hold_s", -1.0)],
    )
    def test_config_refuses(self, key: str, value: float) -> None:
        with pytest.raises(UsageError, match=rf"paste\.{key}: got {value}, expected"):
            PasteConfig(**{key: value})  # type: ignore[arg-type]
