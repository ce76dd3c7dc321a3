"""Functions that ONNX lacks, and the operators on bits, which it has from opset 18 on."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, pi
from typing import Any

from dslc.diagnostics import SpecError
from dslc.ir.graph import Node
from dslc.ir.types import Dim, DType, TensorType
from exporters.onnx.errors import NotExportable
from exporters.onnx.lowerings import activation
from exporters.onnx.lowerings.base import like, lowering, result
from exporters.onnx.lowerings.sheet import Sheet
from exporters.onnx.model import ELEMENT, Writer

formula = activation.activation


@formula("square")
def square(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    s("Mul", x, x, out=out)


@formula("rsqrt")
def rsqrt(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    s("Reciprocal", s("Sqrt", x), out=out)


@formula("expm1")
def expm1(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    activation.expm1(s, x, out)


@formula("exp2")
def exp2(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    s("Pow", 2.0, x, out=out)


@formula("log2")
def log2(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    s("Mul", s("Log", x), 1 / log(2), out=out)


@formula("log10")
def log10(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    s("Mul", s("Log", x), 1 / log(10), out=out)


@formula("log1p")
def log1p(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    """With u = 1 + x rounded: log(u)·x / (u - 1), and x where u is 1 (Goldberg 1991, theorem 4)."""
    u = s("Add", x, 1.0)
    d = s("Sub", u, 1.0)
    same = s.test("Equal", d, 0.0)
    s("Where", same, x, s("Mul", s("Log", u), s("Div", x, s("Where", same, 1.0, d))), out=out)


@formula("trunc")
def trunc(s: Sheet, x: str, out: str, a: dict[str, Any]) -> None:
    s("Mul", s("Sign", x), s("Floor", s("Abs", x)), out=out)


@lowering("isfinite")
def isfinite(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    s = Sheet(w, result(w, node))
    s("Not", s("Or", s("IsNaN", inputs[0]), s("IsInf", inputs[0])), out=outputs[0])


@lowering("atan2")
def atan2(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """atan(a / b), moved by π to the side of a where b < 0; ±π/2 or 0 where b = 0."""
    s, up, across = (Sheet(w, type) for type in (result(w, node), w.type(inputs[0]), w.type(inputs[1])))
    a, b = inputs
    right, upright = across.test("Greater", b, 0.0), across.test("Equal", b, 0.0)
    angle = s("Atan", s("Div", a, across("Where", upright, 1.0, b)))
    side = up("Where", up.test("Less", a, 0.0), -pi, pi)
    left = s("Where", upright, up("Mul", up("Sign", a), pi / 2), s("Add", angle, side))
    s("Where", right, angle, left, out=outputs[0])


@lowering("rem")
def rem(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    w.emit("Mod", inputs, result(w, node), outputs[0], fmod=1)


# ---- bits --------------------------------------------------------------------------------------------------------------------------

UNSIGNED = (DType.u8, DType.u64)
OPERATORS = {"bitwise_and": "BitwiseAnd", "bitwise_or": "BitwiseOr", "bitwise_xor": "BitwiseXor"}
PER_BIT = {"bitwise_and": "Min", "bitwise_or": "Max", "bitwise_xor": "Sub"}


@lowering("bitwise_and", "bitwise_or", "bitwise_xor")
def bitwise(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Below opset 18 bit by bit along a new axis: with places 2⁰ … 2⁶² and the sign, a result is Σ bit·2^place - sign·2⁶³."""
    type = result(w, node)
    if w.opset >= 18:
        w.emit(OPERATORS[node.op], inputs, type, outputs[0])
        return
    if type.dtype is DType.u64:
        reason = "of u64 it needs opset 18"
        raise SpecError(NotExportable(operator=node.op, place=node.place or node.address, reason=reason))
    bits = [bits_of(w, x) for x in inputs]
    wide = TensorType(dtype=DType.i64, shape=(*type.shape, Dim.of(64)))
    joined = w.emit(PER_BIT[node.op], bits, wide)
    if node.op == "bitwise_xor":
        joined = w.emit("Abs", [joined], wide)
    weights = w.ints([*(2**place for place in range(63)), -(2**63)])
    total = w.emit("MatMul", [joined, weights], like(type, DType.i64))  # ReduceSum of backends goes by way of floats
    w.emit("Cast", [total], type, outputs[0], to=ELEMENT[type.dtype])


def bits_of(w: Writer, x: str) -> str:
    """The 64 bits of each number as 0 and 1 along a new last axis, the sign last."""
    type = w.type(x)
    column = TensorType(dtype=DType.i64, shape=(*type.shape, Dim.of(1)))
    places = TensorType(dtype=DType.i64, shape=(*type.shape, Dim.of(63)))
    whole = w.emit("Cast", [x], like(type, DType.i64), to=ELEMENT[DType.i64])
    spread = w.emit("Unsqueeze", [whole, w.ints([type.rank])], column)
    powers = w.ints([2**place for place in range(63)])
    rest = w.emit("Mod", [spread, powers], places)
    above = w.emit("Div", [w.emit("Sub", [spread, rest], places), powers], places)
    low = w.emit("Mod", [above, w.ints([2])], places)
    sign = w.emit("Less", [spread, w.ints([0])], like(column, DType.bool))
    top = w.emit("Cast", [sign], column, to=ELEMENT[DType.i64])
    return w.emit("Concat", [low, top], TensorType(dtype=DType.i64, shape=(*type.shape, Dim.of(64))), axis=type.rank)


@lowering("bitwise_not")
def bitwise_not(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Of signed numbers -1 - x, of unsigned ones the largest number less x."""
    type = result(w, node)
    if w.opset >= 18:
        w.emit("BitwiseNot", inputs, type, outputs[0])
    else:
        largest = 2 ** (8 * type.dtype.itemsize) - 1 if type.dtype in UNSIGNED else -1
        if type.dtype is DType.u8:  # Sub takes no u8 before opset 14
            whole = w.emit("Cast", [inputs[0]], like(type, DType.i64), to=ELEMENT[DType.i64])
            rest = w.emit("Sub", [w.constant(largest, DType.i64), whole], like(type, DType.i64))
            w.emit("Cast", [rest], type, outputs[0], to=ELEMENT[type.dtype])
            return
        w.emit("Sub", [w.constant(largest, type.dtype), inputs[0]], type, outputs[0])


@lowering("shift_left", "shift_right")
def shift(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """BitShift takes unsigned numbers; signed ones are multiplied or divided by 2^b, rounded down."""
    type = result(w, node)
    if type.dtype in UNSIGNED:
        w.emit("BitShift", inputs, type, outputs[0], direction="LEFT" if node.op == "shift_left" else "RIGHT")
        return
    step = w.type(inputs[1])
    powers = w.emit("Gather", [w.constant([2**k for k in range(8 * type.dtype.itemsize - 1)], type.dtype), inputs[1]], step)
    if node.op == "shift_left":
        w.emit("Mul", [inputs[0], powers], type, outputs[0])
        return
    rest = w.emit("Mod", [inputs[0], powers], type)
    w.emit("Div", [w.emit("Sub", [inputs[0], rest], type), powers], type, outputs[0])
