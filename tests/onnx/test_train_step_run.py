"""A step that is exported from a run goes on exactly where the run stopped: weights, slots, averages, draws and the number of updates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from dslc.api import Run
from dslc.cli.main import main
from runtime.step import compile_step
from runtime.train.resume import restore
from tests.train.example import SPEC, run, write_example

STEPS, DONE = 3, 5
OPTIMIZERS = ("adam(lr)", "sgd(lr, momentum=0.9)", "adam(lr)\n  ema: 0.9")
TWO = """
  step first {
    loss: cross_entropy(net.logits, data.label)
    optimizer: adam(lr)
    times: 2
  }
  step second {
    loss: mean(net.logits^2)
    optimizer: sgd(0.01, momentum=0.5)
  }
"""


def batch(t: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(t)
    return {"x": rng.normal(size=(8, 6)).astype(np.float32), "label": rng.integers(0, 3, 8).astype(np.uint8)}


def continued(opened: Run) -> tuple[dict[str, np.ndarray], list[float], float]:
    """Weights, states, slots and losses after three more steps of our own trainer, restored as `--resume` does, and its rate."""
    step = compile_step(opened.program, training=opened.saved.training, batch_size=8, seed=opened.saved.meta["seed"], threads=1)
    restore(step, opened.saved.state)
    losses = [step.train(**batch(t)) for t in range(STEPS)]
    slots = {name: array for name, array in step.optimizer_state().items() if name != "steps"}
    return step.parameters() | {f"{a}.{s}": array for key, array in slots.items() for s, _, a in [key.partition(":")]}, losses, step.rate


def exported(path: Path, rate: float) -> tuple[dict[str, np.ndarray], list[float]]:
    """The same of the model, from the values beside it and its own `t`."""
    ort = pytest.importorskip("onnxruntime", reason='the comparison with onnxruntime needs: pip install "dslc[ort]"')
    first = next(int(item.value) for item in onnx.load(path).metadata_props if item.key == "dslc.t")
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_outputs()]
    values: dict[str, Any] = dict(np.load(path.with_suffix(".npz")))
    losses = []
    for t in range(STEPS):
        fields = {f"data.{name}": array for name, array in batch(t).items()}
        given = {**fields, **values, "rate": np.array(rate, np.float32), "t": np.array(first + t)}
        found = dict(zip(names, session.run(None, given), strict=True))
        values |= {name.removesuffix(".next"): found[name] for name in names if name.endswith(".next")}
        losses.append(float(found["loss"]))
    return values, losses


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["adam", "momentum", "adam, averages"])
def test_three_steps_of_the_file_are_three_more_of_the_run(optimizer: str, tmp_path: Path) -> None:
    spec = write_example(tmp_path, optimizer, seed=2)
    # A bias before a batch norm has a gradient of rounding alone, of whose sign Adam makes a whole step.
    spec.write_text(spec.read_text().replace("dense(width)", "dense(width, bias=false)"))
    run(spec, out=tmp_path / "run", seed=4, max_steps=DONE)
    opened = Run.open(tmp_path / "run", checkpoint="last")
    report = opened.export_step(tmp_path / "step.onnx", verify=optimizer == OPTIMIZERS[0], opset=18)
    assert report.metadata["dslc.t"] == str(DONE + 1)
    wanted, losses, rate = continued(opened)
    values, found = exported(tmp_path / "step.onnx", rate)
    np.testing.assert_allclose(found, losses, rtol=1e-4)
    assert values.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(values[name], array, rtol=1e-4, atol=1e-5, err_msg=name)


def test_the_command_takes_the_last_checkpoint(tmp_path: Path) -> None:
    spec = write_example(tmp_path, "adam(lr)")
    run(spec, out=tmp_path / "run", max_steps=DONE)
    out = tmp_path / "step.onnx"
    assert main(["export", str(tmp_path / "run"), "--train-step", "--output", str(out)]) == 0
    last = Run.open(tmp_path / "run", checkpoint="last").saved.state
    with np.load(out.with_suffix(".npz")) as start:
        for name, array in last.parameters.items():
            assert (start[name] == array).all()
        kept = {f"{a}.{s}": array for key, array in last.slots.items() if key != "steps" for s, _, a in [key.partition(":")]}
        assert kept and all((start[name] == array).all() for name, array in kept.items())
    assert any(array.any() for array in kept.values())


def test_each_of_two_steps_has_its_own_slots_and_number(tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    head, _, _ = SPEC.partition("  loss:")
    spec.write_text(f"{head}{TWO}  metric: accuracy(net.logits, data.label)\n  batch_size: 16\n  epochs: 4\n}}\n")
    run(spec, out=tmp_path / "run", max_steps=3)
    opened = Run.open(tmp_path / "run", checkpoint="last")
    for name, done, slots in (("first", 6, {"mean", "square"}), ("second", 3, {"velocity"})):
        report = opened.export_step(tmp_path / f"{name}.onnx", step=name, verify=False)
        assert report.metadata["dslc.t"] == str(done + 1)
        with np.load(tmp_path / f"{name}.npz") as start:
            saved = {key: array for key, array in opened.saved.state.slots.items() if key.startswith(f"{name}/") and ":" in key}
            kept = {f"{a}.{s}": array for key, array in saved.items() for s, _, a in [key.removeprefix(f"{name}/").partition(":")]}
            assert all((start[key] == array).all() for key, array in kept.items())
            assert {key.rpartition(".")[2] for key in kept} == slots
