"""What `check` reads of data files: the first line of a CSV, the headers of NPZ and IDX; never the data (R17).

Paths are relative to the spec's folder and stay inside it; links are not followed.
"""

from __future__ import annotations

import gzip
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

from dslc.elaborate.paths import InnerPath
from dslc.ir.types import Dim, DType, TensorType

MOST_LINE = 1 << 20
MOST_HEADER = 1 << 16
MOST_ARRAYS = 256
DTYPES = {
    "|b1": DType.bool, "|u1": DType.u8, "<i4": DType.i32, "<i8": DType.i64, "<f4": DType.f32, "<f8": DType.f64,
    "<u4": DType.i64, "<i2": DType.i32, "|i1": DType.i32, "<u2": DType.i32, "<f2": DType.f32,
}  # fmt: skip
IDX_TYPES = {0x08: DType.u8, 0x09: DType.i32, 0x0B: DType.i32, 0x0C: DType.i32, 0x0D: DType.f32, 0x0E: DType.f64}


class Unknown(Exception):
    """The header cannot be read: the schema is not checked, and the message says why."""


class Bad(Exception):
    """The header is there and wrong."""


def opened(folder: Path | None, name: str) -> Path:
    """The file inside the folder. Raises Unknown where there is none, Bad for a path that leaves the folder."""
    path = InnerPath(name)
    if not path.good:
        raise Bad("the path is not inside the spec's folder")
    if folder is None:
        raise Unknown("the spec has no folder")
    found = folder
    for part in path.parts:
        found = found / part
        if found.is_symlink():
            raise Bad("the path goes through a link")
    try:
        mode = found.stat().st_mode
    except (OSError, ValueError) as error:
        raise Unknown("there is no such file") from error
    if not stat.S_ISREG(mode):
        raise Bad("it is no file")
    return found


def stream(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def csv_columns(path: Path) -> list[str]:
    """The names in the first line."""
    import csv

    try:
        with stream(path) as file:
            line = file.readline(MOST_LINE)
        return [cell.strip() for cell in next(csv.reader([line.decode("utf-8-sig")]), [])]
    except (csv.Error, UnicodeDecodeError) as error:
        raise Bad("its first line is no text of columns with commas between them (CSV in UTF-8)") from error
    except (OSError, EOFError, zlib.error) as error:
        raise Bad("its first line cannot be read") from error


def npz_fields(path: Path) -> dict[str, tuple[DType, tuple[int, ...]]]:
    """dtype and shape of each array of a NumPy archive, from the headers."""
    found: dict[str, tuple[DType, tuple[int, ...]]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(names) > MOST_ARRAYS:
                raise Bad(f"it holds more than {MOST_ARRAYS} arrays")
            for name in names:
                with archive.open(name) as file:
                    found[name.removesuffix(".npy")] = npy_header(file)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise Bad("it is no NumPy archive (.npz)") from error
    return found


def npy_header(file: IO[bytes]) -> tuple[DType, tuple[int, ...]]:
    """The header of one array: a literal dict, read without running anything."""
    import ast

    start = file.read(10)
    if start[:6] != b"\x93NUMPY" or len(start) < 10:
        raise Bad("an array in it has no NumPy header")
    size = int.from_bytes(start[8:10], "little")
    if start[6] > 1:
        size = int.from_bytes(start[8:10] + file.read(2), "little")
    if size > MOST_HEADER:
        raise Bad("the header of an array is too long")
    try:
        header = ast.literal_eval(file.read(size).decode("latin1").strip())
        shape, descr = header["shape"], header["descr"]
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError) as error:
        raise Bad("the header of an array is malformed") from error
    if not (isinstance(shape, tuple) and all(isinstance(n, int) and n >= 0 for n in shape)) or descr not in DTYPES:
        raise Bad(f"an array in it has a type that is not read: {str(descr)[:40]}")
    return DTYPES[descr], shape


def idx_shape(path: Path) -> tuple[DType, tuple[int, ...]]:
    """dtype and shape of an IDX file, from its magic number."""
    try:
        with stream(path) as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in IDX_TYPES or not 1 <= magic[3] <= 4:
                raise Bad("it is no IDX file")
            data = file.read(4 * magic[3])
    except (OSError, EOFError, zlib.error) as error:
        raise Bad("it is no IDX file") from error
    if len(data) < 4 * magic[3]:
        raise Bad("its header is cut off")
    return IDX_TYPES[magic[2]], struct.unpack(f">{magic[3]}I", data)


def sample_type(dtype: DType, shape: tuple[int, ...], whole: bool) -> TensorType:
    """`[batch, *sample]`, or the shape as it is for a field named in `whole`."""
    sizes = [Dim.of(n) for n in shape] if whole else [Dim.of("batch"), *(Dim.of(n) for n in shape[1:])]
    return TensorType(dtype=dtype, shape=tuple(sizes))
