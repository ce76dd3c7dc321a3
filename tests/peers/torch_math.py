"""PyTorch's counterparts of the activation functions, the mathematical functions and the operators on bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as tf
from torch import Tensor

from tests.peers.torch_indexing import INDEXING


def gelu_slope(x: Tensor, approximate: str) -> Tensor:
    """Always differentiable again, as the gradient of a gradient needs."""
    leaf = x if x.requires_grad else x.detach().clone().requires_grad_()
    slope = torch.autograd.grad(tf.gelu(leaf, approximate=approximate).sum(), leaf, create_graph=True)[0]
    return slope if x.requires_grad else slope.detach()


ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "elu": lambda x, alpha: tf.elu(x, alpha),
    "selu": tf.selu,
    "celu": lambda x, alpha: torch.clamp(x, min=0) + torch.clamp(alpha * torch.expm1(x / alpha), max=0),
    "silu": tf.silu,
    "mish": tf.mish,
    "log_sigmoid": tf.logsigmoid,
    "erf": torch.erf,
    "gelu": lambda x, approximate: tf.gelu(x, approximate=approximate),
    "gelu_slope": gelu_slope,
    "relu6": tf.relu6,
    "hardtanh": lambda x, min, max: tf.hardtanh(x, min, max),
    "hardsigmoid": lambda x, slope, offset: torch.clamp(x * slope + offset, 0, 1),
    "hardswish": tf.hardswish,
    "softsign": tf.softsign,
    "tanhshrink": tf.tanhshrink,
    "softshrink": lambda x, limit: tf.softshrink(x, limit),
    "hardshrink": lambda x, limit: tf.hardshrink(x, limit),
    "prelu": lambda x, slope: tf.prelu(x, slope),
}
UNARY: dict[str, Callable[..., Any]] = {
    name: getattr(torch, name)
    for name in (
        *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "exp2", "expm1"),
        *("log2", "log10", "log1p", "square", "reciprocal", "rsqrt", "floor", "ceil", "round", "trunc"),
        *("isnan", "isinf", "isfinite"),
    )
}


def every(x: Tensor, axis: Any) -> tuple[int, ...]:
    return tuple(range(x.dim())) if axis is None else axis if isinstance(axis, tuple) else (axis,)


def prod(x: Tensor, axis: Any, keep: bool) -> Tensor:
    for a in sorted((a % x.dim() for a in every(x, axis)), reverse=True):
        x = x.prod(a, keepdim=keep)
    return x


def any_true(x: Tensor, axis: Any, keep: bool) -> Tensor:
    for a in sorted((a % x.dim() for a in every(x, axis)), reverse=True):
        x = x.any(a, keepdim=keep)
    return x


def cumsum(x: Tensor, axis: int, exclusive: bool, reverse: bool) -> Tensor:
    ahead = x.flip(axis) if reverse else x
    total = ahead.cumsum(axis) - (ahead if exclusive else 0)
    return total.flip(axis) if reverse else total


STATISTICS: dict[str, Callable[..., Any]] = {
    "prod": prod,
    "any": any_true,
    "logsumexp": lambda x, axis, keep: torch.logsumexp(x, every(x, axis), keepdim=keep),
    "var": lambda x, axis, keep, correction: torch.var(x, every(x, axis), correction=correction, keepdim=keep),
    "std": lambda x, axis, keep, correction: torch.std(x, every(x, axis), correction=correction, keepdim=keep),
    "norm": lambda x, p, axis, keep: torch.linalg.vector_norm(x, p, every(x, axis), keepdim=keep),
    "count_nonzero": lambda x, axis, keep: (x != 0).sum(every(x, axis), keepdim=keep),
    "cumsum": cumsum,
    "argmin": lambda x, axis: x.argmin(axis),
}
MATH: dict[str, Callable[..., Any]] = {
    "einsum": lambda *xs, equation: torch.einsum(equation, *xs),
    **ACTIVATIONS,
    **UNARY,
    **STATISTICS,
    **INDEXING,
    "atan2": torch.atan2,
    "rem": torch.fmod,
    "logical_xor": torch.logical_xor,
    "bitwise_and": torch.bitwise_and,
    "bitwise_or": torch.bitwise_or,
    "bitwise_xor": torch.bitwise_xor,
    "bitwise_not": torch.bitwise_not,
    "shift_left": torch.bitwise_left_shift,
    "shift_right": torch.bitwise_right_shift,
}
