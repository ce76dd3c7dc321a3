"""The wider bound for functions that other programs make of others: what it takes in, and that a wrong function stays outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dslc.ir.types import tensor
from dslc.ops.value import Builder, F, Val
from tests.reliability.campaign import Tally
from tests.soundness.compare import Differs, compare
from tests.soundness.models import Composed

NUMBERS = np.random.default_rng(0).uniform(-2, 2, (3, 4)).astype(np.float32)

FAR_BELOW = NUMBERS - 30


def compared(write: Callable[[Val], Val], x: Any, change: Callable[[Any], Any], backend: str) -> set[str]:
    """Compare what `change` makes of the right result."""
    builder = Builder("one")
    builder.output("y", write(builder.input("data", "x", tensor("f32", *x.shape))))
    reference = Composed(builder.build(), {"x": x}, backend)
    return compare("it", reference, {"y": change(reference.wanted["y"])}, Tally())


@pytest.mark.parametrize("write", [F.tanh, F.exp, F.sigmoid, F.gelu, F.elu, F.mish])
def test_a_function_that_is_off_differs(write: Callable[[Val], Val]) -> None:
    with pytest.raises(Differs):
        compared(write, NUMBERS, lambda y: y * np.float32(1.0001), "onnxruntime")


def test_small_sigmoids_may_be_zero_in_onnxruntime_and_are_not_trusted_then() -> None:
    assert compared(F.sigmoid, FAR_BELOW, np.zeros_like, "onnxruntime") == set()
    with pytest.raises(Differs):
        compared(F.sigmoid, FAR_BELOW, np.zeros_like, "onnx.reference")


def test_small_exponentials_may_not() -> None:
    with pytest.raises(Differs):
        compared(F.exp, FAR_BELOW, np.zeros_like, "onnxruntime")
