"""Gradients against differences of the loss: the one check here that does not take the gradient rules of the operators for granted.

Along one direction over all inputs, f'(0) ≈ (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h. How far the two smallest of three steps h agree
says how good that is: near a kink or a jump they do not, and the slope is mistrusted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ops.table import lookup
from dslc.passes.differentiate import input_names
from dslc.passes.drop_dead import drop_dead
from tests.soundness.compare import MANY, SPREADS, Differs
from tests.soundness.rounding import Reference, names

STEPS = (1e-3, 5e-4, 2.5e-4)
AGREE = 1e-6  # of the sum of all terms of the slope: differences that agree less say nothing
LEAST = 1e-9  # what differences can show at all
# Their results change in steps, or are metrics: that no gradient passes is right almost everywhere.
STEPWISE = names("ceil floor floor_divide heaviside round sign trunc accuracy average_precision roc_auc")


def check_slope(graph: Graph, wrt: Sequence[str], reference: Reference) -> str:
    """The gradients of `reference` against differences of `graph`: "agrees" or why that says nothing. Raises Differs."""
    arrays, gradients = reference.arrays, reference.wanted
    if cut(graph, wrt):
        return "not compared: a gradient is stopped on purpose"
    numbers = np.random.default_rng(3)
    directions = {name: numbers.uniform(-1, 1, arrays[name].shape) for name in wrt}
    terms = [gradients[f"grad:{name}"] * directions[name] for name in wrt]
    slope, scale = sum(float(term.sum()) for term in terms), sum(float(np.abs(term).sum()) for term in terms)
    if not np.isfinite(scale) or scale == 0:
        return "not compared: no slope"
    forward = drop_dead(graph.model_copy(update={"outputs": tuple(o for o in graph.outputs if o.name == "loss"), "updates": ()}))

    def loss(step: float) -> float:
        moved = {name: arrays[name] + step * directions[name] for name in wrt}
        return float(interpret(forward, np, {**arrays, **moved})["loss"])

    found = [(8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h) for h in STEPS]
    scale = max(scale, abs(loss(0)))
    known = min(abs(found[1] - found[2]), abs(found[0] - found[1]))
    off = min(abs(value - slope) for value in found)
    if not known <= AGREE * scale:
        return "mistrusted: differences do not agree"
    if off <= 10 * known + LEAST * scale:
        return "agrees"
    rounding = sum(SPREADS * reference.spread(MANY)[f"grad:{name}"] * float(np.abs(directions[name]).sum()) for name in wrt)
    if kinked(loss, slope):
        return "mistrusted: a kink at the point"
    if off > rounding:
        raise Differs(f"the slope of the loss is {slope!r} by gradients, and by differences {found}")
    return "mistrusted: rounding moves gradients far"


def kinked(loss: Callable[[float], float], slope: float) -> bool:
    """Whether the loss has a corner at the point: its slopes to both sides differ, and the gradient is one of them.

    One-sided, to second order: f'(0) ≈ (-3 f(0) + 4 f(h) - f(2h)) / 2h, and the same for -h. A kink nearer to the point than any step
    leaves all symmetric differences at the mean of both slopes.
    """
    sides = [(-3 * loss(0) + 4 * loss(h) - loss(2 * h)) / (2 * h) for h in (STEPS[-1], -STEPS[-1])]
    apart = abs(sides[0] - sides[1])
    return min(abs(side - slope) for side in sides) < 0.05 * apart


def cut(graph: Graph, wrt: Sequence[str]) -> bool:
    """Whether a value depends on `wrt` through an operand that has no gradient on purpose, though it counts."""
    carries = {item.id for item in graph.inputs if item.name in wrt}
    for node in graph.nodes:
        if carries.isdisjoint(node.inputs):
            continue
        results = [id for id in node.outputs if graph.types[id].dtype.is_float]
        grad = lookup(node.op).grad
        stopped = [name for id, name in zip(node.inputs, input_names(node), strict=True) if id in carries and grad.get(name, name) is None]
        if stopped and results and node.op not in STEPWISE:
            return True
        carries.update(results)
    return False
