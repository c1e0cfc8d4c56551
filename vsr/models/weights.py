"""Weights on disk: Keras' ``.weights.h5`` layout, arrays in float16, hash checked before reading.

HDF5 holds plain arrays here; nothing is unpickled and no code is restored from a file.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vsr.core.errors import ModelError
from vsr.core.hashing import file_sha256

if TYPE_CHECKING:
    import h5py
    import keras


def check_sha256(path: Path, wanted: str) -> None:
    """Compares a weights file with the hash in its spec, without opening it as HDF5.

    Raises:
        ModelError: the file is missing, unreadable, or another one.
    """
    try:
        got = file_sha256(path)
    except OSError as error:
        raise ModelError(
            f"{path}: weights cannot be read ({error.strerror or error}); "
            "put the file beside its spec, or reinstall"
        ) from None
    if got != wanted:
        raise ModelError(
            f"{path}: weights have SHA-256 {got[:12]}…, the spec wants {wanted[:12]}…; "
            "the file is damaged or belongs to another spec: reinstall it, or add the model again"
        )


def save_weights(model: keras.Model, path: Path) -> None:
    """Writes the model's weights with float16 arrays; complete or absent.

    Args:
        model: any Keras model.
        path: must end in ``.weights.h5`` (Keras insists).

    Raises:
        ModelError: a weight is not finite, or too large for float16.
    """
    import h5py

    for variable in model.weights:
        values = np.asarray(variable, np.float32)
        if not (np.abs(values) <= np.finfo(np.float16).max).all():
            raise ModelError(
                f"{path.name}: weight {variable.path} is not finite in float16 "
                f"(largest {np.abs(values).max():.3g}); export an earlier checkpoint"
            )
    full = path.with_name(f".{path.name}.full.weights.h5")
    part = path.with_name(f".{path.name}.part")
    try:
        model.save_weights(full)
        with h5py.File(full, "r") as source, h5py.File(part, "w") as target:
            _copy_as_float16(source, target)
        part.replace(path)
    finally:
        full.unlink(missing_ok=True)
        part.unlink(missing_ok=True)


def check_plain(path: Path) -> None:
    """Looks into a weights file without reading its arrays, and without a backend.

    Raises:
        ModelError: no HDF5, or one that holds anything but arrays of floating point numbers.
    """
    _read(path, None)


def load_weights(model: keras.Model, path: Path) -> None:
    """Puts the arrays of a ``.weights.h5`` into the model, cast to its variables' type.

    Raises:
        ModelError: no HDF5, or number, names or shapes differ from the model's.
    """
    remedy = "the weights were trained for another 'generator' table: correct the spec"
    built = sorted(tuple(v.shape) for v in model.weights)
    stored, arrays = _read(path, built)
    if stored != built:
        extra = [s for s in stored if s not in built] or [s for s in built if s not in stored]
        what = f", e.g. shape {extra[0]} on one side only" if extra else ""
        raise ModelError(
            f"{path}: holds {len(stored)} arrays, the generator wants {len(built)}{what}; {remedy}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Keras only warns of is checked below
            model.load_weights(path)
    except (OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ModelError(
            f"{path}: does not fit the generator ({_first_line(error)}); {remedy}"
        ) from None
    if _digests(np.asarray(v) for v in model.weights) != _digests(arrays):
        raise ModelError(f"{path}: does not fit the generator (Keras passed layers over); {remedy}")


_Shapes = list[tuple[int, ...]]


def _read(path: Path, wanted: _Shapes | None) -> tuple[_Shapes, list[np.ndarray]]:
    """The shapes of a file's arrays, sorted; and the arrays themselves if those are ``wanted``."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            datasets = list(_datasets(file, set()))
            stored = sorted(d.shape for d in datasets)
            # read only what has the right size: a file of a few bytes can promise petabytes
            arrays = [np.asarray(d[()], np.float32) for d in datasets if stored == wanted]
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(
            f"{path}: not a readable HDF5 file of weights ({_first_line(error)}); "
            "give a .weights.h5"
        ) from None
    return stored, arrays


def _datasets(group: h5py.Group, seen: set[int]) -> Iterator[h5py.Dataset]:
    """Every array below a group, none of them read yet.

    Raises ValueError for what weights never hold: links, arrays whose bytes lie in other
    files, anything but floating point numbers.
    """
    import h5py

    where = h5py.h5o.get_info(group.id).addr  # type: ignore[attr-defined]
    if where in seen:
        raise ValueError(f"the group {group.name} stands in it twice")
    seen.add(where)
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{name} is a link to elsewhere")
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _datasets(item, seen)
        elif not isinstance(item, h5py.Dataset) or item.dtype.kind != "f" or item.shape is None:
            raise ValueError(f"{name} holds no floating point numbers")
        elif item.external or item.is_virtual:
            raise ValueError(f"the numbers of {name} lie in another file")
        else:
            yield item


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _digests(arrays: Iterable[np.ndarray]) -> list[bytes]:
    return sorted(hashlib.sha256(a.astype(np.float32).tobytes()).digest() for a in arrays)


def _copy_as_float16(source: h5py.Group, target: h5py.Group) -> None:
    import h5py

    for key, value in source.attrs.items():
        target.attrs[key] = value
    for name, item in source.items():
        if isinstance(item, h5py.Dataset):
            target.create_dataset(name, data=np.asarray(item[()], np.float16))
        else:
            _copy_as_float16(item, target.create_group(name))
