"""What a disk may hold after a cut of power: the calls of a writer, logged, and the states that they allow.

A file keeps what was flushed; of each write after that the disk has all, a part, or nothing, in any order. A folder keeps the names that
were flushed; of each change of names after that it has made any, in any order. File systems promise more: a writer that holds here holds
there.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tests.reliability.crash.disk import Disk

Log = list[tuple[Any, ...]]
SECTOR = 512


# ---- logging ----------------------------------------------------------------------------------------------------------------------


@dataclass
class Recorder:
    """The log: ("create", path), ("write", path, offset, bytes), ("truncate", path, size), ("flush", path), ("rename", old, new),
    ("unlink", path), ("mkdir", path), ("mark", what)."""

    root: Path
    log: Log = field(default_factory=list)
    at: dict[int, int] = field(default_factory=dict)  # where a descriptor stands

    def mark(self, what: object) -> None:
        self.log.append(("mark", what))

    @contextmanager
    def recorded(self) -> Iterator[Recorder]:
        self.disk = Disk(self.root, self.seen)
        with self.disk.watched():
            yield self

    def seen(self, name: str, args: tuple[Any, ...], real: Callable[[], Any]) -> Any:
        path = args[0]
        fresh = name == "open" and args[1] & os.O_CREAT and not os.path.lexists(path)
        result = real()
        if name == "open":
            self.at[result] = 0
            if fresh:
                self.log.append(("create", path))
            elif args[1] & os.O_TRUNC:
                self.log.append(("truncate", path, 0))
            if args[1] & os.O_APPEND:
                self.at[result] = self.disk.real["stat"](path).st_size
        elif name == "write":
            self.log.append(("write", path, self.at[self.disk.given], bytes(args[1])[:result]))
            self.at[self.disk.given] += result
        elif name == "read":
            self.at[self.disk.given] += len(result)
        elif name == "lseek":
            self.at[self.disk.given] = result
        elif name == "pwrite":
            self.log.append(("write", path, args[2], bytes(args[1])[:result]))
        elif name in LOGGED:
            self.log.append((LOGGED[name], path, *[str(arg) if isinstance(arg, Path) else arg for arg in args[1:]]))
        return result


LOGGED = {
    "fsync": "flush", "fdatasync": "flush", "ftruncate": "truncate", "truncate": "truncate", "replace": "rename", "rename": "rename",
    "link": "link", "unlink": "unlink", "remove": "unlink", "mkdir": "mkdir", "rmdir": "unlink",
}  # fmt: skip


# ---- the disk ---------------------------------------------------------------------------------------------------------------------


@dataclass
class File:
    """Flushed bytes, and the writes (offset, bytes) and cuts (size, None) after them."""

    kept: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def flush(self) -> None:
        self.kept, self.pending = applied(self.kept, self.pending), []

    def after(self, chance: random.Random, mode: str) -> bytes:
        return applied(self.kept, [torn(item, chance, mode) for item in chosen(self.pending, chance, mode)])


@dataclass
class Folder:
    """Flushed names, and the changes (old name or "", new name or "", what) after them."""

    kept: dict[str, Any] = field(default_factory=dict)
    now: dict[str, Any] = field(default_factory=dict)
    pending: list[tuple[str, str, Any]] = field(default_factory=list)

    def change(self, old: str, new: str, what: Any) -> None:
        self.pending.append((old, new, what))
        self.now = renamed(self.now, [self.pending[-1]])

    def flush(self) -> None:
        self.kept, self.pending = dict(self.now), []

    def after(self, chance: random.Random, mode: str) -> dict[str, Any]:
        changes = chosen(self.pending, chance, mode)
        if mode == "random" and chance.random() < 0.5:
            chance.shuffle(changes)
        return renamed(self.kept, changes)


def applied(data: bytes, writes: list[tuple[int, bytes | None]]) -> bytes:
    found = bytearray(data)
    for offset, piece in writes:
        if piece is None:
            del found[offset:]
            found += bytes(offset - len(found))
            continue
        found += bytes(max(0, offset - len(found)))
        found[offset : offset + len(piece)] = piece
    return bytes(found)


def renamed(names: dict[str, Any], changes: list[tuple[str, str, Any]]) -> dict[str, Any]:
    found = dict(names)
    for old, new, what in changes:
        if old and (what is None or found.get(old) is what):
            found.pop(old, None)
        if new:
            found[new] = what
    return found


def chosen(pending: list[Any], chance: random.Random, mode: str) -> list[Any]:
    if mode == "random":
        share = chance.random()
        return [item for item in pending if chance.random() < share]
    return list(pending) if mode == "all" else []


def torn(write: tuple[int, bytes | None], chance: random.Random, mode: str) -> tuple[int, bytes | None]:
    """A write as it arrived: whole, only its beginning, or with a sector of something else."""
    offset, piece = write
    if piece is None or mode != "random" or len(piece) < 2 or chance.random() < 0.5:
        return write
    if chance.random() < 0.5:
        return offset, piece[: chance.randrange(len(piece))]
    start = chance.randrange(len(piece)) // SECTOR * SECTOR
    hole = min(SECTOR, len(piece) - start)
    return offset, piece[:start] + (bytes(hole) if chance.random() < 0.5 else chance.randbytes(hole)) + piece[start + hole :]


class Machine:
    """Replays a log; `state` is the tree that a cut of power now may leave."""

    def __init__(self, root: Path) -> None:
        self.base = PurePosixPath(root)
        self.root = Folder()

    def find(self, path: str) -> Any:
        found: Any = self.root
        for part in PurePosixPath(path).relative_to(self.base).parts:
            found = found.now[part]
        return found

    def place(self, path: str) -> tuple[Folder, str]:
        pure = PurePosixPath(path)
        return self.find(str(pure.parent)), pure.name

    def do(self, entry: tuple[Any, ...]) -> None:
        kind, path, *rest = entry
        if kind == "flush":
            self.find(path).flush()
        elif kind == "write":
            self.find(path).pending.append((rest[0], rest[1]))
        elif kind == "truncate":
            self.find(path).pending.append((rest[0], None))
        elif kind in ("create", "mkdir"):
            folder, name = self.place(path)
            folder.change("", name, File() if kind == "create" else Folder())
        elif kind == "unlink":
            folder, name = self.place(path)
            folder.change(name, "", None)
        elif kind in ("rename", "link"):
            self.move(path, rest[0], keep=kind == "link")

    def move(self, path: str, target: str, *, keep: bool) -> None:
        (folder, name), (other, new) = self.place(path), self.place(target)
        what = folder.now[name]
        if folder is other:
            folder.change("" if keep else name, new, what)
            return
        other.change("", new, what)
        if not keep:
            folder.change(name, "", None)

    def state(self, chance: random.Random, mode: str) -> dict[str, bytes | None]:
        """Relative path -> bytes, or None for a folder."""
        found: dict[str, bytes | None] = {}

        def walk(folder: Folder, base: str) -> None:
            for name, item in sorted(folder.after(chance, mode).items()):
                if isinstance(item, Folder):
                    found[f"{base}{name}"] = None
                    walk(item, f"{base}{name}/")
                else:
                    found[f"{base}{name}"] = item.after(chance, mode)

        walk(self.root, "")
        return found


def write_tree(state: dict[str, bytes | None], folder: Path) -> None:
    folder.mkdir()
    for name, data in state.items():
        if data is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(data)
