"""What a benchmark has still to do, and about how long that takes: told before it is begun."""

from __future__ import annotations

from collections.abc import Sequence

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


def seconds_to_come(
    parts: Sequence[str], repeats: int, *, prepared_s: float, loaded_s: float
) -> float:
    """Estimate for all parts but the generator.

    prepared_s: wall time of one pass of all stages but encoding, one after another. A round does
    that again, and then the whole, which overlaps the stages but encodes, too; before the first
    round the whole runs once more. Strides search the clip six times and presets encode it six
    times: about another pass each.
    loaded_s: wall time of importing the backend and loading detector and model.
    """
    total = 0.0
    if "stages" in parts:
        total += prepared_s * (1 + 2 * repeats)
    if "settings" in parts:
        total += 2 * prepared_s
    if "start-up" in parts:
        total += min(STARTS, repeats) * (1 + loaded_s)
    return total


def in_words(seconds: float) -> str:
    """A duration as one says it: "about 40 s", "about 3 min"."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 90:
        return f"about {round(seconds, -1):.0f} s"
    return f"about {seconds / 60:.0f} min"
