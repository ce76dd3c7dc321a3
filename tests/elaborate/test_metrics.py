"""Metrics as they are written: several without names, with axes, and what is refused or warned of, in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from dslc.diagnostics import Diagnostic
from dslc.program import Program
from tests.elaborate.check import check, network

HEAD = network("  output y = x -> dense(3)\n  output p = sigmoid(y)")
TRAIN = """train {
  data = csv("d.csv", inputs=["a", "b", "c", "d"], label="e")
  net  = N(data.input)
  loss: cross_entropy(net.y, data.label)
METRICS
  optimizer: sgd(0.1)
}
"""


def checked(folder: Path, *metrics: str) -> tuple[Program | None, list[Diagnostic]]:
    (folder / "d.csv").write_text("a,b,c,d,e\n")
    return check(HEAD + TRAIN.replace("METRICS", "\n".join(f"  {line}" for line in metrics)), folder)


def test_metrics_without_names_have_those_of_their_operators(tmp_path: Path) -> None:
    found, diagnostics = checked(tmp_path, "metric: recall(net.y, data.label)", "metric: net.y -> f1(data.label)", "metric: mean(net.p)")
    assert (found is not None, diagnostics) == (True, [])
    assert found is not None and found.trainings["train"].metrics == ("recall", "f1", "mean")


@pytest.mark.parametrize(
    "metrics",
    [
        ("metric: recall(net.y, data.label)", 'metric: recall(net.y, data.label, average="micro")'),
        ("metric recall: mean(net.y)", "metric: recall(net.y, data.label)"),
        ("metric: recall(net.y, data.label)", "metric recall: mean(net.y)"),
        ("metric a: mean(net.y)", "metric a: mean(net.p)"),
    ],
)
def test_a_name_stands_once(metrics: tuple[str, ...], tmp_path: Path) -> None:
    _, diagnostics = checked(tmp_path, *metrics)
    assert [item.code for item in diagnostics] == ["duplicate-setting"]


@pytest.mark.parametrize(
    ("metric", "code", "words", "at"),
    [
        ('precision(net.y, data.label, average="mean")', "bad-setting", '"macro", "micro", "weighted", "none"', "precision(net"),
        ('roc_auc(net.y, data.label, average="mean")', "bad-setting", '"macro", "micro", "weighted", "none"', '"mean"'),
        ("confusion_matrix(net.y, net.p[:, 0])", "shape-mismatch", "`label` must be an integer or bool, not f32[batch]", "net.p[:, 0]"),
        ("confusion_matrix(net.y, data.label[:, _])", "shape-mismatch", "one class index for each prediction", "data.label[:, _]"),
        ("confusion_matrix(net.y, data.label, axis=2)", "bad-setting", "there is no axis 2 in f32[batch, 3]", "2"),
        ("recall(net.y, data.label, multilabel=true)", "shape-mismatch", "one truth value for each class", "recall(net"),
        ("roc_auc(net.y, data.label, mask=net.p)", "shape-mismatch", "`mask` has one value for each prediction", "net.p"),
        ("roc_auc(net.y, data.label, ignore=[1.5])", "wrong-kind", "`ignore` of `roc_auc` must be an int or a list of ints", "[1.5]"),
        ("r2(net.y, net.p[:, :2])", "shape-mismatch", "takes [batch, *s] for `target`", "net.p[:, :2]"),
        ("argmax(net.y)", "metric-batch", "still has the axis `batch`", "argmax(net.y)"),
        ("roc_auc(net.y - mean(net.y), data.label)", "metric-not-joinable", "meets values of single samples", "roc_auc(net"),
    ],
)
def test_what_does_not_fit_is_told_in_its_place(metric: str, code: str, words: str, at: str, tmp_path: Path) -> None:
    found, diagnostics = checked(tmp_path, f"metric m: {metric}")
    assert found is None
    (told,) = diagnostics
    assert (told.code, told.span is not None and told.span.text.startswith(at)) == (code, True), (told.code, told.message, told.span)
    assert words in told.message


@pytest.mark.parametrize(
    ("metric", "code"),
    [
        ("f1(net.p[:, 1], data.label == 1)", ""),  # a part of a sigmoid: not looked into
        ("f1(net.p, one_hot(data.label, 3) == 1, multilabel=true)", "threshold-outside"),
        ("f1(net.p, one_hot(data.label, 3) == 1, multilabel=true, threshold=0.5)", ""),
        ("f1(net.y, one_hot(data.label, 3) == 1, multilabel=true)", ""),
        ("f1(net.p, data.label)", ""),
        ("brier(softmax(net.y), data.label)", "softmax-before-cross-entropy"),
        ("calibration_error(softmax(net.y), data.label)", "softmax-before-cross-entropy"),
        ("perplexity(softmax(net.y), data.label)", "softmax-before-cross-entropy"),
        ("roc_auc(softmax(net.y), data.label)", ""),
    ],
)
def test_warnings(metric: str, code: str, tmp_path: Path) -> None:
    found, diagnostics = checked(tmp_path, f"metric m: {metric}")
    assert found is not None, diagnostics
    assert {(item.code, item.severity) for item in diagnostics} == ({(code, "warning")} if code else set())
