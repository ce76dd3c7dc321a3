"""Corners of the activation and mathematical rows: accuracy, limits, integers, infinities."""

from __future__ import annotations

from math import erf
from typing import Any

import numpy as np
import pytest

from dslc.ir.types import DType, tensor
from dslc.ops.infer import evaluate
from dslc.ops.table import Mismatch, infer


def run(name: str, *inputs: Any, **attrs: Any) -> np.ndarray:
    (y,) = evaluate(name, np, [np.asarray(x) for x in inputs], attrs)
    return np.asarray(y)


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 5e-16), ("float32", 4.5e-7)])
def test_erf_is_as_accurate_as_its_dtype(dtype: str, bound: float) -> None:
    x = np.concatenate([np.linspace(-7, 7, 20_001), np.linspace(-0.5, 0.5, 2_001), [1e-300, 1e-12, 0.46875]]).astype(dtype)
    wanted = np.array([erf(float(value)) for value in x])
    found = run("erf", x)
    assert found.dtype == dtype
    assert float(np.abs(found - wanted).max()) <= bound
    assert float((np.abs(found - wanted) / np.maximum(np.abs(wanted), 1e-300)).max()) <= 2 * bound
    assert float(np.abs(found).max()) <= 1


def test_erf_at_the_ends() -> None:
    with np.errstate(all="raise", under="ignore"):
        y = run("erf", np.array([-np.inf, -1e300, -0.0, 0.0, 1e300, np.inf, np.nan]))
    np.testing.assert_array_equal(y, [-1, -1, 0, 0, 1, 1, np.nan])
    assert np.signbit(y[2]) and not np.signbit(y[3])


SATURATING: dict[str, dict[str, Any]] = {
    "elu": {"alpha": 1.0},
    "selu": {},
    "celu": {"alpha": 1.0},
    "silu": {},
    "mish": {},
    "log_sigmoid": {},
    "softsign": {},
    "hardswish": {},
    "gelu": {"approximate": "none"},
    "tanhshrink": {},
}


@pytest.mark.parametrize("name", SATURATING)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_inputs_do_not_overflow(name: str, dtype: str) -> None:
    x = np.array([-1e4, -200, -50, 0, 50, 200, 1e4], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = run(name, x, **SATURATING[name])
    assert np.isfinite(y).all()
    assert y[3] == (0 if name != "log_sigmoid" else -np.log(x.dtype.type(2)))


def test_small_inputs_keep_their_digits() -> None:
    x = np.array([1e-12, -1e-12])
    np.testing.assert_allclose(run("elu", x, alpha=1.0), x, rtol=1e-11)
    np.testing.assert_allclose(run("expm1", x), x, rtol=1e-11)
    np.testing.assert_allclose(run("log1p", x), x, rtol=1e-11)


@pytest.mark.parametrize(("name", "function"), [("remainder", lambda a, b: a - b * np.floor(a / b)), ("rem", np.fmod)])
def test_rests_of_integers_have_the_sign_of_their_row(name: str, function: Any) -> None:
    a, b = np.arange(-7, 8)[:, None], np.array([-3, -2, 2, 3])
    np.testing.assert_array_equal(run(name, a, b), function(a, b))
    assert run(name, a, b).dtype == np.int64


def test_halves_round_to_even() -> None:
    np.testing.assert_array_equal(run("round", [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]), [-2, -2, 0, 0, 2, 2])


def test_questions_about_floats() -> None:
    x = np.array([np.nan, np.inf, -np.inf, 1e308])
    np.testing.assert_array_equal(run("isnan", x), [True, False, False, False])
    np.testing.assert_array_equal(run("isinf", x), [False, True, True, False])
    np.testing.assert_array_equal(run("isfinite", x), [False, False, False, True])


REFUSED: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("gelu", {"approximate": "erf"}, "approximate"),
    ("celu", {"alpha": 0.0}, "alpha"),
    ("hardtanh", {"min": 1.0, "max": 0.0}, "max"),
    ("softshrink", {"limit": -1.0}, "limit"),
)


@pytest.mark.parametrize(("name", "attrs", "argument"), REFUSED)
def test_refused(name: str, attrs: dict[str, Any], argument: str) -> None:
    with pytest.raises(Mismatch) as caught:
        infer(name, (tensor(DType.f32, 3),), attrs)
    assert caught.value.argument == argument
