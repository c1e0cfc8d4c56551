"""``--track``, ``--skip-track``, ``--strength``: what is not chosen is the plain picture."""

from __future__ import annotations

import numpy as np
import pytest

from vsr.core.errors import UsageError
from vsr.run.recipe import load_recipe
from vsr.run.restore import restore

PLAIN = [("upscale", "model", "bicubic"), ("encode", "codec", "ffv1")]


@pytest.fixture(scope="module")
def made(two_faces, watch, tmp_path_factory):
    """Manifest and luma of a run, by what was changed; each made once."""
    done: dict[tuple, tuple] = {}

    def run(*changes):
        if changes not in done:
            out = tmp_path_factory.mktemp("out") / "out.mkv"
            manifest = restore(two_faces, out, load_recipe("restore", [*PLAIN, *changes]))
            planes = watch(out)[1].astype(int)  # 4:2:0: below luma the two of chroma
            done[changes] = manifest, planes[:, : planes.shape[1] * 2 // 3]
        return done[changes]

    return run


NONE = ("choose", "skip", ("0-9",))


def test_other_tracks_stay_plain_and_keep_their_numbers(made):
    everything, all_faces = made()
    assert {t["track_id"] for t in everything.tracks} == {0, 1}
    middle = all_faces.shape[2] // 2
    nothing, plain = made(NONE)
    assert (nothing.faces, nothing.tracks) == (0, [])
    for number in (0, 1):
        manifest, pictures = made(("choose", "tracks", (str(number),)))
        (track,) = manifest.tracks
        assert track["track_id"] == number
        (whole,) = (t for t in everything.tracks if t["track_id"] == number)
        assert track["frames"] == whole["frames"]
        halves = np.s_[:, :, :middle], np.s_[:, :, middle:]
        touched = [bool((pictures[h] != plain[h]).any()) for h in halves]
        assert sorted(touched) == [False, True]
        own = halves[touched.index(True)]
        assert np.array_equal(pictures[own], all_faces[own])
        skipped = made(("choose", "skip", (str(1 - number),)))[1]
        assert np.array_equal(skipped, pictures)


def test_strength_is_the_share_of_the_change(made):
    plain, whole = made(NONE)[1], made()[1]
    assert np.array_equal(made(("paste", "strength", 0.0))[1], plain)
    half = made(("paste", "strength", 0.5))[1]
    assert np.abs(half - (plain + whole) / 2).max() <= 1  # rounding
    assert np.abs(half - plain).max() > 3
    assert made(("paste", "strength", 0.5))[0].recipe["paste"]["strength"] == 0.5


def test_a_track_that_is_not_there_is_told(made):
    manifest, _ = made(("choose", "tracks", ("0", "7-9")))
    (told,) = (n for n in manifest.notices if n.startswith("--track"))
    assert told == (
        "--track 7-9: the source has no such face; 'vsr faces --sheet' shows every track's number"
    )


def test_wrong_values_are_one_line(here, two_faces, tmp_path):
    call = ("run", two_faces, "-o", tmp_path / "out.mkv")
    for options, words in (
        (("--track", "x"), "choose.tracks: got 'x', expected a track's number or a range"),
        (("--skip-track", "9-7"), "got '9-7', expected a rising range; write 7-9"),
        (("--strength", "1.5"), "paste.strength: got 1.5, expected 0..1"),
    ):
        done = here(*call, *options)
        assert done.code == UsageError.exit_code
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
