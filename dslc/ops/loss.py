"""Losses and accuracy of class labels: means over what counts (R15). `parts` gives total and count, to join batches (R16)."""

from __future__ import annotations

from typing import Any

from dslc.ir.types import DType
from dslc.ops.counting import (
    as_counted,
    averaged,
    averaged_val,
    class_index,
    class_shape,
    coefficient,
    count_of,
    counted,
    counted_val,
    extras,
    inserted,
    kept,
    rest,
)
from dslc.ops.norm import log_softmax
from dslc.ops.support import number, numbers_along
from dslc.ops.table import Case, op, unsupported
from dslc.ops.value import F, Val

METRIC_ONLY = unsupported("a metric is not part of a network")

# ---- cross entropy -----------------------------------------------------------------------------------------------------------


def cross_entropy(xp: Any, x: Any, label: Any, mask: Any = None, weight: Any = None, *, smoothing: float, ignore: int | None,
                  each: bool, axis: int) -> Any:  # fmt: skip
    """-(1 - ε)·log p[label] - ε·mean(log p), with p = softmax(x) (Szegedy et al. 2016 for the smoothing ε)."""
    logp = log_softmax(xp, x, axis)
    hit = None if ignore is None else label != ignore
    index = class_index(xp, label, hit, mask, x.shape[axis])
    loss = -xp.take_along_axis(logp, xp.expand_dims(index, axis), axis).squeeze(axis)
    if smoothing:
        loss = (1 - smoothing) * loss - smoothing * xp.mean(logp, axis=axis)
    return averaged(xp, loss, counted(xp, loss.shape, x.real.dtype, mask, weight, hit), each)


def cross_entropy_grad(g: Val, y: Val, x: Val, label: Val, mask: Val | None = None, weight: Val | None = None, *, smoothing: float,
                       ignore: int | None, each: bool, axis: int) -> Val:  # fmt: skip
    # ∂L/∂x = (p - (1 - ε)·onehot - ε/K) · coefficient
    shape, at = rest(x.type, axis), axis % x.type.rank
    index = F.cast(label, dtype=DType.i64)
    count = counted_val(x, shape, mask, weight, kept(index, ignore))
    factor = coefficient(g, x, shape, count, each)
    one_hot = one_hot_of(x, index, axis)
    target = one_hot if not smoothing else one_hot * (1 - smoothing) + smoothing / number(g, x.type.shape[at])
    change = (F.softmax(x, axis=axis) - target) * (inserted(factor, at) if factor.type.rank else factor)
    return change if count is None else as_counted(change, inserted(count, at))


def cross_entropy_parts(x: Val, label: Val, mask: Val | None = None, weight: Val | None = None, *, smoothing: float, ignore: int | None,
                        each: bool, axis: int) -> tuple[Val, Val]:  # fmt: skip
    given, names = extras(mask=mask, weight=weight)
    losses = F.cross_entropy(x, label, *given, optional=names, smoothing=smoothing, ignore=ignore, each=True, axis=axis)
    shape = rest(x.type, axis)
    return F.sum(losses), count_of(x, shape, counted_val(x, shape, mask, weight, kept(label, ignore)))


def class_cases(rng: Any) -> list[Case]:
    import numpy as np

    found = []
    for shape, axis in (((4, 3), -1), ((2, 3, 5), -1), ((2, 4, 3), 1), ((1, 2), -1)):
        x = rng.uniform(-3, 3, shape)
        rows = tuple(n for i, n in enumerate(shape) if i != axis % len(shape))
        label = rng.integers(0, shape[axis], rows)
        plain: dict[str, Any] = {"smoothing": 0.0, "ignore": None, "each": False, "axis": axis}
        found += [Case((x, label), plain), Case((x, label), {**plain, "smoothing": 0.1, "each": True})]
        found.append(Case((x, np.where(np.arange(label.size).reshape(rows) % 3 == 1, -100, label)), {**plain, "ignore": -100}))
        mask = np.arange(label.size).reshape(rows) % 2 == 0
        found.append(Case((x, label.astype(np.uint8), mask), {**plain, "optional": ("mask",)}))
        masked = np.where(mask, label, -7)  # what does not count is no class
        found.append(Case((x, masked, mask, rng.uniform(0.5, 2, rows)), {**plain, "optional": ("mask", "weight"), "smoothing": 0.2}))
    return found


op(
    "cross_entropy(x: f[*s], label: i64[*r], mask: t[*m] = none, weight: f[*w] = none, smoothing: float = 0.0, ignore: int = none, "
    "each: bool = false, axis: int = -1) -> f[]",
    "the mean of -log softmax(x)[label]; x are logits, labels equal to `ignore` do not count",
    kind="loss",
    eval=cross_entropy,
    grad={"x": cross_entropy_grad, "mask": None, "weight": None},
    shape=class_shape,
    sample=class_cases,
    analytic=True,
    parts=cross_entropy_parts,
    example="y = cross_entropy(x, label, smoothing=0.1)",
)

# ---- log-probabilities --------------------------------------------------------------------------------------------------------


def nll(xp: Any, x: Any, label: Any, mask: Any = None, weight: Any = None, *, ignore: int | None, each: bool, axis: int) -> Any:
    hit = None if ignore is None else label != ignore
    index = class_index(xp, label, hit, mask, x.shape[axis])
    loss = -xp.take_along_axis(x, xp.expand_dims(index, axis), axis).squeeze(axis)
    return averaged(xp, loss, counted(xp, loss.shape, x.real.dtype, mask, weight, hit), each)


