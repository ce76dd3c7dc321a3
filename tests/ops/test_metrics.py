"""Metrics of the language against formulas written out in loops, over splits in batches of any size: the same to 1e-12 (R16)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import exp, log, nan, sqrt
from typing import Any, NamedTuple

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import DType
from dslc.loading import load_program
from dslc.passes.accumulate import Accumulation, accumulate
from dslc.passes.pipeline import optimize
from runtime.joined import join

Data = dict[str, np.ndarray]
Pairs = list[tuple[int, int]]  # (label, decision)
SAMPLES, CLASSES = 41, 5
BATCHES = (1, 2, 7, 16, 40, SAMPLES)


def draw(seed: int) -> Data:
    """Scores with ties, labels of which one class never occurs, a mask, maps with ignored places, targets far from 0."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, CLASSES - 1, SAMPLES)
    scores = (rng.normal(size=(SAMPLES, CLASSES)) + 1.2 * np.eye(CLASSES)[label]).round(1)
    kind = rng.integers(0, 3, (SAMPLES, 2, 3))
    kind[rng.uniform(size=kind.shape) < 0.3] = 255
    truth = rng.integers(0, 2, SAMPLES)
    target = 1e6 + rng.normal(size=(SAMPLES, 2))
    return {
        "scores": scores,
        "label": label.astype(np.uint8),
        "maps": rng.normal(size=(SAMPLES, 3, 2, 3)).round(1),
        "kind": kind.astype(np.uint8),
        "one": (rng.normal(size=SAMPLES) + truth).round(1),
        "truth": truth,
        "many": rng.normal(size=(SAMPLES, 3)).round(1),
        "flags": rng.integers(0, 2, (SAMPLES, 3)),
        "mask": rng.integers(0, 2, SAMPLES).astype(bool),
        "half": np.stack([rng.integers(0, 2, SAMPLES), np.zeros(SAMPLES, int)], axis=1).astype(bool),
        "x": target + 0.5 * rng.normal(size=(SAMPLES, 2)),
        "target": target,
    }


# ---- the formulas ---------------------------------------------------------------------------------------------------------------------


def decisions(d: Data, masked: bool = False) -> Pairs:
    """The first of the largest scores."""
    rows = zip(d["label"].tolist(), d["scores"].tolist(), d["mask"].tolist(), strict=True)
    return [(label, scores.index(max(scores))) for label, scores, kept in rows if kept or not masked]


def of_maps(d: Data) -> Pairs:
    found = []
    for n, h, w in np.ndindex(d["kind"].shape):
        if d["kind"][n, h, w] != 255:
            scores = d["maps"][n, :, h, w].tolist()
            found.append((int(d["kind"][n, h, w]), scores.index(max(scores))))
    return found


def of_two(d: Data, threshold: float = 0.0) -> Pairs:
    return [(truth, int(score > threshold)) for truth, score in zip(d["truth"].tolist(), d["one"].tolist(), strict=True)]


class Count(NamedTuple):
    """Of one class: true and false positives, false and true negatives."""

    tp: int
    fp: int
    fn: int
    tn: int


def count(pairs: Pairs, k: int) -> Count:
    found = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for label, seen in pairs:
        found[label == k, seen == k] += 1
    return Count(found[True, True], found[False, True], found[True, False], found[False, False])


def over(part: float, whole: float) -> float:
    """scikit-learn's `zero_division=0`."""
    return part / whole if whole else 0.0


Ratio = Callable[[Count], tuple[float, float]]
RATIOS: dict[str, Ratio] = {
    "precision": lambda c: (c.tp, c.tp + c.fp),
    "recall": lambda c: (c.tp, c.tp + c.fn),
    "f1": lambda c: (2 * c.tp, 2 * c.tp + c.fp + c.fn),
    "specificity": lambda c: (c.tn, c.tn + c.fp),
    "iou": lambda c: (c.tp, c.tp + c.fp + c.fn),
    "f_score": lambda c: (5 * c.tp, 5 * c.tp + 4 * c.fn + c.fp),
}


