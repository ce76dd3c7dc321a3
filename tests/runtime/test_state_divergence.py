"""A state whose new value is not finite, while the loss and the gradients are: the step counts as diverged before anything is updated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dslc.diagnostics import DivergedError
from dslc.loading import load_program
from runtime.step import Step, compile_step

SPEC = """dslc 1

network N {
  input x: [batch, 2]
  state calm: [2] = 0
  update calm = 0.5 * calm + mean(x, axis=0)
  state wild: [2] = 1
  update wild = 1e15 * wild
  output y = x -> dense(1)
}

train {
  data = csv("d.csv", inputs=["a", "b"], target="y", split=[1, 0, 0])
  net = N(data.input)
  loss: mse(net.y, data.target[:, _])
  optimizer: sgd(0.01)
  batch_size: 2
  epochs: 4
}
"""
FIELDS = {"input": np.ones((2, 2), np.float32), "target": np.ones(2, np.float32)}


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    (tmp_path / "d.csv").write_text("a,b,y\n" + "3,4,1\n" * 2)
    path = tmp_path / "n.nn"
    path.write_text(SPEC)
    return path


@pytest.fixture
def step(spec: Path) -> Step:
    return compile_step(load_program(spec)[0], threads=1, batch_size=2)


def test_the_state_is_named_and_nothing_is_updated(step: Step) -> None:
    """1e15, 1e30, and then more than a float32 holds."""
    for _ in range(2):
        step.train(**FIELDS)
    before = step.state()
    with pytest.raises(DivergedError, match=r"the new value of the state `N\.wild` is not finite.* comes from N/multiply1 \(.*n\.nn:8:"):
        step.train(**FIELDS)
    for kept, now in zip(before, step.state(), strict=True):
        assert {name: array.tobytes() for name, array in kept.items()} == {name: array.tobytes() for name, array in now.items()}
    step.restore(*step.state())


@pytest.mark.parametrize(("done", "bad"), [(0, 2), (1, 1), (2, 0)])
def test_the_first_micro_batch_after_which_a_state_is_not_finite(step: Step, done: int, bad: int) -> None:
    """Four forward passes in one step: the states are put back, also where the first passes were good."""
    for _ in range(done):
        step.train(**FIELDS)
    before = step.parameters()
    fields = {f"data.{name}": array for name, array in FIELDS.items()}
    status = step.only.backward_parts([(fields, 2)] * 4, seed=0, step=done)
    assert (status.finite, status.bad, status.state) == (False, bad, "N.wild")
    assert np.isfinite(status.loss)
    for name, array in step.parameters().items():
        assert array.tobytes() == before[name].tobytes(), name
    assert "n.nn:" in step.first_bad(fields, seed=0, step=done, first_sample=2 * bad)


def test_a_step_that_is_finite_names_no_state(step: Step) -> None:
    status = step.backward({f"data.{name}": array for name, array in FIELDS.items()}, seed=0, step=0, first_sample=0)
    assert status.finite and not status.state
