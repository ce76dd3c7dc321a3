"""A value that is not finite spoils what it counts for, and nothing beside it: in the interpreter and in the compiled network."""

from __future__ import annotations

import numpy as np
import pytest

from dslc.interpret import interpret
from runtime.forward import compile_forward
from tests.elaborate.check import program

RESIZES = (
    'size=[7, 5], mode="linear"',
    'size=[4, 9], mode="linear"',  # one axis stays
    'size=[7, 5], mode="linear", coordinates="align_corners"',
    'size=[2, 2], mode="linear", coordinates="asymmetric"',
    "size=[5, 6]",
)
RESIZE = "network N {{\n  input x: [batch, 2, 4, 3]\n  y = op.resize(x, {})\n  output y\n  output g = grad(sum(y * y), x)\n}}\n"

LOSSES = {
    "cross_entropy(x, label, mask=m)": {"label": "i64[batch]", "m": "[batch]"},
    "cross_entropy(x, label, mask=m, smoothing=0.1)": {"label": "i64[batch]", "m": "[batch]"},
    "cross_entropy(x, label, ignore=0)": {"label": "i64[batch]"},
    "nll(x, label, mask=m)": {"label": "i64[batch]", "m": "[batch]"},
    "mse(x, label, mask=m)": {"label": "[batch, 5]", "m": "[batch, 5]"},
    "average(x, mask=m)": {"m": "[batch, 5]"},
}
"""And their inputs beside x."""


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("settings", RESIZES)
def test_a_resize_spoils_only_the_neighbours(settings: str, value: float) -> None:
    found = program(RESIZE.format(settings))
    network = found.networks["N"]
    x = np.random.default_rng(1).integers(-3, 4, (2, 2, 4, 3)).astype(np.float32)
    x[0, 1, 2, 1] = value
    with np.errstate(invalid="ignore"):
        wanted = interpret(network.evaluate, np, {"x": x})
    given = compile_forward(found, network, batch_size=2, threads=1).forward(x=x)
    for name in ("y", "g"):
        np.testing.assert_array_equal(np.isfinite(given[name]), np.isfinite(wanted[name]))
        assert np.isfinite(wanted[name][1]).all() and np.isfinite(wanted[name][0, 0]).all()
        assert not np.isfinite(wanted[name][0, 1]).all()
        np.testing.assert_allclose(given[name], wanted[name], rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_what_does_not_count_may_be_nan(loss: str) -> None:
    inputs = "".join(f"  input {name}: {type}\n" for name, type in LOSSES[loss].items())
    found = program(f"network N {{\n  input x: [batch, 5]\n{inputs}  l = {loss}\n  output loss = l\n  output g = grad(l, x)\n}}\n")
    network = found.networks["N"]
    drawn = np.random.default_rng(2)
    x, label = drawn.normal(size=(4, 5)).astype(np.float32), drawn.integers(1, 5, 4)
    label[1] = 0
    counts = (label > 0).astype(np.float32)
    beside = {"label": label, "m": counts}
    for name, type in LOSSES[loss].items():
        if type == "[batch, 5]":
            beside[name] = np.repeat(beside[name].astype(np.float32)[:, None], 5, axis=1)
    arrays = {name: beside[name] for name in LOSSES[loss]}
    clean = interpret(network.evaluate, np, {"x": x, **arrays})
    x[1] = np.nan
    with np.errstate(invalid="ignore"):
        interpreted = interpret(network.evaluate, np, {"x": x, **arrays})
    for given in (interpreted, compile_forward(found, network, batch_size=4, threads=1).forward(x=x, **arrays)):
        np.testing.assert_allclose(given["loss"], clean["loss"], rtol=1e-6)
        np.testing.assert_allclose(given["g"], clean["g"], rtol=1e-5, atol=1e-7)
        assert (given["g"][1] == 0).all()
