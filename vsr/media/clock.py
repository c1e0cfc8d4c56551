"""One timeline out of a source's clock, which may wrap, jump back, or be read wrong.

Pure arithmetic on the packets' decoding times, which never fall within a whole recording. A step
forward is a gap and stays. A counter that has come to its end and begins at 0 again goes on. Any
other step back begins a new stretch (a recorder that was restarted, files joined byte by byte):
one offset for all streams from there on, the smallest with which nothing stands before what was
there. A few packets whose times lie far ahead of both their neighbours are damaged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from vsr.core.video import Clock, ClockJump, VideoInfo
from vsr.media.timeline import usual_step

WRAPS = {"mpegts": 1 << 33, "mpeg": 1 << 33, "flv": 1 << 31, "live_flv": 1 << 31}
"""ticks after which a container's counter begins at 0 again. FLV's has 32 bits, of which ffmpeg
writes 31; a whole multiple of the wrap does no harm"""
_WRAP_GAP = 10
"""a step back is a wrap where the gap that this would leave is so many times smaller"""
_WILD = 5
"""packets in a row whose times may be damaged without a clock that jumps"""
_NEAR_S = 10.0
"""streams whose times are so close after a jump have taken the same one"""
_LEAST_S = Fraction(1, 1000)
"""between two packets of sound: what Matroska can tell apart"""
MAX_JUMPS = 1000
_TOLD = 3


@dataclass(frozen=True, slots=True)
class Track:
    """The packets of one stream, in the order of the file; all int64 (N,), in ``time_base``."""

    index: int
    """ffmpeg's stream index"""
    dts: np.ndarray
    """decoding times as ffmpeg reads them, the presentation time where there is none"""
    pts: np.ndarray
    duration: np.ndarray
    time_base: Fraction


def unwrapped(dts: np.ndarray, wrap: int | None) -> np.ndarray:
    """The times with every wrap of the counter undone, int64 (N,), the first unchanged.

    ffmpeg undoes them too, but takes some jumps back for one: steps are judged by the counter.
    """
    if wrap is None or len(dts) < 2:
        return dts
    step = np.diff(dts % wrap)
    step[(step < 0) & (step + wrap < -step / _WRAP_GAP)] += wrap
    step[(step > 0) & (wrap - step < step / _WRAP_GAP)] -= wrap
    return dts[0] + np.concatenate([[0], np.cumsum(step)])


def tamed(times: np.ndarray) -> np.ndarray:
    """The times without those that are far ahead of both neighbours: these follow the first."""
    usual = max(1, int(usual_step(times) or 1))
    times = times.copy()
    for at in np.flatnonzero(np.diff(times) < 0) + 1:
        for before in range(at - 2, max(-1, at - 2 - _WILD), -1):
            between = times[at] - times[before]
            if 0 < between <= 2 * _WILD * usual < times[before + 1] - times[at]:
                count = at - before
                times[before + 1 : at] = times[before] + between * np.arange(1, count) // count
                break
    return times


def steps_back(times: np.ndarray) -> list[int]:
    """Places from which on the clock stays behind what it has shown."""
    found = np.flatnonzero(np.diff(times) < 0) + 1
    # a single time out of order is jitter, which the decoder's reader moves on
    return [int(i) for i in found if i + 1 < len(times) and times[i + 1] <= times[i - 1]]


def near(pts: np.ndarray, dts: np.ndarray, wrap: int | None) -> np.ndarray:
    """Presentation times on the same turn of the counter as the decoding times, int64 (N,)."""
    if wrap is None:
        return pts
    return dts + (pts - dts + wrap // 2) % wrap - wrap // 2


def runs_through(dts: np.ndarray, pts: np.ndarray, wrap: int | None) -> bool:
    """Whether a stream's times are one timeline already."""
    times = unwrapped(dts, wrap)
    same = np.array_equal(times, dts) and np.array_equal(near(pts, dts, wrap), pts)
    return bool(same and np.all(np.diff(dts) >= 0))


def borders_of(dts: np.ndarray) -> frozenset[int]:
    """The decoding times before steps back, and before steps of more than twice the usual one."""
    step = np.diff(dts)
    if not len(step):
        return frozenset()
    return frozenset(dts[:-1][(step < 0) | (step > 2 * np.median(step))].tolist())


@dataclass(slots=True)
class _Lane:
    """A stream on its way through the file."""

    track: Track
    times: np.ndarray
    back: set[int]
    stretch: int = 0
    at: int = 0
    """packets taken"""
    borders: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])
    """(packet, stretch that begins there)"""

    def seconds(self, at: int) -> float:
        return int(self.times[at]) * float(self.track.time_base)

    def spans(self) -> dict[int, slice]:
        """Stretch -> its packets; without those that hold none."""
        ends = [*[n for n, _ in self.borders][1:], len(self.times)]
        return {k: slice(a, b) for (a, k), b in zip(self.borders, ends, strict=True) if b > a}


