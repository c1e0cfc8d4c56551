"""The page on real videos: each clip is restored, reported and opened in the browser."""

from __future__ import annotations

import pytest

from vsr.evaluate.report.build import build_report

CLIPS = (
    "ceiling_480p5_1face.mp4",
    "film_360p25_mono_audio.mp4",
    "portrait_720x1080p25_audio.mp4",
    "street_1080p25_7faces.mp4",
    "talk_512p30_audio.mp4",
    "walk_480x908p30_audio.mp4",
)
SECONDS = {
    "ceiling_480p5_1face.mp4": 4.0,
    "film_360p25_mono_audio.mp4": 2.4,
    "street_1080p25_7faces.mp4": 0.4,
}  # faces come late in the first two; the third has many


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", CLIPS)
def test_the_page_of_a_real_clip(name, real_data, run_sample, tmp_path, show):
    clip = real_data / "clips" / name
    out = run_sample(clip, SECONDS.get(name, 0.6), tmp_path, encode__crf=23)
    made = build_report(out, tmp_path / "report.html")
    assert made.document.tracks
    assert made.bytes < 25_000_000
    for width, scheme in ((1280, "light"), (390, "dark")):
        opened = show(made.path, width=width, scheme=scheme)
        assert opened.unloaded() == []
        assert opened.complaints == []
        assert opened.foreign == []
        assert opened.overhang() <= 0
        pictured = [t for t in made.document.tracks if t.pairs]
        assert opened.page.locator("article.track").count() == len(pictured) > 0
