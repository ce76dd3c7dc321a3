"""Corners of the reductions: zeros in a product, infinities in a log of a sum, norms of nothing, corrections that leave nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.types import DType, tensor
from dslc.ops.infer import evaluate
from dslc.ops.table import Mismatch, infer
from dslc.ops.value import Builder, F
from dslc.passes.differentiate import differentiate


def gradient(name: str, x: np.ndarray, **attrs: Any) -> np.ndarray:
    """The gradient of the sum of the results."""
    b = Builder("one")
    value = b.input("weight", "x", tensor(DType.f64, *x.shape))
    b.output("loss", F.sum(b.one(name, (value,), **attrs)))
    return np.asarray(interpret(differentiate(b.build(), "loss", ("x",)), np, {"x": x})["grad:x"])


@pytest.mark.parametrize(("row", "wanted"), [([2, 3, 4], [12, 8, 6]), ([2, 0, 4], [0, 8, 0]), ([0, 0, 4], [0, 0, 0])])
def test_the_gradient_of_a_product_with_zeros(row: list[float], wanted: list[float]) -> None:
    np.testing.assert_array_equal(gradient("prod", np.array([row], float), axis=-1), [wanted])


def test_the_log_of_a_sum_of_exponentials_at_infinity() -> None:
    x = np.array([[-np.inf, -np.inf], [np.inf, 0], [1e4, 1e4]])
    with np.errstate(divide="ignore"):
        (y,) = evaluate("logsumexp", np, [x], {"axis": -1, "keep": False})
    np.testing.assert_allclose(y, [-np.inf, np.inf, 1e4 + np.log(2)])


@pytest.mark.parametrize("p", [1.0, 2.0, 3.5])
def test_the_gradient_of_a_norm_at_zero_is_zero(p: float) -> None:
    np.testing.assert_array_equal(gradient("norm", np.zeros((2, 3)), p=p, axis=-1), np.zeros((2, 3)))


@pytest.mark.parametrize("correction", [-1, 3])
def test_a_correction_leaves_something_to_count(correction: int) -> None:
    with pytest.raises(Mismatch) as caught:
        infer("var", (tensor(DType.f32, 2, 3),), {"axis": -1, "keep": False, "correction": correction})
    assert caught.value.argument == "correction"


def test_a_norm_of_p_below_1_is_refused() -> None:
    with pytest.raises(Mismatch):
        infer("norm", (tensor(DType.f32, 3),), {"p": 0.5, "axis": None, "keep": False})


def test_the_running_sum_of_integers_keeps_its_dtype() -> None:
    (y,) = evaluate("cumsum", np, [np.array([1, 2, 3], np.int32)], {"axis": 0, "exclusive": True, "reverse": True})
    np.testing.assert_array_equal(y, [5, 3, 0])
    assert y.dtype == np.int32
