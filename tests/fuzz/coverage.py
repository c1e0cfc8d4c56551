"""Coverage-guided fuzzing of vsr's own parsers (atheris, which is libFuzzer for Python).

    pip install 'face-vsr[fuzz]'                       # Linux, Python 3.11 to 3.13
    python -m tests.fuzz.coverage labels --seconds 300
    python -m tests.fuzz.coverage banner --seconds 300 --keep found/

Ends with libFuzzer's report; an input that raises anything but a `VsrError`, takes more than
30 s or 2 GiB is written to the folder of --keep, and the exit code is not 0.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz.lab import MEMORY_MIB, TIME_S

Target = Callable[[bytes], None]


def _labels() -> tuple[Target, list[bytes]]:
    from tests.fuzz.seeds import texts
    from vsr.faces.annotations import parse_annotations

    def target(data: bytes) -> None:
        for frame in parse_annotations(data, "labels.xml").frames:
            for person in frame.persons:
                person.box(2.5, 0.4)

    return target, list(texts(Path(), ("chokepoint",))["chokepoint"].values())


def _recipe() -> tuple[Target, list[bytes]]:
    import tomllib

    from tests.fuzz.seeds import texts
    from vsr.run.recipe import recipe_from_dict

    def target(data: bytes) -> None:
        try:
            values = tomllib.loads(data.decode())
        except (ValueError, RecursionError):
            return
        recipe_from_dict(values, "mine.toml", "mine").to_dict()

    return target, list(texts(Path(), ("recipe",))["recipe"].values())


def _setting() -> tuple[Target, list[bytes]]:
    from vsr.media.timeline import parse_fps
    from vsr.run.recipe import load_recipe, parse_overrides

    def target(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        load_recipe("restore", parse_overrides([text]))
        parse_fps(text)

    return target, [b"crop.margin=0.5", b"decode.fps='30000/1001'", b"encode.crf=12", b"29.97"]


def _spec() -> tuple[Target, list[bytes]]:
    import json

    from vsr.core.jsontext import parse_json
    from vsr.models.registry import INTERPOLATIONS
    from vsr.models.spec import spec_from_dict

    def target(data: bytes) -> None:
        try:
            values = parse_json(data)
        except ValueError:
            return
        spec_from_dict(values, "spec.json").to_dict()

    store = Path(__file__).parents[2] / "vsr" / "models" / "store"
    shipped = [p.read_bytes() for p in sorted(store.glob("*.json"))]
    return target, [*shipped, json.dumps(INTERPOLATIONS[0].to_dict()).encode()]


def _banner() -> tuple[Target, list[bytes]]:
    """What ffmpeg prints of a file: titles and names in it are the file's own words."""
    from vsr.media.banner import parse_banner, parse_first_frame
    from vsr.media.damage import DamageLog
    from vsr.media.process import condense

    def target(data: bytes) -> None:
        lines = data.decode("utf-8", "replace").splitlines()
        banner = parse_banner(lines)
        banner.main_video()
        parse_first_frame(lines)
        damage = DamageLog()
        for line in lines:
            damage.line(line)
        condense(lines)

    return target, [
        b"Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'x':\n  Duration: 00:00:01.00, start: 1.5\n"
        b"  Stream #0:0[0x1](eng): Video: h264 (High), 96x72 (default) (attached pic)\n"
        b"        displaymatrix: rotation of -90.00 degrees\n"
        b"  Stream #0:1(und): Audio: aac (LC), 44100 Hz\nStream mapping:\n",
        b"[showinfo] config in time_base: 1/15360, frame_rate: 30/1\n"
        b"[showinfo] n: 0 pts: 0 fmt:yuv420p cl:left sar:1/1 s:96x72 i:P\n"
        b"[showinfo] color_range:tv color_space:bt709 color_primaries:bt709 color_trc:bt709\n"
        b"[h264] error while decoding MB 3 4, bytestream -5\n[in#0] partial file\n",
    ]


def _png() -> tuple[Target, list[bytes]]:
    from vsr.train.prepare.pairs import png_size

    def target(data: bytes) -> None:
        png_size(data)

    return target, [b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x10\x00\x00\x00\x10"]


TARGETS: dict[str, Callable[[], tuple[Target, list[bytes]]]] = {
    "labels": _labels,
    "recipe": _recipe,
    "setting": _setting,
    "spec": _spec,
    "banner": _banner,
    "png": _png,
}


def tolerant(target: Target) -> Target:
    """The target, its `VsrError`s taken as the refusals they are; each must be one line."""
    from vsr.core.errors import VsrError

    def run(data: bytes) -> None:
        try:
            target(data)
        except VsrError as error:
            if len(str(error).splitlines()) != 1:
                raise AssertionError(f"not one line: {str(error)!r}") from error

    return run


def main() -> None:
    """Fuzz one parser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path())
    args = parser.parse_args()
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed; pip install 'face-vsr[fuzz]' (Linux only)")
    engine: Any = atheris
    with engine.instrument_imports(include=["vsr"], enable_loader_override=False):
        target, seeds = TARGETS[args.target]()
    args.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vsr-fuzz-") as corpus:
        for number, data in enumerate(seeds):
            (Path(corpus) / f"seed-{number}").write_bytes(data)
        options = [
            *(f"-max_total_time={args.seconds}", f"-seed={args.seed}", f"-timeout={TIME_S:.0f}"),
            *(f"-rss_limit_mb={MEMORY_MIB}", f"-artifact_prefix={args.keep.resolve()}/"),
            *("-print_final_stats=1", "-max_len=65536"),
        ]
        engine.Setup([sys.argv[0], *options, corpus], tolerant(target))
        engine.Fuzz()


if __name__ == "__main__":
    main()
