"""Lowerings of operators that are not one ONNX operator, by family; `LOWERINGS` maps the operator's name to its lowering."""

from exporters.onnx.lowerings import (
    activation,
    constant,
    conv_transpose,
    elementwise,
    functions,
    gradients,
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
    "constant",
    "conv_transpose",
    "elementwise",
    "functions",
    "gradients",
    "lrn",
    "movement",
    "norm",
    "reduce",
    "resize",
    "statistics",
    "window",
]
