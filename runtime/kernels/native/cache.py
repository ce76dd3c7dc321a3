"""Machine code that was compiled before, on disk: a file for each module, named by what went into it.

Code is run as it is found, so a file counts only if it is the user's own, nobody else can write it, and it is whole. What cannot be read
or written is compiled again; nothing is said, because nothing is lost.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dslc import __version__
from dslc.files import place
from runtime.data.registry import cache_folder
from runtime.kernels.native.machine import Target, compile_object, library_version

LARGEST = 256 << 20  # bytes of all files; the oldest go first
SUFFIX = ".object"
DIGEST = 32  # bytes of a SHA-256 at the beginning of a file


@dataclass(frozen=True)
class Entry:
    """One file. used: when it was last read or written, in seconds since 1970."""

    path: Path
    bytes: int
    used: float


def folder() -> Path:
    return cache_folder() / "native"


def object_of(text: str, goal: Target) -> bytes:
    """The object file of a module: from the cache, else compiled and put there."""
    path = folder() / f"{key(text, goal)}{SUFFIX}"
    found = read(path)
    if found is None:
        found = compile_object(text, goal)
        write(path, found)
    return found


def key(text: str, goal: Target) -> str:
    """All that the machine code depends on."""
    parts = (__version__, library_version(), goal.cpu, goal.features, str(goal.width), text)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def read(path: Path) -> bytes | None:
    """The object in a file of the cache, None where there is none that counts."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not (private(os.fstat(descriptor), stat.S_ISREG) and private(path.parent.lstat(), stat.S_ISDIR)):
            return None
        with os.fdopen(os.dup(descriptor), "rb") as file:
            data = file.read(LARGEST + 1)
        with suppress(OSError):
            os.utime(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    found = data[DIGEST:]
    return found if hashlib.sha256(found).digest() == data[:DIGEST] else None


def private(state: os.stat_result, kind: Callable[[int], bool]) -> bool:
    """Whether a file or folder is of this kind and the user's own, and nobody else may write it."""
    return kind(state.st_mode) and state.st_uid == os.getuid() and not state.st_mode & 0o022


def write(path: Path, data: bytes) -> None:
    """Put an object into the cache; what others write at the same time is the same."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if private(path.parent.lstat(), stat.S_ISDIR):
            place(path, hashlib.sha256(data).digest() + data)
            path.chmod(0o600)
            shrink()


def entries() -> list[Entry]:
    """What is there, the oldest first. Raises OSError where the folder cannot be read."""
    found = []
    for path in folder().glob(f"*{SUFFIX}"):
        with suppress(FileNotFoundError):
            state = path.lstat()
            found.append(Entry(path, state.st_size, state.st_mtime))
    return sorted(found, key=lambda entry: (entry.used, entry.path))


def shrink() -> None:
    """Remove the oldest files until the rest is small enough."""
    present = entries()
    total = sum(entry.bytes for entry in present)
    for entry in present:
        if total <= LARGEST:
            return
        entry.path.unlink(missing_ok=True)
        total -= entry.bytes


def clear() -> int:
    """Remove everything; how many files there were. Raises OSError."""
    present = entries()
    for entry in present:
        entry.path.unlink(missing_ok=True)
    return len(present)
