"""One step of a training as one graph: forward, backward, clipping, update. Everything that moves is an input and, anew, an output.

    fields, weights, states, slots, rate, t  →  loss, grad_norm, weights.next, states.next, slots.next

A slot is called by its weight: `LeNet.conv0.w.velocity`. The graph is what the plain interpreter runs and what is lowered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dslc.ir.graph import Graph, Input, Node, Output
from dslc.ir.types import DType, TensorType, tensor
from dslc.ops.value import F, Val
from dslc.passes.differentiate import differentiate
from dslc.passes.drop_dead import drop_dead, losses_only
from dslc.passes.rewrite import resume
from dslc.program import StepProgram, WeightUpdate

NEXT = ".next"
AVERAGE = "average"
SCALARS = ("rate", "t", "share")


@dataclass(frozen=True)
class StepGraph:
    """graph: the whole step; gradients: by weight the value that holds its gradient, before clipping; moving: what has a `.next`."""

    graph: Graph
    gradients: dict[str, int]
    moving: tuple[str, ...]


def step_graph(step: StepProgram, updates: Mapping[str, WeightUpdate], ema: float | None) -> StepGraph:
    """The step with the update of each trained weight by address; `ema` is the decay of averaged weights."""
    backward = differentiate(drop_dead(losses_only(step.graph)), "loss", step.trains)
    return Joined(backward, step, updates, ema).finish()


class Joined:
    """Writes the update behind the backward pass.

    Scalars that the updates of several weights compute alike (Adam's corrections) are computed once.
    """

    def __init__(self, backward: Graph, step: StepProgram, updates: Mapping[str, WeightUpdate], ema: float | None) -> None:
        self.step, self.updates, self.ema = step, updates, ema
        self.builder = resume(backward)
        self.ids = {item.name: item.id for item in backward.inputs}
        self.gradients = {name: backward.output(f"grad:{name}") for name in step.trains}
        self.outputs = [item for item in backward.outputs if not item.name.startswith("grad:")]
        self.states = backward.updates
        self.known: dict[tuple[Any, ...], tuple[Val, ...]] = {}
        self.dtype = backward.types[backward.output("loss")].dtype

    def finish(self) -> StepGraph:
        b = self.builder
        b.place = ""
        slots = {name: self.slots(name) for name in self.step.trains}
        scalars = self.scalars()
        norm, gradients = self.limited()
        results = self.outputs + [Output(name="grad_norm", id=norm.id)]
        for name in self.step.trains:
            results += self.updated(name, gradients[name], slots[name], scalars)
        results += [Output(name=item.name + NEXT, id=item.id) for item in self.states]
        b.outputs, b.updates = results, []
        b.inputs = [item if item.kind == "key" else item.model_copy(update={"kind": "input"}) for item in ordered(b.inputs)]
        moving = tuple(item.name.removesuffix(NEXT) for item in results if item.name.endswith(NEXT))
        return StepGraph(b.build(), self.gradients, moving)

    # ---- inputs -------------------------------------------------------------------------------------------------------------------

    def slots(self, name: str) -> dict[str, Val]:
        """The vectors that are kept beside a weight, as inputs."""
        type = self.builder.types[self.ids[name]]
        row = self.updates[name]
        averaged = any(item.name == AVERAGE for item in row.graph.inputs)
        kept = [*row.slots, *([AVERAGE] if averaged else [])]
        return {slot: self.builder.input("state", f"{name}.{slot}", type) for slot in kept}

    def scalars(self) -> dict[str, Val]:
        """rate, t in double precision, and with `ema` the share of the newest weights in the average."""
        rate = self.builder.input("input", "rate", TensorType(dtype=self.dtype, shape=()))
        count = self.builder.input("input", "t", tensor("i64"))
        self.builder.scope = "update"
        t = F.cast(count, dtype=DType.f64)
        found = {"rate": rate, "t": t}
        if self.ema is not None:
            found["share"] = self.cast(newest_share(t, self.ema))
        return found

    def cast(self, x: Val) -> Val:
        return x if x.type.dtype is self.dtype else F.cast(x, dtype=self.dtype)

    # ---- the gradient ---------------------------------------------------------------------------------------------------------------

    def limited(self) -> tuple[Val, dict[str, Val]]:
        """The norm of all gradients together, and the gradients, scaled down where `clip: norm(limit)` says so."""
        self.builder.scope = "update"
        values = {name: Val(self.builder, id) for name, id in self.gradients.items()}
        total = self.builder.constant(0.0, DType.f64)
        for g in values.values():
            total = total + F.cast(F.sum(g * g), dtype=DType.f64)
        norm = F.sqrt(total)
        clip = self.step.clip
        if clip is not None and clip.name == "norm":
            limit = float(clip.args["limit"])  # type: ignore[arg-type]
            factor = self.cast(limit / F.maximum(norm, self.builder.constant(limit, DType.f64)))
            values = {name: g * factor for name, g in values.items()}
        return self.cast(norm), values

    # ---- the update -----------------------------------------------------------------------------------------------------------------

    def updated(self, name: str, g: Val, slots: Mapping[str, Val], scalars: Mapping[str, Val]) -> list[Output]:
        """The weight and its slots anew."""
        row = self.updates[name]
        self.builder.scope = f"{name}.update"
        rate = scalars["rate"] if row.rate == 1.0 else scalars["rate"] * row.rate
        given = {"w": Val(self.builder, self.ids[name]), "g": g, **slots, **scalars, "rate": rate}
        results = self.inlined(row.graph, given, f"{name}.update")
        named = {"": results["w"]} | {f".{slot}": results[slot] for slot in slots}
        return [Output(name=f"{name}{suffix}{NEXT}", id=value.id) for suffix, value in named.items()]

    def inlined(self, graph: Graph, given: Mapping[str, Val], scope: str) -> dict[str, Val]:
        """The nodes of an optimizer's graph, over these inputs."""
        values = {item.id: given[item.name] for item in graph.inputs}
        for node in graph.nodes:
            values.update(zip(node.outputs, self.applied(graph, node, [values[id] for id in node.inputs], scope), strict=True))
        return {item.name: values[item.id] for item in graph.outputs}

    def applied(self, graph: Graph, node: Node, inputs: Sequence[Val], scope: str) -> tuple[Val, ...]:
        types = [graph.types[id] for id in node.outputs]
        if any(type.rank for type in types) or any(value.type.rank for value in inputs):
            return self.builder.emit(node.op, inputs, node.attrs, types=types, address=f"{scope}/{node.address}")
        key = (node.op, tuple(value.id for value in inputs), repr(sorted(node.attrs.items())))
        if key not in self.known:
            self.known[key] = self.builder.emit(node.op, inputs, node.attrs, types=types, address=f"{scope}/{node.address}")
        return self.known[key]


def newest_share(t: Val, decay: float) -> Val:
    """(1 - d) / (1 - dᵗ): 1 in the first step, and 1 throughout where d is 0."""
    return (1 - decay) / (1.0 - t.builder.constant(decay, DType.f64) ** t)


def ordered(inputs: Sequence[Input]) -> list[Input]:
    """Fields, weights, states, slots, then the scalars."""
    ranks = {"data": 0, "input": 0, "weight": 1, "state": 2, "key": 4}
    return sorted(inputs, key=lambda item: 3 if item.name in SCALARS else ranks[item.kind])
