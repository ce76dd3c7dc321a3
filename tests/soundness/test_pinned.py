"""Specs that once were accepted and failed later, or computed something else: each holds now, as every random spec does.

Those in the folder `pinned` are what `python -m tests.soundness.shrink` writes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dslc.diagnostics import DataError
from dslc.ir.types import DType
from dslc.loading import check_source
from runtime.step import compile_step
from tests.soundness import pins
from tests.soundness.checks import CHECKS
from tests.soundness.examine import examine, source
from tests.soundness.specs import Spec

HEAD = "dslc 1\n\nnetwork Net {\n  input x: [batch, 3, 5]\n"
TRAIN = """
train {
  data = npz("data.npz")
  net  = Net(data.x)
  loss: mean(tanh(net.y))
  optimizer: sgd(0.01)
  batch_size: 3
}
"""

HOLD = {
    "a dense layer behind a transpose": HEAD + "  output y = x -> transpose -> dense(2)\n}\n" + TRAIN,
    "windows whose first place lies outside": HEAD
    + "  y = x[:, _, :, :] -> conv(2, kernel=1) -> tanh -> max_pool(kernel=2, stride=[1, 5], pad=1)\n  output y\n}\n" + TRAIN,
    "weights that the loss does not reach": HEAD + "  y = x -> dense(2)\n  output z = x -> dense(4)\n  output y\n}\n" + TRAIN,
    "f32 is the model's float": HEAD + "  output y = cast(x > 0, f32) * (x -> dense(5))\n}\n" + TRAIN,
    "a mask of floats": HEAD + "  output y = x -> dense(5)\n}\n" + TRAIN.replace("mean(tanh(net.y))", "mse(net.y, 0, mask=sigmoid(net.y))"),
    "a metric of several numbers": HEAD + "  output y = x -> dense(5)\n}\n" + TRAIN.replace("  batch_size", "  metric m: mean(net.y, axis=0)\n  batch_size"),
    "a schedule by steps": HEAD + "  output y = x -> dense(5)\n}\n" + TRAIN.replace("  batch_size", "  schedule: step(every=2)\n  batch_size"),
    "truth values in order": HEAD + "  output y = x -> dense(5)\n  output z = (x > 0) >= (x > 1)\n}\n" + TRAIN,
    "states that move in evaluation": HEAD
    + "  state s: [3, 5] = 0\n  update s = 0.9 * s + 0.1 * mean(x, axis=0)\n  output y = (x -> dense(5)) - s\n}\n" + TRAIN,
    "uneven pads": HEAD + "  output y = x[:, _, :, :] -> conv(2, kernel=1) -> max_pool(kernel=3, stride=1, pad=[[0, 2], [0, 0]])\n}\n" + TRAIN,
    "no weights": HEAD + "  output y = x * 2\n}\n" + TRAIN,
}  # fmt: skip

REFUSED = {
    "an output that fails in one phase": HEAD
    + "  y = x\n  if not training {\n    y = y @ y\n  }\n  output y\n}\n" + TRAIN,
}  # fmt: skip


NUMBERS = {"native": (0, 3)}  # cases whose ways are gone; of others 0, 3 and 4


def spec(text: str) -> Spec:
    numbers = np.random.default_rng(0)
    return Spec(text, {"x": numbers.uniform(-2, 2, (7, 3, 5)).astype(np.float32)}, ())


@pytest.mark.parametrize("name", HOLD)
def test_it_runs_as_the_interpreter_says(name: str, tmp_path: Path) -> None:
    assert examine(spec(HOLD[name]), tmp_path, export={})


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", sorted(path.stem for path in pins.FOLDER.glob("*.nn")))
def test_a_pinned_file_holds(name: str, check: str, tmp_path: Path) -> None:
    """In double and in single precision (cases 3 and 4 of `graphs`, 0 and 3 of `native`), with the opsets 13, 16 and 17."""
    subject = pins.read(pins.FOLDER / f"{name}.nn")
    for number in NUMBERS.get(check, (0, 3, 4)):
        CHECKS[check](number)(subject, tmp_path)


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name: str, tmp_path: Path) -> None:
    assert not examine(spec(REFUSED[name]), tmp_path)


@pytest.mark.parametrize("loss", ["cross_entropy(net.y, data.label)", "cross_entropy(transpose(net.y), data.label, axis=1, smoothing=0.1)"])
@pytest.mark.parametrize("label", [-1, 5])
def test_a_label_that_is_no_class_is_a_data_error(loss: str, label: int, tmp_path: Path) -> None:
    text = HEAD + "  output y = x -> dense(5)\n}\n" + TRAIN.replace("mean(tanh(net.y))", loss)
    text = text.replace("  batch_size", "  metric: accuracy(net.y, data.label)\n  batch_size")
    fields = {"x": np.ones((3, 3, 5)), "label": np.array([[0, 1, 2], [label, 4, 0], [0, 0, 0]])}
    np.savez(tmp_path / "data.npz", **fields)
    program, _ = check_source(source(text), folder=tmp_path)
    assert program is not None
    step = compile_step(program, batch_size=3, threads=1)
    for run in (lambda: step.train(**fields), lambda: step.evaluate([fields])):
        with pytest.raises(DataError, match=f"{label}, and there are 5 classes"):
            run()


@pytest.mark.parametrize("device", ["numpy", "cpu"])
def test_an_input_that_is_too_small_for_a_window_is_a_data_error(device: str, tmp_path: Path) -> None:
    text = HEAD.replace("3, 5", "3, wide") + "  output y = x -> conv(2, kernel=3)\n}\n" + TRAIN
    subject = spec(text)
    np.savez(tmp_path / "data.npz", **subject.arrays)
    program, _ = check_source(source(text), folder=tmp_path, precision=DType.f64)
    assert program is not None
    step = compile_step(program, batch_size=3, threads=1, device=device)
    assert step.forward(x=np.ones((2, 3, 4)))["y"].shape == (2, 2, 2)
    for wide in (2, 1):
        with pytest.raises(DataError, match=f"is empty at batch=2, wide={wide}: the input is too small"):
            step.forward(x=np.ones((2, 3, wide)))
