"""``vsr images``: a folder in, a folder out."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from PIL import Image
from skimage.data import astronaut
from typer.testing import CliRunner

from vsr.cli.images import register
from vsr.core.errors import InputError, ModelError, OutputError, UsageError
from vsr.core.progress import Progress
from vsr.models.interpolate import InterpolationUpscaler
from vsr.run.images import upscale_images

BICUBIC = InterpolationUpscaler("bicubic", 2)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Pictures of several kinds, two bad files and one that is none."""
    folder = tmp_path / "lr"
    folder.mkdir()
    face = astronaut()[20:84, 190:254]
    Image.fromarray(face).save(folder / "a.png")
    Image.fromarray(face[:40]).save(folder / "b.jpg", quality=95)
    Image.fromarray(face).convert("L").save(folder / "c.png")
    Image.fromarray(np.dstack([face, face[..., :1]])).save(folder / "d.png")
    Image.fromarray(face[:1, :1]).save(folder / "e.png")
    Image.fromarray(face).save(folder / "f 10.webp")
    (folder / "g.png").write_bytes(b"not a picture")
    (folder / "h.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("x")
    return folder


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_every_picture_comes_out_at_exactly_the_scale(
    faces: Path, tmp_path: Path, scale: int
) -> None:
    out = tmp_path / "sr"
    report = upscale_images(faces, out, InterpolationUpscaler("bicubic", scale))
    assert sorted(p.name for p in out.iterdir()) == [f"{s}.png" for s in "abcde"] + ["f 10.png"]
    assert sorted(report.written) == sorted(p.name for p in out.iterdir())
    for path in out.iterdir():
        source = next(p for p in faces.iterdir() if p.stem == path.stem)
        width, height = Image.open(source).size
        assert Image.open(path).size == (scale * width, scale * height)
        assert Image.open(path).mode == "RGB"
    assert set(report.failed) == {"g.png", "h.jpg"}
    assert "is not a picture" in report.failed["g.png"]


def test_pixels_are_the_upscalers(faces: Path, tmp_path: Path) -> None:
    upscale_images(faces, tmp_path / "sr", BICUBIC)
    want = Image.open(faces / "a.png").resize((128, 128), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "sr" / "a.png")), want)


def test_sixteen_bits_stay_sixteen(tmp_path: Path) -> None:
    import cv2

    (tmp_path / "lr").mkdir()
    picture = np.random.default_rng(0).integers(0, 65536, (20, 30, 3)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "lr" / "a.png"), picture)
    upscale_images(tmp_path / "lr", tmp_path / "sr", BICUBIC)
    high = cv2.imread(str(tmp_path / "sr" / "a.png"), cv2.IMREAD_UNCHANGED)
    assert high is not None
    assert (high.shape, high.dtype) == ((40, 60, 3), np.uint16)


class _Noting(InterpolationUpscaler):
    def __init__(self) -> None:
        super().__init__("bicubic", 2)
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        self.shapes.append(batch.shape[:3])
        return super().__call__(batch)


def test_equal_sizes_share_a_batch_and_large_ones_go_in_tiles(tmp_path: Path) -> None:
    folder = tmp_path / "lr"
    folder.mkdir()
    for i in range(7):
        Image.new("RGB", (20, 30)).save(folder / f"{i}.png")
    Image.new("RGB", (700, 400)).save(folder / "8.png")
    Image.new("RGB", (20, 30)).save(folder / "9.png")
    upscaler = _Noting()
    told: list[Progress] = []
    upscale_images(folder, tmp_path / "sr", upscaler, batch_size=4, progress=told.append)
    assert upscaler.shapes[:2] == [(4, 30, 20), (3, 30, 20)]
    assert upscaler.shapes[-1] == (1, 30, 20)
    assert max(h * w for _, h, w in upscaler.shapes) <= 352**2
    assert Image.open(tmp_path / "sr" / "8.png").size == (1400, 800)
    assert [(p.done, p.total) for p in told] == [(4, 9), (7, 9), (8, 9), (9, 9)]


