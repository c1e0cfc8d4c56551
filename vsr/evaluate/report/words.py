"""Numbers as the page shows them."""

from __future__ import annotations

import math


def clock(seconds: float) -> str:
    """A time as minutes and seconds to a hundredth: "1:02.50"."""
    sign = "−" if seconds < 0 else ""
    hundredths = round(abs(seconds) * 100)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 100:02d}.{rest % 100:02d}"
    return f"{sign}{hours}:{minutes:02d}:{tail}" if hours else f"{sign}{minutes}:{tail}"


def number(value: float, digits: int = 3) -> str:
    """A figure with so many significant digits, without an exponent."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "–"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 6)}f}".replace("-", "−")


def width(pixels: float) -> str:
    """A width in pixels: tenths below 100."""
    return f"{pixels:.1f}".removesuffix(".0") if pixels < 100 else f"{pixels:.0f}"


def size(count: int) -> str:
    """Bytes in words."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.0f} kB"


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Evenly spaced round numbers from at most ``low`` to at least ``high``."""
    if not high > low:
        high = low + (abs(low) or 1.0)
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, last + 1)]
