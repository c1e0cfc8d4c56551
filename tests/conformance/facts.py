"""What PyAV, which vsr itself never uses, reads from a video file."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


@dataclass
class Sound:
    """One sound stream."""

    codec: str
    language: str | None
    packets: list[tuple[Fraction, str]]
    """time in seconds and SHA-256 of each packet"""


@dataclass
class Facts:
    """All that a row is judged by."""

    times: list[Fraction] = field(default_factory=list)
    """of the pictures, seconds"""
    lumas: list[np.ndarray] = field(default_factory=list)
    """float32, upright, in 8-bit code values as stored"""
    sizes: list[tuple[int, int]] = field(default_factory=list)
    """of every picture, upright"""
    pix_fmt: str = ""
    depth: int = 8
    chroma: str = "4:2:0"
    alpha: bool = False
    rgb: bool = False
    range: int = 0
    space: int = 0
    primaries: int = 0
    transfer: int = 0
    mastering: bytes = b""
    light: bytes = b""
    aspect: Fraction = Fraction(1)
    interlaced: bool = False
    rotation: int = 0
    sounds: list[Sound] = field(default_factory=list)
    subtitles: list[tuple[str, str | None]] = field(default_factory=list)
    """codec and language"""
    texts: list[list[str]] = field(default_factory=list)
    chapters: list[tuple[Fraction, str]] = field(default_factory=list)
    covers: list[str] = field(default_factory=list)
    """SHA-256 of each"""
    videos: int = 0
    timecode: str | None = None
    titles: dict[str, str] = field(default_factory=dict)
    packet_times: set[Fraction] = field(default_factory=set)
    """of the pictures' packets, whether they can be decoded or not"""
    errors: int = 0
    """packets that could not be decoded"""


def read(path: Path) -> Facts:
    """Read a file with PyAV; av.FFmpegError where it can't."""
    facts = Facts()
    with av.open(str(path)) as container:
        facts.titles = {k.lower(): v for k, v in container.metadata.items()}
        with contextlib.suppress(AttributeError):
            for c in container.chapters():
                start = Fraction(c["start"]) * Fraction(c["time_base"])
                facts.chapters.append((start, c["metadata"].get("title", "")))
        videos = [s for s in container.streams.video if not _is_cover(s)]
        facts.videos = len(videos)
        main = videos[0] if videos else None
        for stream in container.streams:
            if stream.metadata.get("timecode"):
                facts.timecode = stream.metadata["timecode"]
        sounds = {s.index: Sound(s.codec_context.name, _language(s), [])
                  for s in container.streams.audio}  # fmt: skip
        texts: dict[int, list[str]] = {s.index: [] for s in container.streams.subtitles}
        facts.subtitles = [
            (s.codec_context.name, _language(s)) for s in container.streams.subtitles
        ]
        for packet in container.demux():
            index = packet.stream.index
            if main is not None and index == main.index:
                if packet.pts is not None:
                    facts.packet_times.add(packet.pts * packet.time_base)
                _decode(facts, packet)
            elif packet.size and index in sounds:
                time = Fraction(packet.pts or 0) * packet.time_base
                data = _bare(bytes(packet))
                sounds[index].packets.append((time, hashlib.sha256(data).hexdigest()))
            elif packet.size and index in texts:
                texts[index].append(_text(bytes(packet), packet.stream.codec_context.name))
            elif packet.size and _is_cover(packet.stream):
                facts.covers.append(hashlib.sha256(bytes(packet)).hexdigest())
        facts.sounds = list(sounds.values())
        facts.texts = list(texts.values())
        if main is not None:
            facts.aspect = Fraction(main.sample_aspect_ratio or 1) or Fraction(1)
            _pixels(facts, main)
    order = sorted(range(len(facts.times)), key=lambda i: facts.times[i])
    for name in ("times", "lumas", "sizes"):
        values = getattr(facts, name)
        setattr(facts, name, [values[i] for i in order])
    return facts


