"""Columns of windows and their sum: PyTorch's `unfold` and `fold` over a grid, the convolution that they make, and what is refused."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.types import Dim, DType, tensor
from dslc.loading import check_source
from dslc.ops.infer import bind_attrs, evaluate
from dslc.ops.table import Mismatch, infer
from dslc.ops.value import Builder, F
from dslc.passes.differentiate import differentiate
from dslc.source import Source

GRID = [
    (size, kernel, stride, pad, dilation)
    for size, kernel, stride, pad, dilation in product(((1, 1), (2, 7), (5, 3)), ((1, 1), (3, 2)), (1, 4), (0, 1), (1, 2))
    if all(n + 2 * pad >= dilation * (k - 1) + 1 for n, k in zip(size, kernel, strict=True))
]


def apply(name: str, x: np.ndarray, **attrs: Any) -> np.ndarray:
    return np.asarray(evaluate(name, np, (x,), bind_attrs(name, attrs, [tensor("f64", *x.shape)]))[0])


def with_gradient(name: str, x: np.ndarray, **attrs: Any) -> tuple[np.ndarray, np.ndarray]:
    """The result, and the gradient of half its sum of squares."""
    b = Builder("one")
    (y,) = b.many(name, [b.input("input", "x", tensor("f64", *x.shape))], **attrs)
    b.output("y", y)
    b.output("loss", F.sum(y * y) * 0.5)
    found = interpret(differentiate(b.build(), "loss", ("x",)), np, {"x": x})
    return found["y"], found["grad:x"]


def test_values_and_gradients_of_torch() -> None:
    torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs torch==2.13.0")
    tf = torch.nn.functional
    assert len(GRID) > 25
    for number, (size, kernel, stride, pad, dilation) in enumerate(GRID):
        rng = np.random.default_rng(number)
        settings = {"kernel": kernel, "stride": stride, "pad": pad, "dilation": dilation}
        x = rng.uniform(-1, 1, (1 + number % 2, 3, *size))
        leaf = torch.tensor(x, requires_grad=True)
        theirs = tf.unfold(leaf, kernel, dilation, pad, stride)
        (theirs.pow(2).sum() * 0.5).backward()
        y, gradient = with_gradient("unfold", x, **settings)
        np.testing.assert_array_equal(y, theirs.detach())
        np.testing.assert_allclose(gradient, leaf.grad, rtol=1e-13, atol=1e-13)
        columns = torch.tensor(rng.uniform(-1, 1, y.shape), requires_grad=True)
        image = tf.fold(columns, size, kernel, dilation, pad, stride)
        (image.pow(2).sum() * 0.5).backward()
        y, gradient = with_gradient("fold", columns.detach().numpy(), size=size, **settings)
        np.testing.assert_allclose(y, image.detach(), rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(gradient, columns.grad, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_each_is_the_adjoint_of_the_other(axes: int) -> None:
    """⟨unfold(x), z⟩ = ⟨x, fold(z)⟩, over primes, with uneven pads, a stride above the kernel and a dilation."""
    size = (7, 5, 11)[:axes]
    settings = {
        "kernel": (2, 3, 2)[:axes],
        "stride": (3, 1, 2)[:axes],
        "pad": ((1, 0), (0, 2), (2, 1))[:axes],
        "dilation": (1, 2, 3)[:axes],
    }
    rng = np.random.default_rng(2)
    x = rng.uniform(-1, 1, (2, 2, *size))
    y = apply("unfold", x, **settings)
    z = rng.uniform(-1, 1, y.shape)
    back = apply("fold", z, size=size, **settings)
    assert back.shape == x.shape
    assert abs(float((y * z).sum() - (x * back).sum())) < 1e-12


@pytest.mark.parametrize("settings", [{"stride": 2, "pad": 1}, {"dilation": 2}, {"pad": "same", "stride": 2}])
def test_a_convolution_is_a_product_with_the_columns(settings: dict[str, Any]) -> None:
    rng = np.random.default_rng(4)
    x, w = rng.uniform(-1, 1, (2, 3, 7, 6)), rng.uniform(-1, 1, (4, 3, 3, 2))
    columns = apply("unfold", x, kernel=(3, 2), **settings)
    bound = bind_attrs("conv", settings, [tensor("f64", *x.shape)])
    wanted = np.asarray(evaluate("conv", np, (x, w), bound)[0])
    np.testing.assert_allclose((w.reshape(4, -1) @ columns).reshape(wanted.shape), wanted, rtol=1e-12, atol=1e-13)


def test_open_sizes() -> None:
    h, w = Dim.of("h"), Dim.of("w")
    x = tensor("f32", "batch", 3, h, w)
    settings = {"kernel": 3, "stride": 2, "pad": 1}
    (y,) = infer("unfold", [x], bind_attrs("unfold", settings, [x]))
    assert y.shape == (Dim.of("batch"), Dim.of(27), ((h - 1) // 2 + 1) * ((w - 1) // 2 + 1))
    assert infer("fold", [y], bind_attrs("fold", {"size": (h, w), **settings}, [y])) == (x,)


@pytest.mark.parametrize(
    ("shape", "attrs", "argument", "words"),
    [
        ((2, 12, 4), {"size": (4, 4), "kernel": 2}, "x", "has 4 windows, and an image of this `size` has 9"),
        ((2, 10, 9), {"size": (4, 4), "kernel": 2}, "x", "no multiple"),
        ((2, 12, 9), {"size": (4, 0), "kernel": 2}, "size", "at least 1"),
        ((2, 12, 9), {"size": (4, 4), "kernel": (2, 2, 2)}, "kernel", "3 entries for 2 spatial axes"),
        ((2, 12, 9), {"size": (), "kernel": 2}, "size", "one entry"),
        ((2, 12, 9), {"size": (1, 4), "kernel": 2}, "x", "does not fit"),
    ],
)
def test_what_is_refused(shape: tuple[int, ...], attrs: dict[str, Any], argument: str, words: str) -> None:
    x = tensor("f32", *shape)
    with pytest.raises(Mismatch, match=words) as caught:
        infer("fold", [x], bind_attrs("fold", attrs, [x]))
    assert caught.value.argument == argument


SPEC = """dslc 1

