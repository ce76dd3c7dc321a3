"""One trainer for each run folder: a lock file that the system releases when its process ends, however it ends.

The file says who holds it (pid and start time of the process). A file that nobody holds is stale: it is taken over.
"""

from __future__ import annotations

import fcntl
import json
import os
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
        stale = bool(os.read(descriptor, 1))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "start": start_time(os.getpid())}).encode(), 0)
        yield stale
    finally:
        with suppress(OSError):
            path.unlink()  # while it is held, so that nobody else's lock is removed
        os.close(descriptor)


def _acquire(path: Path, shown: str) -> int:
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | NO_LINK, 0o644)
        except OSError as error:
            raise DataError(SaveFailed(file=f"{shown}/{NAME}", problem=error.strerror or str(error))) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise DataError(RunLocked(folder=shown, pid=holder)) from None
        with suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        os.close(descriptor)  # removed by its holder in between: try the new one


def _holder(descriptor: int) -> int:
    with suppress(ValueError, KeyError, TypeError):
        return int(json.loads(os.pread(descriptor, 4096, 0))["pid"])
    return 0


def start_time(pid: int) -> str:
    """When the process started, as the system counts it (clock ticks since boot on Linux); empty where that is not told."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    return ""
