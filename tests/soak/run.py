"""The process that is watched: a video through the main job, the frames done told in a file.

python -m tests.soak.run INPUT OUTPUT COUNT_FILE MODEL
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vsr.core.progress import Progress
from vsr.run.heap import steady_heap
from vsr.run.recipe import load_recipe
from vsr.run.restore import restore


def main() -> None:
    """Run as ``vsr run`` does."""
    source, out, counter, model = sys.argv[1:]
    steady_heap()
    file = os.open(counter, os.O_WRONLY | os.O_CREAT)

    def tell(progress: Progress) -> None:
        os.pwrite(file, f"{progress.done:012d}".encode(), 0)

    settings = [("upscale", "model", model), ("encode", "preset", "ultrafast")]
    restore(Path(source), Path(out), load_recipe("restore", settings), progress=tell)


if __name__ == "__main__":
    main()