def one_clock(
    tracks: Sequence[Track],
    order: Sequence[int],
    wrap: int | None,
    read: Mapping[int, np.ndarray] | None = None,
) -> Clock | None:
    """How the packets' times become one timeline; None where there are too many jumps.

    tracks: the picture stream first. order: the track of each packet, in the order of the file.
    read: stream -> its decoding times as they are read where the moves are made, if not these.
    """
    lanes = []
    for track in tracks:
        times = tamed(unwrapped(track.dts, wrap))
        lanes.append(_Lane(track, times, set(steps_back(times))))
    _divide(lanes, order)
    jumps, offsets = _place(lanes)
    if len(jumps) > MAX_JUMPS:
        return None
    seen = {track.index: track.dts for track in tracks} | dict(read or {})
    moves = {n.track.index: _moves(n, seen[n.track.index], offsets, wrap) for n in lanes}
    return Clock(jumps=tuple(jumps), moves=tuple(sorted(moves.items())))


def clock_notices(info: VideoInfo) -> list[str]:
    """What is to be said of a clock that does not run through."""
    jumps: list[ClockJump] = list(info.clock.jumps) if info.clock else []
    told = [
        f"the source's clock jumps back by {jump.back_s:.2f} s: what follows was moved by "
        f"{jump.moved_s:.2f} s, sound and pictures alike, and begins at {jump.at_s:.2f} s"
        for jump in jumps[:_TOLD]
    ]
    if len(jumps) > _TOLD:
        told.append(
            f"the source's clock jumps back {len(jumps)} times in all, the last at "
            f"{jumps[-1].at_s:.2f} s; each time what follows was moved on"
        )
    return told


def _divide(lanes: list[_Lane], order: Sequence[int]) -> None:
    """Give every packet its stretch."""
    heads = [lanes[0].seconds(0)]
    """latest time seen in each stretch, seconds"""
    for number in order:
        lane = lanes[number]
        at, newest = lane.at, len(heads) - 1
        lane.at += 1
        now = lane.seconds(at)
        away = abs(now - heads[newest])
        if at in lane.back:
            joins = lane.stretch < newest and away < _NEAR_S
            if not joins:
                heads.append(now)
            stretch = len(heads) - 1
        elif lane.stretch < newest and (at == 0 or away < abs(now - lane.seconds(at - 1))):
            stretch = newest
        else:
            stretch = lane.stretch
        if stretch != lane.stretch:
            lane.stretch = stretch
            lane.borders.append((at, stretch))
        heads[stretch] = now


def _place(lanes: list[_Lane]) -> tuple[list[ClockJump], list[Fraction]]:
    """The jumps, and the seconds by which each stretch is moved."""
    spans = [lane.spans() for lane in lanes]
    offsets = [Fraction(0)]
    last: list[Fraction | None] = [None] * len(lanes)
    """of each stream, when its next packet may stand at the earliest, seconds"""
    jumps = []
    for stretch in range(1 + max(lane.stretch for lane in lanes)):
        starts: list[Fraction | None] = []
        for number, (lane, span) in enumerate(zip(lanes, spans, strict=True)):
            there = stretch in span
            starts.append(_start(lane, span[stretch], picture=number == 0) if there else None)
        if stretch:
            both = [
                (a, b) for a, b in zip(last, starts, strict=True) if a is not None and b is not None
            ]
            if starts[0] is None or last[0] is None:
                ends, begins = ([t for t in x if t is not None] for x in (last, starts))
                both.insert(0, (max(ends), min(begins)))
            need = max(a - b for a, b in both)
            tick = lanes[0].track.time_base
            offsets.append(-(-need // tick) * tick)
            end, begin = next(iter(both))
            jumps.append(
                ClockJump(
                    at_s=float(begin + offsets[-1]),
                    back_s=float(end - offsets[-2] - begin),
                    moved_s=float(offsets[-1]),
                )
            )
        for number, (lane, span) in enumerate(zip(lanes, spans, strict=True)):
            if stretch in span:
                end = _end(lane, span[stretch], picture=number == 0) + offsets[stretch]
                before = last[number]
                last[number] = end if before is None else max(before, end)
    return jumps, offsets


def _shown(lane: _Lane, span: slice) -> np.ndarray:
    """When packets are shown, on the unwrapped clock."""
    return lane.times[span] + (lane.track.pts[span] - lane.track.dts[span])


def _start(lane: _Lane, span: slice, *, picture: bool) -> Fraction:
    first = _shown(lane, span).min() if picture else lane.times[span][0]
    return int(first) * lane.track.time_base


def _end(lane: _Lane, span: slice, *, picture: bool) -> Fraction:
    if not picture:
        return int(lane.times[span].max()) * lane.track.time_base + _LEAST_S
    usual = max(1, int(usual_step(lane.times[span]) or 1))
    length = lane.track.duration[span]
    end = (_shown(lane, span) + np.where(length > 0, length, usual)).max()
    return int(end) * lane.track.time_base


def _moves(
    lane: _Lane, dts: np.ndarray, offsets: Sequence[Fraction], wrap: int | None
) -> tuple[tuple[int, int], ...]:
    """(packet, ticks that are added to ``dts`` from there on), where they change.

    Added to what the counter shows: which turn ffmpeg takes it to be on changes with the streams
    that it is asked for.
    """
    move = lane.times - (dts % wrap if wrap else dts)
    for stretch, span in lane.spans().items():
        move[span] += round(offsets[stretch] / lane.track.time_base)
    changes = np.flatnonzero(np.diff(move, prepend=0))
    return tuple((int(n), int(move[n])) for n in changes)
