"""Rows that change the gradient and not the value."""

from __future__ import annotations

from dslc.ops.samples import unary
from dslc.ops.table import op

op(
    "stop_gradient(x: f[*s]) -> f[*s]",
    "x, and no gradient passes through it",
    kind="elementwise",
    eval=lambda xp, x: x * 1,
    grad={"x": None},
    onnx="Identity",
    sample=unary(),
    example="y = x + stop_gradient(sign(x) - x)",
)
