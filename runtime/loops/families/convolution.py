"""Convolution, both gradients, and the transposed convolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dslc.ir.graph import Node
from runtime.loops.families.geometry import Geometry, Phase, fixed
from runtime.loops.families.matrices import product_sum
from runtime.loops.lower import Lowering, family
from runtime.loops.nest import Affine, Index, Number, Size, at
from runtime.loops.tracer import Tracer

Attrs = Mapping[str, Any]


class Convolution:
    """The axes of x[n, g·i, s], w[g·o, i, k], y[n, g·o, t], for convolution and the gradient of its weights."""

    def __init__(self, tracer: Tracer, x: Sequence[Size], w: Sequence[Size], y: Sequence[Size], attrs: Attrs) -> None:
        writer, groups = tracer.writer, attrs["groups"]
        self.channels, outputs = fixed([w[1], w[0]])
        self.outputs = outputs // groups
        self.n = writer.axis(y[0], "n")
        self.g = writer.axis(groups, "g") if groups > 1 else ""
        self.o = writer.axis(self.outputs, "o")
        self.i = writer.axis(self.channels, "c")
        self.t = [writer.axis(size, "p") for size in y[2:]]
        self.k = [writer.axis(size, "r") for size in w[2:]]
        self.places = Geometry.of(x[2:], w[2:], attrs["stride"], attrs["pad"], attrs["dilation"]).places(at(*self.t), at(*self.k))

    @property
    def x(self) -> Index:
        return (*at(self.n, grouped(self.g, self.i, self.channels)), *self.places)

    @property
    def w(self) -> Index:
        return at(grouped(self.g, self.o, self.outputs), self.i, *self.k)

    @property
    def y(self) -> Index:
        return at(self.n, grouped(self.g, self.o, self.outputs), *self.t)


def grouped(group: str, axis: str, size: int) -> Affine:
    return Affine.of({axis: 1, group: size} if group else {axis: 1})


@family("conv")
def conv(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    tracer = Tracer()
    x, w = (lowering.tensor(id, tracer) for id in node.inputs)
    (result,) = node.outputs
    axes = Convolution(tracer, x.shape, w.shape, lowering.shape(result), attrs)
    value = product_sum(tracer, x.fenced(axes.x, 0.0), w.read(axes.w), [*axes.k, axes.i], lowering.dtype(result))
    lowering.store(tracer, result, axes.y, value)
    lowering.finish(tracer, node)


@family("conv_grad_w")
def conv_grad_w(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    tracer = Tracer()
    x, g = (lowering.tensor(id, tracer) for id in node.inputs)
    (result,) = node.outputs
    axes = Convolution(tracer, x.shape, lowering.shape(result), g.shape, attrs)
    value = product_sum(tracer, x.fenced(axes.x, 0.0), g.read(axes.y), [axes.n, *axes.t], lowering.dtype(result))
    lowering.store(tracer, result, axes.w, value)
    lowering.finish(tracer, node)


@family("conv_grad_x", "conv_transpose")
def conv_grad_x(lowering: Lowering, node: Node, attrs: Attrs) -> None:
    """A nest for the places of each phase: the taps that reach them are every stride-th one."""
    (result,) = node.outputs
    shape, kernel = lowering.shape(result), lowering.shape(node.inputs[1])[2:]
    geometry = Geometry.of(shape[2:], kernel, attrs["stride"], attrs["pad"], attrs["dilation"])
    for phase in geometry.phases():
        grad_x_phase(lowering, node, attrs["groups"], geometry, phase)


def grad_x_phase(lowering: Lowering, node: Node, groups: int, geometry: Geometry, phase: Sequence[Phase]) -> None:
    tracer = Tracer()
    writer = tracer.writer
    g, w = (lowering.tensor(id, tracer) for id in node.inputs)
    (result,) = node.outputs
    outputs, channels = fixed(w.shape[:2])
    n, group = writer.axis(lowering.shape(result)[0], "n"), writer.axis(groups, "g") if groups > 1 else ""
    c = writer.axis(channels, "c")
    seen = geometry.seen(tracer, phase)
    into = at(n, grouped(group, c, channels), *seen.into)
    if seen.never:
        lowering.store(tracer, result, into, writer.add(Number(0.0, lowering.dtype(result))))
    else:
        o = writer.axis(outputs // groups, "o")
        source = g.fenced(at(n, grouped(group, o, outputs // groups), *seen.windows), 0.0)
        weight = w.read(at(grouped(group, o, outputs // groups), c, *seen.taps))
        lowering.store(tracer, result, into, product_sum(tracer, source, weight, [o, *seen.axes], lowering.dtype(result)))
    lowering.finish(tracer, node)
