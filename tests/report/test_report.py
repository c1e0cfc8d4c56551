"""What the page says, what it escapes, and how bad input is answered."""

from __future__ import annotations

import html
import json
import re

import pytest

from vsr.core.errors import DataError, InputError, OutputError
from vsr.evaluate.report.build import build_report

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\u202e'


def page_of(report) -> str:
    return report.path.read_text(encoding="utf-8")


def text_of(page: str) -> str:
    """What a reader sees, roughly."""
    body = re.sub(r"(?s)<(script|style)>.*?</\1>", "", page)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_it_says_what_was_done_with_which_model(made, finished):
    text = text_of(page_of(made))
    manifest = json.loads(finished.with_name("out.mp4.json").read_text())
    for value in (
        "out.mp4",
        "source.mp4",
        manifest["source"]["sha256"],
        manifest["outputs"][0]["sha256"],
        manifest["model"]["sha256"],
        "srresnet-x2",
        "non-commercial research only",
        "trained on CelebA",
        "Model card",
        'preset = "ultrafast"',
    ):
        assert value in text, value


def test_it_warns_before_anything_else(made):
    page = page_of(made)
    warning = page.index("no basis for identification")
    assert warning < page.index("<nav")
    assert warning < page.index("data:image/webp")


def test_it_is_small_and_loads_nothing(made):
    page = page_of(made)
    assert made.bytes == len(page.encode()) < 3_000_000
    assert not re.search(r"(?i)(src|href)=[\"'](?!data:|#)", page)
    assert "default-src 'none'" in html.unescape(page)
    assert "unsafe-inline" not in page
    assert " style=" not in page


def test_names_and_labels_are_escaped(copied, tmp_path, show):
    manifest = copied.with_name("out.mp4.json")
    values = json.loads(manifest.read_text())
    values["tracks"][0]["label"] = HOSTILE
    values["notices"] = [HOSTILE]
    values["source"]["codec"] = HOSTILE
    values["versions"][HOSTILE] = HOSTILE
    values["recipe"]["encode"]["preset"] = HOSTILE
    (tmp_path / "source.mp4").rename(tmp_path / (name := '"><svg onload=alert(3)>.mp4'))
    values["source"]["name"] = name
    copied.rename(tmp_path / (result := "<b onclick='alert(4)'>&.mp4"))
    values["outputs"][0]["name"] = result
    manifest.write_text(json.dumps(values))
    made = build_report(manifest, tmp_path / "report.html", source=tmp_path / name)
    page = page_of(made)
    for dangerous in ("<script>alert", "<img src=x", "<svg onload", "<b onclick"):
        assert dangerous not in page
    assert page.count("<script>") == 1
    assert "\u202e" not in page  # it would turn the rest of a line around
    assert "\\u202e" in page
    opened = show(made.path)
    assert opened.complaints == []
    assert opened.foreign == []
    assert opened.page.locator("article.track h3").inner_text().count("<script>") == 1
    assert opened.page.locator("b, img[src=x], svg[onload]").count() == 0


@pytest.mark.parametrize(
    ("width", "word"),
    [(12.0, "too small to trust"), (30.0, "small"), (60.0, "within training"), (300.0, "larger")],
)
def test_the_measured_width_decides_what_is_said(copied, tmp_path, width, word):
    manifest = copied.with_name("out.mp4.json")
    values = json.loads(manifest.read_text())
    values["tracks"][0]["median_width_px"] = width
    manifest.write_text(json.dumps(values))
    made = build_report(copied, tmp_path / "report.html")
    assert made.document.tracks[0].verdict.word.startswith(word)
    tones = {n.tone for n in made.document.notices if "px" in n.text}
    assert ("stop" in tones) == (width == 12.0)
    assert ("caution" in tones) == (width == 30.0)
    assert f"{width:g} px wide" in text_of(page_of(made))


def test_filled_and_plain_frames_are_named(copied, tmp_path):
    manifest = copied.with_name("out.mp4.json")
    values = json.loads(manifest.read_text())
    track = values["tracks"][0]
    track |= {"filled": 4, "filled_frames": [[3, 5], [9, 9]], "plain": 1, "plain_frames": [[7, 7]]}
    manifest.write_text(json.dumps(values))
    text = text_of(page_of(build_report(copied, tmp_path / "report.html")))
    assert "4 faces filled in by the tracker" in text
    assert "frames 3–5, 9" in text
    assert "1 face left plain" in text
    assert "frames 7" in text


