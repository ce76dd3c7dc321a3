"""Runs a graph of ours with PyTorch's own functions: an oracle of forward values and gradients that shares no code with us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as tf

from dslc.ir.graph import Graph, Node
from dslc.ir.types import Dim, DType

DTYPES = {
    DType.f32: torch.float32,
    DType.f64: torch.float64,
    DType.i32: torch.int32,
    DType.i64: torch.int64,
    DType.u8: torch.uint8,
    DType.bool: torch.bool,
}


def run(
    graph: Graph, arrays: Mapping[str, np.ndarray], wrt: tuple[str, ...] = (), loss: str = "loss"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Outputs by name and the gradients of `loss` by weight, as NumPy arrays."""
    values: dict[int, torch.Tensor] = {}
    leaves: dict[str, torch.Tensor] = {}
    dims: dict[str, int] = {}
    for item in graph.inputs:
        if item.kind == "key":
            continue
        tensor = torch.from_numpy(np.array(arrays[item.name]))
        if item.name in wrt:
            tensor.requires_grad_(True)
            leaves[item.name] = tensor
        values[item.id] = tensor
        for size, found in zip(graph.types[item.id].shape, tensor.shape, strict=True):
            if str(size) in size.names:
                dims[str(size)] = found
    for node in graph.nodes:
        results = apply(node, [values[id] for id in node.inputs], graph, dims)
        for id, result in zip(node.outputs, results if isinstance(results, tuple) else (results,), strict=True):
            values[id] = result
    outputs = {output.name: values[output.id] for output in graph.outputs}
    gradients: dict[str, Any] = {}
    if wrt:
        found = torch.autograd.grad(outputs[loss], list(leaves.values()), allow_unused=True)
        gradients = {name: np.zeros(leaf.shape) if g is None else g.numpy() for (name, leaf), g in zip(leaves.items(), found, strict=True)}
    return {name: value.detach().numpy() for name, value in outputs.items()}, gradients


def resolve(value: Any, dims: Mapping[str, int]) -> Any:
    if isinstance(value, Dim):
        return value.evaluate(dims)
    if isinstance(value, tuple):
        return tuple(resolve(item, dims) for item in value)
    return value


def axes(a: dict[str, Any], x: torch.Tensor) -> tuple[int, ...]:
    axis = a.get("axis")
    return tuple(range(x.dim())) if axis is None else axis if isinstance(axis, tuple) else (axis,)


def padded(x: torch.Tensor, pad: Any, value: float) -> torch.Tensor:
    """`x` with (before, after) pads on its spatial axes, so that functions with symmetric padding need none."""
    flat = [amount for pair in reversed(pad) for amount in pair]
    return tf.pad(x, flat, value=value)


