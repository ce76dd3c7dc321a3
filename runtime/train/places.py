"""Which folders a training may begin in, and which one it may go on in."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from dslc.diagnostics import DataError
from runtime.train.atomic import SUFFIX, make_folder, sync_folder
from runtime.train.lock import NAME as LOCK
from runtime.train.metrics import NAME as METRICS
from runtime.train.run import CHECKPOINTS, ENVIRONMENT, RESOLVED, SCHEMA, STARTED, WRITTEN, folder_fault

LINK = "is a link; a run is not written through links"


def new_folder(out: Path | None, spec_path: Path) -> Path:
    """A folder for a new run: `out`, or the next free number below `runs/NAME`. Raises DataError.

    `out` is empty, or holds no more than a start that ended before it saved anything.
    """
    try:
        if out is None:
            name = spec_path.name.removesuffix(".nn")
            return _numbered(Path("runs") / (name if name.strip(".") else "spec"))  # `...nn` is no way upwards
        if out.is_symlink():
            raise folder_fault(out, LINK, "name the folder itself")
        make_folder(out)
        if any(out.iterdir()) and not _only_begun(out):
            raise _not_empty(out)
        return out
    except OSError as error:
        raise folder_fault(out or Path("runs"), f"cannot be made: {error.strerror or error}", "`--out` names another folder") from None


def _numbered(parent: Path) -> Path:
    make_folder(parent)
    number = max((int(path.name) for path in parent.iterdir() if path.name.isascii() and path.name.isdigit()), default=0)
    while True:
        number += 1
        folder = parent / f"{number:04}"
        try:
            folder.mkdir(mode=0o755)
        except FileExistsError:
            continue  # somebody else took it
        sync_folder(parent)
        return folder


def begin(folder: Path) -> None:
    """Clear away what an earlier start left (under the lock). Raises DataError where another trainer has saved something by now."""
    if _saved(folder):
        raise _not_empty(folder)
    for name in (WRITTEN, RESOLVED, ENVIRONMENT, METRICS, STARTED):
        (folder / name).unlink(missing_ok=True)
    if (folder / SCHEMA).is_dir():
        shutil.rmtree(folder / SCHEMA)


def require_run(folder: Path) -> None:
    """Raise DataError where there is nothing to go on from."""
    if folder.is_symlink():
        raise folder_fault(folder, LINK, "name the folder itself")
    if _only_begun(folder):
        problem = "a training began here and ended before it saved anything"
        raise folder_fault(folder, problem, f"begin it once more: `dslc train` with `--out {folder}`")
    if not (folder / CHECKPOINTS).is_dir():
        raise folder_fault(folder, "is not a run folder: there are no checkpoints", "`--resume` takes a run folder")


def _only_begun(folder: Path) -> bool:
    """Whether a trainer was here, of which the folder has the lock or the spec, and no checkpoint."""
    return any(os.path.lexists(folder / name) for name in (LOCK, RESOLVED)) and not _saved(folder)


def _saved(folder: Path) -> bool:
    checkpoints = folder / CHECKPOINTS
    return os.path.lexists(checkpoints) and (not checkpoints.is_dir() or any(path.suffix != SUFFIX for path in checkpoints.iterdir()))


def _not_empty(folder: Path) -> DataError:
    return folder_fault(folder, "is not empty", f"`--resume {folder}` continues the run that is there; a new run takes another folder")
