"""Reverse-mode differentiation, graph to graph: the gradient rules of the rows write nodes behind the forward nodes.

Only what is needed is built: a rule is called for an input that depends on what is differentiated to, and for no other.
The result is a graph like any other, so that differentiating it again gives second derivatives.

before:
    graph G {
      %0: f32[n] = weight w
      %1: f32[n] = exp(%0) "exp0"
      %2: f32[] = sum(%1) {axis=none, keep=false} "sum0"
      output loss = %2
    }
after:
    graph G {
      %0: f32[n] = weight w
      %1: f32[n] = exp(%0) "exp0"
      %2: f32[] = sum(%1) {axis=none, keep=false} "sum0"
      %3: f32[] = constant() {value=1.0, dtype=f32} "loss.grad/constant0"
      %4: f32[1] = reshape(%3) {shape=(1)} "sum0.grad/reshape0"
      %5: f32[n] = broadcast(%4) {shape=(n)} "sum0.grad/broadcast0"
      %6: f32[n] = multiply(%5, %1) "exp0.grad/multiply0"
      output loss = %2
      output grad:w = %6
    }
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from dslc.collector import paused_collector
from dslc.diagnostics import InternalError, SpecError
from dslc.ir.errors import InvalidGraph, NotRunnable
from dslc.ir.graph import Graph, Node
from dslc.ir.types import Dim, TensorType
from dslc.ops.infer import split_inputs, tensor_parameters
from dslc.ops.support import attr_shape, unbroadcast
from dslc.ops.table import Op, lookup
from dslc.ops.value import Builder, F, Val
from dslc.passes.errors import NoGradient
from dslc.passes.rewrite import resume


@paused_collector()
def differentiate(graph: Graph, loss: str, wrt: tuple[str, ...]) -> Graph:
    """Add outputs "grad:NAME", the gradient of the output `loss` (a float scalar) to each input named in `wrt`.

    Gradients have the input's type; they are zeros where no path leads from the input to the loss. Raises SpecError for an operator on the
    way that cannot be run yet.
    """
    seed = graph.output(loss)
    type = graph.types[seed]
    if type.rank or not type.dtype.is_float:
        reason = f"its output {loss} is {type}; only a float scalar can be differentiated"
        raise InternalError(InvalidGraph(graph=graph.name, where=loss, reason=reason))
    builder = resume(graph)
    ids = {item.name: item.id for item in graph.inputs}
    reverse = Reverse(builder, graph.nodes, [ids[name] for name in wrt], next_suffix(graph))
    reverse.run(seed, loss)
    for name in wrt:
        builder.output(f"grad:{name}", reverse.gradient(ids[name]) or reverse.zeros(ids[name], name))
    return builder.build()


def input_names(node: Node) -> list[str]:
    """The parameter name of each input of a node; every tensor of a list has the list's name, the key is called "key"."""
    row = lookup(node.op)
    expected = tensor_parameters(node.op)
    present: Any = node.attrs.get("optional") or ()
    count = len(node.inputs) - len(present) - row.random
    variadic = [p.name for p in expected if p.variadic]
    required = variadic * count if variadic else [p.name for p in expected if not p.optional]
    return [*required, *present, *(["key"] if row.random else [])]


