"""Every call of this process on files below a folder, numbered, so that one of them can fail or all can be logged.

`os` gets wrappers in place of its functions, and files that `open` makes there are those of `_pyio`, which do all their work through `os`.
What is written by compiled libraries past Python is not seen.
"""

from __future__ import annotations

import _pyio
import builtins
import errno
import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

NAMES = (
    "open", "read", "write", "pread", "pwrite", "lseek", "fsync", "fdatasync", "ftruncate", "truncate", "close", "fstat", "stat", "lstat",
    "scandir", "listdir", "replace", "rename", "link", "unlink", "remove", "mkdir", "rmdir", "chmod", "statvfs",
)  # fmt: skip
PLACES = (
    "open",
    "stat",
    "lstat",
    "scandir",
    "listdir",
    "replace",
    "rename",
    "link",
    "unlink",
    "remove",
    "mkdir",
    "rmdir",
    "chmod",
    "truncate",
)
Call = Callable[[str, tuple[Any, ...], Callable[[], Any]], Any]  # name, arguments, the call itself: what the caller gets


class Disk:
    """`hook` sees each call below `root` and gives its result; `calls` counts them, `opened` knows where descriptors lead."""

    def __init__(self, root: Path, hook: Call) -> None:
        self.root, self.hook, self.calls = str(root), hook, 0
        self.opened: dict[int, str] = {}
        self.given: Any = None  # the first argument of the present call as it was given: a path or a descriptor
        self.real = {name: getattr(os, name) for name in NAMES}

    @contextmanager
    def watched(self) -> Iterator[Disk]:
        with mock.patch.multiple(os, **{name: self.wrapper(name) for name in NAMES}):
            own = self.open_function(io.open)
            with mock.patch.object(io, "open", own), mock.patch.object(builtins, "open", own):
                yield self

    def place(self, given: Any, folder: int | None = None) -> str | None:
        """The path below the root that an argument means; None for what lies elsewhere."""
        if isinstance(given, int):
            return self.opened.get(given)
        path = os.fsdecode(os.fspath(given))
        if folder is not None:
            base = self.opened.get(folder)
            return f"{base}/{path}" if base is not None else None
        return path if path == self.root or path.startswith(self.root + "/") else None

    def wrapper(self, name: str) -> Callable[..., Any]:
        real = self.real[name]

        def call(*args: Any, **options: Any) -> Any:
            where = self.place(args[0], options.get("dir_fd")) if args else None
            if where is None:
                return real(*args, **options)
            self.calls += 1
            self.given = args[0]
            if name == "close":
                del self.opened[args[0]]
            result = self.hook(name, (where, *args[1:]), lambda: real(*args, **options))
            if name == "open":
                self.opened[result] = where
            return result

        return call

    def open_function(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def opening(file: Any, *args: Any, **options: Any) -> Any:
            known = isinstance(file, (int, str, bytes, os.PathLike)) and self.place(file) is not None
            return _pyio.open(file, *args, **options) if known else real(file, *args, **options)

        return opening


# ---- faults -----------------------------------------------------------------------------------------------------------------------


def raising(error: Callable[[], BaseException]) -> Call:
    def fault(name: str, args: tuple[Any, ...], real: Callable[[], Any]) -> Any:
        if name == "close":
            real()  # what fails to close is closed all the same
        raise error()

    return fault


def refused(number: int) -> Call:
    return raising(lambda: OSError(number, os.strerror(number)))


def killed(name: str, args: tuple[Any, ...], real: Callable[[], Any]) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def fault(kind: str, disk: Disk) -> Call:
    """What happens at the call that fails."""
    if kind == "short write":
        return lambda name, args, real: half(disk, name, args, real)
    return FAULTS[kind]


def half(disk: Disk, name: str, args: tuple[Any, ...], real: Callable[[], Any]) -> Any:
    """Half of the bytes are written, and that is said; calls that write nothing go through."""
    if name not in ("write", "pwrite") or len(args[1]) < 2:
        return real()
    descriptor = next(number for number, path in reversed(disk.opened.items()) if path == args[0])
    return disk.real[name](descriptor, bytes(args[1])[: len(args[1]) // 2], *args[2:])


FAULTS: dict[str, Call] = {
    "EIO": refused(errno.EIO),
    "ENOSPC": refused(errno.ENOSPC),
    "EDQUOT": refused(errno.EDQUOT),
    "EINTR": refused(errno.EINTR),
    "MemoryError": raising(MemoryError),
    "kill": killed,
}
KINDS = (*FAULTS, "short write")


def failing(root: Path, kind: str, at: int) -> Disk:
    """A disk whose call number `at` (from 1) meets this fault."""
    disk = Disk(root, lambda name, args, real: bad(name, args, real) if disk.calls == at else real())
    bad = fault(kind, disk)
    return disk
