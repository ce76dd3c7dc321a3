"""Convolutions and matrix products as loops that anyone can read; they count their multiply-adds, those with padding too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from dslc.ir.graph import Graph

Counted = tuple[np.ndarray, int]


def conv(x: np.ndarray, w: np.ndarray, stride: Sequence[int], pad: Any, dilation: Sequence[int], groups: int) -> Counted:
    """y[n, o, i] = Σ_c Σ_k x[n, group(o)·C + c, i·stride + k·dilation] · w[o, c, k] over the padded x, and how many products were added."""
    padded = np.pad(x, [(0, 0), (0, 0), *pads(x.shape[2:], w.shape[2:], stride, pad, dilation)])
    extents = [d * (k - 1) + 1 for k, d in zip(w.shape[2:], dilation, strict=True)]
    sizes = [(n - e) // s + 1 for n, e, s in zip(padded.shape[2:], extents, stride, strict=True)]
    y = np.zeros((x.shape[0], w.shape[0], *sizes), x.dtype)
    per_group, count = w.shape[0] // groups, 0
    for n, o, *at in product(*map(range, y.shape)):
        for c, *k in product(*map(range, w.shape[1:])):
            place = [i * s + j * d for i, s, j, d in zip(at, stride, k, dilation, strict=True)]
            y[n, o, *at] += padded[n, o // per_group * w.shape[1] + c, *place] * w[o, c, *k]
            count += 1
    return y, count


def pads(sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], pad: Any, dilation: Sequence[int]) -> list[tuple[int, int]]:
    """Numbers before and after each axis; "same": as many as give ⌈size / stride⌉ places, the odd one behind."""
    if pad != "same":
        return [(before, after) for before, after in pad]
    found = []
    for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        found.append((total // 2, total - total // 2))
    return found


def matmul(a: np.ndarray, b: np.ndarray) -> Counted:
    """Products of matrices, of stacks of them, and of vectors."""
    left, right = (a[None] if a.ndim == 1 else a), (b[:, None] if b.ndim == 1 else b)
    stack = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left, right = np.broadcast_to(left, (*stack, *left.shape[-2:])), np.broadcast_to(right, (*stack, *right.shape[-2:]))
    y, count = np.zeros((*stack, left.shape[-2], right.shape[-1]), a.dtype), 0
    for *s, i, j, k in product(*map(range, (*y.shape, left.shape[-1]))):
        y[*s, i, j] += left[*s, i, k] * right[*s, k, j]
        count += 1
    shape = [*stack, *([a.shape[-2]] if a.ndim > 1 else []), *([b.shape[-1]] if b.ndim > 1 else [])]
    return y.reshape(shape), count


def scattered(x: np.ndarray, w: np.ndarray, groups: int) -> int:
    """The products of a transposed convolution: every number of x goes into every place of the kernels of its channel."""
    return sum(1 for _ in product(*map(range, x.shape), *map(range, w.shape[1:])))


def multiply_adds(graph: Graph, sizes: Mapping[str, int]) -> int:
    """Those of all matrix products and convolutions of a graph without `scan`, counted one by one."""
    total = 0
    for node in graph.nodes:
        assert node.body is None
        if node.op not in ("conv", "matmul", "conv_transpose"):
            continue
        x, w = (np.zeros(graph.types[id].sizes(sizes)) for id in node.inputs)
        settings: dict[str, Any] = {key: node.attrs[key] for key in ("stride", "pad", "dilation", "groups") if key in node.attrs}
        if node.op == "conv":
            y, count = conv(x, w, **settings)
        elif node.op == "matmul":
            y, count = matmul(x, w)
        else:
            y, count = np.zeros(graph.types[node.outputs[0]].sizes(sizes)), scattered(x, w, settings["groups"])
        assert y.shape == graph.types[node.outputs[0]].sizes(sizes)
        total += count
    return total
