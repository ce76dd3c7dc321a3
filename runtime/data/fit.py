"""Data against its schema: dtype, shape, finite numbers, labels within the classes; arrays leave here as the graphs take them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dslc.ir.types import DType, TensorType
from runtime.data.bounds import Bounds, check_bounds
from runtime.data.errors import BadValue, EmptyData, UnequalRows, WrongShape, WrongType, fail

KINDS = {"b": "truth values", "i": "integers", "u": "integers", "f": "floats"}


def fit(
    arrays: Mapping[str, np.ndarray], fields: Mapping[str, TensorType], whole: tuple[str, ...], bounds: Bounds, file: str
) -> dict[str, np.ndarray]:
    """The arrays of a source, each as its field's type says; `bounds`: which values a field may hold. Raises DataError."""
    sizes: dict[str, int] = {}
    fitted = {}
    for name, type_ in fields.items():
        array = arrays[name]
        _check_shape(name, array, type_, name in whole, sizes, file)
        fitted[name] = _cast(name, array, type_.dtype, file)
        check_bounds(name, fitted[name], bounds.get(name, ()), file)
    _check_rows({name: array for name, array in fitted.items() if name not in whole}, file)
    return fitted


def _check_shape(name: str, array: np.ndarray, type_: TensorType, is_whole: bool, sizes: dict[str, int], file: str) -> None:
    wanted = type_.shape if is_whole else type_.shape[1:]
    found = array.shape if is_whole else array.shape[1:]
    fits = array.ndim == type_.rank and all(size > 0 for size in found)
    for dim, size in zip(wanted, found, strict=False):
        if dim.is_constant:
            fits = fits and dim.constant == size
        else:  # a name: fields have no sizes that are computed
            fits = fits and sizes.setdefault(str(dim), size) == size
    if not fits:
        text = "[" + ", ".join(str(size) for size in found) + "]"
        raise fail(WrongShape(file=file, name=name, found=text, wanted="[" + ", ".join(str(dim) for dim in wanted) + "]"))


def _check_rows(arrays: Mapping[str, np.ndarray], file: str) -> None:
    first, *others = arrays
    if not len(arrays[first]):
        raise fail(EmptyData(file=file, what=f"`{first}` holds no samples"))
    for other in others:
        if len(arrays[other]) != len(arrays[first]):
            rows = len(arrays[first]), len(arrays[other])
            raise fail(UnequalRows(file=file, first=first, first_rows=rows[0], second=other, second_rows=rows[1]))


def _cast(name: str, array: np.ndarray, dtype: DType, file: str) -> np.ndarray:
    """The array in `dtype`, if every element keeps its value (floats may be rounded, not overflow)."""
    if array.dtype.kind == "f":
        _refuse(name, array, ~np.isfinite(array), "which is not finite", file)
    if dtype is DType.bool and array.dtype.kind == "f":
        raise fail(WrongType(file=file, name=name, found=KINDS["f"], wanted=str(dtype)))
    with np.errstate(all="ignore"):
        cast = array.astype(dtype.numpy, copy=False)
    if dtype.is_float:
        _refuse(name, array, ~np.isfinite(cast), f"which is beyond {dtype}", file)
    elif dtype.numpy != array.dtype:
        _refuse(name, array, cast.astype(array.dtype) != array, f"which is no {dtype}", file)
    return np.ascontiguousarray(cast).reshape(cast.shape)


def _refuse(name: str, array: np.ndarray, bad: np.ndarray, problem: str, file: str) -> None:
    if bad.any():
        first = int(np.argmax(bad))
        row = int(np.unravel_index(first, bad.shape)[0]) if bad.ndim else 0
        raise fail(BadValue(file=file, name=name, row=row, value=str(array.reshape(-1)[first]), problem=problem))