def _bare(data: bytes) -> bytes:
    """A sound packet without the ADTS head that AAC has in a transport stream alone."""
    if data[:1] == b"\xff" and data[1] & 0xF6 == 0xF0:
        return data[7 if data[1] & 1 else 9 :]
    return data


def _is_cover(stream: Any) -> bool:
    return stream.type == "video" and bool(stream.disposition & av.stream.Disposition.attached_pic)


def _language(stream: Any) -> str | None:
    return None if stream.language in (None, "und") else stream.language


def _text(data: bytes, codec: str) -> str:
    if codec == "mov_text":
        data = data[2 : 2 + int.from_bytes(data[:2], "big")]
    return data.decode("utf-8", "replace").strip()


def _decode(facts: Facts, packet: Any) -> None:
    try:
        frames = packet.decode()
    except av.FFmpegError:
        facts.errors += 1
        return
    for frame in frames:
        if frame.pts is None:
            time = facts.times[-1] if facts.times else Fraction(0)
        else:
            time = Fraction(frame.pts) * frame.time_base
        if "avi" in packet.stream.container.format.name:
            # AVI holds no times, only one picture after the other at a constant rate.
            time = Fraction(len(facts.times)) / packet.stream.average_rate
        luma = _upright(_luma(frame), frame)
        if not facts.times:
            facts.rotation = frame.rotation
            facts.interlaced = bool(frame.interlaced_frame)
            facts.range, facts.space = int(frame.color_range), int(frame.colorspace)
            facts.primaries = int(frame.color_primaries)
            facts.transfer = int(frame.color_trc)
        for side in frame.side_data:
            if side.type.name == "MASTERING_DISPLAY_METADATA":
                facts.mastering = _reduced(bytes(side))
            elif side.type.name == "CONTENT_LIGHT_LEVEL":
                facts.light = bytes(side)
        facts.times.append(time)
        facts.lumas.append(luma)
        facts.sizes.append((luma.shape[1], luma.shape[0]))


def _upright(luma: np.ndarray, frame: Any) -> np.ndarray:
    """Turned and mirrored as the display matrix says."""
    matrix = next((bytes(s) for s in frame.side_data if s.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return luma
    m = np.frombuffer(matrix[:36], np.int32).reshape(3, 3) >> 16
    if m[0, 0] == 0:
        # x' = c y, y' = b x
        return luma.T[:: m[0, 1] or 1, :: m[1, 0] or 1]
    return luma[:: m[1, 1] or 1, :: m[0, 0] or 1]


def _reduced(data: bytes) -> bytes:
    """Mastering display data with each fraction over one common denominator."""
    numbers = np.frombuffer(data[:80], np.int32).reshape(-1, 2)
    return repr([round(int(n) / int(d), 4) if d else None for n, d in numbers]).encode()


def _luma(frame: Any) -> np.ndarray:
    """Plane 0 of a picture (green of RGB) in 8-bit units; (H, W) float32."""
    deep = frame.format.components[0].bits
    plane = frame.planes[0]
    dtype = np.uint16 if deep > 8 else np.uint8
    rows = np.frombuffer(plane, dtype).reshape(frame.height, -1)[:, : frame.width]
    return rows.astype(np.float32) / 2 ** (deep - 8)


def _pixels(facts: Facts, stream: Any) -> None:
    format = stream.codec_context.format
    if format is None:
        return
    facts.pix_fmt = format.name
    facts.depth = format.components[0].bits
    facts.rgb = bool(format.is_rgb)
    facts.alpha = any(c.is_alpha for c in format.components)
    if len(format.components) < 3:
        facts.chroma = "grey"
    elif facts.rgb:
        facts.chroma = "4:4:4"
    else:
        wide, high = format.chroma_width(16), format.chroma_height(16)
        facts.chroma = {(16, 16): "4:4:4", (8, 16): "4:2:2", (8, 8): "4:2:0"}.get(
            (wide, high), f"{wide}x{high} of 16"
        )
