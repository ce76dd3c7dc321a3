"""The data of one training: all sources loaded and checked against what the graphs do with them, and cut into batches."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dslc.diagnostics import DataError
from dslc.program import Training
from runtime.data.errors import UnequalRows
from runtime.data.load import load_data
from runtime.data.order import permutation
from runtime.train.errors import NoData
from runtime.train.uses import bounds_of

Fields = dict[str, np.ndarray]


@dataclass(frozen=True)
class Inputs:
    """splits: split -> graph input (`data.image`) -> array; whole: inputs without a batch axis; hash: SHA-256 of all sources;
    redraws: what draws fields of the train split anew for each epoch, by its number from 0."""

    splits: dict[str, Fields]
    whole: frozenset[str]
    notes: tuple[str, ...]
    hash: str
    redraws: tuple[Callable[[int], Fields], ...] = ()

    def in_epoch(self, epoch: int) -> Inputs:
        """The inputs as an epoch of training sees them: a pure function of (seed, epoch). What is evaluated stays as it is."""
        if not self.redraws:
            return self
        fresh = {name: array for redraw in self.redraws for name, array in redraw(epoch).items()}
        return replace(self, splits={**self.splits, "train": {**self.splits["train"], **fresh}})

    def count(self, split: str) -> int:
        """The number of samples of a split."""
        return len(next(array for name, array in self.splits[split].items() if name not in self.whole))

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for fields in self.splits.values() for array in fields.values())

    @property
    def redrawn(self) -> int:
        """Bytes of what is drawn for an epoch, beside those arrays: of pairs all but their left sides."""
        drawn = (array for name, array in self.splits["train"].items() if name.rpartition(".")[2] != "left")
        return sum(array.nbytes for array in drawn) if self.redraws else 0

    def take(self, split: str, rows: np.ndarray | slice) -> Fields:
        """The fields of some samples."""
        return {name: array if name in self.whole else array[rows] for name, array in self.splits[split].items()}

    def ordered(self, split: str, size: int) -> Iterator[Fields]:
        """A split in its own order, in batches; the last may be smaller."""
        for start in range(0, self.count(split), size):
            yield self.take(split, slice(start, start + size))

    def evaluated(self) -> str:
        """The split that is evaluated after each epoch: validation, else test, else train."""
        return next(name for name in ("validation", "test", "train") if name in self.splits)

    def most_evaluated(self) -> int:
        """The number of samples of the larger split that a training evaluates."""
        return max(self.count(split) for split in {self.evaluated(), *(self.splits.keys() & {"test"})})

    def require(self, split: str) -> None:
        """Raise DataError if there is no such split."""
        if split not in self.splits:
            raise DataError(NoData(split=split, present=", ".join(self.splits)))


class Order:
    """The samples of each step of training: pure in (seed, step); permutation and fields of the present epoch are kept."""

    def __init__(self, inputs: Inputs, size: int, seed: int) -> None:
        self.inputs = self.first = inputs
        self.size, self.seed = size, seed
        self.count = inputs.count("train")
        self.steps = -(-self.count // size)  # in an epoch
        self.epoch, self.rows = -1, np.empty(0, np.int64)

    def batch(self, step: int) -> np.ndarray:
        """Sample numbers of the batch of `step` (from 0, through all epochs)."""
        epoch, index = divmod(step, self.steps)
        if epoch != self.epoch:
            self.epoch, self.rows = epoch, permutation(self.count, self.seed, epoch)
            self.inputs = self.first  # what was drawn for the epoch before is given back first
            self.inputs = self.first.in_epoch(epoch)
        return self.rows[index * self.size : (index + 1) * self.size]

    def take(self, rows: np.ndarray) -> Fields:
        """The fields of some samples of the batch that was asked for last."""
        return self.inputs.take("train", rows)


def load_inputs(training: Training, folder: Path, data_dir: Path | None, seed: int) -> Inputs:
    """All sources of a training. Raises DataError where one is missing, malformed or does not fit."""
    bounds = bounds_of(training)
    splits: dict[str, Fields] = {}
    notes: list[str] = []
    hashes: list[object] = []
    whole: set[str] = set()
    redraws: list[Callable[[int], Fields]] = []
    for source in training.data:
        prefix = f"{source.variable}."
        own = {name.removeprefix(prefix): allowed for name, allowed in bounds.items() if name.startswith(prefix)}
        loaded = load_data(source, folder=folder, data_dir=data_dir, seed=seed, bounds=own)
        for split, arrays in loaded.splits.items():
            splits.setdefault(split, {}).update({prefix + name: array for name, array in arrays.items()})
        notes += loaded.notes
        if loaded.redraw is not None:
            redraws.append(partial(_prefixed, prefix, loaded.redraw))
        hashes.append(loaded.manifest["hash"])
        whole |= {prefix + name for name in source.whole}
    joined = _complete(splits, len(training.data), frozenset(whole))
    digest = hashlib.sha256(json.dumps(hashes).encode()).hexdigest()
    return Inputs(joined, frozenset(whole), tuple(notes), digest, tuple(redraws))


def _prefixed(prefix: str, redraw: Callable[[int], Fields], epoch: int) -> Fields:
    """The fields of one source by their names among all."""
    return {prefix + name: array for name, array in redraw(epoch).items()}


def _complete(splits: Mapping[str, Fields], sources: int, whole: frozenset[str]) -> dict[str, Fields]:
    """The splits that every source has; the sources must agree on the number of samples."""
    variables = {split: {name.split(".")[0] for name in fields} for split, fields in splits.items()}
    kept = {split: fields for split, fields in splits.items() if len(variables[split]) == sources}
    for split, fields in kept.items():
        rows = {name: len(array) for name, array in fields.items() if name not in whole}
        (first, count), *others = rows.items()
        for other, found in others:
            if found != count:
                raise DataError(UnequalRows(file=split, first=first, first_rows=count, second=other, second_rows=found))
    return kept


def short_names(fields: Mapping[str, Any], variables: Sequence[str]) -> dict[str, Any]:
    """`data.image` as `image`, as people name fields; with several sources the long names stay."""
    return {name.partition(".")[2]: array for name, array in fields.items()} if len(variables) == 1 else dict(fields)
