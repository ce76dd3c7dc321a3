"""Convolution and its gradients on odd shapes against the definition written as loops over places, and pooling against the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dslc.ops.infer import evaluate
from runtime.kernels.numpy import conv
from runtime.kernels.numpy.correlate import Axis, fill_rows

Array = np.ndarray[Any, Any]


def scratch(shape: Any, dtype: str) -> Array:
    return np.full(tuple(shape), np.nan, dtype)


@st.composite
def problems(draw: st.DrawFn) -> tuple[Array, Array, dict[str, Any]]:
    """Sizes of 1, primes, strides above the kernel, dilation, uneven pads, groups."""
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    channels, filters = groups * draw(st.integers(1, 3)), groups * draw(st.sampled_from([1, 2, 5]))
    kernel = (draw(st.integers(1, 5)), draw(st.integers(1, 4)))
    stride = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    dilation = (draw(st.integers(1, 2)), draw(st.integers(1, 3)))
    pad = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 3))) for _ in range(2))
    least = [max(1, (k - 1) * d + 1 - sum(p)) for k, d, p in zip(kernel, dilation, pad, strict=True)]
    size = [draw(st.integers(n, n + 7)) for n in least]
    images = draw(st.sampled_from([1, 2, 7]))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    attrs = {"stride": stride, "pad": pad, "dilation": dilation, "groups": groups}
    return rng.normal(size=(images, channels, *size)), rng.normal(size=(filters, channels // groups, *kernel)), attrs


@settings(max_examples=150, deadline=None)
@given(problem=problems())
def test_convolution_on_odd_shapes(problem: tuple[Array, Array, dict[str, Any]]) -> None:
    x, w, attrs = problem
    (y,) = evaluate("conv", np, (x, w), attrs)
    g = np.random.default_rng(1).normal(size=y.shape)
    (dx,) = evaluate("conv_grad_x", np, (g, w), {**attrs, "size": x.shape[2:]})
    (dw,) = evaluate("conv_grad_w", np, (x, g), {**attrs, "kernel": w.shape[2:]})
    for function, inputs, wanted in (
        (conv.forward, (x, w), y),
        (conv.input_gradient, (g, w), dx),
        (conv.kernel_gradient, (x, g), dw),
    ):
        found = np.full_like(wanted, np.nan)
        for step in function(*inputs, found, attrs, scratch):
            step()
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-11, err_msg=function.__name__)


@pytest.mark.parametrize("images", [1, 9, 70])
def test_blocks_of_images_that_do_not_divide_the_batch(images: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.kernels.numpy.correlate.BLOCK_BYTES", 1 << 14)
    monkeypatch.setattr("runtime.kernels.numpy.correlate.BLOCK_COLUMNS", 8)
    attrs = {"stride": (1, 1), "pad": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    rng = np.random.default_rng(2)
    x, w = rng.normal(size=(images, 4, 9, 9)), rng.normal(size=(5, 4, 3, 3))
    (y,) = evaluate("conv", np, (x, w), attrs)
    (dw,) = evaluate("conv_grad_w", np, (x, y), {**attrs, "kernel": (3, 3)})
    found, gradient = np.full_like(y, np.nan), np.full_like(dw, np.nan)
    for step in (*conv.forward(x, w, found, attrs, scratch), *conv.kernel_gradient(x, y, gradient, attrs, scratch)):
        step()
    np.testing.assert_allclose(found, y, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(gradient, dw, rtol=1e-10, atol=1e-10)


@given(
    step=st.integers(1, 4),
    first=st.integers(-4, 4),
    gap=st.integers(1, 3),
    taps=st.integers(1, 4),
    count=st.integers(1, 9),
    size=st.integers(1, 9),
)
def test_rows_of_the_copy_are_filled_once_and_from_the_right_place(
    step: int, first: int, gap: int, taps: int, count: int, size: int
) -> None:
    """Row distance·m + t of X holds row m·step + offsets[t] of x, or zeros where there is none; every row of X is written."""
    axis = Axis(step, tuple(first + gap * t for t in range(taps)), count, size)
    filling = fill_rows(axis)
    rows = np.full(filling.height, -1)
    for target, source in filling.pairs:
        rows[target] = np.arange(size)[source] + 1
    for target in filling.zeros:
        rows[target] = 0
    for m in range(count):
        for t, offset in enumerate(axis.offsets):
            place = m * step + offset
            assert rows[m * filling.distance + t] == (place + 1 if 0 <= place < size else 0)
    assert (rows >= 0).all()
