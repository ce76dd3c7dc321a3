"""Optimizers as native code: the same steps as NumPy's, to the last bit where no function but arithmetic is in them."""

from __future__ import annotations

import numpy as np
import pytest

from dslc.program import Call
from runtime.device import get_device
from runtime.native_update import native_parts
from runtime.train.optimizers import OPTIMIZERS
from runtime.update import Group, Update, shared
from runtime.workers import Workers
from tests.runtime.test_optimizers import call

EXACT = frozenset({"sgd", "caffe_sgd", "lion"})  # nothing but arithmetic


def made(name: str, arrays: dict[str, np.ndarray], clip: Call | None, ema: float | None, threads: int = 2) -> Update:
    groups = [Group("a", 0, 48, (6, 8)), Group("b", 48, 48 + 33, (33,), rate=0.5, weight_decay=0.1), Group("c", 96, 96 + 20, (4, 5))]
    return Update(call(name), clip, groups, get_device("numpy"), arrays, Workers(threads), ema=ema)


@pytest.mark.parametrize("clip", [None, Call(name="value", args={"limit": 0.5}), Call(name="each", args={"limit": 0.7})])
@pytest.mark.parametrize("ema", [None, 0.9])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_of_an_optimizer(name: str, clip: Call | None, ema: float | None) -> None:
    rng = np.random.default_rng(2)
    start = rng.standard_normal(128).astype(np.float32)
    mine, theirs = ({"w": start.copy(), "g": np.zeros(128, np.float32)} for _ in range(2))
    native, numpy = made(name, mine, clip, ema), made(name, theirs, clip, ema)
    native.parts = native_parts(native, shared(native.pieces, 2, native.unit))
    for step in range(1, 4):
        gradient = rng.standard_normal(128).astype(np.float32)
        for update in (native, numpy):
            update.arrays["g"][...] = gradient
            update.run(0.1, step)
    for key, array in numpy.arrays.items():
        if name in EXACT and clip is None:
            np.testing.assert_array_equal(native.arrays[key], array, err_msg=key)
        np.testing.assert_allclose(native.arrays[key], array, rtol=3e-6, atol=3e-6, err_msg=key)


@pytest.mark.parametrize("name", ["adam", "lamb"])
def test_threads_change_no_bit(name: str) -> None:
    """Also where there are more threads than pieces."""
    rng = np.random.default_rng(4)
    start, gradient = rng.standard_normal((2, 128)).astype(np.float32)
    found = []
    for threads in (1, 2, 3, 8):
        update = made(name, {"w": start.copy(), "g": gradient.copy()}, None, None, threads)
        update.parts = native_parts(update, shared(update.pieces, threads, update.unit))
        update.run(0.1, 1)
        update.run(0.1, 2)
        found.append({key: array.tobytes() for key, array in update.arrays.items()})
    assert found[0]["w"] != start.tobytes()
    assert all(arrays == found[0] for arrays in found)
