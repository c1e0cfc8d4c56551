"""What a container's clock can hold, judged before the work by the times of the source."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from vsr.core.errors import OutputError
from vsr.core.video import VideoInfo
from vsr.media.containers import Container, StreamPlan
from vsr.media.packets import packet_times

_MOST_TICKS = (1 << 31) - 1
"""between two samples of an mp4's track (ISO/IEC 14496-12, 8.6.1.2, as ffmpeg's writer has it)"""
_SOUND_HZ = 48_000
"""ticks of a sound track, whose rate is not known here: the usual one, few have more"""


def check_span(
    out: Path,
    info: VideoInfo,
    container: Container,
    plans: Sequence[StreamPlan],
    window: tuple[float | None, float | None],
) -> None:
    """Raise OutputError where two frames lie further apart than the container can tell.

    out: what the message names. window: (start, end) of the source that is written, in its own
    seconds.
    """
    if not container.is_mov or info.path.is_dir():
        return
    times = packet_times(info)
    low, high = (None if t is None else Fraction(str(t)) / info.time_base for t in window)
    times = times[(times >= (low or -(2**62))) & (times < (2**62 if high is None else high))]
    if len(times) < 2:
        return
    widest = int(np.diff(times).max()) * info.time_base
    rate = info.time_base.denominator
    if any(p.stream.kind == "audio" and p.action != "drop" for p in plans):
        rate = max(rate, _SOUND_HZ)
    most = Fraction(_MOST_TICKS, rate)
    if widest > most:
        raise OutputError(
            f"{out}: the source has a gap of {_span(widest)} between two frames, "
            f"{out.suffix.lower()} holds at most {_span(most)} here; write .mkv, which holds it"
        )


def _span(seconds: Fraction) -> str:
    """ "6.6 h" or "24.9 days"."""
    hours = float(seconds) / 3600
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
