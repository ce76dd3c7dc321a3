"""Calls of compiled steps and networks in the wrong order, or with arrays that do not fit: an error, and nothing has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dslc.api import load
from dslc.diagnostics import DslcError
from runtime.device import get_device

SPEC = """dslc 1

network N {
  input x: [batch, 4]
  input scale: [4] = 1
  input offset: i64[batch, 1] = 0
  output y = dense(x * scale + cast(offset, f32), 2)
}

network Open {
  input x: [batch, time, 4]
  output y = dense(x, 3)
}

network Less {
  input x: [batch, 4]
  output y = op.conv(reshape(x, [1, 1, batch, 4]), tensor([[[[1], [1]]]]))
}

network Loop {
  input x: [batch, 3, 4]
  h = scan a in x over 3 {
    carry s: [batch, 4] = 0
    s = s + a
    yield s
  }
  output h
}

train {
  data = csv("d.csv", inputs=["a", "b", "c", "d"], target="y", split=[1, 0, 0])
  net  = N(data.input)
  loss: mse(net.y, data.target[:, _] * 1)
  optimizer: sgd(0.1, momentum=0.9)
}

train two {
  data = csv("d.csv", inputs=["a", "b", "c", "d"], target="y", split=[1, 0, 0])
  net  = N(data.input)
  optimizer: sgd(0.1)
  step first {
    loss: mean(net.y ^ 2)
  }
  step second {
    loss: mean((net.y - 1) ^ 2)
  }
}
"""
X = np.ones((3, 4), np.float32)
FIELDS = {"data.input": X, "data.target": np.ones(3, np.float32)}


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("refusals") / "n.nn"
    path.write_text(SPEC.replace("mse(net.y, data.target[:, _] * 1)", "mean((net.y - data.target[:, _]) ^ 2)"))
    return load(str(path))


def step(spec: Any, **options: Any) -> Any:
    return spec.compile(training="train", threads=1, **options)


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "an update before a gradient": (lambda spec: step(spec).apply(0.1), "there was no backward pass before it"),
    "gradients before a pass": (lambda spec: step(spec, keep_grads=True).grads(), "there was no backward pass before it"),
    "gradients that are not kept": (lambda spec: step(spec).grads(), "grads() needs keep_grads=True"),
    "a field that is missing": (lambda spec: step(spec).train(**{"data.input": X}), "it is missing; given are data.input"),
    "no field": (lambda spec: step(spec).train(), "it is missing; given are none"),
    "a field that is not known": (lambda spec: step(spec).train(**FIELDS, label=X), "there is no such field"),
    "floats for numbers": (lambda spec: spec.compile(network="N", threads=1).forward(x=X, offset=np.ones((3, 1))), "float64"),
    "words": (lambda spec: spec.compile(network="N", threads=1).forward(x=[["a"] * 4]), "numbers are needed"),
    "ragged rows": (lambda spec: spec.compile(network="N", threads=1).forward(x=[[1, 2, 3, 4], [1]]), "it is no array"),
    "another shape": (lambda spec: spec.compile(network="N", threads=1).forward(x=np.ones((3, 5), np.float32)), "5"),
    "a training of a network": (lambda spec: spec.compile(network="N", threads=1).train(x=X), "the step of the network `N`"),
    "a scan": (lambda spec: spec.compile(network="Loop"), "`scan`"),
    "no such training": (lambda spec: spec.compile(training="three"), "`three`"),
    "one of two trainings": (lambda spec: spec.compile(), "`two`"),
    "the only step of two": (lambda spec: spec.compile(training="two", threads=1).apply(0.1), "has several steps: first, second"),
    "an evaluation of nothing": (lambda spec: step(spec).evaluate([]), "it has no samples"),
    "too few samples": (lambda spec: spec.compile(network="Less", threads=1).forward(x=X[:1]), "the input is too small"),
    "an option that is none": (lambda spec: spec.network("N").export("m.onnx", opst=13), "opst"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, spec: Any) -> None:
    call, message = REFUSED[name]
    with pytest.raises(DslcError) as caught:
        call(spec)
    assert message in str(caught.value) and caught.value.exit_code in (2, 3)


STATES: dict[str, tuple[dict[str, Any], str]] = {
    "NaN": ({"momentum:N.dense0.b": np.full(2, np.nan, np.float32)}, "it holds NaN"),
    "a negative count": ({"steps": np.array(-1)}, "-1 is no number of steps"),
    "one too many": ({"momentum:N.dense1.b": np.zeros(2, np.float32)}, "N.dense1.b"),
    "another shape": ({"momentum:N.dense0.b": np.zeros(3, np.float32)}, "[3]"),
}


@pytest.mark.parametrize("name", STATES)
def test_states_of_an_optimizer_that_are_refused(name: str, spec: Any) -> None:
    change, message = STATES[name]
    compiled = step(spec)
    compiled.train(**FIELDS)
    before = compiled.steps["step"].optimizer_state()
    slot = next(key.partition(":")[0] for key in before if ":" in key)
    renamed = {key.replace("momentum", slot): value for key, value in change.items()}
    with pytest.raises(DslcError) as caught:
        compiled.steps["step"].load_optimizer_state({**before, **renamed})
    assert message in str(caught.value)
    after = compiled.steps["step"].optimizer_state()
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_sizes_that_are_open_are_planned_by_the_first_batch(spec: Any) -> None:
    """A number fills an input of fixed sizes; what is longer than planned is planned anew."""
    network = spec.compile(network="Open", threads=1)
    for time in (2, 5, 3):
        x = np.random.default_rng(time).normal(size=(2, time, 4)).astype(np.float32)
        weights = network.parameters()
        found = network.forward(x=x)["y"]
        np.testing.assert_allclose(found, x @ weights["Open.dense0.w"] + weights["Open.dense0.b"], rtol=1e-5, atol=1e-6)
    scaled = spec.compile(network="N", threads=1)
    np.testing.assert_array_equal(scaled.forward(x=X, scale=2)["y"], scaled.forward(x=X, scale=np.full(4, 2, np.float32))["y"])


def test_a_number_fills_an_input_of_any_batch(spec: Any) -> None:
    """`offset: i64[batch, 1] = 0` may be left out, as may `scale: [4] = 1`."""
    network = spec.compile(network="N", threads=1)
    whole = network.forward(x=X, scale=np.ones(4, np.float32), offset=np.zeros((3, 1), np.int64))["y"]
    np.testing.assert_array_equal(network.forward(x=X)["y"], whole)
    moved = network.forward(x=X, offset=2)["y"]
    np.testing.assert_array_equal(moved, network.forward(x=X, offset=np.full((3, 1), 2))["y"])
    assert not np.array_equal(moved, whole)


def test_a_batch_that_is_larger_than_planned_is_accumulated_too(spec: Any) -> None:
    """Two parts of gradients are added in one place, whatever their sizes."""
    large = {"data.input": np.arange(80, dtype=np.float32).reshape(20, 4) / 80, "data.target": np.ones(20, np.float32)}
    found = []
    for batch in (4, 32):
        compiled = spec.replaced("train", accumulate=2).compile(training="train", threads=1, batch_size=batch)
        compiled.train(**large)
        found.append(compiled.parameters())
    for address, value in found[0].items():
        np.testing.assert_allclose(value, found[1][address], rtol=1e-6)


def test_devices_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """CuPy's cache of kernels must be one's own, and what is not installed is said to be missing."""
    assert [get_device(name).name for name in ("numpy", "cpu")] == ["numpy", "cpu"]
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path))
    tmp_path.chmod(0o777)
    with pytest.raises(DslcError, match="others can write into CuPy's cache of kernels"):
        get_device("cuda")
    tmp_path.chmod(0o700)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DslcError, match="CuPy is not installed"):
        get_device("cuda")
