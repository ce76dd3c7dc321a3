"""`dslc export --dtype f16` and `--fold-batch-norm`, on a run, with the samples of its data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from dslc.api import Run, load
from dslc.diagnostics import SpecError
from dslc.loading import load_program
from runtime.samples import handed_in, network_samples
from runtime.train.inputs import load_inputs
from runtime.train.run import data_folder
from tests.cli.conftest import Command

BATCH_NORM = """dslc 1

network Net {
  input image: [batch, 64]
  output logits = image -> dense(8, bias=false) -> batch_norm -> relu -> dense(10)
}

train {
  data = dataset("digits")
  logits = Net(data.image / 16).logits
  loss: cross_entropy(logits, data.label)
  optimizer: adam(0.01)
  batch_size: 64
  epochs: 1
}
"""


def test_half_precision_with_samples_of_the_data(trained: Path, dslc: Command, tmp_path: Path) -> None:
    done = dslc("export", trained, "--output", "m.onnx", "--dtype", "f16", "--report", "r.json")
    assert done.code == 0
    assert "float16   2 weights, 1,300 bytes with what stays float32, instead of 2,600" in done.out
    half = json.loads((tmp_path / "r.json").read_text())["half"]
    assert half == {"tensors": 2, "bytes": 1300, "bytes_f32": 2600, "casts": 2, "single": {}, "lost": []}
    (samples,) = (line for line in done.out.splitlines() if "samples in float16" in line)
    split = load_inputs(Run.open(trained).training, Path(), None, 0)
    count = min(256, split.count(split.evaluated()))
    assert f"the first {count} of the {split.evaluated()} split: values up to " in samples
    assert "the class of `logits` is the same in " in samples
    assert {item.data_type for item in onnx.load(tmp_path / "m.onnx").graph.initializer} == {onnx.TensorProto.FLOAT16}


def test_samples_are_what_the_network_reads(trained: Path) -> None:
    run = Run.open(trained)
    training, network = run.training, run.program.networks[run.training.networks[0]]
    inputs = load_inputs(training, data_folder(run.saved), None, 0)
    arrays = network_samples(training, network, run.parameters, inputs, 5)
    fields = inputs.take(inputs.evaluated(), slice(0, 5))
    np.testing.assert_array_equal(run.forward(**arrays)["logits"], run.predict(image=fields["data.image"])["logits"])
    assert handed_in(load_program("lenet")[0].networks["LeNet"].evaluate, network.evaluate) is None


def test_a_run_without_its_data_draws_samples(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dslc.diagnostics import DataError
    from runtime.train import inputs
    from runtime.train.errors import NoData

    def missing(*_: object) -> None:
        raise DataError(NoData(split="train", present=""))

    monkeypatch.setattr(inputs, "load_inputs", missing)
    run = Run.open(trained)
    assert run.samples(run.program.networks[run.training.networks[0]]) is None


def test_normalisations_of_a_trained_run_are_folded(dslc: Command, tmp_path: Path) -> None:
    (tmp_path / "net.nn").write_text(BATCH_NORM)
    assert dslc("train", "net.nn", "--out", "run", "--quiet").code == 0
    done = dslc("export", "run", "--output", "m.onnx", "--fold-batch-norm", "--dtype", "f16", "--opset", "17", "--flat")
    assert done.code == 0
    assert "  folded    Net.batch_norm0/channel_affine0 into Net.dense0/matmul0\n" in done.out
    assert {node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node} == {"MatMul", "Add", "Relu", "Cast"}
    assert "there is no batch normalisation" not in done.out


def test_what_a_training_step_has_not(trained: Path, dslc: Command, tmp_path: Path) -> None:
    done = dslc("export", trained, "--train-step", "--output", "m.onnx", "--dtype", "f16")
    assert (done.code, "--dtype f16: a training step is written in the precision of its training" in done.err) == (2, True)
    done = dslc("export", trained, "--train-step", "--output", "m.onnx", "--fold-batch-norm")
    assert (done.code, "--fold-batch-norm has no meaning with --train-step" in done.err) == (2, True)
    with pytest.raises(SpecError, match="a training step is written in the precision of its training"):
        load("softmax").export_step(tmp_path / "s.onnx", dtype="f16")
    assert not (tmp_path / "m.onnx").exists()
