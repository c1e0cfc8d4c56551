"""Faces that each detection stride finds of those that a search of every frame finds, and its cost.

    python tests/bench/detection.py sample_videos/*.mp4 --stride 3 auto

A face counts as found where a detection of the same frame overlaps it by IoU 0.5 or more;
also counted after the tracker, whose faces are the ones that are super-resolved. Cost is the
processor time of the stage per frame. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vsr.core.types import Frame, FrameFaces
from vsr.faces.detect import DetectConfig, detect, make_detector
from vsr.faces.detector import FaceDetector
from vsr.faces.track import TrackConfig, track
from vsr.media.decode import VideoReader
from vsr.media.probe import probe

MIN_IOU = 0.5


def found_of(truth: Sequence[FrameFaces], trial: Sequence[FrameFaces]) -> tuple[int, int]:
    """(faces of ``truth`` that ``trial`` has too, faces of ``truth``)."""
    both = list(zip(truth, trial, strict=True))
    hits = sum(
        any(face.box.iou(other.box) >= MIN_IOU for other in b.faces)
        for a, b in both
        for face in a.faces
    )
    return hits, sum(len(a.faces) for a, _ in both)


def run(
    path: Path, stride: int | str, detector: FaceDetector, end_s: float | None
) -> tuple[list[FrameFaces], list[FrameFaces], float]:
    """Detections, tracked faces (both without pictures) and milliseconds of CPU time a frame."""
    cfg = DetectConfig(stride=stride)  # type: ignore[arg-type]
    spent = 0.0
    raw: list[FrameFaces] = []

    def read() -> Iterator[Frame]:
        """The frames, without what reading them costs."""
        nonlocal spent
        start = time.thread_time()
        for frame in VideoReader(probe(path), canvas=None, end_s=end_s):
            spent -= time.thread_time() - start
            yield frame
            start = time.thread_time()

    def watched() -> Iterator[FrameFaces]:
        nonlocal spent
        stage = detect(read(), detector, cfg)
        while True:
            start = time.thread_time()
            item = next(stage, None)
            spent += time.thread_time() - start
            if item is None:
                return
            raw.append(_small(item))
            yield item

    tracked = [_small(t) for t in track(watched(), TrackConfig())]
    return raw, tracked, 1000 * spent / max(1, len(raw))


def _small(item: FrameFaces) -> FrameFaces:
    frame = item.frame
    pixel = frame.rgb[:1, :1].copy()
    thin = type(frame)(frame.index, frame.pts, frame.time_base, pixel)
    return FrameFaces(thin, item.faces)


def measure(
    paths: Sequence[Path], strides: Sequence[int | str], end_s: float | None
) -> list[dict[str, Any]]:
    """One row per clip and stride."""
    detector = make_detector(DetectConfig())
    rows = []
    for path in paths:
        every, every_tracked, cost = run(path, 1, detector, end_s)
        rows.append({"clip": path.name, "stride": 1, "frames": len(every), "ms": round(cost, 2)})
        for stride in strides:
            raw, tracked, cost = run(path, stride, detector, end_s)
            hits, faces = found_of(every, raw)
            kept, people = found_of(every_tracked, tracked)
            extra, _ = found_of(tracked, every_tracked)
            rows.append(
                {
                    "clip": path.name,
                    "stride": stride,
                    "faces": faces,
                    "recall": round(hits / faces, 4) if faces else None,
                    "tracked_faces": people,
                    "tracked_recall": round(kept / people, 4) if people else None,
                    "tracked_only_here": sum(len(t.faces) for t in tracked) - extra,
                    "ms": round(cost, 2),
                }
            )
            print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--stride", nargs="+", default=["3", "auto"])
    parser.add_argument("--end", type=float, help="seconds of each clip")
    args = parser.parse_args()
    strides = [int(s) if s.isdigit() else s for s in args.stride]
    print(json.dumps(measure(args.clips, strides, args.end), indent=2))


if __name__ == "__main__":
    main()
