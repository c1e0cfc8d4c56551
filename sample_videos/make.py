"""Makes the sample videos from pictures that scikit-image ships.

    pip install '.[test]'
    python sample_videos/make.py

astronaut.png: Eileen Collins, photographed by NASA, public domain. brick.png and gravel.png:
CC0 (scikit-image's data/README). Everything else is drawn here. Seeded: the same pictures
come out each time, the same bytes with the same encoder.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import skimage.data

from vsr.media.binary import ffmpeg_exe

WIDTH, HEIGHT, FPS = 800, 600, 30
COUNTER_TOP = 500
FACE_PX = 92
"""width of the face in astronaut.png"""
SHOULDERS = np.array([[20, 511], [70, 300], [180, 225], [290, 225], [410, 300], [450, 511]])
BESIDE = (
    np.array([[0, 0], [118, 0], [118, 212], [18, 396], [0, 430]]),
    np.array([[352, 0], [352, 235], [366, 345], [366, 511], [511, 511], [511, 0]]),
)
"""the flag and the model beside her"""
HUM = "0.05*sin(2*PI*110*t)"
CHIRPS = "0.08*sin(2*PI*(440+60*sin(5*t))*t)*lt(mod(t\\,1)\\,0.4)"
SOUND = f"aevalsrc={HUM}+{CHIRPS}:s=44100"


def room() -> np.ndarray:
    """A brick wall over a gravel floor under uneven light: uint8 (600, 800, 3) RGB."""
    brick = np.rot90(skimage.data.brick())
    wall = cv2.resize(brick, (400, 400), interpolation=cv2.INTER_AREA)
    wall = np.tile(wall, (1, 2)).astype(np.float32)
    floor = cv2.resize(skimage.data.gravel(), (400, 200), interpolation=cv2.INTER_AREA)
    floor = np.tile(floor, (1, 2)).astype(np.float32)
    grey = np.vstack([wall * 0.5 + 90, floor * 0.4 + 40])
    picture = grey[..., None] * np.array([0.98, 0.95, 0.88], np.float32)
    x, y = np.meshgrid(np.linspace(-1, 1, WIDTH), np.linspace(-1, 1, HEIGHT))
    light = 1.1 - 0.35 * (x**2 + 0.6 * y**2)
    picture *= light[..., None].astype(np.float32)
    cv2.rectangle(picture, (560, 60), (700, 330), (70, 78, 88), -1)  # a door
    cv2.rectangle(picture, (560, 60), (700, 330), (40, 42, 46), 4)
    cv2.circle(picture, (578, 205), 6, (190, 180, 150), -1)
    picture = cv2.GaussianBlur(picture, (0, 0), 1.2)
    return np.clip(picture, 0, 255).astype(np.uint8)


def counter(picture: np.ndarray) -> None:
    """Draw the reception counter that stands before the person, in place."""
    picture[COUNTER_TOP:] = (96, 70, 48)
    picture[COUNTER_TOP : COUNTER_TOP + 10] = (150, 118, 84)
    for x in range(0, WIDTH, 160):
        cv2.rectangle(picture, (x + 12, COUNTER_TOP + 26), (x + 148, HEIGHT - 8), (78, 56, 38), 2)


def person() -> tuple[np.ndarray, np.ndarray]:
    """Head and shoulders: uint8 (512, 512, 3) and their soft mask float32 (512, 512)."""
    picture = skimage.data.astronaut()
    mask = np.full(picture.shape[:2], cv2.GC_PR_BGD, np.uint8)
    cv2.ellipse(mask, (222, 130), (95, 125), 0, 0, 360, cv2.GC_PR_FGD, -1)
    cv2.fillPoly(mask, [SHOULDERS], cv2.GC_PR_FGD)
    cv2.ellipse(mask, (222, 125), (50, 75), 0, 0, 360, cv2.GC_FGD, -1)
    cv2.fillPoly(mask, [np.array([[110, 511], [130, 320], [300, 320], [350, 511]])], cv2.GC_FGD)
    mask[:, 455:] = cv2.GC_BGD
    cv2.setRNGSeed(1)
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    cv2.grabCut(bgr, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_MASK)
    alpha = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    cv2.fillPoly(alpha, BESIDE, 0)
    alpha = cv2.morphologyEx(alpha, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(alpha)
    if count > 1:
        alpha = (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
    return picture, cv2.GaussianBlur(alpha.astype(np.float32), (0, 0), 2.0)


def scene(frames: int, *, with_person: bool = True, seed: int = 1) -> Iterator[np.ndarray]:
    """Frames of someone walking up behind the counter; mild sensor noise on all of it."""
    background, (picture, alpha) = room(), person()
    noise = np.random.default_rng(seed)
    for index in range(frames):
        canvas = background.astype(np.float32)
        if with_person:
            paste_person(canvas, picture, alpha, index / max(1, frames - 1))
        counter(canvas)
        canvas += noise.normal(0, 1.6, canvas.shape[:2]).astype(np.float32)[..., None]
        yield np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def paste_person(canvas: np.ndarray, picture: np.ndarray, alpha: np.ndarray, t: float) -> None:
    """The person at time t (0..1): the face grows from 42 to 88 px while it crosses."""
    scale = (42 + 46 * t) / FACE_PX
    x = 90 + 330 * t + 6 * np.sin(18 * t)
    y = COUNTER_TOP + 20 - 430 * scale + 4 * np.abs(np.sin(22 * t))
    move = np.array([[scale, 0, x], [0, scale, y]], np.float32)
    sigma = max(0.3, 0.45 / scale)  # what the reduction would alias
    soft = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), sigma)
    size = (WIDTH, HEIGHT)
    warped = cv2.warpAffine(soft, move, size, flags=cv2.INTER_CUBIC)
    mask = cv2.warpAffine(alpha, move, size, flags=cv2.INTER_LINEAR)[..., None]
    canvas *= 1 - mask
    canvas += np.clip(warped, 0, 255) * 0.94 * mask


def encode(frames: Iterable[np.ndarray], out: Path, *options: str, sound: bool = True) -> None:
    """Pipe raw RGB frames into x264 with yuv420p, BT.601 tags and, if wanted, sound."""
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS)]
    command = [ffmpeg_exe(), "-v", "error", "-y", *source, "-i", "pipe:0"]
    if sound:
        command += ["-f", "lavfi", "-i", SOUND, "-c:a", "aac", "-b:a", "48k", "-shortest"]
    tags = ["-colorspace", "smpte170m", "-color_primaries", "smpte170m", "-color_trc", "smpte170m"]
    video = ["-c:v", "libx264", "-preset", "slow", "-pix_fmt", "yuv420p", *tags]
    command += [*video, *options, "-movflags", "+faststart", "-fflags", "+bitexact", str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for frame in frames:
            process.stdin.write(frame.tobytes())
        process.stdin.close()
    if process.returncode != 0:
        raise SystemExit(f"{out}: ffmpeg failed")


def describe(path: Path, faces: int, how: str) -> None:
    """Write what a reader must find in the video beside it, as read by PyAV."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        pts = sorted(p.pts for p in container.demux(stream) if p.pts is not None)
        base = stream.time_base
        width, height = stream.width, stream.height
    with av.open(str(path)) as container:
        has_sound = bool(container.streams.audio)
        packets = sum(1 for p in container.demux(audio=0) if p.size) if has_sound else 0
    facts = {
        "width": width,
        "height": height,
        "frames": len(pts),
        "time_base": str(base),
        "first_pts": pts[0],
        "last_pts": pts[-1],
        "distinct_steps": len(set(np.diff(pts).tolist())),
        "audio_packets": packets,
        "tracks": faces,
        "how": how,
    }
    path.with_suffix(".expected.json").write_text(json.dumps(facts, indent=2) + "\n")


