"""Initial values: moments and bounds, independence of everything but seed and address."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dslc.diagnostics import SpecError
from dslc.ir.types import tensor
from dslc.program import Init, Weight
from runtime.train.initializers import INITIALIZERS, fans, initialize

ARGS: dict[str, dict[str, Any]] = {
    "constant": {"value": 0.25},
    "uniform": {"low": -0.5, "high": 1.5},
    "normal": {"mean": 2.0, "std": 0.5},
}


def make(name: str, *shape: int, address: str = "Net.w", dtype: str = "f64", seed: int = 0) -> np.ndarray[Any, Any]:
    item = Weight(address=address, type=tensor(dtype, *shape), init=Init(name=name, args=ARGS.get(name, {})))
    return initialize(item, seed)


@pytest.mark.parametrize("name", sorted(INITIALIZERS))
def test_shape_dtype_and_the_same_values_again(name: str) -> None:
    for dtype, numpy in (("f32", np.float32), ("f64", np.float64)):
        value = make(name, 3, 5, dtype=dtype)
        assert value.shape == (3, 5) and value.dtype == numpy
        np.testing.assert_array_equal(value, make(name, 3, 5, dtype=dtype))
    np.testing.assert_allclose(make(name, 3, 5, dtype="f32"), make(name, 3, 5), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["uniform", "normal", "xavier", "he"])
def test_seed_and_address_matter(name: str) -> None:
    value = make(name, 4, 4)
    assert not np.array_equal(value, make(name, 4, 4, seed=1))
    assert not np.array_equal(value, make(name, 4, 4, address="Net.v"))


def test_fans() -> None:
    assert fans((784, 512)) == (784, 512)
    assert fans((50, 20, 5, 5)) == (500, 1250)
    assert fans((7,)) == (7, 7)


def test_moments_and_bounds() -> None:
    n = 200
    limit = np.sqrt(6 / (2 * n))
    xavier, he, normal, uniform = make("xavier", n, n), make("he", n, n), make("normal", n, n), make("uniform", n, n)
    assert np.abs(xavier).max() <= limit and xavier.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)
    assert he.mean() == pytest.approx(0, abs=0.002) and he.std() == pytest.approx(np.sqrt(2 / n), rel=0.02)
    assert normal.mean() == pytest.approx(2, abs=0.01) and normal.std() == pytest.approx(0.5, rel=0.02)
    assert uniform.min() >= -0.5 and uniform.max() < 1.5 and uniform.mean() == pytest.approx(0.5, abs=0.01)
    assert make("he", 64, 16, 3, 3).std() == pytest.approx(np.sqrt(2 / (16 * 9)), rel=0.03)
    assert (make("constant", 3) == 0.25).all() and (make("ones", 3) == 1).all() and (make("zeros", 3) == 0).all()


def test_neighbours_are_not_correlated() -> None:
    value = make("normal", 100_000) - 2
    assert abs(np.corrcoef(value[:-1], value[1:])[0, 1]) < 0.01


def test_an_initialiser_that_does_not_run() -> None:
    item = Weight(address="Net.w", type=tensor("f32", 2), init=Init(name="orthogonal"), place="a.nn:3:1")
    with pytest.raises(SpecError, match="orthogonal"):
        initialize(item, 0)
