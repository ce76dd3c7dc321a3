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


INDEXING: dict[str, Callable[..., Any]] = {
    "take_along_axis": lambda x, index, axis: torch.take_along_dim(x, index.long(), axis),
    "scatter": scatter,
    "sort": lambda x, axis, descending: tuple(torch.sort(x, dim=axis, descending=descending, stable=True)),
    "argsort": lambda x, axis, descending: torch.argsort(x, dim=axis, descending=descending, stable=True),
    "top_k": lambda x, k, axis, largest: tuple(torch.topk(x, k, axis, largest)),
    "one_hot": one_hot,
    "masked_fill": lambda x, mask, value: torch.where(mask, value, x),
}
