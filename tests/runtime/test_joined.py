"""What joining refuses, and what is undefined: metrics that gather, splits without a sample that counts, scores that are no numbers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dslc.diagnostics import DataError
from dslc.interpret import interpret
from dslc.ir.types import tensor
from dslc.loading import load_program
from dslc.ops.covariance import join_moments
from dslc.ops.value import Builder, F, Val
from dslc.passes.accumulate import accumulate
from runtime import joined
from runtime.joined import join
from runtime.step import compile_step

X = np.array([[0.5, -1, 2], [1, 1, 0], [-2, 0, 0.5], [3, 2, 1]])
LABEL = np.array([2, 0, 1, 0])


def metric(name: str, x: np.ndarray = X, label: np.ndarray = LABEL, mask: Any = None, size: int = 3, **settings: Any) -> Any:
    """The metric `name` of scores in batches of a size."""
    b = Builder("metrics")
    b.place = "net.nn:9:3"
    given = {"x": x, "label": label} | ({} if mask is None else {"mask": np.array(mask)})
    types = {"x": tensor("f64", "batch", *x.shape[1:]), "label": tensor("i64", "batch", *label.shape[1:]), "mask": tensor("bool", "batch")}
    values: list[Val] = [b.input("data", key, types[key]) for key in given]
    b.output("metric.m", getattr(F, name)(*values, optional=("mask",)[: len(values) - 2], **settings))
    parts = accumulate(b.build())
    edges = [*range(0, len(x), size), len(x)]
    return join(parts, (interpret(parts.batch, np, {key: array[a:b] for key, array in given.items()}) for a, b in pairwise(edges)))[
        "metric.m"
    ]


def test_too_many_values_are_refused_with_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined, "MOST_VALUES", 11)
    with pytest.raises(DataError, match=r"net\.nn:9:3.*more than 11.*a part of them"):
        metric("roc_auc")
    monkeypatch.setattr(joined, "MOST_VALUES", 12)
    assert 0 <= metric("roc_auc") <= 1


def test_gathered_batches_must_have_one_shape() -> None:
    found = [np.zeros((2, 3))]
    with pytest.raises(DataError, match=r"net\.nn:9:3.*\(3,\) and \(4,\)"):
        joined.gather(found, np.zeros((2, 4)), "net.nn:9:3")


@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "class_counts", "confusion_matrix"])
def test_a_label_out_of_range_is_told(name: str) -> None:
    with pytest.raises(DataError, match=r"net\.nn:9:3.*a label is 3, and there are 3 classes"):
        metric(name, label=LABEL + 1)
    metric(name, label=LABEL + 1, mask=[False, True, True, True])  # one that does not count may be anything


def test_nothing_counts() -> None:
    none = [False] * 4
    assert metric("class_counts", mask=none).tolist() == [[0] * 3] * 4
    assert metric("confusion_matrix", mask=none).tolist() == [[0] * 3] * 3
    assert np.isnan(metric("roc_auc", mask=none))


def test_scores_that_are_no_numbers_are_no_decision() -> None:
    x = X.copy()
    x[0, 1] = np.nan
    assert metric("class_counts", x=x).tolist() == [[2, 0, 0], [2, 0, 1], [2, 1, 1], [4, 4, 4]]
    assert metric("confusion_matrix", x=x).sum() == 3
    assert np.isnan(metric("roc_auc", x=x, average="none")).tolist() == [False, True, False]


def test_one_class_alone_has_no_area() -> None:
    x, label = X[:, 0], np.ones(4, np.int64)
    assert np.isnan(metric("roc_auc", x=x, label=label))
    assert metric("average_precision", x=x, label=label) == 1
    assert np.isnan(metric("average_precision", x=x, label=label * 0))


def test_infinite_scores_are_ordered() -> None:
    assert metric("roc_auc", x=np.array([np.inf, -np.inf, 1.0, np.inf]), label=np.array([1, 0, 0, 1])) == 1


def test_ties_count_half() -> None:
    assert metric("roc_auc", x=np.array([1.0, 1, 1, 2]), label=np.array([1, 0, 0, 0])) == 1 / 3


def test_moments_of_nothing_change_nothing() -> None:
    some, none = np.array([3.0, 1e9, 0.25, 1e9, 0.25, 7.0]), np.array([0.0] * 6)
    assert join_moments(np, some, none).tolist() == join_moments(np, none, some).tolist() == some.tolist()


SPEC = """dslc 1

network Net {
  input x: [batch, 5]
  weight b: [5] = zeros
  output logits = x + b
}

train {
  data = npz("d.npz", split=[1, 0, 0])
  net  = Net(data.x)
  loss: cross_entropy(net.logits, data.label)
  metric: roc_auc(softmax(net.logits), data.label)
  metric: r2(data.y, data.target)
  metric: rmse(data.y, data.target)
  metric: matthews(net.logits, data.label)
  metric: perplexity(net.logits, data.label)
  metric: mean(net.logits)
  metric: std(data.target)
  metric: pearson(data.y, data.target)
  optimizer: sgd(0.1)
}
"""


def test_of_float32_values_too_the_batches_make_no_difference(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    label = rng.integers(0, 5, 203)
    fields = {"x": rng.normal(size=(203, 5)) + np.eye(5)[label], "y": 1e3 + rng.normal(size=203), "target": 1e3 + rng.normal(size=203)}
    arrays = {name: array.astype(np.float32) for name, array in fields.items()} | {"label": label.astype(np.uint8)}
    np.savez(tmp_path / "d.npz", **arrays)
    (tmp_path / "net.nn").write_text(SPEC)
    program = load_program(tmp_path / "net.nn")[0]
    found = []
    for size in (1, 7, 203):
        step = compile_step(program, batch_size=size, threads=1)
        batches = ({f"data.{name}": array[at : at + size] for name, array in arrays.items()} for at in range(0, 203, size))
        found.append(step.evaluate(batches))
    for values in found[1:]:
        assert values == pytest.approx(found[0], rel=1e-12)
    assert found[0]["metric.std"] == pytest.approx(np.std(arrays["target"].astype(float)), rel=1e-12)


@pytest.mark.parametrize("join_of", [F.logsumexp, F.sum, F.prod, F.max, F.std])
def test_values_that_are_not_finite_are_joined_without_a_word(join_of: Any) -> None:
    b = Builder("metrics")
    b.output("metric.m", join_of(b.input("data", "x", tensor("f64", "batch", 3))))
    parts = accumulate(b.build())
    x = np.array([[0.5, np.inf, -np.inf], [np.nan, 1, 0], [np.inf, 1e308, 1e308]])
    assert np.isnan(join(parts, (interpret(parts.batch, np, {"x": x[at : at + 1]}) for at in range(3)))["metric.m"])