def same(x: torch.Tensor, kernel: Any, stride: Any, dilation: Any) -> list[tuple[int, int]]:
    pads = []
    for size, k, s, d in zip(x.shape[2:], kernel, stride, dilation, strict=True):
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        pads.append((total // 2, total - total // 2))
    return pads


def conv(x: torch.Tensor, w: torch.Tensor, a: dict[str, Any]) -> torch.Tensor:
    pad = same(x, w.shape[2:], a["stride"], a["dilation"]) if a["pad"] == "same" else a["pad"]
    return tf.conv2d(padded(x, pad, 0.0), w, None, a["stride"], 0, a["dilation"], a["groups"])


def max_pool(x: torch.Tensor, a: dict[str, Any]) -> torch.Tensor:
    ones = (1,) * len(a["kernel"])
    pad = same(x, a["kernel"], a["stride"], ones) if a["pad"] == "same" else a["pad"]
    return tf.max_pool2d(padded(x, pad, float("-inf")), a["kernel"], a["stride"], 0, 1, a["ceil"])


def cross_entropy(x: torch.Tensor, labels: torch.Tensor, a: dict[str, Any]) -> torch.Tensor:
    """Written out from log-probabilities: -(1-ε)·log p[y] - ε/K·Σ log p, mean over what counts."""
    logp = x - torch.logsumexp(x, -1, keepdim=True)
    index = labels.long()
    counted = torch.ones(index.shape, dtype=x.dtype)
    if a.get("ignore") is not None:
        counted = (index != a["ignore"]).to(x.dtype)
        index = torch.where(index == a["ignore"], torch.zeros_like(index), index)
    if a.get("mask") is not None:
        counted = counted * a["mask"].to(x.dtype)
    picked = torch.gather(logp, -1, index[..., None])[..., 0]
    each = -((1 - a["smoothing"]) * picked + a["smoothing"] * logp.mean(-1)) * counted
    return each if a["each"] else each.sum() / counted.sum().clamp(min=1e-300)


def binary_cross_entropy(x: torch.Tensor, target: torch.Tensor, a: dict[str, Any]) -> torch.Tensor:
    each = tf.binary_cross_entropy_with_logits(x, target.to(x.dtype).expand_as(x), reduction="none")
    return weighted(each, a)


def mse(x: torch.Tensor, target: torch.Tensor, a: dict[str, Any]) -> torch.Tensor:
    return weighted((x - target) ** 2, a)


def weighted(each: torch.Tensor, a: dict[str, Any]) -> torch.Tensor:
    mask = a.get("mask")
    if mask is None:
        return each if a["each"] else each.mean()
    mask = mask.to(each.dtype)
    return each * mask if a["each"] else (each * mask).sum() / mask.sum()


def moments(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    over = [i for i in range(x.dim()) if i != 1]
    return x.mean(over), x.var(over, unbiased=False)


def channels(v: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return v.reshape(1, -1, *([1] * (x.dim() - 2)))


def softmax(x: torch.Tensor, a: dict[str, Any]) -> torch.Tensor:
    if a.get("mask") is None:
        return torch.softmax(x, a["axis"])
    y = torch.softmax(x.masked_fill(~a["mask"], -1e300), a["axis"])
    return y.masked_fill(~a["mask"], 0.0)


BINARY = {
    "add": torch.add, "subtract": torch.subtract, "multiply": torch.multiply, "divide": torch.true_divide,
    "floor_divide": torch.floor_divide, "remainder": torch.remainder, "pow": torch.pow, "minimum": torch.minimum,
    "maximum": torch.maximum, "equal": torch.eq, "not_equal": torch.ne, "less": torch.lt, "less_equal": torch.le,
    "greater": torch.gt, "greater_equal": torch.ge, "logical_and": torch.logical_and, "logical_or": torch.logical_or,
    "matmul": torch.matmul,
}  # fmt: skip
UNARY = {
    "negative": torch.neg, "exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
    "relu": torch.relu, "abs": torch.abs, "sign": torch.sign, "logical_not": torch.logical_not,
}  # fmt: skip
OTHER: dict[str, Any] = {
    "where": lambda v, a: torch.where(*v),
    "leaky_relu": lambda v, a: tf.leaky_relu(v[0], a["slope"]),
    "clip": lambda v, a: torch.clamp(v[0], a["min"], a["max"]),
    "heaviside": lambda v, a: (v[0] > 0).to(v[0].dtype),
    "cast": lambda v, a: v[0].to(DTYPES[a["dtype"]]),
    "sum": lambda v, a: v[0].sum(axes(a, v[0]), keepdim=a["keep"]),
    "mean": lambda v, a: v[0].mean(axes(a, v[0]), keepdim=a["keep"]),
    "max": lambda v, a: torch.amax(v[0], axes(a, v[0]), keepdim=a["keep"]),
    "min": lambda v, a: torch.amin(v[0], axes(a, v[0]), keepdim=a["keep"]),
    "argmax": lambda v, a: v[0].argmax(a["axis"]),
    "reshape": lambda v, a: v[0].reshape(a["shape"]),
    "transpose": lambda v, a: v[0].permute(a["axes"]) if a.get("axes") is not None else v[0].transpose(-1, -2),
    "slice": lambda v, a: v[0][tuple(slice(i, j) for i, j in zip(a["starts"], a["stops"], strict=True))],
    "pad": lambda v, a: tf.pad(v[0], [n for p in reversed(list(zip(a["before"], a["after"], strict=True))) for n in p], value=a["value"]),
    "concat": lambda v, a: torch.cat(v, a["axis"]),
    "stack": lambda v, a: torch.stack(v, a["axis"]),
    "split": lambda v, a: torch.chunk(v[0], a["parts"], a["axis"]),
    "broadcast": lambda v, a: v[0].expand(a["shape"]),
    "gather": lambda v, a: torch.index_select(v[0], a["axis"], v[1].long().reshape(-1)).reshape(
        *v[0].shape[: a["axis"] % v[0].dim()], *v[1].shape, *v[0].shape[a["axis"] % v[0].dim() + 1 :]
    ),
    "size": lambda v, a: torch.tensor(a["dim"], dtype=DTYPES[a["dtype"]]),
    "arange": lambda v, a: torch.arange(a["count"]),
    "conv": lambda v, a: conv(v[0], v[1], a),
    "max_pool": lambda v, a: max_pool(v[0], a),
    "channel_moments": lambda v, a: moments(v[0]),
    "channel_affine": lambda v, a: v[0] * channels(v[1], v[0]) + channels(v[2], v[0]),
    "softmax": lambda v, a: softmax(v[0], a),
    "log_softmax": lambda v, a: torch.log_softmax(v[0], a["axis"]),
    "cross_entropy": lambda v, a: cross_entropy(v[0], v[1], a),
    "binary_cross_entropy": lambda v, a: binary_cross_entropy(v[0], v[1], a),
    "mse": lambda v, a: mse(v[0], v[1], a),
}  # fmt: skip


def apply(node: Node, inputs: list[torch.Tensor], graph: Graph, dims: Mapping[str, int]) -> Any:
    attrs = {key: resolve(value, dims) for key, value in node.attrs.items()}
    present = attrs.pop("optional", ()) or ()
    required = len(inputs) - len(present)
    attrs.update(zip(present, inputs[required:], strict=True))
    values = inputs[:required]
    if node.op == "constant":
        type = graph.types[node.outputs[0]]
        return torch.tensor(attrs["value"], dtype=DTYPES[type.dtype]).reshape(type.sizes(dims))
    if node.op in UNARY:
        return UNARY[node.op](values[0])
    if node.op in BINARY:
        return BINARY[node.op](*values)
    return OTHER[node.op](values, attrs)
