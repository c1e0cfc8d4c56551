"""What is attacked: for each kind of file, the real command path that reads it.

A kind owns a folder with valid companions (a finished run, an export, a data set …), puts each
mutation in the place of the file that vsr reads, and calls the product.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from vsr.core.config import parse_set, read_toml
from vsr.run.manifest import Manifest
from vsr.run.recipe import Recipe, check_recipe, load_recipe

_OUTPUTS = {".mkv": ".mkv", ".webm": ".mkv", ".mov": ".mov", ".mpg": ".mkv"}
"""container of a result by the source's name; others: mp4"""


def cheap_recipe(**changes: Any) -> Recipe:
    """The default recipe with a model that costs nothing and a quick encoder."""
    settings = [("upscale", "model", "bicubic"), ("encode", "preset", "ultrafast")]
    return load_recipe("restore", [*settings, *(("encode", k, v) for k, v in changes.items())])


class Kind:
    """Tries inputs of one kind in ``room``, a folder of its own with a copy of the seeds."""

    uses: tuple[str, ...] = ()
    """folders of the seeds whose contents are copied into the room"""
    output = "out."
    """what the names of the files that the job writes begin with, below the room"""

    def __init__(self, seeds: Path, room: Path) -> None:
        self.room = room / "room"
        self.room.mkdir()
        for folder in self.uses:
            shutil.copytree(seeds / folder, self.room, dirs_exist_ok=True)
        self._kept = set(self.room.rglob("*"))
        self._originals: dict[Path, bytes] = {}
        self.start()

    def start(self) -> None:
        """Load what all inputs share (imports do not count as an input's time)."""

    def act(self, seed: str, data: bytes) -> str:
        """Read the input as the product does; returns what is wrong with the result, or ''."""
        raise NotImplementedError

    def left_behind(self) -> list[str]:
        """Files under the output's name after a refusal: there must be none."""
        return [p.name for p in self.room.glob(f"{self.output}*")]

    def replace(self, name: str, data: bytes) -> None:
        """Put an input in the place of a seed's file, until `clear`."""
        path = self.room / name
        self._originals[path] = path.read_bytes()
        path.write_bytes(data)

    def clear(self) -> None:
        """Remove what the last input made, and put back what it replaced."""
        while self._originals:
            path, data = self._originals.popitem()
            path.write_bytes(data)
        for path in sorted(set(self.room.rglob("*")) - self._kept, reverse=True):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


class Videos(Kind):
    """Any video through the main job with a cheap model."""

    def start(self) -> None:
        self._recipe = cheap_recipe()

    def act(self, seed: str, data: bytes) -> str:
        from vsr.run.restore import restore

        suffix = Path(seed).suffix
        source = self.room / f"in{suffix}"
        source.write_bytes(data)
        out = self.room / f"out{_OUTPUTS.get(suffix, '.mp4')}"
        return unsound(out, restore(source, out, self._recipe))


class ChokePoint(Kind):
    """Labels in XML."""

    def act(self, seed: str, data: bytes) -> str:
        from vsr.faces.annotations import read_annotations

        path = self.room / "P1E_S1_C1.xml"
        path.write_bytes(data)
        labels = read_annotations(path)
        numbers = [f.number for f in labels.frames]
        for frame in labels.frames:
            for person in frame.persons:
                person.box(2.5, 0.4)
            frame.shared_ids()
        return "" if numbers == sorted(set(numbers)) else "frame numbers do not rise"


class Recipes(Kind):
    """Recipes of every kind, and the values of ``--set``."""

    def start(self) -> None:
        from vsr.models.backend import start_backend

        start_backend()
        import vsr.train.tune.recipe  # noqa: F401

    def act(self, seed: str, data: bytes) -> str:
        from vsr.train.recipe import check_recipe as check_train
        from vsr.train.tune.recipe import check_recipe as check_tune

        path = self.room / "mine.toml"
        path.write_bytes(data)
        parse_set(f"crop.margin={data[:200].decode('utf-8', 'replace')}")
        checks: dict[Any, Callable[[Path], Any]] = {"train": check_train, "tune": check_tune}
        kind = read_toml(path).get("kind")
        check = checks.get(kind, check_recipe) if isinstance(kind, str) else check_recipe
        json.dumps(check(path).to_dict(), allow_nan=False)
        return ""


class Specs(Kind):
    """A stranger's model: spec and weights, loaded as a network."""

    uses = ("model",)

    def start(self) -> None:
        from vsr.models.registry import load_generator

        load_generator(self.room / "tiny-x2.json")

    def act(self, seed: str, data: bytes) -> str:
        from vsr.models.registry import load_generator

        path = self.room / "mutated.json"
        path.write_bytes(data)
        load_generator(path)
        return ""


class Weights(Specs):
    """Weights whose hash the (stranger's) spec confirms."""

    def act(self, seed: str, data: bytes) -> str:
        from vsr.models.registry import load_generator

        values = json.loads((self.room / "tiny-x2.json").read_text())
        values |= {
            "name": "mutated",
            "weights_file": "mutated.weights.h5",
            "weights_sha256": hashlib.sha256(data).hexdigest(),
        }
        (self.room / "mutated.weights.h5").write_bytes(data)
        (self.room / "mutated.json").write_text(json.dumps(values))
        load_generator(self.room / "mutated.json")
        return ""


