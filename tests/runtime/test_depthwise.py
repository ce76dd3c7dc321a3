"""Depthwise kernels cut into blocks: several channels and images at a time, the last block smaller, give what the rows define."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest

from dslc.ops.infer import bind_attrs, evaluate
from runtime.kernels import registry_of
from runtime.kernels.numpy import depthwise
from runtime.kernels.registry import Call, Signature
from tests.runtime.test_kernels import typed

# shape of x, filters of a channel, kernel, settings
CASES: dict[str, tuple[tuple[int, ...], int, tuple[int, ...], dict[str, Any]]] = {
    "same_size": ((5, 7, 9, 8), 1, (3, 3), {"pad": 1}),
    "stride": ((5, 7, 9, 8), 1, (3, 3), {"pad": 1, "stride": 2}),
    "stride_and_dilation": ((3, 5, 11, 13), 2, (3, 2), {"stride": (3, 2), "dilation": (2, 3), "pad": ((2, 1), (0, 3))}),
    "stride_above_kernel": ((4, 3, 10, 7), 1, (2, 1), {"stride": (3, 2)}),
    "several_filters": ((7, 3, 5, 6), 3, (2, 3), {"pad": ((1, 0), (1, 1))}),
    "same": ((3, 5, 7, 10), 1, (4, 3), {"stride": 2, "pad": "same"}),
    "one_axis": ((7, 5, 23), 2, (5,), {"dilation": 2, "pad": 4}),
    "three_axes": ((2, 5, 4, 5, 6), 1, (2, 3, 3), {"stride": (1, 2, 1), "pad": 1}),
    "kernel_above_input": ((6, 4, 1, 2), 1, (3, 5), {"pad": ((1, 1), (2, 2))}),
    "taps_outside": ((2, 4, 2, 2), 1, (3, 3), {"pad": 2, "dilation": 2}),
}


def run(name: str, inputs: list[np.ndarray], attrs: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """By the kernel, over memory full of nan, and by the row."""
    (wanted,) = evaluate(name, np, inputs, attrs)
    found = np.full_like(wanted, np.nan)
    specs = tuple((x.shape, x.dtype.name) for x in inputs)
    kernel = registry_of("numpy").choose(Signature(name, specs, ((found.shape, found.dtype.name),), attrs))
    assert kernel.bind.__module__ == depthwise.__name__
    scratch = lambda shape, dtype: np.full(tuple(shape), np.nan, dtype)
    for step in kernel.bind(Call(name, tuple(inputs), (found,), attrs, scratch, np)):
        step()
    return found, wanted


@pytest.mark.parametrize(("block", "line"), [(1, 1), (1500, 100), (6000, 350), (1 << 17, 2048)])
@pytest.mark.parametrize("case", CASES)
def test_blocks_make_the_whole(case: str, block: int, line: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depthwise, "BLOCK_BYTES", block)
    monkeypatch.setattr(depthwise, "LINE", line)
    shape, filters, kernel, settings = CASES[case]
    rng = np.random.default_rng(prod(shape))
    x, w = rng.uniform(-1, 1, shape), rng.uniform(-1, 1, (shape[1] * filters, 1, *kernel))
    attrs = bind_attrs("conv", {**settings, "groups": shape[1]}, [typed(x)])
    y, wanted = run("conv", [x, w], attrs)
    np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=1e-12)
    g = rng.uniform(-1, 1, y.shape)
    np.testing.assert_allclose(*run("conv_grad_x", [g, w], {**attrs, "size": shape[2:]}), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(*run("conv_grad_w", [x, g], {**attrs, "kernel": kernel}), rtol=1e-12, atol=1e-12)
