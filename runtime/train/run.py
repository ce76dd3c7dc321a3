"""The run folder: filled, opened again, and what its checkpoints say.

runs/lenet/0001/   spec.nn  spec.resolved.nn  env.json  metrics.jsonl  checkpoints/{best,last}.safetensors
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from dslc.diagnostics import DataError, InternalError, SpecError
from dslc.ir.types import DType
from dslc.program import Program
from dslc.syntax.reader import read_source
from dslc.usage import Unexpected
from runtime.train.atomic import make_folder, write_atomic, write_below
from runtime.train.checkpoint import Checkpoint, load_checkpoint, map_checkpoint
from runtime.train.contents import check_meta, check_tensors
from runtime.train.errors import CheckpointBroken, RunFolderFault
from runtime.train.metrics import NAME as METRICS
from runtime.train.metrics import read_history
from runtime.train.resolved import imported_files, program_hash, resolve_text, without_unused, write_sources
from runtime.train.schema import schema_files

WRITTEN, RESOLVED, ENVIRONMENT, CHECKPOINTS, STARTED = "spec.nn", "spec.resolved.nn", "env.json", "checkpoints", "start.json"
SCHEMA = "schema"  # the headers of data files whose fields only the files know, and what the spec imports
RESERVED = (WRITTEN, RESOLVED, ENVIRONMENT, METRICS, CHECKPOINTS, SCHEMA, STARTED, "lock")
LAST, BEST = "last", "best"
SHIPPED = "specs/"  # how shipped specs are called


@dataclass(frozen=True)
class SavedRun:
    """A run as it lies on the disk. `checkpoint` says which one was read; `notes` what is to be said aloud (a fallback)."""

    folder: Path
    program: Program
    training: str
    checkpoint: str
    state: Checkpoint
    history: list[dict[str, Any]]
    notes: tuple[str, ...]

    @property
    def file(self) -> Path:
        """The checkpoint that was read."""
        return self.folder / CHECKPOINTS / f"{self.checkpoint}.safetensors"

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """Weights and states by address."""
        return self.state.parameters

    @property
    def meta(self) -> dict[str, Any]:
        """Counters, best metric, hashes, environment: see docs/training.md."""
        return self.state.meta


def folder_fault(folder: Path, problem: str, advice: str) -> DataError:
    return DataError(RunFolderFault(folder=str(folder), problem=problem, advice=advice))


def fill_folder(folder: Path, program: Program, training: str, spec_path: Path, environment: Mapping[str, Any]) -> None:
    """Write the spec (resolved, as written, and what it imports) and `env.json`; the resolved spec is checked to mean the same.

    The resolved spec is the first, for a folder that has it is known as that of a training (`places.py`). Raises DataError.
    """
    source = read_source(spec_path, spec_path.name)
    imports = imported_files(source, spec_path.parent)
    text = resolve_text(source, program)
    write_sources(folder, str(folder), {RESOLVED: text, WRITTEN: source.text}, ())
    write_sources(folder, str(folder), imports, RESERVED)
    if excerpts := schema_files(program.trainings[training].data):
        write_sources(folder / SCHEMA, str(folder), imports, excerpts)
        for name, data in excerpts.items():
            write_below(folder / SCHEMA, name, data)
    write_atomic(folder, ENVIRONMENT, (json.dumps(environment, indent=2) + "\n").encode())
    make_folder(folder / CHECKPOINTS)
    try:
        again = load_written(folder, program, text)
    except SpecError as error:
        problem = f"what was written cannot be read back: {next(d.message for d in error.diagnostics if d.severity == 'error')}"
        raise folder_fault(folder, problem, "`--out` names another folder") from error
    if training not in again.trainings or program_hash(again, training) != program_hash(program, training):
        raise InternalError(Unexpected(kind="resolved spec", detail=f"{RESOLVED} does not mean what {spec_path.name} means"))


def load_written(folder: Path, program: Program, text: str) -> Program:
    """`load_resolved` of a text just written; params that nothing reads any more are taken out of it, round by round."""
    for _ in program.params:
        try:
            return load_resolved(folder, program.precision)
        except SpecError as error:
            text = without_unused(text, error.diagnostics)
            write_sources(folder, str(folder), {RESOLVED: text}, ())
    return load_resolved(folder, program.precision)


def load_resolved(folder: Path, precision: DType) -> Program:
    """The program of a run folder, from what lies in it alone. Raises SpecError."""
    from dslc.loading import check_source

    source = read_source(folder / RESOLVED, f"{folder.name}/{RESOLVED}")
    schema = folder / SCHEMA
    program, found = check_source(source, folder=schema if schema.is_dir() else folder, precision=precision)
    if program is None:
        raise SpecError(found)
    return program


def open_run(path: Path, checkpoint: str = BEST, *, mapped: bool = False) -> SavedRun:
    """Open a run from its folder alone. A missing or damaged checkpoint is replaced by the other one, which `notes` says.

    mapped: the tensors stay in the file and are read where they are used; they cannot be written.
    Raises DataError where nothing can be opened.
    """
    folder = Path(path)
    if not (folder / RESOLVED).is_file():
        raise folder_fault(
            folder, "is not a run folder: there is no spec.resolved.nn", "a run folder is what `dslc train` writes, `runs/NAME/0001`"
        )
    name, state, notes = read_state(
        folder, (checkpoint, LAST if checkpoint == BEST else BEST), map_checkpoint if mapped else load_checkpoint
    )
    try:
        program = load_resolved(folder, DType(state.meta["precision"]))
    except SpecError as error:
        raise folder_fault(
            folder, f"{RESOLVED} is damaged: {error.diagnostics[0].message}", "the folder was changed after the run"
        ) from error
    training = state.meta["training"]
    if training not in program.trainings or program_hash(program, training) != state.meta["spec_hash"]:
        raise folder_fault(
            folder, "spec.resolved.nn is not the spec that the checkpoint was made with", "the folder was changed after the run"
        )
    check_tensors(program.trainings[training], state.parameters, f"{CHECKPOINTS}/{name}.safetensors")
    return SavedRun(folder, program, training, name, state, read_history(folder), notes)


def read_state(
    folder: Path, names: tuple[str, ...], read: Callable[[Path, str], Checkpoint] = load_checkpoint
) -> tuple[str, Checkpoint, tuple[str, ...]]:
    """The first of the named checkpoints that is sound, and notes on those that are not. Raises DataError."""
    if (folder / CHECKPOINTS).is_symlink():
        raise folder_fault(folder, f"{CHECKPOINTS} is a link; a run has no links in it", "copy the folder that it leads to in its place")
    notes: list[str] = []
    for name in names:
        path = folder / CHECKPOINTS / f"{name}.safetensors"
        if not os.path.lexists(path):
            continue
        shown = f"{CHECKPOINTS}/{path.name}"
        try:
            state = read(path, shown)
            check_meta(state.meta, shown)
            return name, state, tuple(notes)
        except DataError as error:
            notes += [f"{d.message}; the other checkpoint is taken" for d in error.diagnostics]
    problem = "; ".join(note.removesuffix("; the other checkpoint is taken") for note in notes) or "there is none"
    raise DataError(CheckpointBroken(file=f"{folder}/{CHECKPOINTS}", problem=f"no checkpoint can be read: {problem}"))


def data_folder(saved: SavedRun) -> Path:
    """The folder below which the run's data files are looked for: that of its spec, as far as it can still be found.

    The checkpoint says where its spec was; one that is absolute or leads upwards is not followed.
    """
    from dslc.loading import specs_folder

    spec = str(saved.meta["spec"])
    pure = PurePosixPath(spec)
    own = () if pure.is_absolute() or ".." in pure.parts or "\\" in spec else (Path(spec).parent,)
    candidates = (*own, specs_folder() if spec.startswith(SHIPPED) else saved.folder, saved.folder)
    sources = saved.program.trainings[saved.training].data
    wanted = [value for source in sources for key in ("path", "images") if isinstance(value := source.args.get(key), str)]
    return next((folder for folder in candidates if all((folder / name).exists() for name in wanted)), candidates[0])
