"""One trainer for each run folder: a lock file that the system releases when its process ends, however it ends.

The file says who holds it (pid and start time of the process). A file that nobody holds is stale: it is taken over.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dslc.diagnostics import DataError
from runtime.train.atomic import NO_LINK
from runtime.train.errors import RunLocked, SaveFailed

NAME = "lock"


@contextmanager
def locked(folder: Path, shown: str) -> Iterator[bool]:
    """Hold the folder; the value says whether a stale lock was taken over. Raises DataError (run-locked)."""
    path = folder / NAME
    descriptor = _acquire(path, shown)
    try:
        yield _sign(descriptor, f"{shown}/{NAME}")
    finally:
        try:
            with suppress(OSError):
                path.unlink()  # while it is held, so that nobody else's lock is removed
        finally:
            with suppress(OSError):
                os.close(descriptor)


def _sign(descriptor: int, file: str) -> bool:
    """Say in the lock who holds it; whether somebody else said so before."""
    try:
        stale = bool(os.read(descriptor, 1))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "start": start_time(os.getpid())}).encode(), 0)
    except OSError as error:
        raise _failed(file, error) from None
    return stale


def _failed(file: str, error: OSError) -> DataError:
    return DataError(SaveFailed(file=file, problem=error.strerror or str(error)))


def _acquire(path: Path, shown: str) -> int:
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | NO_LINK, 0o644)
        except OSError as error:
            raise _failed(f"{shown}/{NAME}", error) from None
        try:
            if _taken(descriptor, path, shown):
                return descriptor
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, OSError):
                raise _failed(f"{shown}/{NAME}", error) from None
            raise
        os.close(descriptor)  # removed by its holder in between: try the new one


def _taken(descriptor: int, path: Path, shown: str) -> bool:
    """Whether the file is locked now, and still the one of that name. Raises DataError where another process has it, OSError."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError("it is not a regular file")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(RunLocked(folder=shown, holder=_holder(descriptor))) from None
    try:
        return os.fstat(descriptor).st_ino == path.lstat().st_ino
    except FileNotFoundError:
        return False


def _holder(descriptor: int) -> str:
    """What the lock says about who holds it, as far as it is the number of a process."""
    with suppress(ValueError, KeyError, TypeError, RecursionError):
        pid = json.loads(os.pread(descriptor, 4096, 0))["pid"]
        if type(pid) is int and 0 < pid < 2**31:
            return f"the process {pid}"
    return "another process"


def start_time(pid: int) -> str:
    """When the process started, as the system counts it (clock ticks since boot on Linux); empty where that is not told."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    return ""
