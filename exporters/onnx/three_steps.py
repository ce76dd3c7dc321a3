"""Three steps of an exported training step in each backend and in the plain interpreter, each from its own weights: they must agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dslc.diagnostics import InternalError
from dslc.interpret import interpret
from dslc.ir.graph import Graph, Input
from dslc.ops.philox import stream_of, uniform
from exporters.onnx.check import Subject
from exporters.onnx.draws import Draws
from exporters.onnx.errors import CheckFailed, ParityFailed
from exporters.onnx.parity import ATOL, BACKENDS, RTOL, LeftOut, Run, apart, describe, first_divergence, first_line
from exporters.onnx.report import Check, Parity
from exporters.onnx.sizes import VIEWS, grid
from exporters.onnx.train_graph import NEXT, StepGraph

STEPS = 3
NOISE = 1e-6  # of the norm of all gradients: below it the sign of a gradient is left to rounding
CLASSES = frozenset(["cross_entropy", "nll"])  # their second input indexes the axis of the first one
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Rehearsal:
    """What three steps start from: the moving values, those that stay, the rate, and the draws of the step."""

    step: StepGraph
    moving: Arrays
    fixed: Arrays
    rate: np.ndarray
    draws: Draws


def rehearse(subject: Subject, rehearsal: Rehearsal) -> tuple[list[Check], list[Parity]]:
    """Train in every backend that can, and compare with the plain interpreter after each step; InternalError where they differ."""
    checks: list[Check] = []
    table: list[Parity] = []
    sizes = max(grid(subject.graph), key=lambda row: sum(row.values()), default={})
    for name, make in BACKENDS.items():
        title = f"{STEPS} training steps in {name}"
        try:
            run = make(subject.data)
        except LeftOut as reason:
            checks.append(Check(name=title, verdict="left out", detail=str(reason)))
            continue
        except Exception as error:  # a backend refuses the model in an exception of its own
            raise InternalError(CheckFailed(check=name, detail=first_line(error))) from error
        table += trained(subject, rehearsal, name, run, sizes)
        checks.append(Check(name=title, verdict="passed", detail=f"rtol {RTOL:g}, atol {ATOL:g}"))
    return checks, table


def trained(subject: Subject, rehearsal: Rehearsal, backend: str, run: Run, sizes: Mapping[str, int]) -> list[Parity]:
    """Largest differences after each step of one backend."""
    ours, theirs = dict(rehearsal.moving), dict(rehearsal.moving)
    noise: dict[str, np.ndarray] = {}
    table = []
    for t in range(1, STEPS + 1):
        given = fields(subject.graph, sizes, t) | rehearsal.fixed | {"rate": rehearsal.rate, "t": np.array(t, np.int64)}
        key = np.array([rehearsal.draws.seed, rehearsal.draws.number(t), 0], np.int64)
        wanted, gradients = ours_at(subject, rehearsal.step, {**given, **ours, "key": key})
        found = theirs_at(subject, backend, run, {**read(subject, given), **read(subject, theirs)}, t, key)
        spread_noise(noise, gradients, rehearsal.step)
        table.append(compared(subject, backend, {**sizes, "step": t}, wanted, found, noise, {**given, **ours, "key": key}))
        ours = {name: wanted[name + NEXT] for name in rehearsal.moving if name + NEXT in wanted} | kept(ours, wanted)
        theirs = {name: found[name + NEXT] for name in rehearsal.moving if name + NEXT in found} | kept(theirs, found)
    return table


def kept(values: Mapping[str, np.ndarray], results: Mapping[str, Any]) -> Arrays:
    return {name: array for name, array in values.items() if name + NEXT not in results}


def read(subject: Subject, values: Mapping[str, np.ndarray]) -> Arrays:
    """Those that are inputs of the model."""
    names = {item.name for item in subject.model.graph.input}
    return {name: array for name, array in values.items() if name in names}


def ours_at(subject: Subject, step: StepGraph, given: Arrays) -> tuple[Arrays, Arrays]:
    """Results and gradients of one step in the plain interpreter."""
    gradients: Arrays = {}
    wanted_ids = {id: name for name, id in step.gradients.items()}

    def keep(node: Any, results: Any) -> None:
        gradients.update((wanted_ids[id], value) for id, value in zip(node.outputs, results, strict=True) if id in wanted_ids)

    found = interpret(subject.definition, np, given, on_node=keep)
    return {name: np.asarray(value) for name, value in found.items()}, gradients


def theirs_at(subject: Subject, backend: str, run: Run, given: Arrays, t: int, key: np.ndarray) -> Arrays:
    try:
        return dict(zip([item.name for item in subject.model.graph.output], run(given), strict=True))
    except Exception as error:  # a backend stops in an exception of its own
        node = located(subject, backend, given, key)
        difference = f"it stops with {first_line(error)}"
        raise InternalError(ParityFailed(backend=backend, sizes=f"step {t}", output="loss", difference=difference, node=node)) from error


def located(subject: Subject, backend: str, given: Mapping[str, np.ndarray], key: np.ndarray) -> str:
    return first_divergence(replace(subject, parameters={"key": key}), backend, read(subject, given))


def spread_noise(noise: dict[str, np.ndarray], gradients: Arrays, step: StepGraph) -> None:
    """Mark the elements of weights whose gradient was rounding alone: Adam makes whole steps of its sign, in either direction.

    So it is with the shift of a layer before a batch normalisation, whose gradient is 0.
    """
    norm = float(np.sqrt(sum(float(np.sum(np.square(g, dtype=np.float64))) for g in gradients.values())))
    for name, g in gradients.items():
        small = (np.abs(g) <= NOISE * norm) & (g != 0)
        noise[name] = noise[name] | small if name in noise else small


def compared(
    subject: Subject,
    backend: str,
    sizes: Mapping[str, int],
    wanted: Arrays,
    found: Arrays,
    noise: Mapping[str, np.ndarray],
    given: Arrays,
) -> Parity:
    """The largest differences of one step; InternalError with the first node that differs."""
    absolute = relative = 0.0
    for output in subject.graph.outputs:
        ours, array = wanted[output.name], found[output.name]
        excused = next((mask for name, mask in noise.items() if output.name.startswith(name + ".")), np.zeros((), bool))
        if not same(ours, array, excused):
            at = ", ".join(f"{name}={size}" for name, size in sizes.items())
            node = located(subject, backend, given, given["key"])
            raise InternalError(ParityFailed(backend=backend, sizes=at, output=output.name, difference=describe(ours, array), node=node))
        if ours.dtype.kind == "f":
            difference = np.where(excused, 0, apart(ours, array))
            absolute = max(absolute, float(difference.max(initial=0)))
            relative = max(relative, float((difference / np.maximum(np.abs(ours), ATOL)).max(initial=0, where=np.isfinite(ours))))
    return Parity(backend=backend, sizes=dict(sizes), max_absolute=absolute, max_relative=relative)


def same(ours: np.ndarray, array: np.ndarray, excused: np.ndarray) -> bool:
    """Same type and finite, and equal within the tolerance but for what is excused."""
    if (ours.shape, ours.dtype) != (array.shape, array.dtype):
        return False
    if ours.dtype.kind != "f":
        return bool(np.array_equal(ours, array))
    if not (np.isfinite(ours).all() and np.isfinite(array).all()):
        return False
    return bool((np.isclose(array, ours, rtol=RTOL, atol=ATOL) | excused).all())


# ---- data -------------------------------------------------------------------------------------------------------------------------


def fields(graph: Graph, sizes: Mapping[str, int], t: int) -> Arrays:
    """A batch of data for step t: floats in [-1, 1), bytes 0 … 255, integers that are valid indices."""
    bounds = class_bounds(graph, sizes)

    def values(item: Input) -> np.ndarray:
        type = graph.types[item.id]
        draw = np.asarray(uniform(np, np.array([t, 0, 0], np.int64), stream_of(item.name), type.sizes(sizes), np.dtype("float64")))
        limit = bounds.get(item.id, 256 if type.dtype.numpy == "uint8" and type.rank > 1 else 2)
        scaled = 2 * draw - 1 if type.dtype.is_float else np.floor(draw * limit)
        return np.asarray(scaled.astype(type.dtype.numpy))

    return {item.name: values(item) for item in graph.inputs if item.kind == "input"}


def class_bounds(graph: Graph, sizes: Mapping[str, int]) -> dict[int, int]:
    """For integer inputs that are indices or class labels (through views of them): how many there are."""
    bounds: dict[int, int] = {}
    source = {node.outputs[0]: node.inputs[0] for node in graph.nodes if node.op in VIEWS}
    for node in graph.nodes:
        if node.op != "gather" and node.op not in CLASSES:
            continue
        index = node.inputs[1]
        while index in source:
            index = source[index]
        axis: Any = node.attrs["axis"]
        count = graph.types[node.inputs[0]].shape[axis].evaluate(sizes)
        bounds[index] = min(bounds.get(index, count), count)
    return bounds
