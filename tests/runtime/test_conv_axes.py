"""Convolutions over one and three axes, transposed and depthwise ones: the chosen kernels against the rows on odd shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dslc.ops.infer import evaluate
from runtime.kernels import registry_of
from runtime.kernels.registry import EVAL, Call, Signature

Array = np.ndarray[Any, Any]


def scratch(shape: Any, dtype: str) -> Array:
    return np.full(tuple(shape), np.nan, dtype)


def kernel(op: str, inputs: tuple[Array, ...], attrs: dict[str, Any]) -> tuple[Array, Array]:
    """What the chosen kernel computes, and what the row says."""
    (wanted,) = evaluate(op, np, inputs, attrs)
    signature = Signature(op, tuple((a.shape, a.dtype.name) for a in inputs), ((wanted.shape, wanted.dtype.name),), attrs)
    chosen = registry_of("numpy").choose(signature)
    assert chosen is not EVAL
    found = np.full_like(wanted, np.nan)
    for step in chosen.bind(Call(op, inputs, (found,), attrs, scratch, np)):
        step()
    return found, wanted


@st.composite
def problems(draw: st.DrawFn) -> tuple[Array, Array, dict[str, Any]]:
    """One to three axes, sizes of 1, strides above the kernel, dilation, uneven pads or `same`, groups of one or more channels."""
    axes = draw(st.sampled_from([1, 1, 2, 3]))
    groups, inside = draw(st.sampled_from([(2, 1), (3, 1), (5, 1)] if axes == 2 else [(1, 1), (1, 3), (2, 2), (3, 1), (4, 1)]))
    filters = groups * draw(st.sampled_from([1, 2]))
    each = st.integers(1, 3)
    kernel, stride, dilation = (tuple(draw(each) for _ in range(axes)) for _ in range(3))
    pad: Any = draw(st.sampled_from(["same", tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(axes))]))
    least = [1 if pad == "same" else max(1, (k - 1) * d + 1 - sum(pad[i])) for i, (k, d) in enumerate(zip(kernel, dilation, strict=True))]
    size = [draw(st.integers(n, n + 4)) for n in least]
    images = draw(st.sampled_from([1, 3]))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    attrs = {"stride": stride, "pad": pad, "dilation": dilation, "groups": groups}
    return rng.normal(size=(images, groups * inside, *size)), rng.normal(size=(filters, inside, *kernel)), attrs


@settings(max_examples=120, deadline=None)
@given(problem=problems())
def test_kernels_on_odd_shapes(problem: tuple[Array, Array, dict[str, Any]]) -> None:
    x, w, attrs = problem
    y, wanted = kernel("conv", (x, w), attrs)
    np.testing.assert_allclose(y, wanted, rtol=1e-11, atol=1e-11)
    g = np.random.default_rng(1).normal(size=y.shape)
    for op, inputs, extra in (
        ("conv_grad_x", (g, w), {"size": x.shape[2:]}),
        ("conv_grad_w", (x, g), {"kernel": w.shape[2:]}),
        ("conv_transpose", (g, w), {"output_pad": (0,) * len(attrs["stride"])}),
    ):
        if op == "conv_transpose" and attrs["pad"] == "same":
            continue
        if op == "conv_transpose" and any(n < 1 for n in sizes_back(g, w, attrs)):
            continue
        found, wanted = kernel(op, inputs, {**attrs, **extra})
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-11, err_msg=op)


def sizes_back(g: Array, w: Array, attrs: dict[str, Any]) -> list[int]:
    rows = zip(g.shape[2:], w.shape[2:], attrs["stride"], attrs["dilation"], attrs["pad"], strict=True)
    return [(n - 1) * s + (k - 1) * d + 1 - sum(p) for n, k, s, d, p in rows]


@pytest.mark.parametrize("images", [1, 5])
def test_volumes_in_blocks_of_images(images: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.kernels.numpy.volume.BLOCK_BYTES", 2 * 4 * 3 * 3 * 36 * 8)
    attrs = {"stride": (1, 1, 1), "pad": ((1, 1),) * 3, "dilation": (1, 1, 1), "groups": 1}
    rng = np.random.default_rng(2)
    x, w = rng.normal(size=(images, 3, 4, 6, 6)), rng.normal(size=(5, 3, 3, 3, 3))
    y, wanted = kernel("conv", (x, w), attrs)
    np.testing.assert_allclose(y, wanted, rtol=1e-11, atol=1e-11)
    for op, inputs, extra in (("conv_grad_x", (y, w), {"size": x.shape[2:]}), ("conv_grad_w", (x, y), {"kernel": (3, 3, 3)})):
        found, wanted = kernel(op, inputs, {**attrs, **extra})
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10, err_msg=op)
