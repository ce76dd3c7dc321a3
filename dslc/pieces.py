"""Arrays as pieces of bytes: what is hashed, checked or written a piece at a time never stands in memory as a whole.

An array may be a view of a mapped file. Pages of it that were read count as memory of the process until they are released.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterable, Iterator
from math import prod
from typing import TYPE_CHECKING, Any

from dslc.diagnostics import DataError
from dslc.files import reason
from dslc.usage import CannotWriteFile

if TYPE_CHECKING:
    import numpy as np

PIECE = 2**22  # bytes
RELEASE = getattr(mmap, "MADV_DONTNEED", None)


def pieces(array: np.ndarray) -> Iterator[np.ndarray]:
    """The numbers in order, little-endian, in flat arrays of at most `PIECE` bytes; mapped pages are released after each."""
    for piece in views(array):
        yield piece.astype(piece.dtype.newbyteorder("<"), copy=False)
        release(piece)


def views(array: np.ndarray) -> Iterator[np.ndarray]:
    """Flat arrays of at most `PIECE` bytes: views where the array is contiguous, else copies of a piece each."""
    import numpy as np

    step = max(1, PIECE // array.itemsize)
    if not array.flags.c_contiguous:
        for piece in np.nditer(array, ["external_loop", "buffered", "zerosize_ok"], order="C", buffersize=step):
            yield np.asarray(piece).reshape(-1)
        return
    flat = array.reshape(-1)
    yield from (flat[at : at + step] for at in range(0, flat.size, step))


def raw(piece: np.ndarray) -> memoryview:
    """The bytes of a flat array."""
    import numpy as np

    return np.ascontiguousarray(piece).view(np.uint8).data


def is_finite(array: np.ndarray) -> bool:
    import numpy as np

    return array.dtype.kind != "f" or all(bool(np.isfinite(piece).all()) for piece in pieces(array))


def same_bytes(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays of one type hold the same bits."""
    return one.nbytes == other.nbytes and all(equal(raw(a), raw(b)) for a, b in zip(pieces(one), pieces(other), strict=True))


def equal(one: memoryview, other: memoryview) -> bool:
    """The same bytes, of which eight are compared at once."""
    import numpy as np

    a, b, whole = np.asarray(one), np.asarray(other), len(one) // 8 * 8
    return np.array_equal(a[:whole].view(np.uint64), b[:whole].view(np.uint64)) and np.array_equal(a[whole:], b[whole:])


# ---- mapped files -----------------------------------------------------------------------------------------------------------------


def mapped(file: mmap.mmap, dtype: np.dtype[Any], shape: tuple[int, ...], offset: int) -> np.ndarray:
    """An array that shows the file from `offset` on."""
    import numpy as np

    return np.frombuffer(file, dtype, prod(shape), offset).reshape(shape)


def gathered(parts: Iterable[np.ndarray], dtype: str, shape: tuple[int, ...], like: np.ndarray) -> np.ndarray:
    """An array of flat parts in order: in memory, or, where `like` is a view of a mapped file, in a temporary file that is mapped.

    Raises DataError where that file cannot be written.
    """
    import numpy as np

    if mapped_file(like) is None or not prod(shape):
        found, at = np.empty(prod(shape), dtype), 0
        for part in parts:
            found[at : at + part.size] = part
            at += part.size
        return found.reshape(shape)
    try:
        with tempfile.TemporaryFile() as file:
            for part in parts:
                file.write(raw(part))
            file.flush()
            return mapped(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.dtype(dtype), shape, 0)
    except OSError as error:
        raise DataError(CannotWriteFile(path=f"a file in {tempfile.gettempdir()}", reason=reason(error))) from error


def release(array: np.ndarray) -> None:
    """Give pages of a file that is mapped for reading back to the system; they are read again when they are needed."""
    import numpy as np

    file = mapped_file(array)
    if file is None or RELEASE is None:
        return
    first = array.__array_interface__["data"][0] - np.frombuffer(file, np.uint8).__array_interface__["data"][0]
    start = first // mmap.PAGESIZE * mmap.PAGESIZE
    file.madvise(RELEASE, start, min(first + array.nbytes, len(file)) - start)


def mapped_file(array: np.ndarray) -> mmap.mmap | None:
    """The file whose mapped pages the array shows; None where it has memory of its own, or where the pages can be written."""
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = base.obj if isinstance(base, memoryview) else getattr(base, "base", None)
    return base if base is not None and not array.flags.writeable and memoryview(base).readonly else None


def spans(file: mmap.mmap) -> Iterator[memoryview]:
    """A mapped file in pieces from its start; pages that were read are released."""
    with memoryview(file) as whole:
        for at in range(0, len(file), PIECE):
            with whole[at : at + PIECE] as piece:
                yield piece
            if RELEASE is not None:
                file.madvise(RELEASE, at, min(PIECE, len(file) - at))
