"""HDR10's description of the mastering display and of the light, into the encoders that know it.

The transfer function and the primaries are colour tags as any other; these numbers travel in
messages of their own, which each encoder takes in its own words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from vsr.core.color import ColorSpec

_MASTERING = re.compile(
    r"side data - Mastering display metadata: has_primaries:1 has_luminance:1 "
    r"r\(([\d.]{1,12}), ?([\d.]{1,12})\) g\(([\d.]{1,12}),? ?([\d.]{1,12})\) "
    r"b\(([\d.]{1,12}),? ?([\d.]{1,12})\) wp\(([\d.]{1,12}), ?([\d.]{1,12})\) "
    r"min_luminance=([\d.]{1,20}), max_luminance=([\d.]{1,20})"
)
_LIGHT = re.compile(
    r"side data - Content light level metadata: MaxCLL=(\d{1,9}), MaxFALL=(\d{1,9})"
)


def parse_hdr10(lines: Sequence[str]) -> tuple[str | None, str | None]:
    """(mastering, light) as `ColorSpec` has them, out of what ``showinfo`` says of a picture."""
    mastering = light = None
    for line in lines:
        if match := _MASTERING.search(line):
            mastering = " ".join(match.groups())
        elif match := _LIGHT.search(line):
            light = " ".join(match.groups())
    return mastering, light


def hdr10_options(options: Mapping[str, object], color: ColorSpec) -> dict[str, str | int]:
    """What makes an encoder (``c:v:0`` of its options) write HDR10's numbers; empty: it can't."""
    encoder = str(options.get("c:v:0"))
    display, light = _numbers(color.mastering, 10), _numbers(color.light, 2)
    words: list[str] = []
    if encoder in ("libx264", "libx265"):
        key = f"{encoder[3:]}-params"
        x265 = encoder == "libx265"
        if display:
            name = "master-display" if x265 else "mastering-display"
            words.append(f"{name}={_in_units(display)}")
        if light:
            words.append(f"{'max-cll' if x265 else 'cll'}={light[0]:.0f},{light[1]:.0f}")
    elif encoder == "libsvtav1":
        key = "svtav1-params"
        if display:
            words.append(f"mastering-display={_plain(display)}")
        if light:
            words.append(f"content-light={light[0]:.0f},{light[1]:.0f}")
    else:
        return {}
    before = [str(options[key])] if key in options else []
    return {key: ":".join([*before, *words])} if words else {}


def _numbers(text: str | None, count: int) -> list[float] | None:
    """The numbers of a field; None where they are not what they should be."""
    words = (text or "").split()
    if len(words) != count or not all(re.fullmatch(r"\d{1,12}(\.\d{1,12})?", w) for w in words):
        return None
    return [float(w) for w in words]


def _in_units(n: Sequence[float]) -> str:
    """In steps of 0.00002 and 0.0001 cd/m², as the messages have them."""
    r, g, b, w = ([round(v * 50000) for v in n[i : i + 2]] for i in (0, 2, 4, 6))
    low, high = round(n[8] * 10000), round(n[9] * 10000)
    return f"G({g[0]},{g[1]})B({b[0]},{b[1]})R({r[0]},{r[1]})WP({w[0]},{w[1]})L({high},{low})"


def _plain(n: Sequence[float]) -> str:
    return (
        f"G({n[2]:g},{n[3]:g})B({n[4]:g},{n[5]:g})R({n[0]:g},{n[1]:g})WP({n[6]:g},{n[7]:g})"
        f"L({n[9]:g},{n[8]:g})"
    )
