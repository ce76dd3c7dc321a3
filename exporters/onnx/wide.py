"""Operators for `onnx.reference` that add up products of float16 in float32, as runtimes and accelerators do.

NumPy would do the same, number by number: a ResNet-18 takes it a minute for two images.
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


def widened(base: Any) -> type:
    def run(self: Any, *inputs: Any, **attributes: Any) -> tuple[Any, ...]:
        wide = [x.astype(np.float32) if x is not None and x.dtype == np.float16 else x for x in inputs]
        return tuple(result.astype(inputs[0].dtype) for result in base._run(self, *wide, **attributes))

    return type(base.__name__, (base,), {"op_domain": "", "_run": run})
