from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from vsr.train.log import RunLog
from vsr.train.pictures import save_curves, save_grid


def test_the_grid_shows_every_face_in_its_column(tmp_path: Path) -> None:
    small = np.full((2, 8, 8, 3), (255, 0, 0), np.uint8)
    large = np.full((2, 16, 16, 3), (0, 0, 255), np.uint8)
    save_grid(tmp_path / "g.png", {"LR": small, "HR": large})
    grid = np.asarray(Image.open(tmp_path / "g.png"))
    assert grid.shape == (18 + 2 * 20, 2 * 20, 3)
    for top in (18, 38):
        assert (grid[top : top + 16, :16] == (255, 0, 0)).all()
        assert (grid[top : top + 16, 20:36] == (0, 0, 255)).all()


def test_curves_are_drawn_from_the_log(tmp_path: Path) -> None:
    log = RunLog(tmp_path, ["loss", "psnr"], 0, tensorboard=False)
    log.write(1, 0.5, {"loss": 1.0})
    save_curves(log.path, tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()
    for step in range(2, 20):
        log.write(step, step / 2, {"loss": 1 / step})
    log.write(10, 5.0, {"psnr": 30.0})
    log.write(20, 9.0, {"psnr": 32.0})
    save_curves(log.path, tmp_path / "curves.png")
    picture = np.asarray(Image.open(tmp_path / "curves.png"))
    assert picture.shape == (220, 840, 3)
    # a falling curve in the left panel, a rising one in the right
    blue = np.argwhere((picture == (31, 119, 180)).all(-1))
    red = np.argwhere((picture == (214, 39, 40)).all(-1))
    assert blue[:, 1].max() < 420 < red[:, 1].min()
    first, last = (blue[blue[:, 1] == x, 0].mean() for x in (blue[:, 1].min(), blue[:, 1].max()))
    assert first < last
    first, last = (red[red[:, 1] == x, 0].mean() for x in (red[:, 1].min(), red[:, 1].max()))
    assert first > last


def test_a_resumed_log_drops_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    log = RunLog(tmp_path, ["loss"], 0, tensorboard=False)
    for step in (1, 2, 3):
        log.write(step, 1.0, {"loss": step})
    with log.path.open("a") as file:
        file.write("4,1")  # killed in the middle of a line
    again = RunLog(tmp_path, ["loss"], 2, tensorboard=False)
    again.write(3, 2.0, {"loss": 30.0})
    assert log.path.read_text().split() == ["step,seconds,loss", "1,1.0,1", "2,1.0,2", "3,2.0,30"]