def one_hot_of(x: Val, index: Val, axis: int) -> Val:
    """1 at the place of each class index (i64) along the axis of the classes."""
    at = axis % x.type.rank
    return F.cast(F.equal(inserted(index, at), numbers_along(x, at)), dtype=x.type.dtype)


def nll_grad(g: Val, y: Val, x: Val, label: Val, mask: Val | None = None, weight: Val | None = None, *, ignore: int | None,
             each: bool, axis: int) -> Val:  # fmt: skip
    shape, at = rest(x.type, axis), axis % x.type.rank
    factor = coefficient(g, x, shape, counted_val(x, shape, mask, weight, kept(label, ignore)), each)
    return -(one_hot_of(x, F.cast(label, dtype=DType.i64), axis) * (inserted(factor, at) if factor.type.rank else factor))


def nll_parts(x: Val, label: Val, mask: Val | None = None, weight: Val | None = None, *, ignore: int | None, each: bool,
              axis: int) -> tuple[Val, Val]:  # fmt: skip
    given, names = extras(mask=mask, weight=weight)
    losses = F.nll(x, label, *given, optional=names, ignore=ignore, each=True, axis=axis)
    return F.sum(losses), count_of(x, rest(x.type, axis), counted_val(x, rest(x.type, axis), mask, weight, kept(label, ignore)))


def nll_cases(rng: Any) -> list[Case]:
    return [Case(case.inputs, {key: value for key, value in case.attrs.items() if key != "smoothing"}) for case in class_cases(rng)]


op(
    "nll(x: f[*s], label: i64[*r], mask: t[*m] = none, weight: f[*w] = none, ignore: int = none, each: bool = false, axis: int = -1) "
    "-> f[]",
    "the mean of -x[label]; x are log-probabilities, labels equal to `ignore` do not count",
    kind="loss",
    eval=nll,
    grad={"x": nll_grad, "mask": None, "weight": None},
    shape=class_shape,
    sample=nll_cases,
    analytic=True,
    parts=nll_parts,
    example="y = nll(log_softmax(x), label)",
)

# ---- accuracy ---------------------------------------------------------------------------------------------------------------------


def accuracy(
    xp: Any, x: Any, label: Any, mask: Any = None, weight: Any = None, *, k: int, ignore: int | None, each: bool, axis: int
) -> Any:
    """Right if fewer than k classes come before the label; of equal scores the lower index comes first, as in argmax."""
    hit = None if ignore is None else label != ignore
    index = xp.expand_dims(class_index(xp, label, hit, mask, x.shape[axis]), axis)
    score = xp.take_along_axis(x, index, axis)
    numbers = xp.arange(x.shape[axis]).reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])
    before = xp.sum((x > score) | ((x == score) & (numbers < index)), axis=axis)
    right = ((before < k) & xp.all(x == x, axis=axis)).astype(x.dtype)
    return averaged(xp, right, counted(xp, right.shape, x.dtype, mask, weight, hit), each)


def accuracy_parts(x: Val, label: Val, mask: Val | None = None, weight: Val | None = None, *, k: int, ignore: int | None, each: bool,
                   axis: int) -> tuple[Val, Val]:  # fmt: skip
    given, names = extras(mask=mask, weight=weight)
    right = F.accuracy(x, label, *given, optional=names, k=k, ignore=ignore, each=True, axis=axis)
    shape = rest(x.type, axis)
    return F.sum(right), count_of(x, shape, counted_val(x, shape, mask, weight, kept(label, ignore)))


def accuracy_cases(rng: Any) -> list[Case]:
    return [
        Case(case.inputs, {"k": 1 + number % 2, **{key: value for key, value in case.attrs.items() if key != "smoothing"}})
        for number, case in enumerate(class_cases(rng))
    ]


op(
    "accuracy(x: f[*s], label: i64[*r], mask: t[*m] = none, weight: f[*w] = none, k: int = 1, ignore: int = none, each: bool = false, "
    "axis: int = -1) -> f[]",
    "the part of the predictions whose label is among the k largest scores",
    kind="loss",
    eval=accuracy,
    grad={"x": None, "mask": None, "weight": None},
    shape=class_shape,
    onnx=METRIC_ONLY,
    sample=accuracy_cases,
    parts=accuracy_parts,
    example="y = accuracy(x, label, k=2)",
)

# ---- in plain rows, as they are exported -----------------------------------------------------------------------------------------


def spelled(name: str, x: Val, label: Val, mask: Val | None = None, weight: Val | None = None, *, ignore: int | None, each: bool,
            axis: int, smoothing: float = 0.0) -> Val:  # fmt: skip
    """`cross_entropy` and `nll` as plain rows."""
    shape = rest(x.type, axis)
    logp = F.log_softmax(x, axis=axis) if name == "cross_entropy" else x
    loss = -F.sum(one_hot_of(x, F.cast(label, dtype=DType.i64), axis) * logp, axis=axis)
    if smoothing:
        loss = (1 - smoothing) * loss - smoothing * F.mean(logp, axis=axis)
    return averaged_val(loss, counted_val(x, shape, mask, weight, kept(label, ignore)), each)
