"""Every packet of a source in the order of the file, as ffmpeg tells them while it demuxes."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from vsr.core.video import Clock, is_foreign
from vsr.media.banner import parse_banner
from vsr.media.clock import WRAPS, Track, near, one_clock
from vsr.media.limits import safe_input_words
from vsr.media.process import run_ffmpeg

NO_PTS = -(2**63)

_PACKET = re.compile(
    r"demuxer(\+ffmpeg)? -> ist_index:0:(\d+) .*?pkt_pts:(-?\d+|NOPTS) .*?pkt_dts:(-?\d+|NOPTS) "
    r".*?duration:(-?\d+)"
)
"""as the container has it, and as ffmpeg hands it on: it closes gaps where the counter wraps"""


_MAPPED = re.compile(r"^(?:\[info\] )?  Stream #0:(\d{1,9}) -> #0:\d{1,9} \(copy\)")


class _Demuxed:
    """Collects every packet of every stream, in the order of the file."""

    def __init__(self) -> None:
        self.streams: dict[int, tuple[array[int], array[int], array[int]]] = {}
        """stream -> its packets' presentation and decoding times, and durations"""
        self.seen: dict[int, array[int]] = {}
        """stream -> its packets' decoding times as ffmpeg hands them on"""
        self.order = array("i")
        self.time_bases: dict[int, Fraction] = {}
        self._head = b""
        self._banner: list[str] = []
        self._outputs: list[int] = []
        """stream of each output stream"""

    def line(self, text: str) -> None:
        """Take a line of ffmpeg's log."""
        if (match := _PACKET.search(text)) is None:
            if match := _MAPPED.match(text):
                self._outputs.append(int(match.group(1)))
            elif not self.order:
                self._banner.append(text.removeprefix("[info] "))
            return
        handed_on, index, pts, dts, duration = match.groups()
        if handed_on:
            known = pts if dts == "NOPTS" else dts
            time = NO_PTS if known == "NOPTS" else int(known)
            self.seen.setdefault(int(index), array("q")).append(time)
            return
        columns = self.streams.setdefault(int(index), (array("q"), array("q"), array("q")))
        pts, dts = (NO_PTS if t == "NOPTS" else int(t) for t in (pts, dts))
        either = dts if pts == NO_PTS else pts
        for column, value in zip(columns, (either, dts, int(duration)), strict=True):
            column.append(value)
        self.order.append(int(index))

    def feed(self, data: bytes) -> None:
        """Take bytes of the framecrc output, whose head has the time bases."""
        if len(self._head) < 1 << 16:
            self._head += data
            for n, a, b in re.findall(rb"^#tb (\d+): (\d+)/(\d+)$", self._head, re.MULTILINE):
                if int(n) < len(self._outputs):
                    self.time_bases[self._outputs[int(n)]] = Fraction(int(a), int(b))

    def tracks(self, stream_index: int, wrap: int | None) -> list[Track]:
        """The streams that share a clock, the pictures first."""
        streams = {s.index: s for s in parse_banner(self._banner).streams}
        picture = streams.get(stream_index)
        found = []
        for index in [stream_index, *sorted(set(self.streams) - {stream_index})]:
            stream = streams.get(index)
            if picture and stream and is_foreign(stream, picture):
                continue
            if index in self.streams and index in self.time_bases:
                pts, dts, duration = (np.array(c, np.int64) for c in self.streams[index])
                timing = np.where(dts == NO_PTS, pts, dts)
                track = Track(index, timing, pts, duration, self.time_bases[index])
                track = _counted_on(track)
                found.append(replace(track, pts=near(track.pts, track.dts, wrap)))
        return found


def read_clock(path: Path, stream_index: int, container: str, seen: np.ndarray) -> Clock | None:
    """Read all packets of pictures, sound and subtitles in the order of the file.

    seen: the pictures' decoding times as they are read without the other streams.
    """
    taken = _demuxed(path, f"0:{stream_index}", "0:a?", "0:s?")
    wrap = WRAPS.get(container)
    tracks = taken.tracks(stream_index, wrap)
    if not tracks or tracks[0].index != stream_index or len(tracks[0].dts) != len(seen):
        return None
    read = {stream_index: np.where(seen == NO_PTS, tracks[0].dts, seen)}
    if wrap and any(_moved(track, taken.seen.get(track.index, ()), wrap) for track in tracks):
        beside = _demuxed(path, "0:a?", "0:s?").seen if len(tracks) > 1 else {}
        for track in tracks[1:]:
            times = np.array(beside.get(track.index, ()), np.int64)
            if len(times) == len(track.dts):
                read[track.index] = np.where(times == NO_PTS, track.dts, times)
    places = {track.index: number for number, track in enumerate(tracks)}
    order = [places[i] for i in taken.order if i in places]
    return one_clock(tracks, order, wrap, read)


def _moved(track: Track, seen: Sequence[int], wrap: int) -> bool:
    """Whether ffmpeg hands on other times than the container's, whole wraps aside."""
    times = np.array(seen, np.int64)
    if len(times) != len(track.dts):
        return True
    return bool(np.any((times - track.dts)[times != NO_PTS] % wrap))


def _demuxed(path: Path, *maps: str) -> _Demuxed:
    """What ffmpeg says of every packet of some streams."""
    taken = _Demuxed()

    def build(fds: Sequence[int]) -> list[str]:
        source = ["-copyts", *safe_input_words(), "-i", f"file:{path.absolute()}"]
        out = ["-c", "copy", "-copytb", "1", "-f", "framecrc", f"pipe:{fds[0]}"]
        words = [w for m in maps for w in ("-map", m)]
        return ["-debug_ts", *source, *words, *out, "-loglevel", "level+info", "-nostats"]

    run_ffmpeg(build, take=taken.feed, on_line=taken.line)
    return taken


def _counted_on(track: Track) -> Track:
    """The same with the packets that have no time at all at that of the one before."""
    none = track.dts == NO_PTS
    if not none.any():
        return replace(track, pts=np.where(track.pts == NO_PTS, track.dts, track.pts))
    before = np.maximum.accumulate(np.where(none, 0, np.arange(len(none))))
    dts = track.dts[before]
    dts[dts == NO_PTS] = track.dts[~none][0] if not none.all() else 0
    return replace(track, dts=dts, pts=np.where(track.pts == NO_PTS, dts, track.pts))
