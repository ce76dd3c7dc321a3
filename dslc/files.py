"""Files that users name for output: never a spec by accident, written as a whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from dslc.diagnostics import DataError, SpecError
from dslc.usage import BadArgument, CannotWriteFile, WouldOverwriteSpec


def output_path(text: str) -> Path:
    """A file that is to be written: never a spec, a folder or a link. Raises before anything is computed for it."""
    path = Path(text)
    if path.suffix == ".nn":
        raise SpecError(WouldOverwriteSpec(path=text))
    if path.is_symlink():
        raise DataError(CannotWriteFile(path=text, reason="it is a link, which is not written through"))
    if path.is_dir():
        raise DataError(CannotWriteFile(path=text, reason="it is a folder"))
    if not path.parent.is_dir():
        raise DataError(CannotWriteFile(path=text, reason=f"there is no folder {path.parent}"))
    return path


def svg_path(text: str) -> Path:
    """A picture that is to be written: SVG is the one form that there is."""
    path = output_path(text)
    if path.suffix != ".svg":
        raise SpecError(BadArgument(detail=f"a file name that ends in .svg is needed, not `{text}`", usage="--graph net.svg"))
    return path


def same_file(one: Path, other: Path) -> bool:
    """Whether two names mean one file, which need not exist; links are followed."""
    return one.resolve() == other.resolve() or (one.exists() and other.exists() and one.samefile(other))


def write_file(path: Path, data: bytes | str) -> None:
    """Write the whole file or nothing: a temporary file beside it, flushed to the disk, then renamed. Keeps an old file's mode."""
    import tempfile

    raw = data.encode() if isinstance(data, str) else data
    target = path.resolve()
    temporary = ""
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644 & ~umask()
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(target)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise DataError(CannotWriteFile(path=str(path), reason=reason(error))) from error


def umask() -> int:
    """The process's file mode mask (it can only be read by setting it)."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def reason(error: OSError) -> str:
    """`permission denied` from an OSError, without the errno and the path."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
