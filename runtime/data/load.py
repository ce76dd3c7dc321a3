"""`load_data`: a `DataSource` of a spec to arrays, split and checked."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dslc.below import Below
from dslc.diagnostics import SpecError
from dslc.ir.types import tensor
from dslc.program import DataSource
from runtime.data.bounds import Bounds, of_classes
from runtime.data.csvfile import read_csv
from runtime.data.errors import BadFormat, MissingField, Unreadable, fail
from runtime.data.fit import fit
from runtime.data.idx import read_idx
from runtime.data.made import MADE
from runtime.data.npz import read_npz
from runtime.data.opened import find_file
from runtime.data.pairs import paired
from runtime.data.pictures import read_folder
from runtime.data.registry import REGISTRY, Found, open_registered
from runtime.data.splits import DEFAULT, by_fractions, with_validation
from runtime.data.tables import TABLES, open_table
from runtime.errors import CannotRun

Arrays = dict[str, np.ndarray]
Redraw = Callable[[int], Arrays]


@dataclass(frozen=True)
class DataSet:
    """splits: split -> field -> array (`train` always; `validation`, `test` where they are not empty);
    notes: what is to be said aloud; manifest: what the data was, with a SHA-256 over all of it under `hash`;
    redraw: where each epoch of training draws anew, its train split by its number, from 0."""

    splits: dict[str, Arrays]
    notes: tuple[str, ...]
    manifest: dict[str, object]
    redraw: Redraw | None = None


@dataclass(frozen=True)
class Place:
    """Where files are looked for: below `--data-dir` (or DSLC_DATA) first, then beside the spec."""

    folder: Path
    data_dir: Path | None

    def find(self, name: str) -> Below:
        given = named_folder(self.data_dir)
        return find_file(name, (given, self.folder) if given is not None else (self.folder,))


def named_folder(data_dir: Path | None) -> Path | None:
    """The folder of `--data-dir`, or of DSLC_DATA. Raises DataError where there is no such folder."""
    value = os.environ.get("DSLC_DATA")
    given = data_dir if data_dir is not None else Path(value) if value else None
    if given is not None and not given.is_dir():
        named = "--data-dir" if data_dir is not None else "DSLC_DATA"
        raise fail(Unreadable(file=str(given), problem=f"there is no such folder, which {named} names"))
    return given


def load_data(source: DataSource, *, folder: Path, data_dir: Path | None = None, seed: int = 0, bounds: Bounds | None = None) -> DataSet:
    """The data of `source`, whose spec stands in `folder`; splits are dealt out by `seed`; `bounds`: which values fields may hold.

    Raises DataError (exit code 3) where a file is missing, malformed or does not fit the schema; SpecError where such data cannot be
    read yet.
    """
    named_folder(data_dir)
    reader = READERS.get(source.kind)
    if reader is None or (source.kind == "dataset" and _name(source) not in {*REGISTRY, *TABLES, *MADE}):
        kind = source.kind if reader is None else f'dataset("{_name(source)}")'
        raise SpecError(CannotRun(what=f"data from `{kind}`", where=source.place))
    allowed = dict(bounds or {})
    if source.classes and "label" in source.fields:
        allowed["label"] = (*allowed.get("label", ()), of_classes(len(source.classes)))
    splits, notes, redraw = reader(source, Place(folder, data_dir), seed, allowed)
    if not {"validation", "test"} & set(splits):
        notes = (*notes, f"{file_of(source)}: there is no validation and no test split: the train split is evaluated")
    return DataSet(splits, notes, _manifest(source, splits), redraw)


class Loaded(NamedTuple):
    """What a reader returns: the fields of a `DataSet` that depend on its kind."""

    splits: dict[str, Arrays]
    notes: tuple[str, ...] = ()
    redraw: Redraw | None = None


Read = Callable[[DataSource, Place, int, Bounds], Loaded]


def _name(source: DataSource) -> str:
    return str(source.args.get("name", ""))


def file_of(source: DataSource) -> str:
    """The name that messages give the source: its file, or the set's name."""
    return str(
        source.args.get("path") or source.args.get("images") or source.args.get("name") or source.args.get("of.name") or source.variable
    )


def _dataset(source: DataSource, place: Place, seed: int, bounds: Bounds) -> Loaded:
    name = _name(source)
    if name in TABLES:
        return _table(open_table(name), source, seed, bounds)
    found = Found(MADE[name](source.args), ()) if name in MADE else open_registered(name, place.data_dir)
    splits = {}
    for split, arrays in found.splits.items():
        shaped = {name: _as_samples(arrays[name], source, name) for name in source.fields if name in arrays}
        _require(shaped, source, list(arrays))
        splits[split] = fit(shaped, source.fields, source.whole, bounds, f"{file_of(source)} ({split})")
    if "test" in splits:
        return Loaded(with_validation(splits, source.whole, seed), found.notes)
    return Loaded(by_fractions(splits["train"], source.whole, _fractions(source), seed, file_of(source)), found.notes)


def _as_samples(array: np.ndarray, source: DataSource, name: str) -> np.ndarray:
    """`[n, 28, 28]` as `[n, 1, 28, 28]` or `[n, 784]`, if the schema says so: the numbers are the same."""
    sizes = source.fields[name].shape[1:]
    if not all(size.is_constant for size in sizes):
        return array
    shape = tuple(size.constant for size in sizes)
    return array.reshape(len(array), *shape) if np.prod(shape, dtype=int) * len(array) == array.size else array


