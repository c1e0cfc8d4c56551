"""Hypothesis strategies for mutated HDF5 weights: what only the format's own writer can make."""

from __future__ import annotations

import io
from collections.abc import Callable

import h5py
import numpy as np
from hypothesis import strategies as st

from tests.fuzz.textedits import raw

Edit = Callable[[h5py.File, str], None]


def _other_shape(file: h5py.File, name: str) -> None:
    shape = file[name].shape
    del file[name]
    file.create_dataset(name, data=np.zeros((*shape, 1), np.float16))


def _huge(file: h5py.File, name: str) -> None:
    """Petabytes that take no room in the file."""
    del file[name]
    file.create_dataset(name, shape=(2**20, 2**20, 2**10), dtype="f8", chunks=(1, 1, 2**10))


def _bomb(file: h5py.File, name: str) -> None:
    """Zeros that pack to a thousandth of their size."""
    del file[name]
    file.create_dataset(
        name, data=np.zeros((64 << 20,), np.uint8), compression="gzip", chunks=(16 << 20,)
    )


def _many(file: h5py.File, name: str) -> None:
    for n in range(2000):
        file.create_dataset(f"more/{n}", data=np.float16(0))


def _other_type(dtype: object) -> Edit:
    def edit(file: h5py.File, name: str) -> None:
        shape = file[name].shape
        del file[name]
        file.create_dataset(name, shape=shape, dtype=dtype)

    return edit


def _not_finite(file: h5py.File, name: str) -> None:
    file[name][...] = np.nan


def _foreign_link(file: h5py.File, name: str) -> None:
    del file[name]
    file[name] = h5py.ExternalLink("/etc/hostname", "/x")


def _loop(file: h5py.File, name: str) -> None:
    del file[name]
    file[name] = h5py.SoftLink(f"/{name}")


def _circle(file: h5py.File, name: str) -> None:
    file["circle/again"] = file["/"]


def _foreign_bytes(file: h5py.File, name: str) -> None:
    """An array whose values are the bytes of another file."""
    shape = file[name].shape
    size = int(np.prod(shape)) * 4
    del file[name]
    file.create_dataset(name, shape=shape, dtype="u4", external=[("/etc/passwd", 0, size)])


def _virtual(file: h5py.File, name: str) -> None:
    shape = file[name].shape
    del file[name]
    layout = h5py.VirtualLayout(shape=shape, dtype="f2")
    layout[...] = h5py.VirtualSource("/etc/hostname", "x", shape=shape)
    file.create_virtual_dataset(name, layout)


def _lost(file: h5py.File, name: str) -> None:
    del file[name]


def _renamed(file: h5py.File, name: str) -> None:
    file.move(name, f"{name}_")


def _attributes(file: h5py.File, name: str) -> None:
    for key in list(file.attrs):
        file.attrs[key] = "x" * 1000
    file[name].attrs["class"] = "os.system"


EDITS: tuple[Edit, ...] = (
    _other_shape, _huge, _bomb, _many, _not_finite, _foreign_link, _loop, _circle, _foreign_bytes,
    _virtual, _lost, _renamed, _attributes,
    *map(_other_type, (
        "f8", "i1", "c16", h5py.string_dtype(), h5py.ref_dtype, h5py.vlen_dtype("f4"),
        [("a", "f4"), ("b", "i2")], "V7", "S5", "bool",
    )),
)  # fmt: skip


@st.composite
def h5_files(draw: st.DrawFn, data: bytes) -> bytes:
    """A mutated HDF5 file."""
    if draw(st.booleans()):
        return draw(raw(data))
    memory = io.BytesIO(data)
    with h5py.File(memory, "r+") as file:
        names: list[str] = []
        file.visititems(lambda n, o: names.append(n) if isinstance(o, h5py.Dataset) else None)
        draw(st.sampled_from(EDITS))(file, draw(st.sampled_from(sorted(names))))
    return memory.getvalue()
