"""Does memory grow with the film? Peak of the process tree for a short and a long clip.

    python tests/bench/memory.py --short 300 --long 3000
    python tests/bench/memory.py --size 1920x1080 --short 300 --long 600

Both clips are the sample video repeated to that many frames, enlarged where a size is given.
Counts the resident memory of vsr and its ffmpeg processes from start to end. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from process_tree import vsr_command, watch

from vsr.media.binary import ffmpeg_exe

SAMPLE = Path(__file__).parents[2] / "sample_videos" / "surveillance_800x600_30fps.mp4"


def clip(source: Path, frames: int, folder: Path, size: str | None = None) -> Path:
    """The source repeated until it holds ``frames`` frames at 30 fps. size: "1920x1080"."""
    out = folder / f"{frames}.mp4"
    loop = ["-stream_loop", "-1", "-i", str(source), "-frames:v", str(frames), "-r", "30"]
    if size:
        loop += ["-vf", f"scale={size.replace('x', ':')}:flags=lanczos"]
    encode = ["-c:v", "libx264", "-preset", "veryfast", "-an", str(out)]
    subprocess.run([ffmpeg_exe(), "-v", "error", "-y", *loop, *encode], check=True)
    return out


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path, default=SAMPLE)
    parser.add_argument("--short", type=int, default=300)
    parser.add_argument("--long", type=int, default=3000)
    parser.add_argument("--size", help="of the clips, such as 1920x1080")
    parser.add_argument("--options", default="", help="more options for vsr run")
    args = parser.parse_args()
    result = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, frames in (("short", args.short), ("long", args.long)):
            source = clip(args.source, frames, folder, args.size)
            out = folder / f"out_{frames}.mp4"
            command = vsr_command("run", source, "-o", out, "--quiet", *args.options.split())
            usage = watch(command, warm_up_s=0)
            result[label] = {
                "frames": frames,
                "peak_mib": round(usage.peak_mib, 1),
                "seconds": round(usage.seconds, 1),
                "fps": round(frames / usage.seconds, 2),
            }
    result["long_over_short"] = round(result["long"]["peak_mib"] / result["short"]["peak_mib"], 4)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
