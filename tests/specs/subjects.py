"""A step of a spec as a loss over its weights: forward, with gradients, and the smooth piece without kinks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import DType, TensorType
from dslc.loading import Override, load_program
from dslc.passes.differentiate import differentiate
from dslc.passes.drop_dead import drop_dead
from dslc.program import Program
from tests.peers.piece import Piece
from tests.peers.values import draw, weight
from tests.specs.rows import ROWS

BATCH = 3
CLASSES = {"data.kind": 6, "data.category": 7, "data.label": 2}  # of fields with fewer than ten
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Subject:
    """One step: `forward` gives `loss`, `graph` also the gradients of `weights`, `piece` the loss without kinks."""

    step: str
    forward: Graph
    graph: Graph
    piece: Graph
    weights: tuple[str, ...]
    arrays: Arrays


@cache
def full(name: str) -> Program:
    """The spec as it is shipped, or with the params of the publication."""
    (row,) = (row for row in ROWS if row.name == name)
    return load_program(name, overrides=[Override(key, value, "argument") for key, value in row.published.items()])[0]


@cache
def reduced(name: str, precision: DType = DType.f32) -> Program:
    """The spec with the small params of its row."""
    (row,) = (row for row in ROWS if row.name == name)
    overrides = [Override(key, value, "argument") for key, value in row.reduced.items()]
    return load_program(name, overrides=overrides, precision=precision)[0]


@cache
def subjects(name: str) -> tuple[Subject, ...]:
    """The steps of the reduced spec in double precision, each with one small batch and fresh weights."""
    (training,) = reduced(name, DType.f64).trainings.values()
    return tuple(subject(step.name, step.graph, step.trains) for step in training.steps)


def subject(step: str, whole: Graph, weights: tuple[str, ...]) -> Subject:
    losses = tuple(output for output in whole.outputs if output.name == "loss")
    forward = drop_dead(whole.model_copy(update={"outputs": losses, "updates": ()}))
    given = arrays(forward)
    piece = Piece(forward, given)
    return Subject(step, forward, differentiate(forward, "loss", weights), piece.graph, weights, {**given, **piece.held})


def arrays(graph: Graph) -> dict[str, np.ndarray]:
    """Weights and data for all inputs of a graph."""
    found: dict[str, np.ndarray] = {}
    for item in graph.inputs:
        type = graph.types[item.id]
        if item.kind == "key":
            found[item.name] = np.array([1, 0, 0], np.int64)
        else:
            values = weight(item.name, type) if item.kind in ("weight", "state") else data(item.name, type)
            found[item.name] = values.astype(type.dtype.numpy)
    return found


def data(name: str, type: TensorType) -> np.ndarray:
    """Pixels 0 … 255, classes by CLASSES, numbers between 0 and 1; where a field is of rank 1 and float, 0 or 1."""
    values = draw(name, type.sizes({"batch": BATCH}))
    if type.dtype.is_int:
        return np.floor(values * CLASSES.get(name, 256 if type.rank > 1 else 10))
    return np.round(values) if type.rank == 1 else values


# ---- differences ------------------------------------------------------------------------------------------------------------


def direction(address: str, gradient: np.ndarray) -> np.ndarray:
    """The gradient's own direction plus noise of the same length: the derivative along it is not small."""
    noise = draw(f"direction {address}", gradient.shape) - 0.5
    length = np.linalg.norm(gradient)
    return np.asarray((gradient / length if length else 0) + noise / np.linalg.norm(noise))


def nearest(s: Subject, directions: Arrays, wanted: float) -> float:
    """The smallest relative error over some steps: large ones see the fifth derivative, small ones lose digits."""
    best = np.inf
    for h in (1e-5, 1e-4, 1e-6, 1e-3):
        best = min(best, abs(difference(s, directions, h) - wanted) / abs(wanted))
        if best < 1e-9:
            break
    return float(best)


def difference(s: Subject, directions: Arrays, h: float) -> float:
    """f'(0) = (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h + O(h⁴) along a direction."""

    def f(k: int) -> float:
        moved = {address: s.arrays[address] + k * h * d for address, d in directions.items()}
        return float(interpret(s.piece, np, {**s.arrays, **moved})["loss"])

    return (8 * (f(1) - f(-1)) - (f(2) - f(-2))) / (12 * h)


def count(items: Any, start: str = "") -> int:
    """The elements of the weights or states whose address is `start` or stands below it."""
    return sum(item.type.elements.constant for item in items if not start or f"{item.address}.".startswith(f"{start}."))
