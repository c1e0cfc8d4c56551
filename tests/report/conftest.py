"""A real run on the committed sample, its page, and a real browser to open it in."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from vsr.evaluate.report.build import Report, build_report
from vsr.media.binary import ffmpeg_exe
from vsr.run.recipe import load_recipe
from vsr.run.restore import restore

SAMPLES = Path(__file__).resolve().parents[2] / "sample_videos"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def cut(source: Path, out: Path, seconds: float) -> Path:
    """The beginning of a video, copied."""
    command = [ffmpeg_exe(), "-v", "error", "-y", "-i", str(source), "-t", str(seconds)]
    subprocess.run([*command, "-c", "copy", str(out)], check=True, stdin=subprocess.DEVNULL)
    return out


def run(source: Path, out: Path, model: str = "srresnet-x2", **changes: object) -> Path:
    """``vsr run`` with a quick encoder."""
    keys = [(*name.split("__"), value) for name, value in changes.items()]
    quick = [("encode", "preset", "ultrafast"), ("upscale", "model", model), *keys]
    restore(source, out, load_recipe("restore", quick))  # type: ignore[arg-type]
    return out


@pytest.fixture(scope="module", autouse=True)
def _networks(networks_once):
    """Runs share what they load."""


@pytest.fixture(scope="session")
def run_sample():
    """Cut the beginning of a video and restore it: (name or path, seconds, folder) -> out.mp4."""

    def make(name: str | Path, seconds: float, folder: Path, **changes) -> Path:
        source = cut(SAMPLES / name, folder / "source.mp4", seconds)
        return run(source, folder / "out.mp4", **changes)

    return make


@pytest.fixture(scope="session")
def finished(tmp_path_factory, run_sample) -> Path:
    """The output of a run on ten frames with one face; source and manifest beside it."""
    folder = tmp_path_factory.mktemp("finished")
    return run_sample("surveillance_800x600_30fps.mp4", 0.32, folder)


@pytest.fixture
def copied(finished, tmp_path) -> Path:
    """The finished run in a folder of its own, to be tampered with."""
    for path in finished.parent.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path / finished.name


@pytest.fixture(scope="session")
def made(finished, tmp_path_factory) -> Report:
    """The page of the finished run."""
    return build_report(finished, tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="session")
def chromium():
    """A headless browser; tests skip where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="needs pip install '.[browser]'")
    path = os.environ.get("VSR_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no Chromium here: apt-get install chromium, or name one in VSR_BROWSER")
    with api.sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=arguments, timeout=120_000)
        yield browser
        browser.close()


class Opened:
    """A page in the browser, and what it did besides being shown."""

    def __init__(self, context, path: Path) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda m: self.complaints.append(m.text))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("dialog", lambda d: (self.complaints.append(d.message), d.dismiss()))
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.goto(path.as_uri(), wait_until="load")

    @property
    def foreign(self) -> list[str]:
        """Requests for anything but the page itself."""
        return [u for u in self.requests[1:] if not u.startswith("data:")]

    def unloaded(self) -> list[str]:
        """Pictures that did not load."""
        script = "[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.alt)"
        return self.page.evaluate(script)

    def overhang(self) -> int:
        """Pixels by which the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - innerWidth")


@pytest.fixture
def show(chromium):
    """Open a page: ``show(path, width=390, scheme="dark")``."""
    contexts = []

    def opened(path: Path, *, width: int = 1280, height: int = 900, scheme: str = "light", **more):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, **more
        )
        contexts.append(context)
        return Opened(context, path)

    yield opened
    for context in contexts:
        context.close()
