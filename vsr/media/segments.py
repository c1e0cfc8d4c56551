"""A video in parts: each encoded on its own, then joined without touching a packet.

A part is a NUT file: that container keeps any rational time base and every pts, and stores
no decoding times, which follow from the pts and the encoder's delay. So the parts' packets,
one behind another under the first part's headers, are one well-formed stream: no offset is
computed, nothing is rounded, and B-frames cross no border because each part has had an
encoder of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vsr.core.errors import DataError, FfmpegError, OutputError
from vsr.core.hashing import file_sha256
from vsr.core.types import YuvPicture
from vsr.media.nut import SYNCPOINT, NutMuxer
from vsr.media.process import FfmpegProcess, describe_exit, was_killed

_CHUNK = 1 << 20
_DIGEST = hashlib.sha256().digest_size
_HEADERS = 1 << 16
"""bytes within which a part's first picture begins"""


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is finished and lies on the disk."""

    name: str
    """file name within the folder of parts"""
    size: int
    """bytes"""
    sha256: str
    """of those bytes"""
    pts: array[int]
    """of its pictures, in order, in the source's time base; int64, since films are long"""
    digests: bytes
    """SHA-256 of each picture as it went into the encoder, see `EncodeResult.pictures_sha256`;
    32 bytes each, one behind another"""

    @property
    def frames(self) -> int:
        """Number of pictures."""
        return len(self.pts)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        values = {"name": self.name, "size": self.size, "sha256": self.sha256}
        return {**values, "pts": list(self.pts), "digests": self.digests.hex()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Part:
        """The reverse of `to_dict`. Raises ValueError, TypeError or KeyError on anything else."""
        name, digests = str(values["name"]), bytes.fromhex(values["digests"])
        try:
            pts = array("q", values["pts"])
        except OverflowError:
            raise ValueError("a pts beyond 64 bits") from None
        if Path(name).name != name:
            raise ValueError("a name with a folder")
        if len(digests) != _DIGEST * len(pts):
            raise ValueError("counts differ")
        return cls(name, int(values["size"]), str(values["sha256"]), pts, digests)


class PartEncoder:
    """The encoder of one part; `finish` lets it run on alone, `complete` waits for its end.

    path: final name; until the part is whole it lies beside it with ``.partial`` behind.
    arguments: of the encoding ffmpeg, given the name to write to. shift: ticks taken off every
    pts. out: the video that the part is for, which messages name.
    Raises OutputError, FfmpegError.
    """

    def __init__(
        self,
        path: Path,
        arguments: Callable[[Path], list[str]],
        nut: NutMuxer,
        *,
        shift: int,
        out: Path,
    ) -> None:
        self.path = path
        self._out = out
        self._partial = path.with_name(f"{path.name}.partial")
        self._nut = nut
        self._shift = shift
        self._pts = array("q")
        self._digests = bytearray()
        self._process = FfmpegProcess(lambda _: arguments(self._partial), stdin=True)
        try:
            self._send(nut.header())
        except BaseException:
            self.abort()  # nobody else knows of the encoder yet
            raise

    @property
    def frames(self) -> int:
        """Pictures written so far."""
        return len(self._pts)

    def write(self, picture: YuvPicture, pts: int, digest: bytes) -> None:
        """Append a picture. Raises OutputError on a full disk, FfmpegError on a lost encoder."""
        data = picture.buffer.view(np.uint8).data
        self._send(self._nut.frame(pts - self._shift, len(data)), data)
        self._pts.append(pts)
        self._digests += digest

    def finish(self) -> None:
        """No picture comes any more; the encoder goes on with what it holds."""
        self._process.close_stdin()

    def ended(self) -> bool:
        """Whether the encoder is through; never waits."""
        return self._process.poll() is not None

    def complete(self) -> Part:
        """Wait for the encoder, check what it wrote, sync it and give it its name."""
        try:
            code = self._process.wait()
            if code != 0:
                raise self._failure(code)
            self._check_count()
            with self._partial.open("rb+") as file:
                os.fsync(file.fileno())
                size = os.fstat(file.fileno()).st_size
            sha256 = file_sha256(self._partial)
            self._partial.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise OutputError(
                f"{self._out}: cannot be written ({error.strerror or error}); free some room"
            ) from None
        finally:
            self.abort()
        return Part(self.path.name, size, sha256, self._pts, bytes(self._digests))

    def abort(self) -> None:
        """Stop the encoder and remove an unfinished part."""
        self._process.close()
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)

    def _send(self, *data: bytes | memoryview) -> None:
        try:
            self._process.write(*data)
        except BrokenPipeError:
            raise self._failure(self._process.wait()) from None

    def _failure(self, code: int) -> Exception:
        return failure(self._out, code, self._process)

    def _check_count(self) -> None:
        """Frames out == frames in, by the encoder's own count."""
        counts = [m for x in self._process.tail if (m := re.match(r"frame=\s*(\d+)", x))]
        if counts and int(counts[-1].group(1)) != self.frames:
            raise FfmpegError(
                f"{self._out}: the encoder wrote {counts[-1].group(1)} of {self.frames} pictures; "
                "please report this with the file's details"
            )


def joined(folder: Path, parts: Sequence[Part]) -> Iterator[bytes]:
    """The parts as one NUT stream. Raises DataError where one is not as it was written."""
    for number, part in enumerate(parts):
        path = folder / part.name
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                head = file.read(_HEADERS)
                start = head.find(SYNCPOINT)
                if size != part.size or start < 0:
                    raise DataError(
                        f"{path}: is damaged ({size} bytes, expected {part.size}); use --restart"
                    )
                found = hashlib.sha256(head)
                yield head if number == 0 else head[start:]
                while data := file.read(_CHUNK):
                    found.update(data)
                    yield data
            if found.hexdigest() != part.sha256:
                raise DataError(f"{path}: is damaged (its SHA-256 is another); use --restart")
        except OSError as error:
            raise DataError(
                f"{path}: cannot be read ({error.strerror or error}); use --restart"
            ) from None


def sync_folder(folder: Path) -> None:
    """Make new names in a folder last through a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def failure(out: Path, code: int, process: FfmpegProcess) -> Exception:
    """The error that an exit code and ffmpeg's last words stand for."""
    text = " ".join(process.tail)
    if code == -signal.SIGXFSZ:
        text = "File too large"
    for words, remedy in _CAUSES.items():
        if words in text:
            return OutputError(f"{out}: cannot be written ({words}); {remedy}")
    if was_killed(code):
        return FfmpegError(
            f"{out}: the encoder was killed ({describe_exit(code)}); run it again, "
            "and look for lack of memory if it happens twice"
        )
    return FfmpegError(f"{out}: the encoder failed ({describe_exit(code)}): {process.last_words()}")


_CAUSES = {
    "No space left on device": "free some room or choose another disk",
    "Disk quota exceeded": "free some room or choose another disk",
    "Permission denied": "choose a folder you may write to",
    "Read-only file system": "choose a folder you may write to",
    "File too large": "choose a file system that takes larger files",
}
