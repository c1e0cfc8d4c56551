"""The one account of a source's frames: what it holds, what a decoder gives, what is lost where.

Two counts that know nothing of each other are compared: the frames that the stream's packets
announce, and those that came out of the decoder, by their times. What the decoder complains of
is only told where a count or a damaged picture bears it out.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np

from vsr.core.video import VideoInfo
from vsr.media.damage import DamageLog, shorter_than_promised
from vsr.media.packets import PacketScan

_END_S = 1.0
"""damage within so many seconds (or 40 frames, what ffmpeg may be ahead of us) of the last
frame counts as the source breaking off: some containers have no other sign of it"""
INDEXED = frozenset(("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"))
"""containers that tell of frames which are not there"""


@dataclass(slots=True)
class DecodeReport:
    """What decoding found; complete once the reader is exhausted."""

    frames_decoded: int = 0
    """frames that came out of the decoder, those beside the grid included"""
    frames_kept: int = 0
    last_seconds: float | None = None
    """time of the last frame decoded, in the source's own timestamps"""
    broken_at_s: float | None = None
    """end of the last frame of a source that broke off; None where it came to its end"""
    lost_start: int = 0
    """frames of the source before the first that could be decoded"""
    lost_middle: int = 0
    lost_end: int = 0
    """frames after the last"""
    cut_off: int = 0
    """frames that belong before the source's last one and came behind where it breaks off; it
    holds nothing of them"""
    notices: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Frames that the source holds and no decoder gives."""
        return self.lost_start + self.lost_middle + self.lost_end


class Account:
    """Counts what comes out of the decoder and judges, at the end, what is missing.

    low, high: window of the source, in pts; frames outside it are not missed.
    """

    def __init__(
        self,
        info: VideoInfo,
        scan: PacketScan,
        report: DecodeReport,
        damage: DamageLog,
        *,
        low: int | None,
        high: int | None,
    ) -> None:
        self._info, self._scan, self._report, self._damage = info, scan, report, damage
        self._low, self._high = low, high
        self._came = array("q")
        times = scan.pts
        step = max(1, int(np.median(np.diff(times)))) if len(times) > 1 else 1
        self._step_s = float(step * info.time_base)

    def take(self, pts: int) -> None:
        """A frame came out of the decoder."""
        self._came.append(pts)
        self._report.frames_decoded += 1

    def settle(self, code: int | None) -> None:
        """Write into the report what is lost; code: of the decoder, None where it was stopped."""
        report = self._report
        if len(self._came):
            self._damage.not_before(float(self._came[0] * self._info.time_base))
        self._count(code)
        first = report.lost_start
        total = len(self._scan.pts)
        if first:
            begin = float(self._scan.pts[first] * self._info.time_base)
            why = "" if self._scan.starts_with_key else "the source starts between keyframes: "
            report.notices.append(
                f"{why}the first {first} of its {total} frames, before {begin:.2f} s, "
                "could not be decoded"
            )
        if code is not None and self._breaks_off(code):
            report.broken_at_s = (report.last_seconds or 0.0) + self._step_s
            self._tell_cut()
            if report.lost_end:
                report.notices.append(
                    f"the last {report.lost_end} of its {total} frames could not be decoded"
                )
        else:
            report.lost_end = 0
            self._tell_damage()
            if code is not None and self._info.container not in INDEXED:
                self._tell_room()
        if report.lost_middle:
            report.notices.append(
                f"{report.lost_middle} of {total} frames in the middle could not be decoded"
            )

    def _tell_cut(self) -> None:
        """Frames that the source broke off before, although they belong before its last one."""
        before, missing = self._scan.cut or (0, 0)
        before_s = float(before * self._info.time_base)
        if missing and before_s < (self._report.last_seconds or 0.0):
            self._report.cut_off = missing
            self._report.notices.append(
                f"the source breaks off before {missing} of the frames that belong ahead of its "
                f"last one, behind {before_s:.2f} s"
            )

    def _tell_room(self) -> None:
        """Of a cut between two packets nothing else speaks; it may be a pause as well."""
        if self._scan.cut is not None:
            before, missing = self._scan.cut
            self._report.notices.append(
                f"there is room for {missing} frames between the source's last one and that at "
                f"{float(before * self._info.time_base):.2f} s: it may have been cut off before "
                "they came"
            )

    def _expected(self, code: int | None) -> np.ndarray:
        """Times of the frames that should have come, where they are known exactly."""
        times = self._scan.pts
        low = -(2**62) if self._low is None else self._low
        high = 2**62 if self._high is None else self._high
        if code is None and len(self._came):
            high = min(high, max(self._came) + 1)
        return times[(times >= low) & (times < high)]

    def _count(self, code: int | None) -> None:
        report, expected = self._report, self._expected(code)
        came = np.array(self._came, np.int64)
        if not self._scan.complete:
            if code is not None and self._low is None:
                self._count_untimed(len(expected) - len(came))
            return
        low = -(2**62) if self._low is None else self._low
        came = came[came >= low]
        lost = len(expected) - len(came)
        if lost <= 0 or not len(came):
            return
        missing = expected[~np.isin(expected, came)]
        report.lost_start = min(lost, int(np.sum(missing < came.min())))
        report.lost_end = min(lost - report.lost_start, int(np.sum(missing > came.max())))
        if self._damage.complaints:
            report.lost_middle = lost - report.lost_start - report.lost_end
        elif report.lost_end == 1:
            report.lost_end = 0  # a packet that holds no frame, as far as anybody can tell

    def _count_untimed(self, lost: int) -> None:
        """Without exact times it is not known where frames are lost, only how many."""
        if lost <= 0 or not self._damage.complaints:
            lost = lost if lost > 0.05 * len(self._scan.pts) else 0
        if self._damage.near_end(self._last_s(), self._end_s()) or not self._damage.complaints:
            self._report.lost_end = max(0, lost)
        else:
            self._report.lost_middle = max(0, lost)

    def _last_s(self) -> float:
        return self._report.last_seconds or 0.0

    def _end_s(self) -> float:
        return max(_END_S, 40 * self._step_s)

    def _breaks_off(self, code: int) -> bool:
        """Whether frames, or a part of the last ones, are missing at the source's end."""
        damage = self._damage
        cut = shorter_than_promised(self._info.path, self._info.container) or damage.cut_short
        if code != 0 or cut or self._report.lost_end:
            return True
        counted = self._scan.complete and self._info.container in (*INDEXED, "gif")
        return (
            bool(damage.damaged) and not counted and damage.near_end(self._last_s(), self._end_s())
        )

    def _tell_damage(self) -> None:
        """A notice about damage in the middle of a source that goes on behind it."""
        damage = self._damage
        count = damage.damaged + (damage.refused if self._report.lost else 0)
        if count:
            self._report.notices.append(
                f"the source is damaged from about {damage.first_damage_s or 0:.1f} s on "
                f"({count} errors while decoding); what could be decoded was kept"
            )
