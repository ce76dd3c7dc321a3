"""Operators for `onnx.reference`: sums of products of float16 in float32, values at indices along any axis, logarithms of softmax.

Runtimes and accelerators add up products of float16 in float32. NumPy would do the same, number by number: a ResNet-18 takes it a minute
for two images. `GatherElements` of the reference chooses from a list, which NumPy ends at 64 places, and
its `LogSoftmax` is the logarithm of a softmax, infinite where scores lie further apart than the exponential reaches.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def wide_operators() -> list[type]:
    """Conv, ConvTranspose and MatMul, for `ReferenceEvaluator(new_ops=…)`."""
    from onnx.reference.ops.op_conv import Conv
    from onnx.reference.ops.op_conv_transpose import ConvTranspose
    from onnx.reference.ops.op_matmul import MatMul

    return [widened(base) for base in (Conv, ConvTranspose, MatMul)]


def gather_operators() -> list[type]:
    """GatherElements, for `ReferenceEvaluator(new_ops=…)`."""
    from onnx.reference.ops.op_gather_elements import GatherElements

    def run(self: Any, data: Any, indices: Any, axis: int = 0) -> tuple[Any, ...]:
        return (np.take_along_axis(data, indices, axis),)

    return [type("GatherElements", (GatherElements,), {"op_domain": "", "_run": run})]


def log_softmax_operators() -> list[type]:
    """LogSoftmax, for `ReferenceEvaluator(new_ops=…)`."""
    from onnx.reference.ops.op_log_softmax import LogSoftmax

    def run(self: Any, x: Any) -> tuple[Any, ...]:
        shifted = x - x.max(axis=self.axis, keepdims=True)
        return (shifted - np.log(np.exp(shifted).sum(axis=self.axis, keepdims=True)),)

    return [type("LogSoftmax", (LogSoftmax,), {"op_domain": "", "_run": run})]


def widened(base: Any) -> type:
    def run(self: Any, *inputs: Any, **attributes: Any) -> tuple[Any, ...]:
        wide = [x.astype(np.float32) if x is not None and x.dtype == np.float16 else x for x in inputs]
        return tuple(result.astype(inputs[0].dtype) for result in base._run(self, *wide, **attributes))

    return type(base.__name__, (base,), {"op_domain": "", "_run": run})
