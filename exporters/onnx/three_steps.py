"""Three steps of an exported training step in a backend and in the plain interpreter, each from its own weights: they must agree.

How far rounding alone leads is measured, not guessed. Where the results differ by more than the tolerance, the interpreter trains again
from weights that are moved in their last digits, and what this changes is the measure: a rectifier that a rounding switches, a deep network
of fresh weights, the sign of a gradient of 1e-9 that Adam makes a whole step of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dslc.diagnostics import InternalError
from dslc.interpret import interpret
from dslc.ir.graph import Graph, Input, Node
from dslc.ops.philox import stream_of, uniform
from exporters.onnx.backends import BACKENDS, LeftOut, Run
from exporters.onnx.check import Subject
from exporters.onnx.draws import Draws
from exporters.onnx.errors import CheckFailed, ParityFailed
from exporters.onnx.parity import ATOL, RTOL, apart, describe, first_divergence, first_line
from exporters.onnx.report import Check, Parity
from exporters.onnx.sizes import VIEWS, grid
from exporters.onnx.train_graph import NEXT

STEPS = 3
ULPS = 2.0**-20  # of a weight: about what summing thousands of products in another order does in single precision
MARGIN = 10  # times the measured effect of rounding
RATES = (1.0, 0.1, 0.01, 0.001)  # the part of the rate that is tried: random data may not bear the whole
CHAOS = 1e-2  # where rounding leads this far, a smaller rate is tried: nothing else could be seen beside it
CLASSES = frozenset(["cross_entropy", "nll"])  # their second input indexes the axis of the first one
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Rehearsal:
    """What three steps start from: the moving values, those that stay, the rate, the draws of the step, and its number."""

    moving: Arrays
    fixed: Arrays
    rate: np.ndarray
    draws: Draws
    done: int  # updates before the first of the three

    def scalars(self, t: int) -> Arrays:
        return {"rate": self.rate, "t": np.array(self.done + t, np.int64)}

    def times(self, part: float) -> np.ndarray:
        """A part of the rate."""
        return np.asarray(self.rate * part, self.rate.dtype)

    def key(self, t: int) -> np.ndarray:
        return np.array([self.draws.seed, self.draws.number(self.done + t), 0], np.int64)


def rehearse(subject: Subject, rehearsal: Rehearsal) -> tuple[list[Check], list[Parity]]:
    """Train in onnxruntime, or where it cannot in `onnx.reference`, and compare after each step; InternalError where they differ."""
    checks: list[Check] = []
    sizes: Mapping[str, int] = max(grid(subject.graph), key=lambda row: sum(row.values()), default={})
    for name in reversed(BACKENDS):
        title = f"{STEPS} training steps in {name}"
        try:
            run = BACKENDS[name](subject.data)
        except LeftOut as reason:
            checks.append(Check(name=title, verdict="left out", detail=str(reason)))
            continue
        except Exception as error:  # a backend refuses the model in an exception of its own
            raise InternalError(CheckFailed(check=name, detail=first_line(error))) from error
        trial, table = calmest(subject, rehearsal, name, run, sizes)
        return [*checks, Check(name=title, verdict="passed", detail=trial.words())], table
    return checks, []


def calmest(subject: Subject, rehearsal: Rehearsal, backend: str, run: Run, sizes: Mapping[str, int]) -> tuple[Trial, list[Parity]]:
    """The trial at the largest rate at which rounding does not take over, and its table."""
    for part in RATES[:-1]:
        trial = Trial(subject, replace(rehearsal, rate=rehearsal.times(part)), backend, run, sizes)
        try:
            table = trial.compared() if trial.finite else []
        except InternalError:
            if trial.largest <= CHAOS:
                raise
        if trial.finite and trial.largest <= CHAOS:
            return trial, table
    trial = Trial(subject, replace(rehearsal, rate=rehearsal.times(RATES[-1])), backend, run, sizes)
    return trial, trial.compared()


class Trial:
    """One backend on one series of batches."""

    def __init__(self, subject: Subject, rehearsal: Rehearsal, backend: str, run: Run, sizes: Mapping[str, int]) -> None:
        self.subject, self.backend, self.run, self.sizes = subject, backend, run, sizes
        self.batches = [fields(subject.graph, sizes, t) for t in range(1, STEPS + 1)]
        self.rehearsal = rehearsal
        self.wanted = list(self.ours(rehearsal, rehearsal.moving))
        self.finite = all(finite(array) for results in self.wanted for array in results.values())
        self.rounding: list[dict[str, float]] = []
        self.largest = 0.0

    def words(self) -> str:
        text = f"rtol {RTOL:g}, atol {ATOL:g}"
        if self.largest:
            text += f"; where weights moved by {ULPS:.0e} lead further, {MARGIN} times as far as they do ({self.largest:.0e} at most)"
        return text

    # ---- the interpreter ------------------------------------------------------------------------------------------------------------

    def ours(self, rehearsal: Rehearsal, moving: Arrays) -> Iterator[Arrays]:
        """Results of the plain interpreter, step after step from these values."""
        for t, batch in enumerate(self.batches, 1):
            given = {**batch, **rehearsal.fixed, **rehearsal.scalars(t), **moving, "key": rehearsal.key(t)}
            found = {name: np.asarray(value) for name, value in interpret(self.subject.definition, np, given).items()}
            moving = after(moving, found)
            yield found

    def effect(self, name: str, t: int) -> float:
        """How far rounding leads in step t: the largest change in results of this kind, since it is chance which rectifier it switches."""
        if not self.rounding:
            shaken = {name: moved(name, array) for name, array in self.rehearsal.moving.items()}
            for ours, other in zip(self.wanted, self.ours(self.rehearsal, shaken), strict=True):
                self.rounding.append(largest(ours, other))
        return self.rounding[t - 1][kind(name)]

    # ---- the backend ----------------------------------------------------------------------------------------------------------------

    def compared(self) -> list[Parity]:
        """The largest differences after each step."""
        moving = self.rehearsal.moving
        table = []
        for t, (batch, wanted) in enumerate(zip(self.batches, self.wanted, strict=True), 1):
            given = self.read({**batch, **self.rehearsal.fixed, **self.rehearsal.scalars(t), **moving})
            found = self.theirs(given, t)
            table.append(self.compare(given, wanted, found, t))
            moving = after(moving, found)
        return table

    def read(self, values: Arrays) -> Arrays:
        """Those that are inputs of the model."""
        names = {item.name for item in self.subject.model.graph.input}
        return {name: array for name, array in values.items() if name in names}

    def theirs(self, given: Arrays, t: int) -> Arrays:
        names = [item.name for item in self.subject.model.graph.output]
        try:
            return dict(zip(names, self.run(given), strict=True))
        except Exception as error:  # a backend stops in an exception of its own
            raise self.fail(given, t, names[0], f"it stops with {first_line(error)}") from error

    def compare(self, given: Arrays, wanted: Arrays, found: Arrays, t: int) -> Parity:
        absolute = relative = 0.0
        for name, ours in wanted.items():
            array = found[name]
            if not self.same(name, ours, array, t):
                raise self.fail(given, t, name, describe(ours, array))
            if ours.dtype.kind == "f":
                difference = apart(ours, array)
                absolute = max(absolute, float(difference.max(initial=0)))
                relative = max(relative, float((difference / np.maximum(np.abs(ours), ATOL)).max(initial=0)))
        return Parity(backend=self.backend, sizes={**self.sizes, "step": t}, max_absolute=absolute, max_relative=relative)

    def same(self, name: str, ours: np.ndarray, array: np.ndarray, t: int) -> bool:
        """Same type, both finite, and equal within the tolerance, or within what rounding does to this result."""
        if (ours.shape, ours.dtype) != (array.shape, array.dtype) or not (finite(array) and finite(ours)):
            return False
        if ours.dtype.kind != "f":
            return bool(np.array_equal(ours, array))
        if np.allclose(array, ours, rtol=RTOL, atol=ATOL):
            return True
        far = self.effect(name, t)
        self.largest = max(self.largest, far)
        return bool(np.allclose(array, ours, rtol=RTOL, atol=ATOL + MARGIN * far))

    def fail(self, given: Arrays, t: int, output: str, difference: str) -> InternalError:
        at = ", ".join(f"{name}={size}" for name, size in {**self.sizes, "step": t}.items())
        node = first_divergence(replace(self.subject, parameters={"key": self.rehearsal.key(t)}), self.backend, given)
        return InternalError(ParityFailed(backend=self.backend, sizes=at, output=output, difference=difference, node=node))


def after(moving: Arrays, results: Arrays) -> Arrays:
    """What moves, with the values that a step gave it."""
    return {name: results.get(name + NEXT, array) for name, array in moving.items()}


def kind(name: str) -> str:
    """`w` of LeNet.conv0.w.next, `velocity` of LeNet.conv0.w.velocity.next, `loss`."""
    return name.removesuffix(NEXT).rpartition(".")[2]


def largest(ours: Arrays, other: Arrays) -> dict[str, float]:
    """By kind the largest difference of two results."""
    found: dict[str, float] = {}
    for name, array in ours.items():
        if array.dtype.kind == "f":
            found[kind(name)] = max(found.get(kind(name), 0.0), float(apart(array, other[name]).max(initial=0)))
    return found


def finite(array: np.ndarray) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def moved(name: str, array: np.ndarray) -> np.ndarray:
    """Every number changed by up to `ULPS` of itself."""
    if array.dtype.kind != "f":
        return array
    draw = np.asarray(uniform(np, np.array([0, 0, 0], np.int64), stream_of(name), array.shape, np.dtype("float64")))
    return np.asarray((array * (1 + (2 * draw - 1) * ULPS)).astype(array.dtype))


# ---- data -------------------------------------------------------------------------------------------------------------------------


def fields(graph: Graph, sizes: Mapping[str, int], t: int) -> Arrays:
    """A batch for step t: floats in [-1, 1), bytes 0 … 255, integers that are valid indices; the model's other inputs are overwritten."""
    bounds = class_bounds(graph, sizes)

    def values(item: Input) -> np.ndarray:
        type = graph.types[item.id]
        draw = np.asarray(uniform(np, np.array([t, 0, 0], np.int64), stream_of(item.name), type.sizes(sizes), np.dtype("float64")))
        limit = bounds.get(item.id, 256 if type.dtype.numpy == "uint8" and type.rank > 1 else 2)
        scaled = 2 * draw - 1 if type.dtype.is_float else np.floor(draw * limit)
        return np.asarray(scaled.astype(type.dtype.numpy))

    return {item.name: values(item) for item in graph.inputs if item.kind == "input"}


def class_bounds(graph: Graph, sizes: Mapping[str, int]) -> dict[int, int]:
    """For integer inputs that are indices or class labels: how many there are; 2 where an index is computed from them."""
    bounds: dict[int, int] = {}
    maker = {node.outputs[0]: node for node in graph.nodes if node.op != "constant"}
    for node in graph.nodes:
        if node.op != "gather" and node.op not in CLASSES:
            continue
        axis: Any = node.attrs["axis"]
        for id, count in sources(graph, maker, node.inputs[1], graph.types[node.inputs[0]].shape[axis].evaluate(sizes)):
            bounds[id] = min(bounds.get(id, count), count)
    return bounds


def sources(graph: Graph, maker: Mapping[int, Node], index: int, count: int) -> Iterator[tuple[int, int]]:
    """The values that an index is made of, with their bound: `count` as long as it is only viewed."""
    waiting = [(index, count)]
    while waiting:
        id, bound = waiting.pop()
        node = maker.get(id)
        if node is None:
            yield id, bound
        elif node.op in VIEWS:
            waiting.append((node.inputs[0], bound))
        else:
            waiting += [(other, min(bound, 2)) for other in node.inputs if graph.types[other].dtype.is_int]
