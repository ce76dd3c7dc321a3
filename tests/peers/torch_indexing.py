"""PyTorch's counterparts of the rows that order, index and arrange."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as tf
from torch import Tensor

from dslc.ir.types import DType

REDUCE = {"mul": "prod", "max": "amax", "min": "amin"}


def scatter(x: Tensor, index: Tensor, updates: Tensor, axis: int, reduction: str) -> Tensor:
    index = index.long()
    if reduction == "set":
        return x.scatter(axis, index, updates)
    return x.scatter_add(axis, index, updates) if reduction == "add" else x.scatter_reduce(axis, index, updates, REDUCE[reduction])


def one_hot(x: Tensor, classes: int, dtype: DType) -> Tensor:
    return tf.one_hot(x.long(), classes).to(getattr(torch, dtype.numpy))


def unsqueeze(x: Tensor, axis: Any) -> Tensor:
    for a in sorted(axis) if isinstance(axis, tuple) else (axis,):
        x = x.unsqueeze(a)
    return x


INDEXING: dict[str, Callable[..., Any]] = {
    "take_along_axis": lambda x, index, axis: torch.take_along_dim(x, index.long(), axis),
    "scatter": scatter,
    "sort": lambda x, axis, descending: tuple(torch.sort(x, dim=axis, descending=descending, stable=True)),
    "argsort": lambda x, axis, descending: torch.argsort(x, dim=axis, descending=descending, stable=True),
    "top_k": lambda x, k, axis, largest: tuple(torch.topk(x, k, axis, largest)),
    "one_hot": one_hot,
    "flip": lambda x, axis: x.flip(tuple(range(x.dim())) if axis is None else axis),
    "roll": lambda x, shift, axis: torch.roll(x, shift, axis),
    "tile": lambda x, repeats: x.tile(repeats),
    "repeat": lambda x, count, axis: torch.repeat_interleave(x, count, axis),
    "squeeze": lambda x, axis: x.squeeze(axis),
    "unsqueeze": unsqueeze,
    "tril": lambda x, k: torch.tril(x, k),
    "triu": lambda x, k: torch.triu(x, k),
    "eye": lambda count, dtype: torch.eye(count, dtype=getattr(torch, dtype.numpy)),
    "cumprod": lambda x, axis: x.cumprod(axis),
    "masked_fill": lambda x, mask, value: torch.where(mask, value, x),
}
