"""Files that users name for output: never a spec by accident, written as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dslc.diagnostics import DataError, SpecError
from dslc.usage import BadArgument, CannotWriteFile, WouldOverwriteSpec

DRAFT = ".draft"  # how the folders of files end that are being written


def output_path(text: str) -> Path:
    """A file that is to be written: never a spec, a folder or a link. Raises before anything is computed for it."""
    path = Path(text)
    if path.suffix == ".nn":
        raise SpecError(WouldOverwriteSpec(path=text))
    try:
        if path.is_symlink():
            raise DataError(CannotWriteFile(path=text, reason="it is a link, which is not written through"))
        if path.is_dir():
            raise DataError(CannotWriteFile(path=text, reason="it is a folder"))
        if not path.parent.is_dir():
            raise DataError(CannotWriteFile(path=text, reason=f"there is no folder {path.parent}"))
    except OSError as error:
        raise DataError(CannotWriteFile(path=text, reason=reason(error))) from error
    return path


def svg_path(text: str) -> Path:
    """A picture that is to be written: SVG is the one form that there is."""
    path = output_path(text)
    if path.suffix != ".svg":
        raise SpecError(BadArgument(detail=f"a file name that ends in .svg is needed, not `{text}`", usage="--graph net.svg"))
    return path


def same_file(one: Path, other: Path) -> bool:
    """Whether two names mean one file or folder, which need not exist; links are followed. Raises DataError."""
    try:
        return one.resolve() == other.resolve() or (one.exists() and other.exists() and one.samefile(other))
    except OSError as error:
        raise DataError(CannotWriteFile(path=str(one), reason=reason(error))) from error


def write_file(path: Path, data: bytes | str) -> None:
    """Write the whole file or nothing. Keeps an old file's mode."""
    try:
        place(path.resolve(), data.encode() if isinstance(data, str) else data)
    except OSError as error:
        raise DataError(CannotWriteFile(path=str(path), reason=reason(error))) from error


def place(target: Path, data: bytes, *, new: bool = False) -> None:
    """Put these bytes under a name in one step: a draft beside it, flushed to the disk, then renamed; the name too is flushed.

    new: the name may not be there yet, or FileExistsError. Raises OSError; then what was there before stands.
    """
    with draft_folder(target) as folder:
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644 & ~umask()
        draft = folder / "draft"
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(mode)
        if new:
            claim(draft, target)
        draft.replace(target)
        flushed(target.parent)


def claim(draft: Path, target: Path) -> None:
    """Take a name that is free, with the draft's bytes from the first moment where the file system has second names."""
    try:
        target.hardlink_to(draft)
    except FileExistsError:
        raise
    except OSError:
        target.touch(exist_ok=False)


def flushed(path: Path) -> Path:
    """The file or folder, written to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return path


def npz(arrays: Mapping[str, Any]) -> bytes:
    """Arrays as `numpy.load` reads them: the same bytes for the same arrays, whenever they are written (`numpy.savez` notes the time)."""
    import zipfile
    from io import BytesIO

    import numpy as np

    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
    return stream.getvalue()


# ---- drafts -----------------------------------------------------------------------------------------------------------------------


@contextmanager
def draft_folder(target: Path, beside: Path | None = None) -> Iterator[Path]:
    """A hidden folder beside a file that is to be written (or in `beside`), gone at the end. What killed processes left there goes first.

    Its process holds a lock on it, which the system releases when the process ends. Raises OSError.
    """
    parent, prefix = beside or target.parent, f".{target.name[:100]}."
    sweep(parent, prefix)
    folder, descriptor = make_draft(parent, prefix)
    try:
        yield folder
    finally:
        remove(folder, descriptor)


def make_draft(parent: Path, prefix: str) -> tuple[Path, int | None]:
    """A new folder and the descriptor that holds its lock; None on a file system without locks, where nobody can sweep either."""
    import tempfile

    while True:
        folder = Path(tempfile.mkdtemp(suffix=DRAFT, prefix=prefix, dir=parent))
        try:
            return folder, hold(folder)
        except (BlockingIOError, FileNotFoundError):
            continue  # another process sweeps it away
        except OSError:
            return folder, None


def sweep(parent: Path, prefix: str) -> None:
    """Remove the drafts that no process holds."""
    with suppress(OSError):
        for path in sorted(parent.iterdir()):
            if path.name.startswith(prefix) and path.name.endswith(DRAFT):
                with suppress(OSError):
                    remove(path, hold(path))


def hold(folder: Path) -> int:
    """A descriptor with the lock of a folder. Raises BlockingIOError where a process has it, FileNotFoundError, OSError."""
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), folder.lstat()):
            return descriptor
        raise FileNotFoundError
    except BaseException:
        os.close(descriptor)
        raise


def twin(folder: Path) -> Path:
    """A file that has to lie where its place will be while it is checked: it goes with this draft folder."""
    return folder.with_name(f"{folder.name}.onnx")


def remove(folder: Path, descriptor: int | None) -> None:
    """A draft, its twin and its lock; what cannot be removed is left to the next sweep."""
    import shutil

    try:
        with suppress(OSError):
            twin(folder).unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)


def umask() -> int:
    """The process's file mode mask (it can only be read by setting it)."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def reason(error: OSError) -> str:
    """`permission denied` from an OSError, without the errno and the path."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
