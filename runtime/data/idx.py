"""The IDX format of MNIST: two zero bytes, a type, the rank, big-endian u32 sizes, then the numbers in C order."""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path

import numpy as np

from dslc.below import Below
from runtime.data.errors import BadFormat, EmptyData, TooLarge, fail
from runtime.data.opened import MAX_BYTES, read_bytes

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_RANK = 8


def read_idx(path: Path | Below, file: str) -> np.ndarray:
    """The array of an IDX file, plain or gzip, in native byte order."""
    return parse_idx(read_bytes(path, file), file)


def parse_idx(data: bytes, file: str) -> np.ndarray:
    """The array in the bytes of an IDX file; the header must account for every byte."""
    if len(data) < 4:
        raise fail(BadFormat(file=file, problem=f"an IDX file has a header of 4 bytes at least, this one {len(data)}"))
    if data[:2] != b"\0\0" or data[2] not in TYPES:
        raise fail(BadFormat(file=file, problem=f"is not IDX: it starts with the bytes {data[:4].hex(' ')}"))
    rank = data[3]
    if not 1 <= rank <= MAX_RANK:
        raise fail(BadFormat(file=file, problem=f"the IDX header says rank {rank}; 1 to {MAX_RANK} is possible"))
    start = 4 + 4 * rank
    if len(data) < start:
        raise fail(BadFormat(file=file, problem=f"the IDX header is truncated: {rank} sizes are announced"))
    sizes = struct.unpack(f">{rank}I", data[4:start])
    dtype = np.dtype(TYPES[data[2]])
    _check_size(sizes, dtype.itemsize, len(data) - start, file)
    array = np.frombuffer(data, dtype, offset=start).reshape(sizes)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _check_size(sizes: tuple[int, ...], itemsize: int, found: int, file: str) -> None:
    wanted = prod(sizes) * itemsize
    text = "×".join(str(size) for size in sizes)
    if wanted == 0:
        raise fail(EmptyData(file=file, what=f"the IDX header says {text}: there is nothing in it"))
    if wanted > MAX_BYTES:
        raise fail(TooLarge(file=file, what=f"the IDX header says {text}: {wanted:,} bytes", limit=f"{MAX_BYTES:,} bytes"))
    if found < wanted:
        raise fail(BadFormat(file=file, problem=f"is truncated: the IDX header says {text}, {wanted:,} bytes, and {found:,} follow"))
    if found > wanted:
        raise fail(BadFormat(file=file, problem=f"the IDX header says {text}, but {found - wanted:,} bytes too many follow"))


def write_idx(array: np.ndarray) -> bytes:
    """The IDX bytes of a u8 array (what the shipped slices are made of)."""
    if array.dtype != np.uint8:
        raise ValueError(f"u8 is written, not {array.dtype}")
    return bytes([0, 0, 0x08, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