network N {{
  input x: [batch, 3, {sizes}]
  output y = x -> {body}
}}
"""


@pytest.mark.parametrize("sizes", ["h, w", "6, 5"])
def test_there_and_back_in_a_network(sizes: str) -> None:
    """Folding what was unfolded multiplies each place by the number of windows that read it."""
    size = "[h, w]" if sizes == "h, w" else "[6, 5]"
    text = SPEC.format(sizes=sizes, body=f"unfold(3, pad=1) -> fold({size}, 3, pad=1)")
    program, found = check_source(Source("n.nn", text), precision=DType.f64)
    assert program is not None, [d.message for d in found]
    x = np.random.default_rng(1).uniform(-1, 1, (2, 3, 6, 5))
    y = interpret(program.networks["N"].evaluate, np, {"x": x})["y"]
    rows, columns = np.array([2, 3, 3, 3, 3, 2]), np.array([2, 3, 3, 3, 2])
    np.testing.assert_allclose(y, x * rows[:, None] * columns, rtol=1e-13)


def test_a_local_convolution_with_one_kernel_everywhere_is_a_convolution() -> None:
    text = SPEC.format(sizes="5, 4", body="local_conv(2, kernel=[3, 2], stride=[2, 1], pad=1)")
    program, found = check_source(Source("n.nn", text), precision=DType.f64)
    assert program is not None, [d.message for d in found]
    rng = np.random.default_rng(1)
    x, w, b = rng.uniform(-1, 1, (2, 3, 5, 4)), rng.uniform(-1, 1, (2, 3, 3, 2)), rng.uniform(-1, 1, (2, 15))
    given = {"x": x, "N.local_conv0.w": np.tile(w, (15, 1, 1, 1)), "N.local_conv0.b": b}
    y = interpret(program.networks["N"].evaluate, np, given)["y"]
    bound = bind_attrs("conv", {"stride": (2, 1), "pad": 1}, [tensor("f64", *x.shape)])
    wanted = np.asarray(evaluate("conv", np, (x, w), bound)[0]) + b.reshape(1, 2, 3, 5)
    np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=1e-13)
