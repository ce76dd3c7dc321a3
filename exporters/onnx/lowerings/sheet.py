"""Formulas as ONNX nodes: what decomposed lowerings are written with."""

from __future__ import annotations

from typing import Any

import numpy as np

from dslc.ir.types import DType, TensorType
from exporters.onnx.lowerings.base import like
from exporters.onnx.model import ELEMENT, Writer


class Sheet:
    """Nodes whose results have one type. `s("Mul", x, 0.5)` appends a node and returns its tensor; numbers become constants of the dtype.

    A result of comparisons is `s.test(...)`; `out=` names the tensor that the operator defines.
    """

    def __init__(self, w: Writer, type: TensorType) -> None:
        self.w = w
        self.type = type

    def __call__(self, op: str, *inputs: str | float, out: str | None = None, **attributes: Any) -> str:
        return self.w.emit(op, [self.named(x) for x in inputs], self.type, out, **attributes)

    def test(self, op: str, *inputs: str | float, out: str | None = None, **attributes: Any) -> str:
        """A node whose result is truth values of the same shape."""
        return self.w.emit(op, [self.named(x) for x in inputs], like(self.type, DType.bool), out, **attributes)

    def named(self, x: str | float) -> str:
        return x if isinstance(x, str) else self.w.constant(x, self.type.dtype)

    def cast(self, x: str, dtype: DType, out: str | None = None) -> str:
        """The tensor x as another dtype, in this sheet's shape."""
        return self.w.emit("Cast", [x], like(self.type, dtype), out, to=ELEMENT[dtype])

    def clip(self, x: str, low: float, high: float, out: str | None = None) -> str:
        return self("Clip", x, low, high, out=out)

    def as_attribute(self, *values: float) -> bool:
        """Whether ONNX attributes, which are kept in single precision, hold these numbers well enough."""
        return self.type.dtype is DType.f32 or all(float(np.float32(value)) == value for value in values)
