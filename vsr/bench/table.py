"""A benchmark for people: one table in sections, as texts; the command line draws it."""

from __future__ import annotations

from dataclasses import dataclass

from vsr.bench.measure import Spread
from vsr.bench.result import BenchmarkResult

COLUMNS = ("what", "figure", "lowest to highest", "CPU s", "note")


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that belong together, each with a text per column."""

    title: str
    note: str
    """beside the title"""
    rows: tuple[tuple[str, str, str, str, str], ...]


def sections(result: BenchmarkResult) -> list[Section]:
    """Everything that was measured, in the order of reading."""
    made = [
        Section("Matrix products", "the machine's peak: best of all", _peaks(result)),
        Section("Generator alone", _generator_note(result), _generator(result)),
        Section("Each stage alone", f"{result.clip.frames} frames", _stages(result)),
        Section("The whole", "all stages at once, network warm", _whole(result)),
        Section("Start-up", "once for every process", _start_up(result)),
        Section("Detection stride", "found: of the faces that stride 1 finds", _strides(result)),
        Section("Encoder preset", f"CRF {result.recipe['encode']['crf']}", _presets(result)),
        Section("Recommended", "", _advice(result)),
    ]
    return [section for section in made if section.rows]


def caption(result: BenchmarkResult) -> str:
    """What was measured on what, in two lines."""
    clip, machine = result.clip, result.machine
    if clip.median_face_px is None:
        faces = "no face"
    else:
        faces = f"{clip.faces} faces of {clip.median_face_px:.0f} px"
    return (
        f"{clip.name}: {clip.width}x{clip.height}, {clip.frames} frames, {faces}; recipe "
        f"'{result.recipe['name']}', {result.repeats} rounds in {result.seconds:.0f} s\n"
        f"{machine.processor}, {machine.cores} cores, {machine.backend} on {machine.device}"
    )


def _range(spread: Spread, factor: float = 1.0, digits: int = 2, unit: str = "") -> str:
    if spread.count < 2:
        return ""
    low, high = sorted((spread.min * factor, spread.max * factor))
    return f"{low:.{digits}f} to {high:.{digits}f}{unit}"


def _peaks(result: BenchmarkResult) -> tuple[tuple[str, str, str, str, str], ...]:
    if result.generator is None:
        return ()
    rows = []
    for peak in result.generator.peaks:
        spread = peak.by_side[peak.side]
        note = f"at {peak.side}x{peak.side}, {spread.count} times"
        figure = f"{peak.gflop_s:.0f} GFLOP/s"
        rows.append((peak.dtype, figure, _range(spread, digits=0), "", note))
    return tuple(rows)


def _generator_note(result: BenchmarkResult) -> str:
    found = result.generator
    if found is None:
        return ""
    return f"{found.model}, {found.side}x{found.side}, {found.gflop_per_face:.2f} GFLOP a face"


def _generator(result: BenchmarkResult) -> tuple[tuple[str, str, str, str, str], ...]:
    found = result.generator
    if found is None:
        return ()
    rows = []
    for row in found.rows:
        seconds = row.seconds
        spread = Spread(
            row.batch / seconds.max, row.faces_per_s, row.batch / seconds.min, seconds.count
        )
        note = f"{row.share:.0%} of the peak ({row.gflop_s:.0f} GFLOP/s)"
        what = f"{row.precision}, batch {row.batch}"
        rows.append((what, f"{row.faces_per_s:.1f} faces/s", _range(spread, digits=1), "", note))
    return tuple(rows)


def _stages(result: BenchmarkResult) -> tuple[tuple[str, str, str, str, str], ...]:
    frames = result.clip.frames
    rows = []
    for row in result.stages:
        rate = Spread(
            frames / row.seconds.max, row.frames_per_s, frames / row.seconds.min, row.seconds.count
        )
        figure = f"{row.frames_per_s:.1f} frames/s"
        note = f"{row.seconds.median:.2f} s, first frame after {row.first_s:.2f} s"
        rows.append((row.name, figure, _range(rate, digits=1), f"{row.cpu_s.median:.2f}", note))
    return tuple(rows)


def _whole(result: BenchmarkResult) -> tuple[tuple[str, str, str, str, str], ...]:
    whole = result.whole
    if whole is None:
        return ()
    frames = result.clip.frames
    seconds = whole.seconds
    rate = Spread(frames / seconds.max, whole.frames_per_s, frames / seconds.min, seconds.count)
    limit = "the cores" if whole.limited_by == "cores" else f"{whole.limited_by} alone"
    again = f"; the network was traced {whole.retraced} times more" if whole.retraced else ""
    return (
        (
            "whole",
            f"{whole.frames_per_s:.1f} frames/s",
            _range(rate, digits=1),
            f"{whole.cpu_s.median:.2f}",
            f"{seconds.median:.2f} s, {whole.realtime:.2f} times real time{again}",
        ),
        (
            "bound",
            f"{frames / whole.bound_s.median:.1f} frames/s",
            _range(whole.bound_s, unit=" s"),
            "",
            f"set by {limit}",
        ),
        (
            "whole over bound",
            f"{whole.whole_over_bound.median:.2f}",
            _range(whole.whole_over_bound),
            "",
            f"CPU s over the stages': {whole.cpu_over_stages.median:.2f}",
        ),
    )


def _start_up(result: BenchmarkResult) -> tuple[tuple[str, str, str, str, str], ...]:
    start = result.start_up
    if start is None:
        return ()
    note = (
        f"imports {start.imports_s.median:.2f} s, backend {start.backend_s:.2f} s, detector "
        f"{start.detector_s:.2f} s, network {start.model_s:.2f} s, its first call "
        f"{start.first_call_s:.2f} s"
    )
    figure = f"{start.first_frame_s.median:.2f} s"
    return (("first frame", figure, _range(start.first_frame_s, unit=" s"), "", note),)


def _strides(result: BenchmarkResult) -> tuple[tuple[str, str, str, str, str], ...]:
    return tuple(
        (
            {1: "every frame", "auto": "auto"}.get(row.stride, f"every {row.stride}"),
            f"{row.frames_per_s:.1f} frames/s",
            "",
            "",
            f"{row.recall:.1%} found",
        )
        for row in result.strides
    )


def _presets(result: BenchmarkResult) -> tuple[tuple[str, str, str, str, str], ...]:
    fps = result.clip.fps
    return tuple(
        (
            row.preset,
            f"{row.frames_per_s:.1f} frames/s",
            "",
            f"{row.cpu_s_per_frame * result.clip.frames:.2f}",
            f"{row.bytes_per_frame * fps * 8 / 1e6:.2f} Mbit/s, luma {row.psnr_y_db:.1f} dB",
        )
        for row in result.presets
    )


def _advice(result: BenchmarkResult) -> tuple[tuple[str, str, str, str, str], ...]:
    return tuple(
        (a.key, str(a.value), f"now {a.now}" if a.now != a.value else "as it is", "", a.reason)
        for a in result.advice
    )
