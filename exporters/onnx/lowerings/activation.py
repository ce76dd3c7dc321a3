"""Activation functions: ONNX's own operator where the opset has it, else the formula."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi, sqrt
from typing import Any

from dslc.ir.graph import Node
from dslc.ops.activation import CUBIC, ROOT_2_OVER_PI, ROOT_HALF, SELU_ALPHA, SELU_SCALE
from exporters.onnx.lowerings.base import lowering, result
from exporters.onnx.lowerings.norm import per_channel
from exporters.onnx.lowerings.sheet import Sheet
from exporters.onnx.model import Writer

Formula = Callable[[Sheet, str, str, dict[str, Any]], object]
"""`formula(s, x, out, attributes)` writes the nodes that define `out`."""


def activation(name: str) -> Callable[[Formula], Formula]:
    """Register a formula of one input."""

    def register(formula: Formula) -> Formula:
        @lowering(name)
        def lower(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
            formula(Sheet(w, result(w, node)), inputs[0], outputs[0], dict(node.attrs))

        return formula

    return register


def bent(s: Sheet, x: str, bend: str, out: str) -> None:
    """x where it is above 0, else `bend`."""
    s("Where", s.test("Greater", x, 0.0), x, bend, out=out)


def expm1(s: Sheet, x: str, out: str | None = None) -> str:
    """exp(x) - 1 = tanh(x / 2)·(exp(x) + 1), which does not cancel near 0."""
    return s("Mul", s("Tanh", s("Mul", x, 0.5)), s("Add", s("Exp", x), 1.0), out=out)


@activation("elu")
def elu(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    if s.as_attribute(a["alpha"]):
        s("Elu", x, out=out, alpha=a["alpha"])
    else:
        bent(s, x, s("Mul", expm1(s, s("Min", x, 0.0)), a["alpha"]), out)


@activation("selu")
def selu(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    if s.as_attribute(SELU_ALPHA):
        s("Selu", x, out=out)
        return
    bend = s("Mul", expm1(s, s("Min", x, 0.0)), SELU_ALPHA)
    s("Mul", s("Where", s.test("Greater", x, 0.0), x, bend), SELU_SCALE, out=out)


@activation("celu")
def celu(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    """Celu itself is left to single precision: before opset 28 it is defined for no other."""
    if s.type.dtype.itemsize == 4:
        s("Celu", x, out=out, alpha=a["alpha"])
    else:
        bent(s, x, s("Mul", expm1(s, s("Div", s("Min", x, 0.0), a["alpha"])), a["alpha"]), out)


@activation("silu")
def silu(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    """Swish stands in opset 24 and above; x·σ(x) is what every backend fuses."""
    s("Mul", x, s("Sigmoid", x), out=out)


@activation("mish")
def mish(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    if s.w.opset >= 18:
        s("Mish", x, out=out)
    else:
        s("Mul", x, s("Tanh", s("Softplus", x)), out=out)


@activation("log_sigmoid")
def log_sigmoid(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    s("Neg", s("Softplus", s("Neg", x)), out=out)


@activation("gelu")
def gelu(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    if s.w.opset >= 20 and s.type.dtype.itemsize == 4:  # its definition holds √½ in single precision
        s("Gelu", x, out=out, approximate=a["approximate"])
    elif a["approximate"] == "tanh":
        t = s("Tanh", s("Mul", s("Add", x, s("Mul", s("Mul", x, s("Mul", x, x)), CUBIC)), ROOT_2_OVER_PI))
        s("Mul", s("Mul", x, 0.5), s("Add", t, 1.0), out=out)
    else:
        s("Mul", s("Mul", x, 0.5), s("Add", s("Erf", s("Mul", x, ROOT_HALF)), 1.0), out=out)


@activation("gelu_slope")
def gelu_slope(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    square = s("Mul", x, x)
    if a["approximate"] == "tanh":
        t = s("Tanh", s("Mul", s("Mul", x, s("Add", s("Mul", square, CUBIC), 1.0)), ROOT_2_OVER_PI))
        rise = s("Mul", s("Add", s("Mul", square, 3 * CUBIC), 1.0), 0.5 * ROOT_2_OVER_PI)
        more = s("Mul", s("Mul", x, s("Sub", 1.0, s("Mul", t, t))), rise)
        s("Add", s("Mul", s("Add", t, 1.0), 0.5), more, out=out)
        return
    below = s("Mul", s("Add", s("Erf", s("Mul", x, ROOT_HALF)), 1.0), 0.5)
    s("Add", below, s("Mul", x, s("Mul", s("Exp", s("Mul", square, -0.5)), 1 / sqrt(2 * pi))), out=out)


@activation("relu6")
def relu6(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    s.clip(x, 0.0, 6.0, out)


@activation("hardtanh")
def hardtanh(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    s.clip(x, a["min"], a["max"], out)


@activation("hardsigmoid")
def hardsigmoid(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    if s.as_attribute(a["slope"], a["offset"]):
        s("HardSigmoid", x, out=out, alpha=a["slope"], beta=a["offset"])
    else:
        s.clip(s("Add", s("Mul", x, a["slope"]), a["offset"]), 0.0, 1.0, out)


@activation("hardswish")
def hardswish(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    if s.w.opset >= 14 and s.type.dtype.itemsize == 4:
        s("HardSwish", x, out=out)
    else:
        s("Mul", x, s("Mul", s.clip(s("Add", x, 3.0), 0.0, 6.0), 1 / 6), out=out)


@activation("tanhshrink")
def tanhshrink(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    s("Sub", x, s("Tanh", x), out=out)


@activation("softshrink")
def softshrink(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    s("Sub", x, s.clip(x, -a["limit"], a["limit"]), out=out)


@activation("hardshrink")
def hardshrink(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    s("Where", s.test("Greater", s("Abs", x), a["limit"]), x, 0.0, out=out)


@lowering("prelu")
def prelu(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    w.emit("PRelu", [inputs[0], per_channel(w, inputs[1], type.rank)], type, outputs[0])
