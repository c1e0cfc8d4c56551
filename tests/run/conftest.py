"""A short clip with one face, awkward timing and sound."""

from __future__ import annotations

import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from vsr.media.binary import ffmpeg_exe

SAMPLES = Path(__file__).resolve().parents[2] / "sample_videos"


@pytest.fixture(scope="module", autouse=True)
def _networks(networks_once):
    """Runs share what they load."""


def run_ffmpeg(*arguments):
    command = [ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def face_clip(tmp_path_factory) -> Path:
    """Twelve frames of 320x240 at uneven times, from 0.5 s on, untagged, with sound."""
    path = tmp_path_factory.mktemp("clip") / "face clip.mp4"
    run_ffmpeg(
        *("-i", SAMPLES / "surveillance_800x600_30fps.mp4", "-f", "lavfi", "-i", "sine=d=0.6"),
        *("-filter_complex", "[0:v]crop=320:240:80:240,select='not(eq(mod(n,5),3))',"
          "settb=1/15360,setpts='PTS+97*mod(N,3)+0.5/TB'[v];[1:a]asetpts='PTS+0.5/TB'[a]"),
        *("-map", "[v]", "-map", "[a]", "-frames:v", "12", "-fps_mode", "passthrough"),
        *("-enc_time_base:v", "1/15360", "-video_track_timescale", "15360", "-copyts"),
        *("-c:v", "libx264", "-crf", "12", "-pix_fmt", "yuv420p", "-c:a", "aac", path),
    )  # fmt: skip
    return path


@pytest.fixture(scope="session")
def two_faces(face_clip, tmp_path_factory) -> Path:
    """The clip beside itself: tracks 0 and 1, one in each half; 12 frames."""
    path = tmp_path_factory.mktemp("two") / "clip.mkv"
    both = "[0:v]pad=iw+128:ih:64:0:gray,split[a][b];[a][b]hstack"
    run_ffmpeg("-i", face_clip, "-filter_complex", both, "-frames:v", "12", "-c:v", "ffv1", path)
    return path


@pytest.fixture(scope="session")
def ffmpeg():
    """The product's ffmpeg, called directly."""
    return run_ffmpeg


@pytest.fixture(scope="session")
def watch():
    """Times (exact, seconds) and pictures (RGB arrays) of a video, read by PyAV."""

    def read(path: Path):
        times, pictures = [], []
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            for frame in container.decode(stream):
                times.append(frame.pts * stream.time_base)
                pictures.append(frame.to_ndarray())  # the decoder's own planes
        return times, np.stack(pictures)

    return read


@pytest.fixture(scope="session")
def sound():
    """The sound packets of a file, read by PyAV: (pts in seconds, bytes)."""

    def read(path: Path):
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            packets = [p for p in container.demux(stream) if p.size]
            return [(round(float(p.pts * stream.time_base), 4), bytes(p)) for p in packets]

    return read
