"""Checkpoints: every variable of the run in one .npz, complete or absent, nothing pickled."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from vsr.core.errors import DataError, OutputError

ops: Any = keras.ops  # its stubs know tensors of no backend

_META = "meta.json"


def save_checkpoint(path: Path, state: Mapping[str, Any], meta: Mapping[str, Any]) -> bool:
    """Writes all variables and some JSON values; the file is replaced at once, after fsync.

    Args:
        path: ends in .npz.
        state: keras variables by name.
        meta: JSON values, such as the number of steps done.

    Returns:
        False, and nothing is written, where a weight is not finite.

    Raises:
        OutputError: the disk is full or not writable; an older checkpoint is left as it is.
    """
    arrays = {name: ops.convert_to_numpy(v.value) for name, v in state.items()}
    floats = (a for a in arrays.values() if np.issubdtype(a.dtype, np.floating))
    if not all(np.isfinite(a).all() for a in floats):
        return False
    arrays[_META] = np.frombuffer(json.dumps(dict(meta)).encode(), np.uint8)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            np.savez(file, **arrays)  # numbers alone; before NumPy 2.2 any option is an array
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path}: checkpoint cannot be written ({error.strerror or error}); "
            "make room or choose another folder, then run the same command again: it resumes"
        ) from None
    finally:
        part.unlink(missing_ok=True)
    return True


def load_checkpoint(path: Path, state: Mapping[str, Any]) -> dict[str, Any]:
    """Puts a checkpoint's arrays into the variables and returns its JSON values.

    Raises:
        DataError: unreadable, or made with other networks than the recipe's.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(arrays.pop(_META).tobytes())
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}: not a readable checkpoint ({error}); delete it to start over"
        ) from None
    shapes = {name: tuple(v.shape) for name, v in state.items()}
    found = {name: a.shape for name, a in arrays.items()}
    if shapes != found:
        odd = sorted(k for k in shapes.keys() | found.keys() if shapes.get(k) != found.get(k))
        raise DataError(
            f"{path}: does not fit the recipe, e.g. '{odd[0]}' is {found.get(odd[0])}, expected "
            f"{shapes.get(odd[0])}; use the run's own recipe or another run folder"
        )
    for name, variable in state.items():
        variable.assign(arrays[name])
    return meta