def _csv(source: DataSource, place: Place, seed: int, bounds: Bounds) -> Loaded:
    """Fields `input` (columns side by side), `target` (a column, or several side by side) and `label` (a column)."""
    path, target = str(source.args["path"]), source.args.get("target")
    wanted = {"input": _names(source, "inputs"), "target": _names(source, "target"), "label": _names(source, "label")}
    columns = read_csv(place.find(path), path, list(dict.fromkeys(name for names in wanted.values() for name in names)))
    arrays = {field: np.stack([columns[name] for name in names], axis=1) for field, names in wanted.items() if names}
    for field in ("label", *(["target"] if isinstance(target, str) else [])):
        if field in arrays:
            arrays[field] = arrays[field][:, 0]
    return _table(arrays, source, seed, bounds)


def _npz(source: DataSource, place: Place, seed: int, bounds: Bounds) -> Loaded:
    path = str(source.args["path"])
    return _table(read_npz(place.find(path), path), source, seed, bounds)


def _idx(source: DataSource, place: Place, seed: int, bounds: Bounds) -> Loaded:
    """Fields `image` and `label`; with files of a test split, a tenth of the others is the validation split."""
    train = _pair(source, place, "images", "labels")
    if source.args.get("test_images") is None:
        return _table(train, source, seed, bounds)
    splits = {"train": train, "test": _pair(source, place, "test_images", "test_labels")}
    fitted = {split: fit(arrays, source.fields, source.whole, bounds, f"{file_of(source)} ({split})") for split, arrays in splits.items()}
    return Loaded(with_validation(fitted, source.whole, seed))


def _pair(source: DataSource, place: Place, images: str, labels: str) -> Arrays:
    files = {"image": str(source.args[images]), "label": str(source.args[labels])}
    arrays = {field: read_idx(place.find(file), file) for field, file in files.items()}
    return {field: _as_samples(array, source, field) if field in source.fields else array for field, array in arrays.items()}


def _images(source: DataSource, place: Place, seed: int, bounds: Bounds) -> Loaded:
    """A folder of pictures for each class, or such folders under `train`, `validation`, `test`."""
    path = str(source.args["path"])
    where = place.find(path)
    found, names = read_folder(where.folder / where.name, path, int(str(source.args["size"])), int(str(source.args["channels"])))
    counts = ", ".join(f"{len(arrays['label']):,} for {split}" for split, arrays in found.items())
    notes = (f"{path}: {len(names):,} classes, {counts}",)
    fitted = {split: fit(arrays, source.fields, source.whole, bounds, f"{path} ({split})") for split, arrays in found.items()}
    if len(fitted) > 1:
        return Loaded(with_validation(fitted, source.whole, seed) if "test" in fitted else fitted, notes)
    return Loaded(by_fractions(fitted["train"], source.whole, _fractions(source), seed, path), notes)


def _pairs(source: DataSource, place: Place, seed: int, bounds: Bounds) -> Loaded:
    """`left`, `right` and `same` of another source with `image` and `label`; each epoch draws the partners of the train split anew."""
    args = {key.removeprefix("of."): value for key, value in source.args.items() if key.startswith("of.")}
    fields = {"image": source.fields["left"], "label": tensor("i64", "batch")}
    base = source.model_copy(update={"kind": str(source.args["of"]), "args": args, "fields": fields})
    splits, notes, _ = READERS[base.kind](base, place, seed, {})
    same = float(str(source.args["same"]))

    def drawn(split: str, epoch: int) -> Arrays:
        return fit(paired(splits[split], same, seed, split, epoch), source.fields, (), {}, f"{file_of(base)} ({split})")

    return Loaded({split: drawn(split, 0) for split in splits}, notes, partial(drawn, "train"))


def _table(arrays: Arrays, source: DataSource, seed: int, bounds: Bounds) -> Loaded:
    """A source that is one table: checked, then split by fractions."""
    _require(arrays, source, list(arrays))
    if all(name in source.whole for name in source.fields):
        raise fail(BadFormat(file=file_of(source), problem="no field has a batch axis: every one is named in `whole`"))
    fitted = fit(arrays, source.fields, source.whole, bounds, file_of(source))
    return Loaded(by_fractions(fitted, source.whole, _fractions(source), seed, file_of(source)))


def _require(arrays: Arrays, source: DataSource, present: list[str]) -> None:
    for name in source.fields:
        if name not in arrays:
            raise fail(MissingField(file=file_of(source), what="field", name=name, present=", ".join(f"`{p}`" for p in present)))


def _names(source: DataSource, argument: str) -> list[str]:
    value = source.args.get(argument)
    return [str(name) for name in value] if isinstance(value, tuple) else [str(value)] if value is not None else []


def _fractions(source: DataSource) -> tuple[float, ...]:
    value = source.args.get("split")
    return tuple(float(part) for part in value) if isinstance(value, tuple) and value else DEFAULT  # type: ignore[arg-type]


READERS: dict[str, Read] = {"dataset": _dataset, "csv": _csv, "npz": _npz, "idx": _idx, "images": _images, "pairs": _pairs}


def _manifest(source: DataSource, splits: Mapping[str, Arrays]) -> dict[str, object]:
    """Kind, name and, for every split and field, type, shape and SHA-256; no folder names."""
    contents = {
        split: {
            name: {
                "type": str(array.dtype),
                "shape": list(array.shape),
                "sha256": hashlib.sha256(array.data if array.ndim else array.tobytes()).hexdigest(),
            }
            for name, array in arrays.items()
        }
        for split, arrays in splits.items()
    }
    whole: dict[str, object] = {"variable": source.variable, "kind": source.kind, "name": file_of(source), "splits": contents}
    return {**whole, "hash": hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()}
