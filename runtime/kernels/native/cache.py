"""Machine code that was compiled before, on disk: a file for each module, named by what went into it.

A module is one kernel, or the function that calls the kernels of a program: so programs share what is the same in them.
Code is run as it is found, so a file counts only if it is the user's own, nobody else can write it, and it is whole. What cannot be read
or written is compiled again; nothing is said, because nothing is lost.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dslc import __version__
from dslc.files import draft_folder
from runtime.data.registry import cache_folder
from runtime.kernels.native.helpers import compile_all
from runtime.kernels.native.machine import Target, library_version

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


def objects_of(texts: Sequence[str], goal: Target, threads: int = 1) -> list[bytes]:
    """The object files of modules: from the cache, else compiled by up to so many processes and put there, also when interrupted."""
    paths = {text: folder() / f"{key(text, goal)}{SUFFIX}" for text in texts}
    found = {text: data for text, path in paths.items() if (data := read(path)) is not None}
    made: dict[str, bytes] = {}
    missing = [text for text in paths if text not in found]
    if missing:
        try:
            compile_all(missing, goal, threads, made)
        finally:
            write({paths[text]: data for text, data in made.items()})
    found |= made
    return [found[text] for text in texts]


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


def write(objects: Mapping[Path, bytes]) -> None:
    """Put objects into the cache; what others write at the same time is the same. A checksum tells what a crash has cut off."""
    target = folder()
    with suppress(OSError):
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not private(target.lstat(), stat.S_ISDIR):
            return
        with draft_folder(target / "objects") as drafts:
            for path, data in objects.items():
                draft = drafts / path.name
                draft.write_bytes(hashlib.sha256(data).digest() + data)
                draft.chmod(0o600)
                draft.replace(path)
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