class Manifests(Kind):
    """The record of a run, which is repeated from it."""

    uses = ("run",)
    output = "again.mp4"

    def start(self) -> None:
        import vsr.run.rerun  # noqa: F401

    def act(self, seed: str, data: bytes) -> str:
        from vsr.run.rerun import rerun

        path = self.room / "mutated.mp4.json"
        path.write_bytes(data)
        rerun(path, self.room / self.output)
        return ""


class Exports(Kind):
    """The index of an export, which is made into a video."""

    uses = ("export",)
    output = "out.mp4"

    def start(self) -> None:
        import vsr.run.assemble  # noqa: F401

    def act(self, seed: str, data: bytes) -> str:
        from vsr.run.assemble import assemble

        self.replace("look/index.json", data)
        out = self.room / self.output
        return unsound(out, assemble(self.room / "look", out))


class Reports(Kind):
    """Every record that ``vsr report`` makes a page of."""

    uses = ("run", "export", "batch")
    output = "report.html"

    def start(self) -> None:
        import vsr.evaluate.report.build  # noqa: F401

    def act(self, seed: str, data: bytes) -> str:
        from vsr.evaluate.report.build import build_report

        self.replace(seed, data)
        page = build_report(self.room / seed, self.room / self.output).path.read_text(
            encoding="utf-8"
        )
        return "" if page.rstrip().endswith("</html>") else "the page is not whole"


class Datasets(Kind):
    """The card of a prepared data set, and its list of hashes."""

    uses = ("dataset",)

    def start(self) -> None:
        import vsr.train.prepare.dataset  # noqa: F401

    def act(self, seed: str, data: bytes) -> str:
        from vsr.train.prepare.dataset import open_dataset

        self.replace(seed, data)
        dataset = open_dataset(self.room)
        dataset.verify()
        dataset.load_hr("train")
        dataset.load_lr("train")
        return ""


class Markers(Kind):
    """A batch's own records: a job's marker (read before every job) and the journal."""

    uses = ("batch",)

    def start(self) -> None:
        from vsr.batch.videos import plan_videos  # noqa: F401

    def act(self, seed: str, data: bytes) -> str:
        from tests.fuzz.seeds import batch_job
        from vsr.batch.journal import check, log
        from vsr.batch.storage import open_storage

        storage = open_storage(str(self.room / "out"))
        self.replace(f"out/.vsr/{seed}", data)
        standing = check(storage, batch_job(self.room)).standing
        log(storage, "fuzzed")
        wanted = ("open", "done", "other settings", "other source", "foreign")
        return "" if standing in wanted else f"standing {standing!r}"


class Misbehaving(Kind):
    """Breaks the rule that the input names: shows that the lab sees it."""

    def act(self, seed: str, data: bytes) -> str:
        from vsr.core.errors import InputError

        rule = data.decode()
        if rule == "hang":
            time.sleep(1000)
        elif rule == "crash":
            os.abort()
        elif rule == "traceback":
            return str({}["missing"])
        elif rule == "memory":
            held = bytearray(b"x") * (600 << 20)
            time.sleep(0.5)
            return "" if held else "nothing"
        elif rule == "process":
            subprocess.Popen(["sleep", "30"])
        elif rule == "leftover":
            (self.room / "out.mp4").write_bytes(b"half a video")
            raise InputError("refused")
        elif rule == "unplayable":
            (self.room / "out.mp4").write_bytes(b"half a video")
            return "the output does not play"
        elif rule == "refused":
            raise InputError("one line")
        return ""


def unsound(out: Path, manifest: Manifest) -> str:
    """What is wrong with a finished video, judged by PyAV and by its manifest; '' if nothing."""
    record = out.with_name(f"{out.name}.json")
    if not out.is_file() or not record.is_file():
        return "no output or no manifest after a run that ended well"
    if json.loads(record.read_text())["frames"] != manifest.frames:
        return "the manifest on disk is not the one that was returned"
    times: list[Fraction] = []
    try:
        with av.open(str(out), metadata_errors="replace") as container:
            stream = container.streams.video[0]
            assert stream.time_base is not None
            times = [
                f.pts * stream.time_base for f in container.decode(stream) if f.pts is not None
            ]
    except (av.FFmpegError, IndexError) as error:
        return f"the output does not play: {error}"
    if len(times) != manifest.frames["written"]:
        return f"{len(times)} frames play, {manifest.frames['written']} were written"
    if any(b <= a for a, b in itertools.pairwise(times)):
        return "timestamps of the output do not rise"
    return ""


KINDS: dict[str, type[Kind]] = {
    "video": Videos,
    "chokepoint": ChokePoint,
    "recipe": Recipes,
    "spec": Specs,
    "weights": Weights,
    "manifest": Manifests,
    "export": Exports,
    "report": Reports,
    "dataset": Datasets,
    "marker": Markers,
    "misbehaving": Misbehaving,
}
TEXT_KINDS = tuple(name for name in KINDS if name not in ("video", "misbehaving"))