def test_two_pictures_of_one_stem(tmp_path: Path) -> None:
    folder = tmp_path / "lr"
    folder.mkdir()
    for suffix in (".jpg", ".png"):
        Image.new("RGB", (20, 20)).save(folder / f"a{suffix}")
    report = upscale_images(folder, tmp_path / "sr", BICUBIC)
    assert report.written == ["a.png"]
    assert "has the same stem as a.jpg" in report.failed["a.png"]


def test_folders_that_will_not_do(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the same folder"):
        upscale_images(faces, faces, BICUBIC)
    with pytest.raises(OutputError, match="is not a folder"):
        upscale_images(faces, faces / "a.png", BICUBIC)
    with pytest.raises(OutputError, match="create its parent folder first"):
        upscale_images(faces, tmp_path / "no" / "sr", BICUBIC)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no picture"):
        upscale_images(tmp_path / "empty", tmp_path / "sr", BICUBIC)
    with pytest.raises(InputError, match="is not a folder"):
        upscale_images(tmp_path / "none", tmp_path / "sr", BICUBIC)
    assert not (tmp_path / "sr").exists()


def test_results_are_not_overwritten_unasked(faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "sr"
    upscale_images(faces, out, BICUBIC)
    with pytest.raises(OutputError, match=r"already exists \(6 of the results do\)"):
        upscale_images(faces, out, BICUBIC)
    assert len(upscale_images(faces, out, BICUBIC, overwrite=True).written) == 6
    assert not list(out.glob(".*"))


@pytest.fixture
def app() -> typer.Typer:
    root = typer.Typer()
    register(root)
    return root


def test_the_command(app: typer.Typer, faces: Path, tmp_path: Path) -> None:
    for bad in ("g.png", "h.jpg"):
        (faces / bad).unlink()
    call = [str(faces), "-o", str(tmp_path / "sr"), "--json"]
    result = CliRunner().invoke(app, call, catch_exceptions=False)
    values = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (values["scale"], len(values["written"]), values["failed"]) == (2, 6, {})
    assert Image.open(tmp_path / "sr" / "a.png").size == (128, 128)
    assert Image.open(tmp_path / "sr" / "e.png").size == (2, 2)


def test_skipped_files_give_an_exit_code(app: typer.Typer, faces: Path, tmp_path: Path) -> None:
    call = [str(faces), "-o", str(tmp_path / "sr"), "--model", "lanczos", "--scale", "4"]
    result = CliRunner().invoke(app, call, catch_exceptions=False)
    assert result.exit_code == InputError.exit_code
    assert "skipped g.png" in result.stderr
    assert "error: 2 of 8 pictures were skipped" in result.stderr
    assert "6 pictures x4 by lanczos" in result.stdout


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (["--scale", "3"], UsageError, "scale: got 3"),
        (["--model", "srresnet-x2", "--scale", "4"], UsageError, "enlarges by 2"),
        (["--model", "bicubi"], ModelError, "did you mean 'bicubic'"),
        (["--precision", "half"], UsageError, "precision: got 'half'"),
        (["--batch-size", "0"], UsageError, "batch_size: got 0"),
    ],
)
def test_wrong_options(
    app: typer.Typer,
    faces: Path,
    tmp_path: Path,
    options: list[str],
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        CliRunner().invoke(
            app, [str(faces), "-o", str(tmp_path / "sr"), *options], catch_exceptions=False
        )
    assert not (tmp_path / "sr").exists()


def test_transparency_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "lr"
    folder.mkdir()
    for name, channels in (("a.png", 4), ("b.png", 3), ("c.png", 4)):
        cv2.imwrite(str(folder / name), np.full((16, 16, channels), 90, np.uint8))
    report = upscale_images(folder, tmp_path / "sr", BICUBIC)
    assert report.notices == ["transparency was left out (2 of 3 pictures)"]
    assert report.to_dict()["notices"] == report.notices
