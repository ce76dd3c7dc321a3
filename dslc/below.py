"""Files below a folder, opened part by part: none can be a link, also where one is put in its place between a check and the opening."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)  # O_PATH: it need not be readable
BY_PARTS = os.open in os.supports_dir_fd


@dataclass(frozen=True)
class Below:
    """A file by its place below a folder; the folder itself may be behind links."""

    folder: Path
    name: PurePosixPath

    @property
    def suffix(self) -> str:
        return self.name.suffix


def open_file(path: Path | Below, *, links: bool = True) -> int:
    """A descriptor of a regular file, which the caller closes; never blocks on a pipe. Raises OSError.

    links: whether a path that is none below a folder may be a link.
    """
    follow = NO_LINK & ~getattr(os, "O_NOFOLLOW", 0) if links else NO_LINK
    descriptor = by_parts(path) if isinstance(path, Below) else os.open(path, os.O_RDONLY | follow)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    raise OSError(f"it is {kind_of_place(mode)}, no regular file")


def by_parts(path: Below) -> int:
    if not BY_PARTS:
        return os.open(path.folder / path.name, os.O_RDONLY | NO_LINK)
    *between, last = path.name.parts
    try:
        descriptor = os.open(path.folder, FOLDER)
        for part, flags in (*((part, FOLDER | NO_LINK) for part in between), (last, os.O_RDONLY | NO_LINK)):
            descriptor = step(descriptor, part, flags)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise OSError("a part of its path is a link or no folder") from None
        raise
    return descriptor


def step(folder: int, part: str, flags: int) -> int:
    """Open one part of a path below an open folder, which is closed."""
    try:
        return os.open(part, flags, dir_fd=folder)
    finally:
        os.close(folder)


def kind_of_place(mode: int) -> str:
    return "a folder" if stat.S_ISDIR(mode) else "a device, pipe or socket"
