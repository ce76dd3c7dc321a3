"""PyTorch's counterparts of the metrics: counts by products of one-hot labels, areas by all pairs and by the curve itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as tf
from torch import Tensor


def kept(label: Tensor, mask: Tensor | None, ignore: Any) -> Tensor:
    keep = ~torch.isin(label.long(), torch.tensor([ignore] if isinstance(ignore, int) else list(ignore), dtype=torch.int64))
    return keep if mask is None else keep & (mask.expand_as(label) != 0)


def decided(x: Tensor, label: Tensor, mask: Tensor | None, *, threshold: float, ignore: Any, axis: int) -> Iterator[Tensor]:
    """Labels and decisions of what counts, one-hot: [n, classes]."""
    keep = kept(label, mask, ignore)
    several = x.shape != label.shape
    seen = x.argmax(axis) if several else (x > threshold).long()
    return (tf.one_hot(one[keep].long(), x.shape[axis] if several else 2) for one in (label, seen))


def confusion_matrix(x: Tensor, label: Tensor, mask: Tensor | None = None, **settings: Any) -> Tensor:
    meant, seen = decided(x, label, mask, **settings)
    return meant.T @ seen


def class_counts(x: Tensor, label: Tensor, mask: Tensor | None = None, *, multilabel: bool, axis: int, **settings: Any) -> Tensor:
    if multilabel:
        columns = [(x.select(axis, at), label.select(axis, at)) for at in range(x.shape[axis])]
        found = [class_counts(*column, mask, multilabel=False, axis=-1, **settings) for column in columns]
        return torch.cat(found, dim=1)
    m = confusion_matrix(x, label, mask, axis=axis, **settings)
    counts = torch.stack([m.diagonal(), m.sum(0), m.sum(1), m.sum().expand(len(m))])
    return counts if x.shape != label.shape else counts[:, 1:]


def class_average(part: Tensor, whole: Tensor, counts: Tensor, average: str) -> Tensor:
    if average == "micro":
        return torch.nan_to_num(part.sum() / whole.sum(), nan=0.0, posinf=0.0)
    each = torch.nan_to_num(part / whole, nan=0.0, posinf=0.0)
    occurs = (counts[1] + counts[2] > 0).double()
    return {"none": each, "macro": (each * occurs).sum() / occurs.sum(), "weighted": (each * counts[2]).sum() / counts[2].sum()}[average]


def roc(score: Tensor, truth: Tensor) -> Tensor:
    """The mean over all pairs of a true and a false sample."""
    gap = torch.sign(score[truth][:, None] - score[~truth][None, :])
    return ((gap + 1) / 2).mean()


def precision_recall(score: Tensor, truth: Tensor) -> Tensor:
    """Below the curve of all thresholds from the highest down."""
    taken = score[None, :] >= torch.unique(score).flip(0)[:, None]
    recall = (taken & truth).sum(1).to(score.dtype) / truth.sum()
    return (torch.diff(recall, prepend=recall.new_zeros(1)) * (taken & truth).sum(1) / taken.sum(1)).sum()


def area(one: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def run(x: Tensor, label: Tensor, mask: Tensor | None = None, *, ignore: Any, average: str, axis: int) -> Tensor:
        keep = kept(label, mask, ignore)
        if x.shape == label.shape:
            return one(x[keep], label[keep] == 1)
        score = x.movedim(axis, -1)[keep]
        truth = tf.one_hot(label[keep].long(), x.shape[axis]) == 1
        if average == "micro":
            return one(score.flatten(), truth.flatten())
        areas = torch.stack([one(score[:, at], truth[:, at]) for at in range(score.shape[1])])
        if average == "none":
            return areas
        known = areas[~areas.isnan()]
        weight = truth.sum(0)[~areas.isnan()] if average == "weighted" else torch.ones_like(known)
        return (known * weight).sum() / weight.sum()

    return run


def covariance(x: Tensor, y: Tensor, mask: Tensor | None = None, *, axis: Any, keep: bool) -> Tensor:
    """E[x·y] - E[x]·E[y]."""
    axes = tuple(range(x.ndim)) if axis is None else axis
    weight = torch.ones_like(x) if mask is None else mask.to(x.dtype).expand_as(x)

    def mean(value: Tensor) -> Tensor:
        total = weight.sum(axes, keepdim=keep)
        return (weight * value).sum(axes, keepdim=keep) / torch.where(total == 0, torch.ones_like(total), total)

    return mean(x * y) - mean(x) * mean(y)


METRICS: dict[str, Callable[..., Any]] = {
    "class_counts": class_counts,
    "confusion_matrix": confusion_matrix,
    "class_average": class_average,
    "roc_auc": area(roc),
    "average_precision": area(precision_recall),
    "covariance": covariance,
}