def surveillance(folder: Path) -> None:
    """Five seconds, one face, sound."""
    out = folder / "surveillance_800x600_30fps.mp4"
    encode(scene(5 * FPS), out, "-crf", "25")
    describe(out, 1, "a person walks up behind a counter; the face grows from 42 to 88 px")


def variable_rate(folder: Path) -> None:
    """Two seconds with uneven timestamps and B-frames."""
    out = folder / "variable_rate.mp4"
    uneven = "select='not(eq(mod(n,7),3)+eq(mod(n,11),5))',setpts='PTS+0.006*sin(7*N)/TB'"
    rate = ["-fps_mode", "passthrough", "-enc_time_base", "1/90000"]
    options = ["-crf", "27", "-bf", "3", "-vf", f"settb=1/90000,{uneven}", *rate]
    encode(scene(2 * FPS, seed=2), out, *options, "-video_track_timescale", "90000")
    describe(out, 1, "frames dropped and timestamps shifted by up to 6 ms, three B-frames")


def no_face(folder: Path) -> None:
    """Two seconds of the empty room, without sound."""
    out = folder / "no_face.mp4"
    encode(scene(2 * FPS, with_person=False, seed=3), out, "-crf", "28", sound=False)
    describe(out, 0, "the empty room")


MAKERS: dict[str, Callable[[Path], None]] = {
    "surveillance": surveillance,
    "variable_rate": variable_rate,
    "no_face": no_face,
}


def main() -> None:
    """Make all of them, or the ones named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *MAKERS], default=[])
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    for name in args.names or MAKERS:
        MAKERS[name](args.out)
        print(name)


if __name__ == "__main__":
    main()
