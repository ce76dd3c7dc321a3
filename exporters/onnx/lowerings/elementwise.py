"""Elementwise operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dslc.ir.graph import Node
from dslc.ir.types import DType
from exporters.onnx.lowerings.base import like, lowering, result
from exporters.onnx.model import ELEMENT, Writer


@lowering("not_equal")
def not_equal(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    w.emit("Not", [w.emit("Equal", inputs, type)], type, outputs[0])


def ordered(name: str, operator: str) -> None:
    """ONNX orders numbers only: truth values are compared as 0 and 1."""

    @lowering(name)
    def compare(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        types = [w.types[id] for id in node.inputs]
        if types[0].dtype is DType.bool:
            numbers = [like(type, DType.u8) for type in types]
            inputs = [w.emit("Cast", [x], type, to=ELEMENT[DType.u8]) for x, type in zip(inputs, numbers, strict=True)]
        w.emit(operator, inputs, result(w, node), outputs[0])


for _name, _operator in (("less", "Less"), ("less_equal", "LessOrEqual"), ("greater", "Greater"), ("greater_equal", "GreaterOrEqual")):
    ordered(_name, _operator)


@lowering("cast")
def cast(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    w.emit("Cast", inputs, type, outputs[0], to=ELEMENT[type.dtype])


@lowering("floor_divide")
def floor_divide(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    if type.dtype.is_float:
        w.emit("Floor", [w.emit("Div", inputs, type)], type, outputs[0])
        return
    if type.dtype is DType.u8:  # nothing is below zero, and opset 13 does not divide bytes
        wide = [w.emit("Cast", [x], like(w.type(x), DType.i32), to=ELEMENT[DType.i32]) for x in inputs]
        w.emit("Cast", [w.emit("Div", wide, like(type, DType.i32))], type, outputs[0], to=ELEMENT[DType.u8])
        return
    # Integer Div truncates; (a - (a mod b)) / b is exact, and Mod has the sign of b.
    rest = w.emit("Mod", inputs, type)
    w.emit("Div", [w.emit("Sub", [inputs[0], rest], type), inputs[1]], type, outputs[0])


@lowering("remainder")
def remainder(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    if not type.dtype.is_float:
        w.emit("Mod", inputs, type, outputs[0])
        return
    whole = w.emit("Mul", [w.emit("Floor", [w.emit("Div", inputs, type)], type), inputs[1]], type)
    w.emit("Sub", [inputs[0], whole], type, outputs[0])


@lowering("leaky_relu")
def leaky_relu(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    slope: Any = node.attrs["slope"]
    if type.dtype is DType.f32:
        w.emit("LeakyRelu", inputs, type, outputs[0], alpha=slope)
        return
    # ONNX keeps `alpha` in single precision, which is not enough here.
    positive = w.emit("Greater", [inputs[0], w.constant(0, type.dtype)], like(type, DType.bool))
    w.emit("Where", [positive, inputs[0], w.emit("Mul", [inputs[0], w.constant(slope, type.dtype)], type)], type, outputs[0])


@lowering("clip")
def clip(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    bounds = [w.constant(node.attrs[key], type.dtype) for key in ("min", "max")]
    w.emit("Clip", [inputs[0], *bounds], type, outputs[0])


@lowering("heaviside")
def heaviside(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    type = result(w, node)
    positive = w.emit("Greater", [inputs[0], w.constant(0, type.dtype)], like(type, DType.bool))
    w.emit("Cast", [positive], type, outputs[0], to=ELEMENT[type.dtype])
