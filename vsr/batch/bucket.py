"""Data and outputs in a bucket: ``s3://BUCKET/PREFIX``, by fsspec and s3fs.

Keys, region and end point are found as by every AWS tool: environment (AWS_PROFILE,
AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL …), ``~/.aws``, or the machine's role. Outputs are made in a
local scratch folder; an object appears whole or not at all, and a sequence counts only when its
marker, uploaded last, is there.
"""

from __future__ import annotations

import contextlib
import importlib.util
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from vsr.batch.storage import Entry
from vsr.core.errors import InputError, MissingDependencyError, OutputError, UsageError, VsrError

_CONFIG = {"retries": {"max_attempts": 8, "mode": "adaptive"}}


class BucketStorage:
    """A prefix of a bucket. See `vsr.batch.storage.Storage`.

    Raises MissingDependencyError, UsageError where the URL names no bucket.
    """

    def __init__(self, url: str) -> None:
        if any(importlib.util.find_spec(name) is None for name in ("fsspec", "s3fs")):
            raise MissingDependencyError(
                f"{url}: s3fs is not installed; pip install 'face-vsr[s3]'"
            )
        place = url.removeprefix("s3://").rstrip("/")
        self.url = f"s3://{place}"
        bucket, _, prefix = place.partition("/")
        if not bucket or {"", ".", ".."} & set(prefix.split("/") if prefix else ()):
            raise UsageError(f"{url}: is no place in a bucket, expected s3://BUCKET/PREFIX")
        self._root = place

    @property
    def _fs(self) -> Any:
        import s3fs

        # instances are shared by equal arguments; listings are not, others write too
        return s3fs.S3FileSystem(use_listings_cache=False, config_kwargs=_CONFIG)

    def entries(self) -> Iterator[Entry]:
        """See `Storage`. Raises InputError where the bucket cannot be listed."""
        with _told(InputError, self.url, "listed"):
            found = self._fs.find(self._root, detail=True)
        if not found:
            raise InputError(f"{self.url}: holds nothing; check the bucket and the prefix")
        for key in sorted(found):
            path = key.removeprefix(f"{self._root}/")
            if path == key or path.endswith("/") or any(
                part.startswith(".") for part in path.split("/")
            ):  # fmt: skip
                continue
            facts = found[key]
            yield Entry(path, facts["size"], str(facts.get("ETag", "")).strip('"'))

    def fetch(self, path: str, into: Path) -> Path:
        """See `Storage`."""
        local = into / "fetched" / uuid.uuid4().hex[:8] / PurePosixPath(path).name
        local.parent.mkdir(parents=True)
        with _told(InputError, self.where(path), "read"):
            self._fs.get_file(self._key(path), str(local))
        return local

    def fetch_folder(self, path: str, names: tuple[str, ...], into: Path) -> Path:
        """See `Storage`."""
        into.mkdir(parents=True, exist_ok=True)
        keys = [self._key(str(PurePosixPath(path, name))) for name in names]
        with _told(InputError, self.where(path), "read"):
            self._fs.get(keys, [str(into / name) for name in names])
        return into

    @contextlib.contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """See `Storage`; in the machine's temporary folder (TMPDIR)."""
        with tempfile.TemporaryDirectory(prefix="vsr-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def place(self, made: Path, path: str) -> None:
        """See `Storage`. An object is whole when it appears; a folder comes file by file."""
        with _told(OutputError, self.where(path), "uploaded"):
            if not made.is_dir():
                self._fs.put_file(str(made), self._key(path))
                return
            self.remove(path)
            files = sorted(p for p in made.rglob("*") if p.is_file())
            keys = [self._key(f"{path}/{p.relative_to(made).as_posix()}") for p in files]
            self._fs.put([str(p) for p in files], keys)

    def remove(self, path: str) -> None:
        """See `Storage`."""
        with _told(OutputError, self.where(path), "removed"):
            keys = self._fs.find(self._key(path))
            if keys:
                self._fs.rm(keys)

    def read_bytes(self, path: str) -> bytes:
        """See `Storage`."""
        with _told(InputError, self.where(path), "read"):
            return self._fs.cat_file(self._key(path))

    def read_text(self, path: str) -> str | None:
        """See `Storage`."""
        with _told(OutputError, self.where(path), "read"):
            try:
                return self._fs.cat_file(self._key(path)).decode("utf-8", errors="replace")
            except FileNotFoundError:
                return None

    def write_text(self, path: str, text: str) -> None:
        """See `Storage`."""
        with _told(OutputError, self.where(path), "written"):
            self._fs.pipe_file(self._key(path), text.encode())

    def append_line(self, path: str, line: str) -> None:
        """See `Storage`."""
        self.write_text(f"{path}/{time.time_ns()}-{uuid.uuid4().hex[:8]}", line + "\n")

    def size(self, path: str) -> int | None:
        """See `Storage`."""
        with _told(OutputError, self.where(path), "read"):
            try:
                facts = self._fs.info(self._key(path))
            except FileNotFoundError:
                return None
        return facts["size"] if facts["type"] == "file" else None

    def count(self, path: str) -> int:
        """See `Storage`."""
        folder = self._key(path.rstrip("/"))
        with _told(OutputError, self.where(path), "listed"):
            return sum(key.startswith(f"{folder}/") for key in self._fs.find(folder))

    @contextlib.contextmanager
    def lock(self) -> Iterator[tuple[int, ...]]:
        """See `Storage`. A bucket has none: two runs on it do work twice, into the same objects."""
        yield ()

    def sweep(self) -> None:
        """See `Storage`; scratch folders lie on the workers and end with their jobs."""

    def where(self, path: str) -> str:
        """See `Storage`."""
        return f"{self.url}/{path}"

    def _key(self, path: str) -> str:
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts:
            raise UsageError(f"{path}: leads out of {self.url}")
        return f"{self._root}/{parts}"


@contextlib.contextmanager
def _told(kind: type[VsrError], what: str, done: str) -> Iterator[None]:
    """A fault of the bucket, of the network or of the keys, in one line."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (OSError, BotoCoreError, ClientError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise kind(f"{what}: cannot be {done} ({reason})") from None
