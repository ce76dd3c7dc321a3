"""A spec that a relation is about: its text and data, in a folder of its own, and its program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

import numpy as np

from dslc.diagnostics import Sink
from dslc.ir.graph import Graph
from dslc.ir.types import DType, TensorType
from dslc.loading import check_source
from dslc.program import Network, Program, Training
from dslc.source import Source
from dslc.syntax.parse import parse
from runtime.step import Step, compile_step
from runtime.train.initializers import initialize

SEED = 1
Arrays = dict[str, np.ndarray]


class Refused(AssertionError):
    """A text that should be accepted has errors."""


@dataclass(frozen=True)
class Subject:
    """`arrays`: the fields of its data file; `whole`: those without an axis of samples."""

    text: str
    folder: Path
    arrays: Arrays
    whole: tuple[str, ...] = ()
    precision: DType = DType.f64

    @cached_property
    def program(self) -> Program:
        return compiled(self.text, self.folder, self.precision)

    @cached_property
    def tree_is_complete(self) -> bool:
        """Whether the text has no syntax errors."""
        return parse(Source("spec.nn", self.text), Sink()).complete

    @cached_property
    def training(self) -> Training:
        (training,) = self.program.trainings.values()
        return training

    def other(self, text: str) -> Subject:
        """Another text over the same data."""
        return Subject(text, self.folder, self.arrays, self.whole, self.precision)

    def compile(self, batch_size: int = 3) -> Step:
        return compile_step(self.program, batch_size=batch_size, threads=1, keep_grads=True, seed=SEED)

    def batch(self, start: int, stop: int) -> Arrays:
        return {name: array if name in self.whole else array[start:stop] for name, array in self.arrays.items()}

    def inputs(self, graph: Graph, parameters: Arrays, fields: Arrays) -> Arrays:
        """Arrays for a graph of the training."""
        found = {item.name: parameters[item.name] for item in graph.inputs if item.kind in ("weight", "state") and item.name in parameters}
        for item in graph.inputs:
            if item.kind == "key":
                found[item.name] = np.array([SEED, 0, 0])
            if item.kind == "data":
                found[item.name] = fields[item.name.partition(".")[2]].astype(graph.types[item.id].dtype.numpy)
        return found


def accepted(text: str, folder: Path, precision: DType = DType.f64) -> Program | None:
    """The program of a text, or None where it has errors."""
    return check_source(Source("spec.nn", text), folder=folder, precision=precision)[0]


def compiled(text: str, folder: Path, precision: DType = DType.f64) -> Program:
    """The program of a text; AssertionError with the diagnostics where it has errors."""
    program, found = check_source(Source("spec.nn", text), folder=folder, precision=precision)
    if program is None:
        errors = "\n".join(str(item) for item in found if item.severity == "error")
        raise Refused(f"{errors}\nin\n{text}")
    return program


def initial(item: Network | Training) -> Arrays:
    """Weights and states as a training begins with them."""
    return {found.address: initialize(found, SEED) for found in (*item.weights, *item.states)}


def drawn(type: TensorType, rng: Random, batch: int, sizes: Mapping[str, int] | None = None) -> np.ndarray:
    """An array of a type: numbers between -2 and 2, integers 0 and 1. `sizes`: of open axes but the batch; 4 where they are not given."""
    numbers = np.random.default_rng(rng.randrange(2**32))
    shape = type.sizes({**dict.fromkeys(type.names, 4), **(sizes or {}), "batch": batch})
    found = numbers.uniform(-2, 2, shape) if type.dtype.is_float else numbers.integers(0, 2, shape)
    return found.astype(type.dtype.numpy)
