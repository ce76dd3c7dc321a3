"""Diagnostics of training: run folders, checkpoints, disks."""

from __future__ import annotations

from dataclasses import dataclass

from dslc.diagnostics import Diagnostic


@dataclass(frozen=True, kw_only=True)
class CheckpointBroken(Diagnostic):
    file: str
    problem: str
    code = "checkpoint-broken"
    words = "{file}: {problem}"
    hint = "a checkpoint is written by `dslc train` and never changed; training starts anew in another folder"


@dataclass(frozen=True, kw_only=True)
class CheckpointOther(Diagnostic):
    """A run cannot be continued with another spec, other data or another version of the format."""

    file: str
    what: str
    details: str
    code = "checkpoint-mismatch"
    words = "{file}: {what} is not the one of this run: {details}"
    hint = "resume with the same spec, settings and data, or start a new run"


@dataclass(frozen=True, kw_only=True)
class RunFolderFault(Diagnostic):
    folder: str
    problem: str
    advice: str
    code = "run-folder"
    words = "{folder}: {problem}"
    hint = "{advice}"


@dataclass(frozen=True, kw_only=True)
class RunLocked(Diagnostic):
    folder: str
    holder: str  # `the process 12`
    code = "run-locked"
    words = "{folder}: {holder} is training in this folder"
    hint = "wait for it, stop it, or choose another folder with `--out`"


@dataclass(frozen=True, kw_only=True)
class DiskSpace(Diagnostic):
    folder: str
    needed: int
    free: int
    code = "disk-space"
    words = "{folder}: the checkpoints need {needed} bytes, {free} are free"
    hint = "free some space, or choose another folder with `--out`"


@dataclass(frozen=True, kw_only=True)
class MemorySpace(Diagnostic):
    """Sizes as text: `298.0 GiB`."""

    needed: str
    parts: str
    free: str
    code = "memory-space"
    words = "a training needs {needed} of memory, {free} are free"
    hint = "it is {parts}; a smaller `batch_size` needs less for values"


@dataclass(frozen=True, kw_only=True)
class MemoryFull(Diagnostic):
    """The system refused an allocation."""

    detail: str
    code = "memory-space"
    words = "there is not enough memory: {detail}"
    hint = "`dslc show` says what the layers of a network and a training step need"


@dataclass(frozen=True, kw_only=True)
class SaveFailed(Diagnostic):
    file: str
    problem: str
    code = "save-failed"
    words = "{file}: cannot be written: {problem}"
    hint = "the last good state is kept; `dslc train --resume` continues from it"


@dataclass(frozen=True, kw_only=True)
class NoData(Diagnostic):
    split: str
    present: str
    code = "no-split"
    words = "the data has no split `{split}`"
    hint = "it has {present}"


@dataclass(frozen=True, kw_only=True)
class StartFault(Diagnostic):
    """The weights that `start` names do not fit. table: a line for each of them."""

    file: str
    problems: str
    table: str
    code = "start-mismatch"
    words = "{file}: {problems}"
    hint = 'name what begins anew or is left out: checkpoint(…, skip="dense1.*"), or what has another name: rename=["Old.**", "New.**"]'