def test_worst_frames_come_worst_first(made):
    found = [p.pair.deviation for p in made.document.poor if p.pair is not None]
    assert found == sorted(found, reverse=True)
    assert len(found) >= 2


def test_a_run_without_faces_says_so(tmp_path, run_sample):
    out = run_sample("no_face.mp4", 0.3, tmp_path, model="bicubic")
    made = build_report(out, tmp_path / "report.html")
    assert "No face was found" in text_of(page_of(made))
    assert made.document.tracks == ()


class TestBadInput:
    def answer(self, kind, target, out, **more):
        with pytest.raises(kind) as caught:
            build_report(target, out, **more)
        assert not out.exists() or out.read_text() == "old"
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_nothing_there(self, tmp_path):
        text = self.answer(InputError, tmp_path / "no.mp4", tmp_path / "r.html")
        assert "no such file" in text

    def test_a_video_without_manifest(self, copied, tmp_path):
        copied.with_name("out.mp4.json").unlink()
        assert "no manifest" in self.answer(InputError, copied, tmp_path / "r.html")

    def test_a_folder_of_something_else(self, tmp_path):
        (tmp_path / "x").mkdir()
        text = self.answer(InputError, tmp_path / "x", tmp_path / "r.html")
        assert "manifest.json" in text

    @pytest.mark.parametrize("content", ["", "[1]", "{}", "not json", '{"tracks": 1}'])
    def test_a_json_that_is_no_manifest(self, tmp_path, content):
        (tmp_path / "o.json").write_text(content)
        text = self.answer(DataError, tmp_path / "o.json", tmp_path / "r.html")
        assert "o.json" in text

    def test_another_version(self, copied, tmp_path):
        manifest = copied.with_name("out.mp4.json")
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 99}))
        text = self.answer(DataError, copied, tmp_path / "r.html")
        assert "of format 99" in text
        assert "expected 1" in text

    def test_an_empty_run(self, copied, tmp_path):
        manifest = copied.with_name("out.mp4.json")
        values = json.loads(manifest.read_text())
        values["frames"]["written"] = 0
        manifest.write_text(json.dumps(values))
        assert "no frame" in self.answer(DataError, copied, tmp_path / "r.html")

    @pytest.mark.parametrize("key", ["source", "tracks", "model", "outputs", "frames"])
    def test_a_damaged_manifest(self, copied, tmp_path, key):
        manifest = copied.with_name("out.mp4.json")
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), key: 3}))
        assert f"'{key}'" in self.answer(DataError, copied, tmp_path / "r.html")

    def test_a_damaged_track(self, copied, tmp_path):
        manifest = copied.with_name("out.mp4.json")
        values = json.loads(manifest.read_text())
        values["tracks"][0]["best"] = [{"frame": "x"}]
        manifest.write_text(json.dumps(values))
        assert "track record" in self.answer(DataError, copied, tmp_path / "r.html")

    def test_the_source_is_gone(self, copied, tmp_path):
        (tmp_path / "source.mp4").unlink()
        assert "--source" in self.answer(InputError, copied, tmp_path / "r.html")

    def test_the_output_is_gone(self, copied, tmp_path):
        copied.unlink()
        target = copied.with_name("out.mp4.json")
        assert "output of this run" in self.answer(InputError, target, tmp_path / "r.html")

    @pytest.mark.parametrize("name", ["source.mp4", "out.mp4"])
    def test_another_file_under_the_name(self, copied, tmp_path, name):
        path = tmp_path / name
        path.write_bytes(path.read_bytes() + b"x")
        assert "SHA-256" in self.answer(DataError, copied, tmp_path / "r.html")

    def test_an_existing_page_is_kept_unless_asked(self, copied, tmp_path):
        page = tmp_path / "r.html"
        page.write_text("old")
        assert "--overwrite" in self.answer(OutputError, copied, page)
        build_report(copied, page, overwrite=True)
        assert page.read_text().startswith("<!doctype html>")

    def test_no_folder_for_the_page(self, copied, tmp_path):
        assert "does not exist" in self.answer(OutputError, copied, tmp_path / "no" / "r.html")
