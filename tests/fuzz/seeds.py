"""The valid files that mutations start from, made by ffmpeg and by vsr itself.

python -m tests.fuzz.seeds FOLDER
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vsr.batch.job import Job
from vsr.media.binary import ffmpeg_exe

SAMPLE = Path(__file__).parents[2] / "sample_videos" / "surveillance_800x600_30fps.mp4"
_PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.32")
_SOUND = ("-f", "lavfi", "-i", "sine=f=440:d=0.32:r=44100")
_X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")

CLIPS: dict[str, tuple[str, ...]] = {
    "h264.mp4": (*_SOUND, *_X264, "-bf", "2", "-c:a", "aac"),
    "faststart.mp4": (*_X264, "-movflags", "+faststart"),
    "fragments.mp4": (*_X264, "-g", "3", "-movflags", "frag_keyframe+empty_moov"),
    "vfr.mp4": (
        *_X264, "-vf", "settb=1/15360,setpts='PTS+97*mod(N,3)'", "-fps_mode", "vfr",
        "-enc_time_base", "1/15360",
    ),
    "ten.mp4": ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le"),
    "hevc.mkv": ("-c:v", "libx265", "-preset", "ultrafast", "-metadata", "title=A film"),
    "vp9.webm": (*_SOUND, "-c:v", "libvpx-vp9", "-cpu-used", "8", "-c:a", "libopus"),
    "av1.mp4": ("-c:v", "libsvtav1", "-preset", "12"),
    "mpeg4.avi": (*_SOUND, "-c:v", "mpeg4", "-c:a", "libmp3lame"),
    "mjpeg.mov": ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p"),
    "prores.mov": (*_SOUND, "-c:v", "prores_ks", "-c:a", "pcm_s16le"),
    "h264.ts": (*_SOUND, *_X264, "-c:a", "aac"),
    "mpeg2.mpg": (*_SOUND, "-c:v", "mpeg2video", "-c:a", "mp2"),
    "h264.flv": _X264,
    "ffv1.mkv": ("-c:v", "ffv1", "-vf", "scale=63:47,format=yuv444p"),
    "picture.gif": ("-vf", "format=rgb8"),
    "raw.h264": _X264,
    "turned.mp4": _X264,
    "face.mp4": _X264,
}  # fmt: skip
"""what `clips` makes: file name to ffmpeg's options"""


def ffmpeg(*words: object) -> None:
    """Run the product's ffmpeg; a failure shows its log."""
    command = [ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)


def clips(folder: Path, names: tuple[str, ...] = tuple(CLIPS)) -> dict[str, bytes]:
    """A few small pictures in each codec and container, by file name; kept in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = folder / name
        if path.exists():
            continue
        options, inputs = list(CLIPS[name]), [*_PICTURE]
        if options[: len(_SOUND)] == list(_SOUND):
            inputs, options = inputs + options[: len(_SOUND)], options[len(_SOUND) :]
        made = path.with_stem(f"made-{path.stem}")
        ffmpeg(*inputs, *options, made)
        if name == "turned.mp4":
            upright = made.with_stem("upright")
            made.replace(upright)
            ffmpeg("-display_rotation", "90", "-i", upright, "-c", "copy", made)
            upright.unlink()
        elif name == "face.mp4":
            face_clip(made)
        made.replace(path)
    return {name: (folder / name).read_bytes() for name in names}


def face_clip(path: Path, frames: int = 5) -> Path:
    """A few small frames with a face in them, with sound."""
    ffmpeg(
        *("-i", SAMPLE, "-f", "lavfi", "-i", "sine=d=0.3"),
        *("-filter_complex", "[0:v]crop=320:240:80:240[v]", "-map", "[v]", "-map", "1:a"),
        *("-frames:v", frames, "-c:v", "libx264", "-crf", "14", "-c:a", "aac", "-shortest", path),
    )
    return path


def texts(folder: Path, kinds: tuple[str, ...]) -> dict[str, dict[str, bytes]]:
    """The valid texts (and weights) of each kind: kind to {file name: bytes}.

    Companions, such as the video beside a manifest, are kept below ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for kind in kinds:
        made[kind] = _MAKERS[kind](folder)
    return made


def _chokepoint(_: Path) -> dict[str, bytes]:
    frames = [
        f'<frame number="{n:08d}">'
        + (
            f'<person id="0003"><leftEye x="{100 + n}" y="80"/><rightEye x="{125 + n}" y="81"/>'
            "</person>"
            if n % 3
            else ""
        )
        + "</frame>"
        for n in range(120, 132)
    ]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<dataset name="P1E_S1_C1">\n'
    odd = (
        '<frame number="00000200" deleted="true"><person id="Unknown"><leftEye x="1" y="1"/>'
        '</person><person id="0003"/></frame>'
    )
    return {"labels.xml": (head + "\n".join([*frames, odd]) + "\n</dataset>\n").encode()}


def _recipes(_: Path) -> dict[str, bytes]:
    folder = Path(__file__).parents[2] / "pipelines"
    return {p.name: p.read_bytes() for p in sorted(folder.glob("*.toml"))}