def averaged(counts: Sequence[Count], ratio: Ratio, average: str) -> Any:
    parts = [ratio(c) for c in counts]
    each = [over(*part) for part in parts]
    weights = {"macro": [c.tp + c.fp + c.fn > 0 for c in counts], "weighted": [c.tp + c.fn for c in counts]}
    if average == "none":
        return each
    if average == "micro":
        return over(sum(a for a, _ in parts), sum(b for _, b in parts))
    return over(sum(w * value for w, value in zip(weights[average], each, strict=True)), sum(weights[average]))


def matrix(pairs: Pairs, classes: int) -> list[list[int]]:
    return [[pairs.count((label, seen)) for seen in range(classes)] for label in range(classes)]


def balanced(pairs: Pairs, classes: int) -> float:
    counts = [count(pairs, k) for k in range(classes)]
    recalls = [c.tp / (c.tp + c.fn) for c in counts if c.tp + c.fn]
    return sum(recalls) / len(recalls)


def mean_iou(pairs: Pairs, classes: int) -> float:
    counts = [count(pairs, k) for k in range(classes)]
    found = [c.tp / (c.tp + c.fp + c.fn) for c in counts if c.tp + c.fp + c.fn]
    return sum(found) / len(found)


def kappa(pairs: Pairs, classes: int, power: int) -> float:
    labels, seen = [a for a, _ in pairs], [b for _, b in pairs]
    cost = [[float(abs(i - j) ** power if power else i != j) for j in range(classes)] for i in range(classes)]
    observed = sum(cost[a][b] for a, b in pairs) / len(pairs)
    expected = sum(cost[a][b] for a in labels for b in seen) / len(pairs) ** 2
    return 1 - observed / expected


def matthews(pairs: Pairs, classes: int) -> float:
    """The correlation of the one-hot labels and decisions (Gorodkin 2004)."""
    t, p = (np.eye(classes)[[pair[at] for pair in pairs]] for at in (0, 1))
    t, p = t - t.mean(axis=0), p - p.mean(axis=0)
    return float((t * p).sum() / sqrt((t * t).sum() * (p * p).sum()))


def roc(scores: Sequence[float], truths: Sequence[bool]) -> float:
    """Every true sample against every false one."""
    true = [s for s, t in zip(scores, truths, strict=True) if t]
    false = [s for s, t in zip(scores, truths, strict=True) if not t]
    return sum((a > b) + (a == b) / 2 for a in true for b in false) / (len(true) * len(false)) if true and false else nan


def average_precision(scores: Sequence[float], truths: Sequence[bool]) -> float:
    area, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        taken = [t for s, t in zip(scores, truths, strict=True) if s >= threshold]
        area += (sum(taken) / sum(truths) - before) * sum(taken) / len(taken)
        before = sum(taken) / sum(truths)
    return area


def one_against_all(d: Data, area: Callable[..., float], masked: bool = False) -> list[float]:
    kept = d["mask"] if masked else np.ones(SAMPLES, bool)
    columns = range(CLASSES)
    return [
        area(d["scores"][kept, k].tolist(), (d["label"][kept] == k).tolist()) if (d["label"][kept] == k).any() else nan for k in columns
    ]


def exact(values: np.ndarray) -> list[Fraction]:
    return [Fraction(value) for value in values.tolist()]


def varied(values: Sequence[Fraction]) -> Fraction:
    mean = sum(values) / len(values)
    return sum(((value - mean) ** 2 for value in values), Fraction(0))


def r2(x: np.ndarray, target: np.ndarray) -> float:
    missed = sum((a - b) ** 2 for a, b in zip(exact(x), exact(target), strict=True))
    return float(1 - missed / varied(exact(target)))


def explained(x: np.ndarray, target: np.ndarray) -> float:
    left = [b - a for a, b in zip(exact(x), exact(target), strict=True)]
    return float(1 - varied(left) / varied(exact(target)))


