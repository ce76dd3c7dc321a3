"""Samples in float16: no value leaves its range, and the model decides for the same classes as the network in float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dslc.diagnostics import InternalError
from dslc.interpret import interpret
from dslc.ir.graph import Node
from dslc.ir.types import Dim
from exporters.onnx.backends import BACKENDS, LeftOut, Run
from exporters.onnx.check import Subject
from exporters.onnx.errors import ParityFailed
from exporters.onnx.parity import arrays
from exporters.onnx.report import Check
from exporters.onnx.rounding import bounds, held_size
from exporters.onnx.sizes import grid, inputs_for

DRAWN = 64  # samples where none are given
CHUNK = 8  # samples at a time
LOGITS = "logits"

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Samples:
    """Inputs of the network by name, samples along the first axis, and what they are (`the first 256 of the test split`)."""

    arrays: Arrays
    source: str


@dataclass(frozen=True)
class Decision:
    """An output that is a class: its name and number, the value of the graph with the scores, and along which axis they stand.

    is_place: whether the output is the place of the largest score already.
    """

    name: str
    at: int
    scores: int
    axis: int
    is_place: bool


def decisions(subject: Subject, classes: Sequence[str]) -> list[Decision]:
    """Outputs that are the place of a largest value; where there is none, those with a score for each class: as many as there are
    labels, or called `logits`."""
    graph, found = subject.graph, []
    maker = {id: node for node in graph.nodes for id in node.outputs}
    for at, output in enumerate(graph.outputs):
        node = maker.get(output.id)
        if node is not None and node.op == "argmax":
            axis: Any = node.attrs["axis"]
            found.append(Decision(output.name, at, node.inputs[0], axis, True))
    if found:
        return found
    for at, output in enumerate(graph.outputs):
        type = graph.types[output.id]
        if type.rank < 2 or not type.dtype.is_float:
            continue
        axis = class_axis(maker, output.id, type.rank)
        labelled = type.rank == 2 and type.shape[axis] == Dim.of(len(classes))
        if type.shape[axis] != Dim.of(1) and (labelled or output.name.startswith(LOGITS)):
            found.append(Decision(output.name, at, output.id, axis, False))
    return found


def class_axis(maker: Mapping[int, Node], id: int, rank: int) -> int:
    """The axis that the last layer makes: the last one of a dense layer, axis 1 of a convolution."""
    while (node := maker.get(id)) is not None:
        if node.op == "matmul":
            return rank - 1
        if node.op not in ("add", "multiply", "divide", "cast", "softmax", "log_softmax"):
            break
        id = node.inputs[0]
    return 1


def agreement(subject: Subject, classes: Sequence[str], samples: Samples | None) -> Check:
    """Run samples: no value may leave the range of float16, and classes may differ only where float16 may move two scores past each other.

    Where none are given and no output is a class, nothing is left to see that the comparison has not seen.
    """
    name, found = "samples in float16", decisions(subject, classes)
    run = runner(subject) if found else None
    if run is None and samples is None:
        return Check(name=name, verdict="left out", detail="no output is a class" if not found else "no backend can judge the model")
    given, largest = samples or drawn(subject), 0.0
    same, total = np.zeros(len(found), np.int64), np.zeros(len(found), np.int64)
    for inputs in chunks(subject, given.arrays):
        ours, most = in_range(subject, inputs)
        theirs, largest = run(inputs) if run is not None else [], max(largest, most)
        for at, decision in enumerate(found if theirs else []):
            mine, other = places(decision, ours), places(decision, theirs)
            same[at] += int((mine == other).sum())
            total[at] += mine.size
            if (mine != other).any():
                refuse_clear(subject, decision, inputs, mine, other)
    parts = [f"the class of `{item.name}` is the same in {a:,} of {b:,}" for item, a, b in zip(found, same, total, strict=True)]
    return Check(name=name, verdict="passed", detail=", ".join([f"{given.source}: values up to {largest:.3g}", *parts]))


def runner(subject: Subject) -> Run | None:
    """onnxruntime, or `onnx.reference` where it is not installed."""
    for make in reversed(BACKENDS.values()):
        try:
            return make(subject.data, subject.beside)
        except LeftOut:
            continue
    return None


def drawn(subject: Subject) -> Samples:
    """Inputs from the generator at the last size of the grid, with more samples where the batch is open."""
    sizes = dict(grid(subject.graph)[-1])
    if "batch" in sizes:
        sizes["batch"] = DRAWN
    count = sizes.get("batch", 1)
    return Samples(inputs_for(subject.graph, sizes), f"{count} drawn")


def chunks(subject: Subject, given: Arrays) -> list[dict[str, np.ndarray]]:
    """The samples a few at a time; all at once where the network has no open batch, or an input without one."""
    types = {item.name: subject.graph.types[item.id] for item in subject.graph.inputs if item.kind == "input"}
    if not all(type.rank and str(type.shape[0]) == "batch" for type in types.values()):
        return [dict(given)]
    count = min(len(array) for array in given.values())
    return [{name: array[at : at + CHUNK] for name, array in given.items()} for at in range(0, count, CHUNK)]


def in_range(subject: Subject, inputs: Arrays) -> tuple[list[np.ndarray], float]:
    """The outputs in float32, and the largest of the values that float16 holds; DataError where one is beyond its range."""
    assert subject.half is not None
    half = subject.half
    named = [item for item in subject.graph.inputs if item.name in inputs]
    largest = max((held_size(half, item.id, item.name, inputs[item.name]) for item in named), default=0.0)

    def look(node: Node, results: Sequence[Any]) -> None:
        nonlocal largest
        largest = max(largest, *(held_size(half, id, node.address, result) for id, result in zip(node.outputs, results, strict=True)))

    wanted = interpret(subject.graph, np, {**arrays(subject, inputs), **subject.stored}, on_node=look)
    return [np.asarray(wanted[output.name]) for output in subject.graph.outputs], largest


def places(decision: Decision, outputs: Sequence[Any]) -> np.ndarray:
    found = np.asarray(outputs[decision.at])
    return found if decision.is_place else np.argmax(found, axis=decision.axis)


def refuse_clear(subject: Subject, decision: Decision, inputs: Arrays, mine: np.ndarray, other: np.ndarray) -> None:
    """InternalError where the two scores are further apart than float16 may move both."""
    assert subject.half is not None
    given = {**arrays(subject, inputs), **subject.stored}
    limit = bounds(subject.graph, subject.half, given, [decision.scores])[decision.scores].limit
    scores = values_of(subject, given, decision.scores)
    sides = [np.take_along_axis(scores, np.expand_dims(at, decision.axis), decision.axis) for at in (mine, other)]
    margin = float(np.abs(sides[0] - sides[1]).max())
    if margin > 2 * limit:
        difference = f"another class, though its score is {margin:.3g} apart and float16 moves it by {limit:.3g} at most"
        raise InternalError(
            ParityFailed(backend="the model", sizes="a sample", output=decision.name, difference=difference, node="the scores")
        )


def values_of(subject: Subject, given: Arrays, wanted: int) -> np.ndarray:
    found: list[np.ndarray] = []

    def keep(node: Any, results: Sequence[Any]) -> None:
        found.extend(np.asarray(result) for id, result in zip(node.outputs, results, strict=True) if id == wanted)

    interpret(subject.graph, np, given, on_node=keep)
    return found[0]
