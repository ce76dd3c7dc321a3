"""Data files reduced to their headers: one sample of zeros for each, so that a run can be opened where its data is not.

The fields of `npz` and `idx` sources come from the files' headers; registry sets and CSV files need nothing.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable

import numpy as np

from dslc.ir.types import DType, TensorType
from dslc.program import DataSource

IDX_CODES = {DType.u8: 0x08, DType.i32: 0x0C, DType.f32: 0x0D, DType.f64: 0x0E}


def schema_files(sources: Iterable[DataSource]) -> dict[str, bytes]:
    """File name (relative) -> contents with the header that the sources' fields came from."""
    found: dict[str, bytes] = {}
    for source in sources:
        if source.kind == "npz":
            found[str(source.args["path"])] = _npz(source)
        if source.kind == "idx":
            found |= {str(source.args[key]): _idx(source.fields[field]) for key, field in (("images", "image"), ("labels", "label"))}
    return found


def _zeros(type_: TensorType, whole: bool) -> np.ndarray:
    sizes = [size.constant for size in (type_.shape if whole else type_.shape[1:])]
    return np.zeros(sizes if whole else [1, *sizes], type_.dtype.numpy)


def _npz(source: DataSource) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **{name: _zeros(type_, name in source.whole) for name, type_ in source.fields.items()})  # type: ignore[arg-type]
    return stream.getvalue()


def _idx(type_: TensorType) -> bytes:
    array = _zeros(type_, False)
    return bytes([0, 0, IDX_CODES[type_.dtype], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