def correlation(x: np.ndarray, target: np.ndarray) -> float:
    a, b = exact(x), exact(target)
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    both = sum((p - mean_a) * (q - mean_b) for p, q in zip(a, b, strict=True))
    return float(both) / sqrt(varied(a) * varied(b))


def entropies(d: Data, masked: bool) -> list[float]:
    rows = zip(d["label"].tolist(), d["scores"].tolist(), d["mask"].tolist(), strict=True)
    return [log(sum(exp(s) for s in scores)) - scores[label] for label, scores, kept in rows if kept or not masked]


def softmax(row: Sequence[float]) -> list[float]:
    return [exp(value) / sum(map(exp, row)) for value in row]


def calibration(d: Data, bins: int) -> float:
    """Bin by bin: the mean probability of the decisions beside how many are right."""
    found: dict[int, list[tuple[float, bool]]] = {}
    for label, row in zip(d["label"].tolist(), d["scores"].tolist(), strict=True):
        p = max(softmax(row))
        found.setdefault(min(int(p * bins), bins - 1), []).append((p, row.index(max(row)) == label))
    gaps = [abs(mean([p for p, _ in pairs]) - mean([float(right) for _, right in pairs])) * len(pairs) for pairs in found.values()]
    return sum(gaps) / SAMPLES


def brier(d: Data) -> float:
    rows = zip(d["label"].tolist(), d["scores"].tolist(), d["mask"].tolist(), strict=True)
    return mean([sum((p - (at == label)) ** 2 for at, p in enumerate(softmax(row))) for label, row, kept in rows if kept])


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


# ---- what is asked for ------------------------------------------------------------------------------------------------------------------

CASES: dict[str, Callable[[Data], Any]] = {}
for _name, _ratio in RATIOS.items():
    _more = ", beta=2" if _name == "f_score" else ""
    for _average in ("macro", "micro", "weighted", "none"):
        CASES[f'{_name}(data.scores, data.label, average="{_average}"{_more})'] = lambda d, ratio=_ratio, average=_average: averaged(
            [count(decisions(d), k) for k in range(CLASSES)], ratio, average
        )
    CASES[f"{_name}(data.scores, data.label, mask=data.mask{_more})"] = lambda d, ratio=_ratio: averaged(
        [count(decisions(d, masked=True), k) for k in range(CLASSES)], ratio, "macro"
    )
    CASES[f'{_name}(data.maps, data.kind, axis=1, ignore=255, average="none"{_more})'] = lambda d, ratio=_ratio: averaged(
        [count(of_maps(d), k) for k in range(3)], ratio, "none"
    )
    CASES[f"{_name}(data.one, data.truth, threshold=0.5{_more})"] = lambda d, ratio=_ratio: over(*ratio(count(of_two(d, 0.5), 1)))
    CASES[f'{_name}(data.many, data.flags, multilabel=true, average="none"{_more})'] = lambda d, ratio=_ratio: [
        over(*ratio(count([*zip(d["flags"][:, k].tolist(), (d["many"][:, k] > 0).astype(int).tolist(), strict=True)], 1))) for k in range(3)
    ]
