"""PyTorch's counterparts of the losses: each value's loss by its own function, then the mean over what counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as tf
from torch import Tensor

Each = Callable[..., Tensor]


def averaged(loss: Tensor, *factors: Tensor | None, each: bool) -> Tensor:
    """The loss as it counts; without `each` the mean over what counts."""
    count = torch.ones_like(loss)
    for factor in factors:
        count = count if factor is None else count * factor.to(loss.dtype)
    if each:
        return loss * count
    total = count.sum()
    return (loss * count).sum() / torch.where(total == 0, torch.ones_like(total), total)


def pair(loss: Each) -> Callable[..., Tensor]:
    """A loss of each value against its target, with mask and weight."""

    def run(x: Tensor, target: Tensor, mask: Tensor | None = None, weight: Tensor | None = None, *, each: bool, **settings: Any) -> Tensor:
        return averaged(loss(x, target.to(x.dtype).expand_as(x), **settings), mask, weight, each=each)

    return run


def counted_labels(label: Tensor, *counting: Tensor | None) -> Tensor:
    """The labels, 0 where they do not count: PyTorch takes classes only."""
    index = label.long()
    for counts in counting:
        index = index if counts is None else torch.where(counts != 0, index, 0)
    return index


def cross_entropy(x: Tensor, label: Tensor, mask: Tensor | None = None, weight: Tensor | None = None, *, smoothing: float,
                  ignore: int | None, each: bool, axis: int) -> Tensor:  # fmt: skip
    hit = None if ignore is None else label != ignore
    index = counted_labels(label, hit, mask)
    rows = x.movedim(axis, -1).reshape(-1, x.shape[axis])
    loss = tf.cross_entropy(rows, index.reshape(-1), reduction="none", label_smoothing=smoothing)
    return averaged(loss.reshape(index.shape), hit, mask, weight, each=each)


def nll(x: Tensor, label: Tensor, mask: Tensor | None = None, weight: Tensor | None = None, *, ignore: int | None, each: bool,
        axis: int) -> Tensor:  # fmt: skip
    hit = None if ignore is None else label != ignore
    index = counted_labels(label, hit, mask)
    rows = x.movedim(axis, -1).reshape(-1, x.shape[axis])
    return averaged(tf.nll_loss(rows, index.reshape(-1), reduction="none").reshape(index.shape), hit, mask, weight, each=each)


def accuracy(x: Tensor, label: Tensor, mask: Tensor | None = None, weight: Tensor | None = None, *, k: int,
             ignore: int | None, each: bool, axis: int) -> Tensor:  # fmt: skip
    best = torch.topk(x, min(k, x.shape[axis]), axis).indices
    right = (best == label.long().unsqueeze(axis)).any(axis).to(x.dtype)
    return averaged(right, None if ignore is None else label != ignore, mask, weight, each=each)


def average(x: Tensor, mask: Tensor | None = None, weight: Tensor | None = None, *, each: bool) -> Tensor:
    return averaged(x, mask, weight, each=each)


def focal(x: Tensor, t: Tensor, gamma: float, alpha: float) -> Tensor:
    """As torchvision's sigmoid_focal_loss computes it."""
    p = torch.sigmoid(x)
    right = p * t + (1 - p) * (1 - t)
    loss = tf.binary_cross_entropy_with_logits(x, t, reduction="none") * (1 - right) ** gamma
    return loss if alpha < 0 else loss * (alpha * t + (1 - alpha) * (1 - t))


LOSSES: dict[str, Callable[..., Any]] = {
    "cross_entropy": cross_entropy,
    "nll": nll,
    "accuracy": accuracy,
    "average": average,
    "binary_cross_entropy": pair(lambda x, t: tf.binary_cross_entropy_with_logits(x, t, reduction="none")),
    "mse": pair(lambda x, t: tf.mse_loss(x, t, reduction="none")),
    "mae": pair(lambda x, t: tf.l1_loss(x, t, reduction="none")),
    "huber": pair(lambda x, t, delta: tf.huber_loss(x, t, reduction="none", delta=delta)),
    "smooth_l1": pair(lambda x, t, beta: tf.smooth_l1_loss(x, t, reduction="none", beta=beta)),
    "log_cosh": pair(lambda x, t: torch.log(torch.cosh(x - t))),
    "hinge": pair(lambda x, t, margin: torch.clamp(margin - t * x, min=0)),
    "squared_hinge": pair(lambda x, t, margin: torch.clamp(margin - t * x, min=0).square()),
    "focal": pair(focal),
    "poisson_nll": pair(lambda x, t: tf.poisson_nll_loss(x, t, reduction="none")),
}
