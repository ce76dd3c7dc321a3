"""What `check` reads of data files: the first line of a CSV, the headers of NPZ and IDX; never the data (R17).

Paths are relative to the spec's folder and stay inside it; links are not followed.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from dslc import gzipped
from dslc.below import Below, kind_of_place, open_file
from dslc.elaborate.paths import InnerPath
from dslc.ir.types import Dim, DType, TensorType
from dslc.magic import HEAD, kind_of
from dslc.render import escape

MOST_LINE = 1 << 20
MOST_HEADER = 1 << 16
MOST_ARRAYS = 256
ZIP_END = 100  # bytes of the records that end a zip archive
DTYPES = {
    "|b1": DType.bool, "|u1": DType.u8, "<i4": DType.i32, "<i8": DType.i64, "<f4": DType.f32, "<f8": DType.f64,
    "<u4": DType.i64, "<i2": DType.i32, "|i1": DType.i32, "<u2": DType.i32, "<f2": DType.f32,
}  # fmt: skip
IDX_TYPES = {0x08: DType.u8, 0x09: DType.i32, 0x0B: DType.i32, 0x0C: DType.i32, 0x0D: DType.f32, 0x0E: DType.f64}


class Unknown(Exception):
    """The header cannot be read: the schema is not checked, and the message says why."""


class Bad(Exception):
    """The header is there and wrong."""


def opened(folder: Path | None, name: str) -> Below:
    """The file inside the folder. Raises Unknown where there is none, Bad for a path that leaves the folder."""
    path = InnerPath(name)
    if not path.good:
        raise Bad("the path is not inside the spec's folder")
    if folder is None:
        raise Unknown("the spec has no folder")
    found = folder
    try:
        for part in path.parts:
            found = found / part
            if found.is_symlink():
                raise Bad("the path goes through a link")
        mode = found.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise Unknown("there is no such file") from error
    except OSError as error:
        raise Bad(error.strerror or str(error)) from error
    if not stat.S_ISREG(mode):
        raise Bad(f"it is {kind_of_place(mode)}")
    return Below(folder, PurePosixPath(*path.parts))


@contextmanager
def stream(path: Below) -> Iterator[IO[bytes]]:
    """The file from its start. Raises Bad where it cannot be opened."""
    try:
        descriptor = open_file(path)
    except OSError as error:
        raise Bad(error.strerror or str(error)) from error
    with os.fdopen(descriptor, "rb") as file:
        yield file


def start(path: Below) -> bytes:
    """The first bytes of a file, of a zipped one unpacked. Raises Bad for an empty file."""
    with stream(path) as file:
        data = file.read(MOST_LINE)
    if path.suffix == ".gz":
        data = beginning(data)
    if not data:
        raise Bad("it is empty")
    return data


def beginning(data: bytes) -> bytes:
    """What stands first in a gzip stream, of which only a part may be there."""
    if data and not data.startswith(gzipped.MAGIC):
        raise Bad("it is called .gz but is not gzip")
    found, total = list[bytes](), 0
    try:
        for piece in gzipped.unpacked(data):
            found.append(piece)
            total += len(piece)
            if total >= MOST_LINE:
                break
    except zlib.error as error:
        raise Bad("it is no sound gzip file") from error
    except EOFError:
        pass
    return b"".join(found)[:MOST_LINE]


def csv_columns(path: Below) -> list[str]:
    """The names in the first line that is not blank."""
    import csv

    data = start(path)
    line = next((line for line in data.splitlines() if line.strip()), b"")
    try:
        names = [cell.strip() for cell in next(csv.reader([line.decode("utf-8-sig")]), [])]
    except (csv.Error, UnicodeDecodeError) as error:
        kind = kind_of(data[:HEAD])
        wanted = "its first line is no text of columns with commas between them (CSV in UTF-8)"
        raise Bad(f"it is {kind}, no CSV" if kind else wanted) from error
    if kind := kind_of(data[:HEAD]):
        raise Bad(f"it is {kind}, no CSV")
    if not names:
        raise Bad("there is no line in it")
    return names


def npz_fields(path: Below) -> dict[str, tuple[DType, tuple[int, ...]]]:
    """dtype and shape of each array of a NumPy archive, from the headers."""
    found: dict[str, tuple[DType, tuple[int, ...]]] = {}
    with stream(path) as file:
        head = file.read(HEAD)
        if head[:2] != b"PK" and (kind := kind_of(head)):
            raise Bad(f"it is {kind}, no NumPy archive (.npz)")
        refuse_large_table(file)
        try:
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
                if len(names) > MOST_ARRAYS:
                    raise Bad(f"it holds more than {MOST_ARRAYS} arrays")
                for name in names:
                    with archive.open(name) as member:
                        found[name.removesuffix(".npy")] = npy_header(member)
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError) as error:
            raise Bad(f"it is no sound NumPy archive (.npz): {escape(str(error))[:80]}") from error
    return found


def refuse_large_table(file: IO[bytes]) -> None:
    """The table of contents stands at the end of a zip archive; it is not read where it is larger than that of any archive of arrays."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - MOST_HEADER - ZIP_END))
    data = file.read()
    at = data.rfind(b"PK\x05\x06")
    wide = data.rfind(b"PK\x06\x06")
    tables = [int.from_bytes(data[at + 12 : at + 16], "little")] if at >= 0 else []
    tables += [int.from_bytes(data[wide + 40 : wide + 48], "little")] if wide >= 0 else []
    if any(table > MOST_LINE and table != 2**32 - 1 for table in tables):
        raise Bad("its table of contents is larger than that of an archive of arrays")


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
    if not (isinstance(shape, tuple) and all(isinstance(n, int) and 0 <= n < 2**48 for n in shape)):
        raise Bad("an array in it has a shape that cannot be")
    if not isinstance(descr, str) or descr not in DTYPES:
        objects = "Python objects, which are never loaded" if "O" in str(descr) else f"a type that is not read: {str(descr)[:40]}"
        raise Bad(f"an array in it has {objects}")
    return DTYPES[descr], shape


def idx_shape(path: Below) -> tuple[DType, tuple[int, ...]]:
    """dtype and shape of an IDX file, from its magic number."""
    whole = start(path)
    magic = whole[:4]
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in IDX_TYPES or not 1 <= magic[3] <= 4:
        kind = kind_of(whole[:HEAD])
        raise Bad(f"it is {kind}, no IDX file" if kind else "it is no IDX file")
    data = whole[4 : 4 + 4 * magic[3]]
    if len(data) < 4 * magic[3]:
        raise Bad("its header is cut off")
    return IDX_TYPES[magic[2]], struct.unpack(f">{magic[3]}I", data)


def sample_type(dtype: DType, shape: tuple[int, ...], whole: bool) -> TensorType:
    """`[batch, *sample]`, or the shape as it is for a field named in `whole`."""
    sizes = [Dim.of(n) for n in shape] if whole else [Dim.of("batch"), *(Dim.of(n) for n in shape[1:])]
    return TensorType(dtype=dtype, shape=tuple(sizes))
