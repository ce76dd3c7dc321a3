"""A model and its data file on the way to their places: made in a folder of their own, moved when all checks have passed.

Both files appear, or neither, and what was there before stands until then. A model never stands beside the data of another: where both are
replaced, the old model goes first. Only a process that is killed between the renames leaves no model.
"""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from dslc.diagnostics import DataError
from dslc.files import draft_folder, flushed, reason, twin, umask
from dslc.pieces import same_bytes
from dslc.safetensors_header import read_header
from exporters.onnx.errors import CannotWrite
from exporters.onnx.external import DataFile, stamp
from exporters.onnx.external_read import bad, digests, opened, read_external


@dataclass(frozen=True)
class Beside:
    """Where a model and its data file lie while they are checked.

    name: of the model's file in `folder`; arrays: the tensors of the data file as they are read back, views of the mapped file;
    sha1, sha256: of the data file.
    """

    folder: Path
    name: str
    arrays: Mapping[str, np.ndarray]
    sha1: str
    sha256: str

    def file(self, data: bytes) -> Path:
        """These bytes as the model's file: runtimes find the weights beside it. Raises DataError where it cannot be written."""
        path = self.folder / self.name
        try:
            path.write_bytes(data)
        except OSError as error:
            raise cannot(Path(self.name), error) from error
        return path


@contextmanager
def drafted(model: onnx.ModelProto, data: DataFile, target: Path | None) -> Iterator[Beside]:
    """The data file is written (or, where it is there already, read), and the model gets its checksum. What is left at the end goes.

    Without a target both are made in a temporary folder. Raises DataError where something cannot be written or read.
    """
    if target is not None:
        refuse_place(target, data)
    place = target if target is not None else Path(tempfile.gettempdir()) / "model.onnx"
    with draft_folder(place) as folder:
        if data.is_new:
            yield made(model, data, folder, place.name)
        else:  # the location is below the target's folder, so the draft of the model has to lie there too
            yield taken(model, data, place.parent, twin(folder).name)


def made(model: onnx.ModelProto, data: DataFile, folder: Path, name: str) -> Beside:
    """Write the data file into the folder."""
    path = folder / data.location
    free = shutil.disk_usage(folder).free
    if free < data.size:
        raise DataError(CannotWrite(path=data.location, reason=f"{data.size:,} bytes are needed, {free:,} are free on the disk"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sha1, sha256 = data.write(path)
    except OSError as error:
        raise cannot(Path(data.location), error) from error
    stamp(model, sha1)
    return Beside(folder, name, read_external(model, folder), sha1, sha256)


def taken(model: onnx.ModelProto, data: DataFile, folder: Path, name: str) -> Beside:
    """Refer to the file that is there. Raises DataError where it holds other numbers: the model's were folded, or training went on."""
    sha1, sha256 = digests(opened(folder, data.location), "sha1", "sha256")
    stamp(model, sha1)
    arrays = read_external(model, folder)
    for key, array in data.arrays.items():
        if not same_bytes(array, arrays[key]):
            raise bad(data.location, f"`{key}` has other numbers in it than in the model; weights that are folded cannot be shared")
    return Beside(folder, name, arrays, sha1, sha256)


@contextmanager
def disk_errors(target: Path | None) -> Iterator[None]:
    """What the disk refuses while a model is made is a DataError that names the model."""
    try:
        yield
    except OSError as error:
        raise cannot(target or Path(tempfile.gettempdir()), error) from error


def cannot(path: Path, error: OSError) -> DataError:
    return DataError(CannotWrite(path=str(path), reason=reason(error)))


def write_pair(target: Path, content: bytes, other: Path, save: Callable[[Path], None]) -> None:
    """A model and a second file in its folder, which `save` writes where it is told: both or neither. Raises DataError."""
    with disk_errors(target):
        for path in (target, other):
            if path.is_symlink() or path.is_dir():
                raise DataError(CannotWrite(path=str(path), reason="it is a link or a folder"))
        with draft_folder(target) as folder:
            (folder / "model").write_bytes(content)
            save(folder / "other")
            move_all([(flushed(folder / "other"), other), (flushed(folder / "model"), target)], folder)


# ---- to their places --------------------------------------------------------------------------------------------------------------


def refuse_place(target: Path, data: DataFile) -> None:
    """DataError where the data file may not stand at its place: a link, a folder, a checkpoint."""
    place = target.parent / data.location
    if target.is_symlink() or target.is_dir():
        raise DataError(CannotWrite(path=str(target), reason="it is a link or a folder"))
    if not data.is_new:
        return
    if (place.exists() and not place.is_file()) or any(part.is_symlink() for part in (place, *place.parents[: data.location.count("/")])):
        raise DataError(CannotWrite(path=str(place), reason="it is a pipe, a link or a folder, or behind a link"))
    if not place.parent.is_dir():
        raise DataError(CannotWrite(path=str(place), reason=f"there is no folder {place.parent}"))
    if is_checkpoint(place):
        raise bad(data.location, "it is a checkpoint of a training, which is not overwritten; only the one that is exported can be shared")


def is_checkpoint(path: Path) -> bool:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return "dslc" in read_header(data)[1]
    except (OSError, ValueError):
        return False


def publish(beside: Beside, data: DataFile, content: bytes, target: Path) -> None:
    """Move the data file to its place, then the model. Raises DataError; then the old files stand."""
    refuse_place(target, data)
    moves = [(beside.folder / data.location, target.parent / data.location)] if data.is_new else []
    with disk_errors(target):
        aside = Path(tempfile.mkdtemp(prefix=".old.", dir=beside.folder)) if data.is_new else beside.folder
        move_all([*moves, (flushed(beside.file(content)), target)], aside)


def move_all(moves: Sequence[tuple[Path, Path]], aside: Path) -> None:
    """Rename each draft to its place, the model last, each flushed before the next. Raises OSError.

    Where one fails or it is interrupted, the old files stand again.
    """
    for path, _ in moves:
        path.chmod(0o644 & ~umask())
    *before, (draft, target) = moves
    olds: dict[Path, Path | None] = {}
    try:
        if target.exists() and any(place.exists() for _, place in before):
            olds[target] = aside / "old"
            target.rename(aside / "old")
            flushed(target.parent)
        for number, (path, place) in enumerate(before):
            olds[place] = second_name(place, aside / f"{number}")
            path.replace(place)
            flushed(place.parent)
        draft.replace(target)
    except BaseException:
        if draft.exists():
            for place, old in reversed(olds.items()):
                put_back(place, old)
        raise
    flushed(target.parent)


def second_name(place: Path, name: Path) -> Path | None:
    """Keep the file that is there under another name; None where there is none."""
    if not place.exists():
        return None
    try:
        os.link(place, name)
    except OSError:  # a file system without second names
        place.rename(name)
    return name


def put_back(place: Path, old: Path | None) -> None:
    """The old file, if it was moved at all; what is new where none was goes."""
    if old is not None:
        with suppress(FileNotFoundError):
            old.replace(place)
    else:
        place.unlink(missing_ok=True)
