"""Lowerings of operators that are not one ONNX operator, by family; `LOWERINGS` maps the operator's name to its lowering."""

from exporters.onnx.lowerings import (
    activation,
    circular,
    constant,
    conv_transpose,
    einsum,
    elementwise,
    functions,
    gradients,
    group_norm,
    indexing,
    lrn,
    movement,
    norm,
    reduce,
    resize,
    statistics,
    window,
)
from exporters.onnx.lowerings.base import LOWERINGS

__all__ = [
    "LOWERINGS",
    "activation",
    "circular",
    "constant",
    "conv_transpose",
    "einsum",
    "elementwise",
    "functions",
    "gradients",
    "group_norm",
    "indexing",
    "lrn",
    "movement",
    "norm",
    "reduce",
    "resize",
    "statistics",
    "window",
]
