"""What weights come from: recorded, checked when a run goes on, and told with the export."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from vsr.core.errors import OutputError, UsageError
from vsr.models.export import add_model
from vsr.train.faces import load_dataset, load_folder
from vsr.train.loop import train
from vsr.train.origin import Origin, Origins, going_on

FACES = Origin("faces", "a" * 64, "Faces: research only")
MORE = Origin("more", "b" * 64)
MODEL = Origin("old-x2", "c" * 64, "trained on portraits: not for sale", "non-commercial")


def test_terms_and_licence_are_those_of_everything() -> None:
    plain = Origins((MORE,), None)
    assert plain.licence == "not stated"
    assert plain.terms == "trained on more, whose terms are not stated"
    known = Origins((FACES, MORE), None)
    assert known.licence == "see the terms of the data"
    assert known.terms == (
        "trained on Faces: research only; trained on more, whose terms are not stated"
    )
    warm = Origins((MORE,), MODEL)
    assert warm.licence == "not stated; old-x2: non-commercial"
    assert warm.terms.endswith("; started from old-x2, trained on portraits: not for sale")


def test_a_run_goes_on_from_what_it_came_from(tmp_path: Path) -> None:
    begun = Origins((FACES, MORE), MODEL)
    assert going_on(tmp_path, begun) == begun  # of a version without the record
    begun.save(tmp_path)
    moved = Origins((Origin("elsewhere", FACES.sha256), MORE), MODEL)
    assert going_on(tmp_path, moved) == begun
    assert going_on(tmp_path, Origins((FACES, MORE), None)) == begun
    with pytest.raises(UsageError, match=r"a run on faces \(aaaaaaaaaaaa\) and more .*got faces"):
        going_on(tmp_path, Origins((FACES,), MODEL))
    with pytest.raises(UsageError, match=r"started from old-x2 \(cccccccccccc\), got --init more"):
        going_on(tmp_path, Origins((FACES, MORE), MORE))
    Origins((FACES,), None).save(tmp_path)
    with pytest.raises(UsageError, match="started from no model, got --init old-x2"):
        going_on(tmp_path, Origins((FACES,), MODEL))
    (tmp_path / "origin.json").write_text("{}")
    with pytest.raises(ValueError, match=r"origin\.json is damaged"):
        going_on(tmp_path, begun)


def test_a_data_set_is_known_by_its_pictures(dataset: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(dataset, copy)
    known, again = (load_dataset(folder, 32).origin for folder in (dataset, copy))
    assert known.sha256 == again.sha256
    assert (again.name, again.terms) == ("copy", "")
    plain = load_folder(copy / "train" / "hr", 32).origin.sha256
    cv2.imwrite(str(copy / "train" / "hr" / "000.png"), np.zeros((64, 64, 3), np.uint8))
    assert load_dataset(copy, 32).origin.sha256 != known.sha256
    assert load_folder(copy / "train" / "hr", 32).origin.sha256 != plain


def test_an_export_tells_the_terms_of_its_start(tiny, dataset: Path, tmp_path: Path) -> None:
    first = train(tiny(), dataset, tmp_path / "first")
    spec = json.loads((first.export / "srresnet-x2.json").read_text())
    assert spec["licence"] == "not stated"
    assert spec["terms"].endswith("whose terms are not stated")
    assert spec["face_width_px"] == [10, 32]  # 40 to 64 HR pixels
    changes = {"name": "old", "terms": "trained on secrets", "licence": "private"}
    add_model(first.run, changes=changes, folder=tmp_path)
    data = tmp_path / "faces"
    shutil.copytree(dataset, data)
    second = train(tiny(), data, tmp_path / "second", init=tmp_path / "old.json")
    go_on = tiny(loop={"steps": 9})
    train(go_on, data, tmp_path / "second")  # as it may: the start is remembered
    spec = json.loads((second.export / "srresnet-x2.json").read_text())
    assert spec["licence"] == "not stated; old: private"
    assert spec["terms"].endswith("; started from old, trained on secrets")
    cv2.imwrite(str(data / "train" / "hr" / "000.png"), np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(UsageError, match="give that data set unchanged"):
        train(go_on, data, tmp_path / "second")
    (tmp_path / "second" / "origin.json").write_text("[")
    with pytest.raises(OutputError, match="cannot be used as run folder"):
        train(go_on, dataset, tmp_path / "second")
