"""Files that are there whole or not at all.

`write_atomic`: temporary file in the same folder (never through a link), write, fsync, read back and compare, rename, fsync the
folder. Where any of these fails, the file of that name is what it was before (only a failure of the last fsync may leave the new
one, which is whole).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from dslc.diagnostics import DataError
from runtime.train.errors import SaveFailed

CHUNK = 2**22  # bytes that are written at once
READ = 2**20  # that are read at once, two such pieces in memory
NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
PREFIX, SUFFIX = ".", ".tmp"


def write_atomic(folder: Path, name: str, data: bytes | bytearray) -> None:
    """Put `data` under `folder / name`. Raises DataError (save-failed); the earlier file then stands."""
    draft = folder / f"{PREFIX}{name}{SUFFIX}"
    try:
        _draft(draft, data)
        os.replace(draft, folder / name)  # noqa: PTH105 -- one system call that a test can make fail
        sync_folder(folder)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(draft)  # noqa: PTH108
        if isinstance(error, OSError):
            raise DataError(SaveFailed(file=name, problem=error.strerror or str(error))) from None
        raise


def _draft(path: Path, data: bytes | bytearray) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | NO_LINK, 0o644)
    try:
        view = memoryview(data)
        while view:
            written = os.write(descriptor, view[:CHUNK])
            if written == 0:
                raise OSError("nothing more could be written")
            view = view[written:]
        os.fsync(descriptor)
        if _digest(descriptor) != hashlib.sha256(data).digest():
            raise OSError("what was read back is not what was written")
    finally:
        os.close(descriptor)


def _digest(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    digest = hashlib.sha256()
    while piece := os.read(descriptor, READ):
        digest.update(piece)
    return digest.digest()


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_drafts(folder: Path) -> None:
    """Remove what a killed writer left behind (call it under the lock of the folder); what cannot be removed is left to the next."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
            with contextlib.suppress(OSError):  # a folder of that name is none of ours
                path.unlink()


def write_below(folder: Path, name: str, data: bytes | bytearray) -> None:
    """Put `data` under `folder / name`, whose own folders are made. Raises DataError (save-failed)."""
    place = folder / name
    try:
        make_folder(place.parent)
    except OSError as error:
        raise DataError(SaveFailed(file=name, problem=error.strerror or str(error))) from None
    write_atomic(place.parent, place.name, data)


def make_folder(path: Path) -> None:
    """The folder with those above it, flushed to the disk; only its owner may write there, whatever the umask. Raises OSError."""
    if not path.parent.is_dir():
        make_folder(path.parent)
    path.mkdir(mode=0o755, exist_ok=True)
    with contextlib.suppress(PermissionError):  # a folder above may be one that cannot be read
        sync_folder(path.parent)


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """What the disk refuses in a run folder is a DataError (save-failed)."""
    try:
        yield
    except BrokenPipeError:
        raise  # nobody reads what is said
    except OSError as error:
        raise DataError(SaveFailed(file=str(error.filename or folder), problem=error.strerror or str(error))) from error
