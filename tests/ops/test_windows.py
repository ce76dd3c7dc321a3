"""Which windows pooling and convolutions have: `ceil` beside PyTorch over a grid of sizes, published sizes, and what is refused."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from dslc.ir.types import Dim, tensor
from dslc.ops.infer import bind_attrs, evaluate
from dslc.ops.table import Mismatch, infer


def pool(name: str, x: np.ndarray, **attrs: Any) -> np.ndarray:
    bound = bind_attrs(name, attrs, [tensor("f64", *x.shape)])
    return np.asarray(evaluate(name, np, (x,), bound)[0])


def test_ceil_counts_the_windows_that_torch_counts() -> None:
    torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs torch==2.13.0")
    for size, kernel, stride, pad in product(range(1, 9), (1, 2, 3), (1, 2, 3, 4), (0, 1)):
        if pad > kernel // 2 or size + 2 * pad < kernel:
            continue
        x = np.arange(1.0, size + 1)[None, None]
        settings = {"kernel": kernel, "stride": stride, "pad": pad, "ceil": True}
        theirs = torch.nn.functional.max_pool1d(torch.tensor(x), kernel, stride, pad, ceil_mode=True)
        np.testing.assert_array_equal(pool("max_pool", x, **settings), theirs, err_msg=str((size, settings)))
        for counts in (False, True):
            mean = torch.nn.functional.avg_pool1d(torch.tensor(x), kernel, stride, pad, True, counts)
            np.testing.assert_allclose(pool("avg_pool", x, **settings, count_pad=counts), mean, err_msg=str((size, settings, counts)))


@pytest.mark.parametrize("ceil", [False, True])
def test_pools_are_what_their_windows_hold(ceil: bool) -> None:
    """Window by window, over a grid of sizes, strides and uneven padding."""
    for size, kernel, stride, before, after in product(range(1, 8), (1, 2, 3), (1, 2, 3, 4), (0, 1, 2), (0, 1, 2)):
        if max(before, after) >= kernel or size + before + after < kernel:
            continue
        x = np.random.default_rng(size).uniform(-3, -1, size)
        found = windows(size, kernel, stride, before, after, ceil)
        held = [x[max(start, 0) : min(stop, size)] for start, stop in found]
        settings = {"kernel": kernel, "stride": stride, "pad": ((before, after),), "ceil": ceil}
        note = f"{size} places, {settings}"
        np.testing.assert_array_equal(pool("max_pool", x[None, None], **settings)[0, 0], [part.max() for part in held], note)
        for counts in (False, True):
            places = [min(stop, size + after) - start if counts else len(part) for (start, stop), part in zip(found, held, strict=True)]
            means = pool("avg_pool", x[None, None], **settings, count_pad=counts)[0, 0]
            np.testing.assert_allclose(means, [part.sum() / n for part, n in zip(held, places, strict=True)], 1e-13, err_msg=note)


def windows(size: int, kernel: int, stride: int, before: int, after: int, ceil: bool) -> list[tuple[int, int]]:
    """Where they begin and end: those within the padding, and with `ceil` one more where places are left, if it begins before the end."""
    found = [(start, start + kernel) for start in range(-before, size + after - kernel + 1, stride)]
    start, stop = found[-1][0] + stride, found[-1][1]
    return [*found, (start, start + kernel)] if ceil and stop < size + after and start < size else found


@pytest.mark.parametrize(("size", "pad", "found"), [(112, 0, 56), (56, 0, 28), (28, 0, 14), (14, 0, 7), (109, 0, 54), (54, 0, 27)])
def test_sizes_of_googlenet_and_squeezenet(size: int, pad: int, found: int) -> None:
    """Their 3×3 pools of stride 2 (Szegedy et al. 2015, table 1; Iandola et al. 2016)."""
    x = tensor("f32", "batch", 64, size, size)
    attrs = bind_attrs("max_pool", {"kernel": 3, "stride": 2, "pad": pad, "ceil": True}, [x])
    assert infer("max_pool", [x], attrs) == (tensor("f32", "batch", 64, found, found),)


def test_a_window_that_reaches_beyond_a_small_input_has_what_is_inside() -> None:
    x = np.array([[[3.0, 5.0]]])
    assert pool("max_pool", x, kernel=3, stride=2, ceil=True).tolist() == [[[5.0]]]
    assert pool("avg_pool", x, kernel=3, stride=2, ceil=True).tolist() == [[[4.0]]]
    with pytest.raises(Mismatch, match="does not fit"):
        pool("max_pool", x[..., :1], kernel=3, stride=2, ceil=True)


def test_open_sizes_with_ceil() -> None:
    x = tensor("f32", "batch", 3, "h")
    attrs = bind_attrs("max_pool", {"kernel": 3, "stride": 2, "ceil": True}, [x])
    (y,) = infer("max_pool", [x], attrs)
    assert y.shape[2] == (Dim.of("h") - 2) // 2 + 1
    gap = bind_attrs("max_pool", {"kernel": 1, "stride": 2, "ceil": True}, [x])
    with pytest.raises(Mismatch, match="needs an input of fixed size"):
        infer("max_pool", [x], gap)


# ---- the transposed convolution --------------------------------------------------------------------------------------------------


def transposed(size: int | str, **attrs: Any) -> Dim:
    x, w = tensor("f32", "batch", 4, size), tensor("f32", 4, 2, 4)
    (y,) = infer("conv_transpose", [x, w], bind_attrs("conv_transpose", attrs, [x, w]))
    assert y.shape[:2] == (Dim.of("batch"), Dim.of(2 * attrs.get("groups", 1)))
    return y.shape[2]


def test_sizes_of_the_transposed_convolution() -> None:
    assert transposed(7, stride=2, pad=1) == Dim.of(14)
    assert transposed("h", stride=2, pad=1) == 2 * Dim.of("h")
    assert transposed("h", stride=2, pad=1, output_pad=1) == 2 * Dim.of("h") + 1
    assert transposed("h", stride=3, pad="same") == 3 * Dim.of("h")
    assert transposed(5, stride=5, pad="same", groups=2) == Dim.of(25)


@pytest.mark.parametrize(
    ("attrs", "words"),
    [
        ({"stride": 2, "output_pad": 2}, "below the stride 2"),
        ({"stride": 2, "pad": "same", "output_pad": 1}, "there is no `output_pad`"),
        ({"groups": 3}, "cannot be put into 3 groups"),
        ({"pad": 3}, "nothing is left"),
    ],
)
def test_transposed_convolutions_that_are_refused(attrs: dict[str, Any], words: str) -> None:
    with pytest.raises(Mismatch, match=words):
        transposed(2, **attrs)