CASES |= {
    "confusion_matrix(data.scores, data.label)": lambda d: matrix(decisions(d), CLASSES),
    "confusion_matrix(data.scores, data.label, mask=data.mask)": lambda d: matrix(decisions(d, masked=True), CLASSES),
    "confusion_matrix(data.maps, data.kind, axis=1, ignore=[255])": lambda d: matrix(of_maps(d), 3),
    "confusion_matrix(data.one, data.truth == 1)": lambda d: matrix(of_two(d), 2),
    "binary_accuracy(data.one, data.truth, threshold=0.5)": lambda d: mean([float(a == b) for a, b in of_two(d, 0.5)]),
    "balanced_accuracy(data.scores, data.label)": lambda d: balanced(decisions(d), CLASSES),
    "balanced_accuracy(data.one, data.truth)": lambda d: balanced(of_two(d), 2),
    "mean_iou(data.maps, data.kind, axis=1, ignore=255)": lambda d: mean_iou(of_maps(d), 3),
    "mean_iou(data.scores, data.label)": lambda d: mean_iou(decisions(d), CLASSES),
    "mean_iou(data.one, data.truth)": lambda d: mean_iou(of_two(d), 2),
    "cohen_kappa(data.scores, data.label)": lambda d: kappa(decisions(d), CLASSES, 0),
    "cohen_kappa(data.scores, data.label, power=1, mask=data.mask)": lambda d: kappa(decisions(d, masked=True), CLASSES, 1),
    "cohen_kappa(data.scores, data.label, power=2)": lambda d: kappa(decisions(d), CLASSES, 2),
    "matthews(data.scores, data.label)": lambda d: matthews(decisions(d), CLASSES),
    "matthews(data.one, data.truth)": lambda d: matthews(of_two(d), 2),
    "roc_auc(data.one, data.truth)": lambda d: roc(d["one"].tolist(), (d["truth"] == 1).tolist()),
    "roc_auc(sigmoid(data.one), data.truth == 1)": lambda d: roc(d["one"].tolist(), (d["truth"] == 1).tolist()),
    "roc_auc(data.one, data.truth, mask=data.mask)": lambda d: roc(d["one"][d["mask"]].tolist(), (d["truth"][d["mask"]] == 1).tolist()),
    'roc_auc(data.scores, data.label, average="none")': lambda d: one_against_all(d, roc),
    "roc_auc(data.scores, data.label)": lambda d: np.nanmean(one_against_all(d, roc)),
    'roc_auc(data.scores, data.label, mask=data.mask, average="weighted")': lambda d: (
        np.nansum(np.array(one_against_all(d, roc, masked=True)) * np.bincount(d["label"][d["mask"]], minlength=CLASSES)) / d["mask"].sum()
    ),
    'roc_auc(data.scores, data.label, average="micro")': lambda d: roc(
        d["scores"].ravel().tolist(), (d["label"][:, None] == np.arange(CLASSES)).ravel().tolist()
    ),
    "roc_auc(data.maps, data.kind, axis=1, ignore=255)": lambda d: mean(
        [roc(np.moveaxis(d["maps"], 1, -1)[d["kind"] != 255][:, k].tolist(), (d["kind"][d["kind"] != 255] == k).tolist()) for k in range(3)]
    ),
    "average_precision(data.one, data.truth)": lambda d: average_precision(d["one"].tolist(), (d["truth"] == 1).tolist()),
    "average_precision(data.scores, data.label)": lambda d: np.nanmean(one_against_all(d, average_precision)),
    "accuracy(data.scores, data.label, k=2)": lambda d: mean(
        [
            float(sorted(range(CLASSES), key=lambda k: -row[k]).index(label) < 2)
            for label, row in zip(d["label"].tolist(), d["scores"].tolist(), strict=True)
        ]
    ),
    "perplexity(data.scores, data.label)": lambda d: exp(mean(entropies(d, masked=False))),
    "perplexity(data.scores, data.label, mask=data.mask)": lambda d: exp(mean(entropies(d, masked=True))),
    "calibration_error(data.scores, data.label, bins=8)": lambda d: calibration(d, 8),
    "brier(data.scores, data.label, mask=data.mask)": brier,
    "mae(data.x, data.target)": lambda d: mean(np.abs(d["x"] - d["target"]).ravel().tolist()),
    "rmse(data.x, data.target)": lambda d: sqrt(mean(((d["x"] - d["target"]) ** 2).ravel().tolist())),
    "rmse(data.x[:, 0], data.target[:, 0], mask=data.mask)": lambda d: sqrt(mean(((d["x"] - d["target"]) ** 2)[d["mask"], 0].tolist())),
    "mape(data.one, data.many[:, 0], mask=data.mask)": lambda d: mean(
        (np.abs(d["one"] - d["many"][:, 0]) / np.maximum(np.abs(d["many"][:, 0]), np.finfo(float).eps))[d["mask"]].tolist()
    ),
    "r2(data.x, data.target)": lambda d: mean([r2(d["x"][:, k], d["target"][:, k]) for k in range(2)]),
    "r2(data.x, data.target, each=true)": lambda d: [r2(d["x"][:, k], d["target"][:, k]) for k in range(2)],
    "r2(data.x[:, 0], data.target[:, 0], mask=data.mask)": lambda d: r2(d["x"][d["mask"], 0], d["target"][d["mask"], 0]),
    "r2(data.x, data.target, mask=data.half)": lambda d: r2(d["x"][d["half"][:, 0], 0], d["target"][d["half"][:, 0], 0]),
    "r2(data.x, data.target, mask=data.half, each=true)": lambda d: [r2(d["x"][d["half"][:, 0], 0], d["target"][d["half"][:, 0], 0]), 0],
    "r2(data.x, 0 * data.target)": lambda d: 0,
    "r2(0 * data.x, 0 * data.target)": lambda d: 1,
    "explained_variance(data.x[:, 1], data.target[:, 1])": lambda d: explained(d["x"][:, 1], d["target"][:, 1]),
    "pearson(data.x[:, 1], data.target[:, 1], mask=data.mask)": lambda d: correlation(d["x"][d["mask"], 1], d["target"][d["mask"], 1]),
    "var(data.target[:, 0])": lambda d: float(varied(exact(d["target"][:, 0])) / SAMPLES),
}
NAMES = {text: f"m{at}" for at, text in enumerate(CASES)}


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """All cases as metrics of one training, in f64."""
    folder = tmp_path_factory.mktemp("metrics")
    np.savez(folder / "d.npz", **draw(0))
    lines = "\n".join(f"  metric {name}: {text}" for text, name in NAMES.items())
    spec = folder / "all.nn"
    spec.write_text(f"""dslc 1

network Net {{
  input x: [batch, 2]
  output y = x -> dense(2)
}}

train {{
  data = npz("d.npz", split=[1, 0, 0])
  net = Net(data.x)
  loss: mse(net.y, data.target)
{lines}
  optimizer: sgd(0.1)
}}
""")
    graph = load_program(spec, precision=DType.f64)[0].trainings["train"].evaluate
    return graph.model_copy(update={"outputs": tuple(item for item in graph.outputs if item.name.startswith("metric.")), "updates": ()})


