"""By how much a result's clock is moved against its source's, so that its container can hold it.

Files begin at 0 or later. Sound often begins before that: decoders need a packet or two before
the first that is heard. QuickTime hides those behind an edit list, Matroska behind a delay that
the source must have told; what lies still earlier makes ffmpeg's writer move the whole file.
Vorbis is played from an edit list's first whole packet on, as if that had been its start.
So the times of the first packets are looked at before the work.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import ffmpeg

from vsr.core.video import VideoInfo
from vsr.media.containers import Container, StreamPlan
from vsr.media.limits import SAFE_INPUT
from vsr.media.packets import move_options
from vsr.media.process import run_ffmpeg

_FAR_START_S = 600
"""an mp4 would show hours of nothing before a broadcast recording's first frame"""
_LOOK_S = 0.5
"""of the source that the first packets are looked for in"""
_MS = Fraction(1, 1000)
_LONG_STEP_S = Fraction(1, 4)
_KEPT = " (.mp4 keeps it)"
_DELAY = re.compile(
    r"^(?:  )?  Stream #0:(\d{1,9})\b.*?: Audio: .*, (\d{1,9}) Hz, .*, delay (\d{1,9})"
)


@dataclass(slots=True)
class _Start:
    """How one of the source's streams begins, in its own seconds."""

    times_s: list[Fraction] = field(default_factory=list)
    """of its first packets"""
    delay_s: Fraction = Fraction(0)
    """what the source says must be decoded before the first sample that is heard"""

    def heard_from(self, time_s: Fraction) -> bool:
        """Whether all but the first packet of Vorbis, which gives no sound, begin then or later."""
        return len(self.times_s) < 2 or self.times_s[1] >= time_s

    def can_begin_at(self, time_s: Fraction) -> bool:
        """Whether an edit list that begins then begins with a whole packet."""
        return not self.times_s or self.times_s[0] >= time_s or time_s in self.times_s


def choose_shift(
    info: VideoInfo, container: Container, plans: Sequence[StreamPlan], start_s: float | None
) -> tuple[Fraction, list[StreamPlan], list[str]]:
    """(seconds taken off every timestamp, the plans, notices).

    start_s: start of a window of the source, which becomes 0; None: the source's own times stay
    wherever the container can hold them. The plans come back with `StreamPlan.warm_up` set.
    Raises FfmpegError as `run_ffmpeg`.
    """
    if start_s is not None:
        return Fraction(str(start_s)), list(plans), []
    shift, notices = _by_pictures(info, container)
    lowest, plans, cut = _by_sound(info, plans, shift, container)
    if lowest < 0:
        moved = _least_move(-lowest, info.time_base)
        shift -= moved
        if container.is_mov:
            why = f"{container.muxer} files cannot start within a packet of Vorbis"
        else:
            why = f"{container.muxer} files start at 0 or later" + ("" if cut else _KEPT)
        notices.append(
            f"the source's sound starts {float(-lowest):.3f} s before 0; everything was moved by "
            f"{float(moved):.10g} s, since {why}"
        )
    return shift, plans, notices


def _by_pictures(info: VideoInfo, container: Container) -> tuple[Fraction, list[str]]:
    start = (info.start_pts or 0) * info.time_base
    whole = Fraction(start.numerator // start.denominator)
    if start < 0:
        text = (
            f"the source starts at {float(start):.3f} s; everything was moved by "
            f"{float(-whole):.10g} s, since files start at 0 or later"
        )
        return whole, [text]
    if container.is_mov and start > _FAR_START_S:
        text = (
            f"the source's clock starts at {float(start):.1f} s; everything was moved by "
            f"{float(-whole):.10g} s, or players would show nothing for so long"
        )
        return whole, [text]
    return Fraction(0), []


def _by_sound(
    info: VideoInfo, plans: Sequence[StreamPlan], shift: Fraction, container: Container
) -> tuple[Fraction, list[StreamPlan], bool]:
    """The first time that the container cannot hold (0: it holds them all), the plans, and
    whether there is Vorbis that an edit list would cut."""
    kept = [p for p in plans if p.action != "drop" and p.stream.kind in ("audio", "subtitle")]
    if container.is_mov:
        kept = [p for p in kept if p.stream.codec == "vorbis"]
    starts = _starts(info, [p.stream.index for p in kept]) if kept else {}
    lowest, marked, cut = Fraction(0), [], False
    for plan in plans:
        start = starts.get(plan.stream.index)
        if start is not None and start.times_s:
            first = start.times_s[0] - shift + start.delay_s
            if start.delay_s and first > -_MS:
                first = Fraction(0)  # Matroska's milliseconds round the two apart
            whole = plan.stream.codec != "vorbis" or start.can_begin_at(shift)
            if container.is_mov and whole:
                pass
            elif first < 0 and plan.stream.codec == "vorbis" and start.heard_from(shift):
                plan = replace(plan, warm_up=True)
            else:
                lowest = min(lowest, first)
                cut = cut or not whole
        marked.append(plan)
    return lowest, marked, cut


def _least_move(least: Fraction, time_base: Fraction) -> Fraction:
    """The smallest time of at least ``least`` seconds that the pictures' ticks can hold.

    And Matroska's milliseconds too, where the two often meet: then nothing is rounded anew.
    """
    step = Fraction(
        math.lcm(time_base.numerator * _MS.denominator, time_base.denominator),
        time_base.denominator * _MS.denominator,
    )
    if step > _LONG_STEP_S:
        step = time_base
    return math.ceil(least / step) * step


def _starts(info: VideoInfo, indices: Sequence[int]) -> dict[int, _Start]:
    """How these streams begin, by their packets."""
    found = {index: _Start() for index in indices}
    lines: list[bytes] = [b""]

    def build(fds: Sequence[int]) -> list[str]:
        options = {"copyts": None, "t": _LOOK_S, **SAFE_INPUT, **move_options(info, *indices)}
        source = ffmpeg.input(f"file:{info.path.absolute()}", **options)
        streams = [source[str(index)] for index in indices]
        out = ffmpeg.output(*streams, f"pipe:{fds[0]}", format="framecrc", codec="copy", copytb=1)
        return out.global_args("-loglevel", "verbose").get_args()

    def take(data: bytes) -> None:
        *whole, rest = (lines.pop() + data).split(b"\n")
        lines.extend([*whole, rest])

    over = False

    def say(line: str) -> None:
        nonlocal over
        over = over or line.startswith(("Stream mapping", "Output #"))  # which number anew
        if over:
            return
        if (match := _DELAY.match(line)) and int(match[1]) in found and int(match[2]):
            found[int(match[1])].delay_s = Fraction(int(match[3]), int(match[2]))

    run_ffmpeg(build, take=take, on_line=say, timeout_s=120)
    _note_packets([found[index] for index in indices], lines)
    return found


def _note_packets(starts: Sequence[_Start], lines: Sequence[bytes]) -> None:
    """Read ``framecrc`` lines: the times of each stream's packets."""
    bases: dict[int, Fraction] = {}
    for line in lines:
        if match := re.match(rb"#tb (\d{1,9}): (\d{1,18})/(\d{1,18})", line):
            bases[int(match[1])] = Fraction(int(match[2]), int(match[3]))
        elif match := re.match(rb"(\d{1,9}), +-?\d{1,19}, +(-?\d{1,19}),", line):
            number, pts = int(match[1]), int(match[2])
            if pts != -(2**63):
                starts[number].times_s.append(pts * bases[number])
