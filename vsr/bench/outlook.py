"""What a benchmark has still to do, and about how long that takes: told before it is begun."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_SOON_S = 10
STARTS = 3
"""new processes whose first frame is waited for, at most"""


def plan_of(parts: Sequence[str], frames: int, repeats: int) -> str:
    """The parts to come, in the order in which they are measured."""
    rounds = f"{repeats} rounds" if repeats > 1 else "1 round"
    starts = min(STARTS, repeats)
    processes = f"{starts} new processes" if starts > 1 else "a new process"
    words = {
        "generator": "the generator alone",
        "stages": f"{rounds} of each stage alone and the whole over {frames} frames",
        "settings": "detection strides and encoder presets",
        "start-up": f"the first frame of {processes}",
    }
    return "to come: " + ", then ".join(text for part, text in words.items() if part in parts)


_STRIDE_SEARCHES = 2.3
"""times a search of every frame that all strides take: 1 + 1/2 + 1/3 + 1/5 + 1/8, and auto"""
_PRESET_PASSES = 5
"""times the recipe's own preset that all presets take, with a look at what they wrote"""
PRESET_FRAMES = 120
"""frames that each preset encodes at most"""
_NEWS = 1 / 3
"""share by which an estimate must be off before another one is told"""


@dataclass(slots=True)
class Costs:
    """Wall times as they were measured last: a busy machine may be so once more, or no longer."""

    frames: int
    alone_s: float
    """every stage but encoding, one after another"""
    search_s: float
    """a search for faces in the whole of every frame"""
    start_s: float
    """a new process until its first frame"""
    encode_s: float | None = None
    whole_s: float | None = None
    """all stages at once"""


class Outlook:
    """What is still to be done and how long it takes by the costs so far, told where it changes.

    repeats: rounds. say: takes a line. now: the clock, in seconds.
    """

    def __init__(
        self,
        parts: Sequence[str],
        repeats: int,
        costs: Costs,
        say: Callable[[str], None],
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.costs = costs
        self._say, self._now = say, now
        self._told: tuple[float, float] | None = None
        """(when, seconds to come)"""
        self._left: Counter[str] = Counter()
        if "stages" in parts:
            self._left |= Counter(stages=repeats, whole=repeats + 1)  # one that does not count
        if "settings" in parts:
            self._left |= Counter(strides=1, presets=1)
        if "start-up" in parts:
            self._left["start"] = min(STARTS, repeats)

    def seconds(self) -> float:
        """Estimate of all that is left."""
        costs = self.costs
        encode = costs.alone_s if costs.encode_s is None else costs.encode_s
        alone = costs.alone_s + encode
        each = {
            "stages": alone,
            "whole": alone if costs.whole_s is None else costs.whole_s,
            "strides": _STRIDE_SEARCHES * costs.search_s,
            "presets": _PRESET_PASSES * encode * min(1.0, PRESET_FRAMES / costs.frames),
            "start": costs.start_s,
        }
        return sum(each[name] * count for name, count in self._left.items())

    def done(self, what: str) -> None:
        """One "stages" (each alone, once), "whole", "strides", "presets" or "start" is over."""
        self._left[what] -= 1
        self.tell()

    def tell(self) -> None:
        """Say how long the rest takes, unless that is known already."""
        left, now = self.seconds(), self._now()
        if self._told is None:
            news = left > 0
        else:
            known = max(0.0, self._told[1] - (now - self._told[0]))
            news = left >= _SOON_S and abs(left - known) > _NEWS * max(left, known)
        if news:
            self._told = now, left
            self._say(f"{in_words(left)} to go")


def in_words(seconds: float) -> str:
    """A duration as one says it: "about 40 s", "about 3 min"."""
    if seconds < _SOON_S:
        return "a few seconds"
    if seconds < 90:
        return f"about {round(seconds, -1):.0f} s"
    return f"about {seconds / 60:.0f} min"
