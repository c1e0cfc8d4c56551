"""Telling a damaged or cut-off source from ffmpeg's everyday grumbling."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image, UnidentifiedImageError

_CUT_SHORT = re.compile(r"partial file|ended prematurely|Truncat|Input/output error", re.IGNORECASE)
_SUSPECT = re.compile(r"corrupt (decoded frame|input packet)")
"""what a transport stream's missing packets are called, also where two of them were joined"""
_INCOMPLETE = re.compile(r"Packet corrupt \(stream = \d+, dts = (-?\d{1,19})\)")
"""what the reader of the container says of such a packet, before ffmpeg does"""
_REFUSED = re.compile(r"Error submitting packet to decoder|Decoding error")
"""a packet out of which no picture came, which may not have held any"""
_DAMAGED = re.compile(
    r"invalid as first byte of an EBML number|"
    r"error while decoding MB|concealing \d+|damaged at \d+|LZW decode failed"
)


_RESHAPED = re.compile(
    r"^\[[^\]]*\] \[info\] Reconfiguring filter graph because video parameters changed to "
    r".*?\b(\d{1,9}x\d{1,9})\b"
)
_TALK = re.compile(r"^(\[[^\]]*\] )?\[(info|verbose|debug|trace)\]")
"""what ffmpeg tells of the file, titles among it, which may hold any words"""


class DamageLog:
    """Watches a decoder's log lines.

    borders: decoding times of the packets behind which the clock makes a step: where two
    recordings were joined, the first one's last packet looks as if its end were missing.
    """

    def __init__(self, borders: frozenset[int] = frozenset()) -> None:
        self._borders = borders
        self._explained = {"decoded frame": 0, "input packet": 0}
        self.cut_short = False
        """the container says that bytes are missing at its end"""
        self.damaged = 0
        """pictures or packets reported as damaged"""
        self.refused = 0
        """packets that the decoder could make nothing of"""
        self.first_damage_s: float | None = None
        """about when the first of all these is shown, seconds"""
        self.sizes: dict[str, float] = {}
        """further sizes that pictures have in the middle of the film -> about when, seconds"""
        self.now_s = 0.0
        """time of the last frame taken, kept up to date by the reader"""

    def line(self, text: str) -> None:
        """Take one line of stderr."""
        if match := _RESHAPED.match(text):
            self.sizes.setdefault(match.group(1), self.now_s)
        elif _TALK.match(text):
            return
        elif _CUT_SHORT.search(text):
            self.cut_short = True
        elif found := _INCOMPLETE.search(text):
            if int(found.group(1)) in self._borders:
                self._explained = {kind: n + 1 for kind, n in self._explained.items()}
        elif (match := _SUSPECT.search(text)) and self._explained[match.group(1)] > 0:
            self._explained[match.group(1)] -= 1
        elif match or _DAMAGED.search(text) or _REFUSED.search(text):
            if match or _DAMAGED.search(text):
                self.damaged += 1
            else:
                self.refused += 1
            if self.first_damage_s is None:
                self.first_damage_s = self.now_s

    @property
    def complaints(self) -> int:
        """What the decoder and the reader of the container found wrong."""
        return self.damaged + self.refused

    def near_end(self, last_s: float, within_s: float) -> bool:
        """Whether all damage lies within so many seconds of the last frame."""
        return self.first_damage_s is not None and last_s - self.first_damage_s < within_s

    def not_before(self, first_s: float) -> None:
        """Damage that was met ahead of the first frame, which is shown then, lies at that."""
        if self.first_damage_s is not None:
            self.first_damage_s = max(self.first_damage_s, first_s)

    def note(self, at_s: float) -> None:
        """Take damage at a time that another reader found."""
        self.damaged += 1
        self.first_damage_s = at_s if self.first_damage_s is None else self.first_damage_s


def broken_gif_s(path: Path) -> float | None:
    """When the first picture of a GIF whose data are damaged is shown, seconds; None: all whole.

    ffmpeg leaves out what is missing of a picture, at some places without a word. Pillow does not.
    """
    shown_s = 0.0
    try:
        with Image.open(path) as gif:
            for number in range(getattr(gif, "n_frames", 1)):
                gif.seek(number)
                gif.load()
                shown_s += gif.info.get("duration", 0) / 1000
    except UnidentifiedImageError:
        return None
    except (OSError, EOFError, SyntaxError, ValueError, Image.DecompressionBombError):
        return shown_s
    return None


def shorter_than_promised(path: Path, container: str) -> bool:
    """Whether an AVI's header promises more bytes than the file has.

    ffmpeg reads a cut AVI without a word, so its outermost chunk size is compared here.
    """
    if container != "avi":
        return False
    with path.open("rb") as file:
        head = file.read(8)
    promised = int.from_bytes(head[4:8], "little")
    return head[:4] == b"RIFF" and 0 < promised < 0xFFFFFFFF and promised + 8 > path.stat().st_size