def evaluated(parts: Accumulation, data: Data, size: int) -> dict[str, Any]:
    """The metrics of the data, in batches of a size."""
    weights = {item.name: np.zeros(parts.batch.types[item.id].sizes({})) for item in parts.batch.inputs if item.kind == "weight"}
    names = [item.name for item in parts.batch.inputs if item.kind == "data"]
    edges = [*range(0, SAMPLES, size), SAMPLES]
    batches = ({name: data[name.partition(".")[2]][a:b] for name in names} for a, b in pairwise(edges))
    return join(parts, (interpret(parts.batch, np, weights | batch) for batch in batches))


@pytest.fixture(scope="module")
def found(metrics: Graph) -> dict[int, dict[int, dict[str, Any]]]:
    """Seed -> size of batches -> the metrics."""
    parts = accumulate(metrics)
    parts = parts._replace(batch=optimize(parts.batch), final=optimize(parts.final))
    return {seed: {size: evaluated(parts, draw(seed), size) for size in BATCHES} for seed in range(2)}


@pytest.mark.parametrize("text", CASES)
def test_a_metric_is_what_its_formula_says_whatever_the_batches(text: str, found: dict[int, dict[int, dict[str, Any]]]) -> None:
    for seed, by_size in found.items():
        wanted = CASES[text](draw(seed))
        for size, values in by_size.items():
            np.testing.assert_allclose(values[f"metric.{NAMES[text]}"], wanted, rtol=1e-12, atol=1e-12, err_msg=f"batches of {size}")
