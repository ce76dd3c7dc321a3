"""Bytes of data files: only regular files below a root, gzip unpacked with bounds."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from dslc.below import Below, open_file
from dslc.gzipped import MAGIC, unpacked
from runtime.data.errors import BadFormat, EmptyData, FileMissing, OutsideRoot, TooLarge, Unreadable, fail, shown

MAX_BYTES = 4 * 2**30  # of one file, unpacked
MAX_RATIO = 100  # unpacked : packed, once FREE_BYTES are unpacked
FREE_BYTES = 16 * 2**20


def find_file(name: str, folders: Sequence[Path]) -> Below:
    """The file `name` (relative) in the first of `folders` that has it; links may not lead out of that folder."""
    _check_relative(name)
    for folder in folders:
        path = folder / name
        if not os.path.lexists(path):
            continue
        found = below(path, folder)
        if found is None:
            raise fail(OutsideRoot(file=name, problem="is a link that leads out of its folder"))
        return found
    raise fail(FileMissing(file=shown(name), folders=", ".join(_name(folder) for folder in folders)))


def below(path: Path, folder: Path) -> Below | None:
    """What a path means, links followed, as a place below a folder; None where it is outside, or changes while it is followed."""
    try:
        root, place = folder.resolve(), path.resolve()
    except (OSError, RuntimeError):  # RuntimeError: a circle of links
        return None
    return Below(root, PurePosixPath(place.relative_to(root).as_posix())) if place.is_relative_to(root) else None


def _name(folder: Path) -> str:
    return f"`{folder}`" if str(folder) != "." else "the working folder"


def _check_relative(name: str) -> None:
    path = PurePosixPath(name)
    if not name or "\0" in name:
        raise fail(OutsideRoot(file=shown(name), problem="is not a file name"))
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise fail(OutsideRoot(file=shown(name), problem="leads out of the folder of the spec"))


def open_regular(path: Path | Below, file: str) -> int:
    """A descriptor of a regular file that is not empty; never blocks on a pipe. The caller closes it."""
    try:
        descriptor = open_file(path)
    except OSError as error:
        raise fail(Unreadable(file=file, problem=error.strerror or str(error))) from None
    status = os.fstat(descriptor)
    if 0 < status.st_size <= MAX_BYTES:
        return descriptor
    os.close(descriptor)
    if status.st_size == 0:
        raise fail(EmptyData(file=file, what="the file is empty"))
    raise fail(TooLarge(file=file, what=f"the file has {status.st_size:,} bytes", limit=f"{MAX_BYTES:,} bytes"))


def read_bytes(path: Path | Below, file: str) -> bytes:
    """The contents, unpacked if the file is gzip. `file` is the name that messages use."""
    with os.fdopen(open_regular(path, file), "rb") as stream:
        try:
            size = os.fstat(stream.fileno()).st_size
            data = stream.read(size + 1)  # as much memory is taken before a byte is read
        except OSError as error:
            raise fail(Unreadable(file=file, problem=error.strerror or "reading failed")) from None
    if len(data) != size:
        raise fail(Unreadable(file=file, problem="its size changed while it was read"))
    if data[:2] == MAGIC:
        return gunzip(data, file)
    if path.suffix == ".gz":
        raise fail(BadFormat(file=file, problem="is called .gz but is not gzip"))
    return data


def gunzip(data: bytes, file: str) -> bytes:
    """Unpack gzip (several members, checksums verified) with a bound on size and ratio."""
    limit = min(MAX_BYTES, max(FREE_BYTES, MAX_RATIO * len(data)))
    pieces: list[bytes] = []
    total = 0
    try:
        for piece in unpacked(data):
            total += len(piece)
            if total > limit:
                raise fail(TooLarge(file=file, what=f"unpacks to more than {limit:,} bytes", limit=f"{MAX_RATIO} times its size"))
            pieces.append(piece)
    except zlib.error:
        raise fail(BadFormat(file=file, problem="the gzip stream is broken")) from None
    except EOFError:
        raise fail(BadFormat(file=file, problem="the gzip stream ends too early: the file is truncated")) from None
    return b"".join(pieces)
