"""A long clip of small frames, made in seconds: a short one, repeated without encoding again."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.seeds import SAMPLE, ffmpeg

SIZE = (96, 72)
_FACE = "crop=192:144:190:270,scale=96:72,setpts=PTS-STARTPTS"
_WALL = "crop=192:144:420:60,trim=end_frame=90,scale=96:72,setpts=PTS-STARTPTS"


def make_clip(path: Path, frames: int) -> Path:
    """``frames`` frames of 96x72 at 30 fps: 150 with a moving face, 90 without one, again."""
    short = path.with_name(f"short-{path.name}")
    ffmpeg(
        *("-i", SAMPLE, "-filter_complex"),
        f"[0:v]split[a][b];[a]{_FACE}[f];[b]{_WALL}[w];[f][w]concat,format=yuv420p[v]",
        *("-map", "[v]", "-an", "-c:v", "libx264", "-preset", "veryfast", "-crf", "18"),
        *("-bf", 0, "-g", 30, "-video_track_timescale", 15360, short),
    )
    ffmpeg("-stream_loop", -1, "-i", short, "-c", "copy", "-frames:v", frames, path)
    short.unlink()
    return path
