"""Metrics with axes from the text to the terminal: trained, evaluated, printed, as JSON and in Python."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dslc.api import Run
from dslc.cli.main import main
from tests.cli.conftest import Command

SPEC = """dslc 1

network Net {
  input x: [batch, 3]
  weight b: [3] = zeros
  output logits = x + b
}

train {
  data = npz("rows.npz", split=[1, 0, 0])
  net  = Net(data.x)
  loss:             cross_entropy(net.logits, data.label)
  metric confusion: confusion_matrix(net.logits, data.label)
  metric:           accuracy(net.logits, data.label)
  metric recall:    recall(net.logits, data.label, average="none")
  metric precision: precision(net.logits, data.label, average="none")
  metric shares:    confusion_matrix(net.logits, data.label) / 4
  metric deep:      tensor([[[1, 2]]])
  metric unknown:   roc_auc(net.logits[:, 0], data.label > 5)
  optimizer:  sgd(0)
  batch_size: 3
}
"""
CONFUSION = [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
TEXT = """loss      0.8848
accuracy  0.6667
unknown      nan

class  recall  precision
0      0.6667     1.0000
1      0.5000     0.5000
2      1.0000     0.5000

confusion (rows: the label, columns: the decision)
     0  1  2
  0  2  1  .
  1  .  1  1
  2  .  .  1

shares (rows: the label, columns: the decision)
          0       1       2
  0  0.5000  0.2500       .
  1       .  0.2500  0.2500
  2       .       .  0.2500

deep  [1, 1, 2], which --json prints
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose weights stay 0, on six samples."""
    folder = tmp_path_factory.mktemp("metrics")
    pairs = np.array([(label, seen) for label in range(3) for seen in range(3) for _ in range(CONFUSION[label][seen])])
    np.savez(folder / "rows.npz", x=np.eye(3, dtype=np.float32)[pairs[:, 1]], label=pairs[:, 0].astype(np.uint8))
    (folder / "net.nn").write_text(SPEC)
    assert main(["train", str(folder / "net.nn"), "--epochs", "1", "--quiet", "--out", str(folder / "run")]) == 0
    return folder / "run"


def test_eval_prints_tables(run: Path, dslc: Command) -> None:
    done = dslc("eval", run, "--split", "train", "--data-dir", run.parent)
    assert (done.code, done.err, done.out) == (0, "", TEXT)


def test_eval_as_json_has_lists(run: Path, dslc: Command) -> None:
    values = json.loads(dslc("eval", run, "--split", "train", "--json", "--data-dir", run.parent).out)["values"]
    assert values["confusion"] == CONFUSION
    assert values["recall"] == [2 / 3, 1 / 2, 1]
    assert (values["deep"], values["unknown"], values["accuracy"]) == ([[[1, 2]]], None, 4 / 6)


def test_python_gets_arrays(run: Path) -> None:
    values = Run.open(run).evaluate("train", data_dir=run.parent)
    assert (values["confusion"].dtype, values["confusion"].tolist()) == (np.int64, CONFUSION)
    assert values["recall"].shape == (3,)
    assert isinstance(values["accuracy"], float)


def test_the_log_and_the_best_take_what_fits(run: Path, dslc: Command, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    (epoch,) = [line for line in lines if line["kind"] == "epoch"]
    assert epoch["metrics"]["confusion"] == CONFUSION
    assert Run.open(run, checkpoint="best").saved.meta["best"] == epoch["metrics"]["accuracy"]
    done = dslc("train", run.parent / "net.nn", "--epochs", "1", "--out", tmp_path / "again")
    assert "accuracy 0.6667" in done.err and "confusion" not in done.err and "recall" not in done.err
