"""Metrics of ranks: areas under curves. They need the scores of the whole split at once, which its batches gather (R16).

Scores are compared only, so logits and probabilities give the same; ties count half. Where x has an axis of classes, each class stands
against all others, and the classes whose area is known are averaged. Without labels of both kinds (for precision over recall: without
true ones) an area is not known: NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dslc.ir.types import TensorType
from dslc.ops.metric import METRIC_ONLY, check_labels, decision_cases, kept_labels, truths
from dslc.ops.table import Case, Mismatch, op

AVERAGES = ("macro", "micro", "weighted", "none")


def ranking_shape(
    x: TensorType, label: TensorType, mask: TensorType | None = None, *, axis: int, average: str, **settings: Any
) -> TensorType:
    several = check_labels(x, label, mask, axis)
    if average not in AVERAGES:
        words = ", ".join(f'"{word}"' for word in AVERAGES)
        raise Mismatch("average", f"`average` is one of {words}", found=f'"{average}"')
    return TensorType(dtype=x.dtype, shape=(x.shape[axis],) if several and average == "none" else ())


def one_against_all(xp: Any, x: Any, label: Any, mask: Any, *, ignore: int | tuple[int, ...], axis: int) -> tuple[Any, Any]:
    """Scores [n, classes] and truths of the same shape, of what counts; one column where x has the shape of the labels."""
    kept = kept_labels(xp, label, mask, ignore)
    if label.shape == x.shape:
        return x[kept][:, None], (truths(xp, label, kept, 2) == 1)[kept][:, None]
    classes = x.shape[axis]
    meant = truths(xp, label, kept, classes)[kept]
    return xp.moveaxis(x, axis, -1)[kept], meant[:, None] == xp.arange(classes)


def roc_area(xp: Any, score: Any, truth: Any) -> Any:
    """How often a random true sample is scored above a random false one (Mann and Whitney 1947; ties count half)."""
    true, false = score[truth], xp.sort(score[~truth])
    if not true.size or not false.size or xp.isnan(score).any():
        return xp.asarray(xp.nan)
    # 2·(false ones below) + (equal ones), in whole numbers
    twice = xp.sum(xp.searchsorted(false, true, side="left") + xp.searchsorted(false, true, side="right"))
    return twice / (2.0 * true.size * false.size)


def precision_area(xp: Any, score: Any, truth: Any) -> Any:
    """Σ (recall's growth)·precision over the distinct scores from the highest down, as scikit-learn's average_precision_score."""
    if not truth.any() or xp.isnan(score).any():
        return xp.asarray(xp.nan)
    order = xp.argsort(-score, kind="stable")
    score, hits = score[order], xp.cumsum(truth[order])
    last = xp.concatenate([score[1:] != score[:-1], xp.ones(1, bool)])
    hits, count = hits[last], (xp.arange(score.size) + 1)[last]
    growth = xp.diff(hits, prepend=hits[:1] * 0)
    return xp.sum(growth * (hits / count)) / hits[-1]


Area = Callable[[Any, Any, Any], Any]


def averaged_area(area: Area) -> Callable[..., Any]:
    def run(xp: Any, x: Any, label: Any, mask: Any = None, *, ignore: int | tuple[int, ...], average: str, axis: int) -> Any:
        score, truth = one_against_all(xp, x, label, mask, ignore=ignore, axis=axis)
        if average == "micro":
            score, truth = score.reshape(-1, 1), truth.reshape(-1, 1)
        areas = xp.stack([area(xp, score[:, at], truth[:, at]) for at in range(score.shape[1])])
        if average == "none" or score.shape[1] == 1:
            return (areas if label.shape != x.shape and average == "none" else areas[0]).astype(x.dtype)
        known = ~xp.isnan(areas)
        weight = xp.sum(truth, axis=0) * known if average == "weighted" else known
        return (xp.sum(xp.where(known, areas, 0) * weight) / xp.where(known.any(), xp.sum(weight), xp.nan)).astype(x.dtype)

    return run


def ranking_cases(rng: Any) -> Iterator[Case]:
    """Scores 0.1 apart: no ties, around which an area jumps."""
    for number, case in enumerate(decision_cases(rng)):
        score = rng.permutation(case.inputs[0].size).reshape(case.inputs[0].shape) * 0.1
        attrs = {key: value for key, value in case.attrs.items() if key != "threshold"}
        yield Case((score, *case.inputs[1:]), {**attrs, "average": AVERAGES[number % len(AVERAGES)]})


for _name, _area, _doc in (
    ("roc_auc", roc_area, "the area under the curve of true over false positives: how often a true sample is scored above a false one"),
    ("average_precision", precision_area, "the area under the curve of precision over recall, as a sum over its steps"),
):
    op(
        f'{_name}(x: f[*s], label: t[*r], mask: t2[*m] = none, ignore: axes = [], average: string = "macro", axis: int = -1) -> f[]',
        f"{_doc}; of several classes each against all others",
        kind="loss",
        eval=averaged_area(_area),
        grad={"x": None, "mask": None},
        shape=ranking_shape,
        onnx=METRIC_ONLY,
        sample=lambda rng: list(ranking_cases(rng)),
        gathered=True,
        example=f"y = {_name}(x, label)",
    )