def _model(folder: Path) -> Path:
    """A tiny generator as a model: spec and weights."""
    room = folder / "model"
    if not (room / "tiny-x2.json").exists():
        from vsr.models.backend import start_backend

        start_backend()
        from vsr.models.architectures.srresnet import SRResNetConfig, build_srresnet
        from vsr.models.spec import ModelSpec, Training, write_spec
        from vsr.models.weights import file_sha256, save_weights

        room.mkdir(exist_ok=True)
        config = SRResNetConfig(filters=4, blocks=1, head_kernel=3, upsampling="direct")
        weights = room / "tiny-x2.weights.h5"
        network = build_srresnet(config)
        save_weights(network, weights)
        spec = ModelSpec(
            name="tiny-x2",
            family="srresnet",
            scale=2,
            generator=config.to_dict(),
            parameters=network.count_params(),
            weights_file=weights.name,
            weights_sha256=file_sha256(weights),
            training=Training(command="none", data="none", seed=0),
        )
        write_spec(spec, room / "tiny-x2.json")
    return room


def _specs(folder: Path) -> dict[str, bytes]:
    text = (_model(folder) / "tiny-x2.json").read_bytes()
    return {"tiny-x2.json": text.replace(b'"name": "tiny-x2"', b'"name": "mutated"')}


def _weights(folder: Path) -> dict[str, bytes]:
    path = _model(folder) / "tiny-x2.weights.h5"
    return {path.name: path.read_bytes()}


def _manifests(folder: Path) -> dict[str, bytes]:
    room = folder / "run"
    if not (room / "out.mp4.json").exists():
        from tests.fuzz.kinds import cheap_recipe
        from vsr.run.restore import restore

        room.mkdir(exist_ok=True)
        restore(face_clip(room / "in.mp4"), room / "out.mp4", cheap_recipe())
    return {"out.mp4.json": (room / "out.mp4.json").read_bytes()}


def _exports(folder: Path) -> dict[str, bytes]:
    room = folder / "export"
    if not (room / "look").exists():
        from tests.fuzz.kinds import cheap_recipe
        from vsr.run.export import export

        room.mkdir(exist_ok=True)
        export(face_clip(room / "look.mp4", 3), room / "look", cheap_recipe())
    return {"index.json": (room / "look" / "index.json").read_bytes()}


def _reports(folder: Path) -> dict[str, bytes]:
    _manifests(folder)
    _exports(folder)
    _markers(folder)
    names = {"run": "out.mp4.json", "export": "look/index.json", "batch": "out/summary.json"}
    return {name: (folder / room / name).read_bytes() for room, name in names.items()}


def _datasets(folder: Path) -> dict[str, bytes]:
    room = folder / "dataset"
    if not room.exists():
        from vsr.train.prepare.build import prepare
        from vsr.train.prepare.config import PrepareConfig

        source = folder / "faces"
        source.mkdir(exist_ok=True)
        random = np.random.default_rng(7)
        for n in range(6):
            small = Image.fromarray(random.integers(0, 255, (5, 5, 3), dtype=np.uint8))
            small.resize((40, 40)).save(source / f"{n}.png")
        prepare("folder", source, room, PrepareConfig(hr=16, val=0.4, test=0), command="fuzz")
    return {name: (room / name).read_bytes() for name in ("dataset.json", "index.csv")}


def batch_job(room: Path) -> Job:
    """The one job of the seed's batch, which lies in ``room``."""
    from tests.fuzz.kinds import cheap_recipe
    from vsr.batch.storage import open_storage
    from vsr.batch.videos import plan_videos

    settings: dict[str, Any] = json.loads(json.dumps({"recipe": cheap_recipe().to_dict()}))
    return plan_videos(open_storage(str(room / "in")), str(room / "out"), settings)[0][0]


def _markers(folder: Path) -> dict[str, bytes]:
    room = folder / "batch"
    if not room.exists():
        from vsr.batch.job import Row
        from vsr.batch.journal import log, write_marker
        from vsr.batch.storage import open_storage, prepare_output
        from vsr.batch.summary import Summary, write_summary

        making = folder / "batch.making"
        shutil.rmtree(making, ignore_errors=True)
        (making / "in").mkdir(parents=True)
        clips(making / "in", ("h264.mp4",))
        job = batch_job(making)
        storage = open_storage(str(making / "out"))
        prepare_output(storage)
        storage.write_text("h264.mp4", "a result")
        row = Row(sequence=job.name, status="ok", frames=8)
        write_marker(storage, job, row, {"h264.mp4": len("a result")})
        log(storage, "done", job.name)
        face = Row(sequence="a face", status="failed", reason="no such file", persons=1)
        write_summary(
            storage, Summary(rows=(row, face), settings=job.settings, engine="local", seconds=1.0)
        )
        making.rename(room)
    state = room / "out" / ".vsr"
    return {name: (state / name).read_bytes() for name in ("done/h264.json", "journal.jsonl")}


_MAKERS = {
    "chokepoint": _chokepoint,
    "recipe": _recipes,
    "spec": _specs,
    "weights": _weights,
    "manifest": _manifests,
    "export": _exports,
    "report": _reports,
    "dataset": _datasets,
    "marker": _markers,
}


def main() -> None:
    """Make all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    made: dict[str, Any] = {"clips": clips(folder / "clips"), **texts(folder, tuple(_MAKERS))}
    print(json.dumps({kind: {n: len(b) for n, b in group.items()} for kind, group in made.items()}))


if __name__ == "__main__":
    main()
