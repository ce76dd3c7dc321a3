"""NPZ and NPY of NumPy, read without `numpy.load`: no pickle can be reached, and every size is checked before it is allocated."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from math import prod
from pathlib import Path

import numpy as np

from dslc.below import Below
from runtime.data.errors import BadFormat, EmptyData, TooLarge, fail, shown
from runtime.data.opened import FREE_BYTES, MAX_BYTES, MAX_RATIO, open_regular, read_bytes

MAX_MEMBERS = 1000
MAX_HEADER = 65536
MAX_RANK = 8
MAGIC = b"\x93NUMPY"
# {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
HEADER = re.compile(
    r"\{\s*'descr':\s*(?P<descr>'[^'\\]{1,16}'|\[.*\]),\s*'fortran_order':\s*(?P<fortran>True|False),"
    r"\s*'shape':\s*\((?P<shape>[0-9, ]*)\),?\s*\}\s*",
    re.ASCII,
)
DESCR = re.compile(r"'[<>|=]?(b1|[iu][1248]|f[248])'")


def read_npz(path: Path | Below, file: str) -> dict[str, np.ndarray]:
    """All arrays of an NPZ file by name."""
    with os.fdopen(open_regular(path, file), "rb") as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                members = archive.infolist()
                _check_members(members, file)
                return {m.filename[:-4]: parse_npy(_read(archive, m, file), f"{file}[{shown(m.filename[:-4])}]") for m in members}
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
            raise fail(BadFormat(file=file, problem=f"is not a sound NPZ (zip) file: {shown(error)}")) from None


def read_npy(path: Path | Below, file: str) -> np.ndarray:
    """The array of an NPY file."""
    return parse_npy(read_bytes(path, file), file)


def _check_members(members: list[zipfile.ZipInfo], file: str) -> None:
    if not members:
        raise fail(EmptyData(file=file, what="the NPZ file holds no arrays"))
    if len(members) > MAX_MEMBERS:
        raise fail(TooLarge(file=file, what=f"the NPZ file has {len(members):,} members", limit=str(MAX_MEMBERS)))
    for member in members:
        _check_member(member, file)
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise fail(BadFormat(file=file, problem="two arrays of the NPZ file have one name"))
    _check_overlap(members, file)
    if (total := sum(m.file_size for m in members)) > MAX_BYTES:
        raise fail(TooLarge(file=file, what=f"unpacks to {total:,} bytes", limit=f"{MAX_BYTES:,} bytes"))


def _check_member(member: zipfile.ZipInfo, file: str) -> None:
    name = shown(member.filename)
    if not member.filename.endswith(".npy") or "/" in member.filename or "\\" in member.filename:
        raise fail(BadFormat(file=file, problem=f"the member `{name}` is not an array (NAME.npy)"))
    if member.flag_bits & 1:
        raise fail(BadFormat(file=file, problem=f"the member `{name}` is encrypted"))
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise fail(BadFormat(file=file, problem=f"the member `{name}` is packed in an unusual way ({member.compress_type})"))
    if member.file_size > max(FREE_BYTES, MAX_RATIO * member.compress_size):
        limit = f"{MAX_RATIO} times its size"
        raise fail(TooLarge(file=file, what=f"the member `{name}` unpacks to {member.file_size:,} bytes", limit=limit))


def _check_overlap(members: list[zipfile.ZipInfo], file: str) -> None:
    end = 0
    for member in sorted(members, key=lambda m: m.header_offset):
        if member.header_offset < end:
            raise fail(BadFormat(file=file, problem="members of the NPZ file overlap"))
        end = member.header_offset + member.compress_size


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, file: str) -> bytes:
    with archive.open(member) as stream:
        data = stream.read(member.file_size + 1)
    if len(data) != member.file_size:
        raise fail(BadFormat(file=file, problem=f"the member `{shown(member.filename)}` is truncated"))
    return data


def parse_npy(data: bytes, file: str) -> np.ndarray:
    """The array in the bytes of an NPY file (versions 1 to 3), in native byte order and C order."""
    if data[: len(MAGIC)] != MAGIC or len(data) < 12:
        raise fail(BadFormat(file=file, problem=f"is not NPY: it starts with the bytes {data[:6].hex(' ')}"))
    width = {1: 2, 2: 4, 3: 4}.get(data[6])
    if width is None:
        raise fail(BadFormat(file=file, problem=f"is NPY of the unknown version {data[6]}"))
    length = int.from_bytes(data[8 : 8 + width], "little")
    start = 8 + width + length
    if length > MAX_HEADER:
        raise fail(TooLarge(file=file, what=f"the NPY header says it has {length:,} bytes", limit=f"{MAX_HEADER:,} bytes"))
    if start > len(data):
        raise fail(BadFormat(file=file, problem="the NPY header is truncated"))
    return _array(data, start, data[8 + width : start].decode("latin-1"), file)


def _array(data: bytes, start: int, header: str, file: str) -> np.ndarray:
    match = HEADER.fullmatch(header)
    if match is None:
        raise fail(BadFormat(file=file, problem=f"the NPY header is malformed: {shown(header)}"))
    if not DESCR.fullmatch(match["descr"]):
        kind = "Python objects, which are never loaded" if "O" in match["descr"] else f"elements of type {shown(match['descr'])}"
        raise fail(BadFormat(file=file, problem=f"holds {kind}; numbers and truth values can be read"))
    dtype = np.dtype(match["descr"].strip("'"))
    shape = _shape(match["shape"], file)
    wanted, found = prod(shape) * dtype.itemsize, len(data) - start
    if wanted != found:
        sizes = "×".join(str(size) for size in shape) or "a scalar"
        raise fail(BadFormat(file=file, problem=f"the NPY header says {sizes}, {wanted:,} bytes, but {found:,} follow"))
    order = "F" if match["fortran"] == "True" else "C"
    array = np.frombuffer(data, dtype, offset=start).reshape(shape, order=order)  # type: ignore[call-overload]
    return np.ascontiguousarray(array.astype(dtype.newbyteorder("="), copy=False)).reshape(shape)


def _shape(text: str, file: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if len(words) > MAX_RANK or any(len(word) > 18 or not word.isdigit() for word in words):
        raise fail(BadFormat(file=file, problem=f"the NPY header has an impossible shape: ({shown(text)})"))
    return tuple(int(word) for word in words)
