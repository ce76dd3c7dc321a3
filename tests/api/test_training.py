"""The networks without a `train` of their own learn: twenty steps on a few random pictures lower the loss, and the result exports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dslc

SPECS = Path(__file__).parent.parent.parent / "specs"
TRAIN = """\
dslc 1

import {network} from "{name}.nn"

train {{
  data = npz("data.npz", split=[1, 0, 0])
  net  = {network}(data.image)

  loss:       cross_entropy(net.logits, data.label)
  optimizer:  sgd({rate}, momentum=0.9)
  batch_size: 16
  epochs:     20
}}
"""


@pytest.mark.parametrize(("name", "network", "rate"), [("resnet20", "ResNet20", 0.05), ("vgg8", "Vgg8", 0.005)])
def test_twenty_steps_lower_the_loss(name: str, network: str, rate: float, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / f"{name}.nn").write_text((SPECS / f"{name}.nn").read_text())
    (tmp_path / "train.nn").write_text(TRAIN.format(network=network, name=name, rate=rate))
    np.savez(tmp_path / "data.npz", image=rng.standard_normal((16, 3, 32, 32), np.float32), label=np.arange(16) % 10)
    run = dslc.load(tmp_path / "train.nn").train(out=tmp_path / "run", quiet=True)
    losses = [row["train_loss"] for row in run.history if row["kind"] == "epoch"]
    assert len(losses) == 20
    assert losses[-1] < losses[0] / 2
    report = run.export(tmp_path / "m.onnx")
    assert report.parameters == dslc.load(name).network().parameter_count
    assert {row.backend for row in report.parity} >= {"onnx.reference"}