class Reverse:
    """One differentiation of what `builder` holds: `nodes` in order, to the values `wrt`, inputs or results of nodes.

    `carries` are the values that depend on `wrt`, `gradients` what has been summed up so far; `suffix` keeps addresses apart.
    """

    def __init__(self, builder: Builder, nodes: Sequence[Node], wrt: Sequence[int], suffix: str) -> None:
        self.builder = builder
        self.nodes = tuple(nodes)
        self.wrt = frozenset(wrt)
        self.suffix = suffix
        self.gradients: dict[int, Val] = {}
        self.carries = self.dependent()

    def run(self, seed: int, address: str, after: Callable[[], None] = lambda: None) -> None:
        """Write the gradients of the scalar `seed`; `address` is where its own gradient, 1, stands. `after` is called after each node."""
        self.at("", address)
        self.gradients[seed] = self.builder.constant(1, self.type(seed).dtype)
        for node in reversed(self.nodes):
            if any(id in self.gradients for id in node.outputs) and any(id in self.carries for id in node.inputs):
                self.step(node)
                after()

    def gradient(self, id: int) -> Val | None:
        """The gradient of a value of `wrt`; None where no path leads from it to the seed."""
        return self.gradients.get(id)

    def type(self, id: int) -> TensorType:
        return self.builder.types[id]

    def dependent(self) -> set[int]:
        """Floating values with a differentiable path from `wrt`."""
        found = set(self.wrt)
        for node in self.nodes:
            if found.isdisjoint(node.inputs):
                continue
            grad = lookup(node.op).grad
            names = input_names(node)
            if any(id in found and grad.get(name, name) is not None for id, name in zip(node.inputs, names, strict=True)):
                found.update(id for id in node.outputs if self.type(id).dtype.is_float)
        return found

    def at(self, place: str, address: str) -> None:
        """Stamp what is emitted from here on."""
        self.builder.place = place
        self.builder.scope = address + self.suffix

    def step(self, node: Node) -> None:
        """Pass the gradients of a node's results on to its inputs. An operator that stands by its signature only is refused."""
        if lookup(node.op).eval is None or node.body is not None:
            raise SpecError(NotRunnable(operator=node.op, place=node.place or node.address))
        self.at(node.place, node.address)
        g = tuple(self.taken(id) for id in node.outputs)
        y = tuple(Val(self.builder, id) for id in node.outputs)
        positions: dict[str, list[int]] = {}
        for id, name in zip(node.inputs, input_names(node), strict=True):
            positions.setdefault(name, []).append(id)
        for name, ids in positions.items():
            if self.carries.isdisjoint(ids):
                continue
            for id, gradient in zip(ids, self.apply(node, name, len(ids), g, y), strict=True):
                if id in self.carries:
                    self.add(node, name, id, gradient)

    def taken(self, id: int) -> Val | None:
        """The gradient of a node's result, which nothing adds to any more; what was asked for is kept."""
        return self.gradients.get(id) if id in self.wrt else self.gradients.pop(id, None)

    def apply(self, node: Node, name: str, count: int, g: Sequence[Val | None], y: Sequence[Val]) -> Sequence[Val | None]:
        """What the row's rule for the input `name` gives: `count` gradients, several for a list of tensors."""
        row = lookup(node.op)
        if name not in row.grad:
            raise InternalError(NoGradient(operator=node.op, argument=name, reason="the row has no rule"))
        rule = row.grad[name]
        if rule is None:
            return [None] * count
        inputs, optional = split_inputs(node.op, [Val(self.builder, id) for id in node.inputs], node.attrs)
        settings = {key: value for key, value in node.attrs.items() if key != "optional"}
        single = len(node.outputs) == 1
        result = rule(g[0] if single else tuple(g), y[0] if single else tuple(y), *inputs, **optional, **settings)
        return result if isinstance(result, (tuple, list)) else [result]

    def add(self, node: Node, name: str, id: int, gradient: Val | None) -> None:
        """Sum gradients of a value that is used more than once, in reverse order of its uses."""
        if gradient is None:
            return
        gradient = self.fitted(lookup(node.op), node, name, gradient, self.type(id))
        known = self.gradients.get(id)
        self.gradients[id] = gradient if known is None else known + gradient

    def fitted(self, row: Op, node: Node, name: str, gradient: Val, type: TensorType) -> Val:
        """The gradient in the input's own shape: broadcasting is undone here, once for all rows."""
        if gradient.type == type:
            return gradient
        if gradient.type.dtype != type.dtype:
            raise InternalError(NoGradient(operator=row.name, argument=name, reason=f"it is {gradient.type}, the input {type}"))
        result = self.type(node.outputs[0])
        wide = row.kind == "elementwise" and gradient.type.elements != result.elements
        if wide:  # a rule may give a number for all elements
            gradient = F.broadcast(gradient, shape=attr_shape(result.shape))
        if not repeats(type.shape, gradient.type.shape):
            raise InternalError(NoGradient(operator=row.name, argument=name, reason=f"it is {gradient.type}, the input {type}"))
        return unbroadcast(gradient, type)

    def zeros(self, id: int, address: str) -> Val:
        """The gradient of what the seed does not depend on."""
        type = self.type(id)
        self.at("", address)
        zero = self.builder.constant(0, type.dtype)
        return F.broadcast(zero, shape=attr_shape(type.shape)) if type.rank else zero


def repeats(small: Sequence[Dim], large: Sequence[Dim]) -> bool:
    """Whether a value of shape `small` broadcasts to `large`."""
    unit = Dim.of(1)
    tail = large[len(large) - len(small) :]
    return len(small) <= len(large) and all(a in (unit, b) for a, b in zip(small, tail, strict=True))


SCOPE = re.compile(r"\.grad(\d*)/")


def next_suffix(graph: Graph) -> str:
    """`.grad` for the first differentiation of a graph, `.grad2` for the next: no two nodes get the same address."""
    level = 0
    for node in graph.nodes:
        for number in SCOPE.findall(node.address):
            level = max(level, int(number or 1))
    return ".grad" if level == 0 else f".grad{level + 1}"
