"""Settings are refused at construction, with the remedy; crops land where they must."""

import pytest

from vsr.core.config import build
from vsr.core.errors import UsageError
from vsr.core.geometry import Window
from vsr.train.prepare.config import CropRule, PrepareConfig


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hr": 4}, "hr: got 4, expected 8 to 4096"),
        ({"hr": 100, "scales": (8,)}, "scale: got 8, expected 2 to 16 and a divisor of --hr 100"),
        ({"scales": (1,)}, "scale: got 1"),
        ({"scales": ()}, "one or more different"),
        ({"scales": (2, 2)}, "one or more different"),
        ({"crop": "0"}, "crop: got '0', expected 'square'"),
        ({"crop": "178x178"}, "expected 'square', a side"),
        ({"val": 0.5, "test": 0.5}, "leave some images for training"),
        ({"val": -0.1}, "each 0 or more"),
        ({"val": float("nan")}, "each 0 or more"),
        ({"every": 0}, "every: got 0, expected 1"),
        ({"jobs": -1}, "jobs: got -1, expected 0"),
        ({"limit": 0}, "limit: got 0, expected 1"),
        ({"face_side": 0.5}, "more than 1 eye distance"),
        ({"reduce": "lanczos"}, "expected one of 'bicubic', 'area'"),
        ({"identity": "name"}, "expected one of 'auto', 'folder', 'file'"),
    ],
)
def test_wrong_settings_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        build(PrepareConfig, options, "vsr prepare")


@pytest.mark.parametrize(
    ("text", "size", "window"),
    [
        ("178", (178, 218), Window(0, 20, 178, 178)),  # CelebA: left 0, top 20
        ("164+7+31", (178, 218), Window(7, 31, 164, 164)),
        ("square", (100, 60), Window(20, 0, 60, 60)),
        ("178", (177, 218), None),
        ("164+7+55", (178, 218), None),
    ],
)
def test_crop_rule(text, size, window):
    rule = CropRule.parse(text)
    assert rule.window(*size) == window
    assert CropRule.parse(str(rule)) == rule


def test_settings_leave_out_what_changes_no_pixel():
    one = PrepareConfig(jobs=1, terms="mine").settings()
    assert one == PrepareConfig(jobs=3).settings()
    assert one != PrepareConfig(reduce="area").settings()
