"""Metrics of decisions: how often each class was meant, seen and hit, the matrix of confusions, and averages over classes.

A decision is the class of the largest score along `axis`; where x has the shape of the labels there are two classes, and x above
`threshold` means class 1. Counts are i64, so that batches join to the whole split by their sums, exactly (R16).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.counting import check_factors, rest
from dslc.ops.support import checked_index
from dslc.ops.table import Case, Mismatch, op, unsupported

METRIC_ONLY = unsupported("a metric is not part of a network")
SETTINGS = "threshold: float = 0.0, ignore: axes = [], "


# ---- types ------------------------------------------------------------------------------------------------------------------------


def check_labels(x: TensorType, label: TensorType, mask: TensorType | None, axis: int) -> bool:
    """True where x has one score for each class, False where it is one score against two; Mismatch where the labels fit neither."""
    if label.dtype.is_float:
        raise Mismatch("label", "`label` is an integer or bool", wanted="an integer or bool", found=str(label))
    several = label.shape != x.shape
    shape = rest(x, axis) if several or not x.rank else x.shape
    if several and label.shape != shape:
        wanted = TensorType(dtype=label.dtype, shape=shape)
        raise Mismatch("label", "`label` has one class index for each prediction", wanted=str(wanted), found=str(label), other="x")
    check_factors(shape, x.dtype, mask=mask)
    return several


def counts_shape(x: TensorType, label: TensorType, mask: TensorType | None = None, *, axis: int, multilabel: bool,
                 **settings: Any) -> TensorType:  # fmt: skip
    several = check_labels(x, label, mask, axis)
    if multilabel and several:
        raise Mismatch("label", "`label` has one truth value for each class", wanted=str(x), found=str(label), other="x")
    if multilabel:
        rest(x, axis)
    classes = x.shape[axis] if several or multilabel else Dim.of(1)
    return TensorType(dtype=DType.i64, shape=(Dim.of(4), classes))


def matrix_shape(x: TensorType, label: TensorType, mask: TensorType | None = None, *, axis: int, **settings: Any) -> TensorType:
    classes = x.shape[axis] if check_labels(x, label, mask, axis) else Dim.of(2)
    return TensorType(dtype=DType.i64, shape=(classes, classes))


# ---- decisions ----------------------------------------------------------------------------------------------------------------------


class Decisions(NamedTuple):
    """seen, meant: class indices of the same shape; kept: which of them count; classes: how many there are. `seen` is -1 where scores
    are not numbers."""

    seen: Any
    meant: Any
    kept: Any
    classes: int


def kept_labels(xp: Any, label: Any, mask: Any, ignore: int | tuple[int, ...]) -> Any:
    """Where a label counts: the mask is not 0, and it is none of the ignored ones."""
    kept = xp.ones(label.shape, bool) if mask is None else xp.broadcast_to(xp.asarray(mask) != 0, label.shape)
    for value in (ignore,) if isinstance(ignore, int) else ignore:
        kept = kept & (label != value)
    return kept


def truths(xp: Any, label: Any, kept: Any, classes: int) -> Any:
    """The labels that count as i64, others as 0; IndexError where one is no class."""
    return checked_index(xp.where(kept, label, xp.zeros((), label.dtype)).astype("int64"), classes, "a label", "classes")


def decide(xp: Any, x: Any, label: Any, mask: Any, *, threshold: float, ignore: int | tuple[int, ...], axis: int) -> Decisions:
    several = label.shape != x.shape
    classes = x.shape[axis] if several else 2
    seen = xp.argmax(x, axis=axis) if several else (x > threshold).astype("int64")
    unknown = xp.isnan(xp.max(x, axis=axis) if several else x)
    kept = kept_labels(xp, label, mask, ignore)
    return Decisions(xp.where(unknown, -1, seen), truths(xp, label, kept, classes), kept, classes)


def occurrences(xp: Any, index: Any, classes: int) -> Any:
    return xp.bincount(index.reshape(-1), minlength=classes).astype("int64")


def class_counts(xp: Any, x: Any, label: Any, mask: Any = None, *, threshold: float, ignore: int | tuple[int, ...], multilabel: bool,
                 axis: int) -> Any:  # fmt: skip
    seen, meant, kept, classes = decide(xp, x, label, mask, threshold=threshold, ignore=ignore, axis=axis)
    if label.shape != x.shape:
        hits = occurrences(xp, meant[kept & (seen == meant)], classes)
        predicted = occurrences(xp, seen[kept & (seen >= 0)], classes)
        total = xp.zeros_like(hits) + xp.sum(kept)
        return xp.stack([hits, predicted, occurrences(xp, meant[kept], classes), total])
    others = tuple(i for i in range(x.ndim) if i != axis % x.ndim) if multilabel else None
    found = (kept & (seen == 1) & (meant == 1), kept & (seen == 1), kept & (meant == 1), kept)
    return xp.stack([xp.sum(one, axis=others, dtype="int64").reshape(-1) for one in found])


def confusion_matrix(xp: Any, x: Any, label: Any, mask: Any = None, *, threshold: float, ignore: int | tuple[int, ...], axis: int) -> Any:
    seen, meant, kept, classes = decide(xp, x, label, mask, threshold=threshold, ignore=ignore, axis=axis)
    kept = kept & (seen >= 0)
    return occurrences(xp, meant[kept] * classes + seen[kept], classes * classes).reshape(classes, classes)


# ---- averages over classes --------------------------------------------------------------------------------------------------------


def ratio(xp: Any, part: Any, whole: Any) -> Any:
    """part / whole, and 0 where the whole is 0."""
    return xp.where(whole == 0, xp.zeros((), part.dtype), part / xp.where(whole == 0, xp.ones((), whole.dtype), whole))


def weighted(xp: Any, values: Any, weights: Any) -> Any:
    return ratio(xp, xp.sum(values * weights), xp.sum(weights))


AVERAGES: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "macro": lambda xp, part, whole, counts: weighted(xp, ratio(xp, part, whole), (counts[1] + counts[2] > 0).astype(part.dtype)),
    "micro": lambda xp, part, whole, counts: ratio(xp, xp.sum(part), xp.sum(whole)),
    "weighted": lambda xp, part, whole, counts: weighted(xp, ratio(xp, part, whole), counts[2]),
    "none": lambda xp, part, whole, counts: ratio(xp, part, whole),
}


def check_average(average: str) -> None:
    if average not in AVERAGES:
        words = ", ".join(f'"{word}"' for word in AVERAGES)
        raise Mismatch("average", f"`average` is one of {words}", found=f'"{average}"')


def average_shape(part: TensorType, whole: TensorType, counts: TensorType, *, average: str) -> TensorType:
    check_average(average)
    return part if average == "none" else TensorType(dtype=part.dtype, shape=())


# ---- samples --------------------------------------------------------------------------------------------------------------------------


def decision_cases(rng: Any, **more: Any) -> list[Case]:
    import numpy as np

    plain = {"threshold": 0.0, "ignore": (), "axis": -1, **more}
    found = []
    for shape, axis in (((7, 3), -1), ((2, 3, 5), -1), ((2, 4, 3), 1), ((1, 2), -1)):
        x = rng.uniform(-3, 3, shape)
        rows = tuple(n for i, n in enumerate(shape) if i != axis % len(shape))
        label = rng.integers(0, shape[axis], rows)
        mask = np.arange(label.size).reshape(rows) % 3 != 1
        found += [Case((x, label), {**plain, "axis": axis})]
        found += [Case((x, np.where(mask, label, -100)), {**plain, "axis": axis, "ignore": -100})]
        found += [Case((x, label.astype(np.uint8), mask), {**plain, "axis": axis, "optional": ("mask",)})]
    for same in ((6,), (2, 3)):
        x, label = rng.uniform(-3, 3, same), rng.integers(0, 2, same)
        found += [Case((x, label), {**plain, "threshold": 0.5}), Case((x, label == 1, label * 0.5), {**plain, "optional": ("mask",)})]
    return found


def counts_cases(rng: Any) -> list[Case]:
    x, label = rng.uniform(-3, 3, (4, 3)), rng.integers(0, 2, (4, 3))
    plain = {"threshold": 0.1, "ignore": (), "axis": -1, "multilabel": True}
    return [*decision_cases(rng, multilabel=False), Case((x, label), plain), Case((x.T, label.T > 0), {**plain, "axis": 0})]


def average_cases(rng: Any) -> list[Case]:
    found = []
    for average in AVERAGES:
        predicted, actual = rng.integers(0, 6, 4) * 1.0, rng.integers(0, 6, 4) * 1.0
        hits = (rng.uniform(0, 1, 4) * (predicted * actual) ** 0.5).astype(int) * 1.0
        found.append(Case((hits, predicted, [hits, predicted, actual]), {"average": average}))
    return found


# ---- rows -----------------------------------------------------------------------------------------------------------------------------

op(
    f"class_counts(x: f[*s], label: t[*r], mask: t2[*m] = none, {SETTINGS}multilabel: bool = false, axis: int = -1) -> i64[r, k]",
    "[4, classes]: for each class how often it was hit, predicted, actual, and how many labels count; for two classes (x in the shape of "
    "the labels) only class 1; with `multilabel` each class along the axis against its own truth value",
    kind="loss",
    eval=class_counts,
    grad={"x": None, "mask": None},
    shape=counts_shape,
    onnx=METRIC_ONLY,
    sample=counts_cases,
    example="y = class_counts(x, label)",
)
op(
    f"confusion_matrix(x: f[*s], label: t[*r], mask: t2[*m] = none, {SETTINGS}axis: int = -1) -> i64[k, k]",
    "[classes, classes]: how often a label of the row's class got the decision of the column's",
    kind="loss",
    eval=confusion_matrix,
    grad={"x": None, "mask": None},
    shape=matrix_shape,
    onnx=METRIC_ONLY,
    sample=decision_cases,
    example="y = confusion_matrix(x, label)",
)
op(
    'class_average(part: f[k], whole: f[k], counts: f[r, k], average: string = "macro") -> f[]',
    "part / whole of each class, 0 where whole is 0, averaged: macro (over the classes that are predicted or actual), micro (sum / sum), "
    "weighted (by how often a class is actual), or none: one value for each class",
    kind="loss",
    eval=lambda xp, part, whole, counts, average: AVERAGES[average](xp, part, whole, counts),
    grad={"part": None, "whole": None, "counts": None},
    shape=average_shape,
    onnx=METRIC_ONLY,
    sample=average_cases,
    example="y = class_average(b, b, w)",
)
