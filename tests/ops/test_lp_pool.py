"""Sums and p-norms of windows: PyTorch's over a grid, the limits in p, and gradients where a window is all zeros."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import Dim, tensor
from dslc.ops.infer import bind_attrs, evaluate
from dslc.ops.table import Mismatch, infer
from dslc.ops.value import Builder, F
from dslc.passes.differentiate import differentiate
from tests.onnx.test_opset_spatial import export
from tests.ops.test_table import squared as squares_of


def apply(name: str, x: np.ndarray, **attrs: Any) -> np.ndarray:
    return np.asarray(evaluate(name, np, (x,), bind_attrs(name, attrs, [tensor("f64", *x.shape)]))[0])


def derived(x: np.ndarray, **attrs: Any) -> Graph:
    """The graph of the gradient of the sum of all norms."""
    b = Builder("one")
    b.output("loss", F.sum(F.lp_pool(b.input("input", "x", tensor("f64", *x.shape)), **attrs)))
    return differentiate(b.build(), "loss", ("x",))


def squared(graph: Graph) -> Graph:
    """The sum of the squares of the gradient."""
    return squares_of(graph.model_copy(update={"outputs": tuple(o for o in graph.outputs if o.name == "grad:x")}), "grad:x")


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_values_and_gradients_of_torch(axes: int) -> None:
    torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs torch==2.13.0")
    theirs = (torch.nn.functional.lp_pool1d, torch.nn.functional.lp_pool2d, torch.nn.functional.lp_pool3d)[axes - 1]
    for p, size, kernel, stride, ceil in product((1, 2, 3), (1, 5), (1, 3), (1, 2, 4), (False, True)):
        if kernel > size:
            continue
        x = np.random.default_rng(size).uniform(0.1, 1, (1, 2, *(size,) * axes))
        leaf = torch.tensor(x, requires_grad=True)
        y = theirs(leaf, p, kernel, stride, ceil)
        if y.shape[2:] != apply("lp_pool", x, kernel=kernel, stride=stride, ceil=ceil, p=p).shape[2:]:
            raise AssertionError(f"other windows: {size}, {kernel}, {stride}, {ceil}")
        if ceil and any((n - 1) * stride + kernel > size for n in y.shape[2:]):
            continue  # PyTorch takes the mean of what is inside times the whole kernel, which is no sum
        y.sum().backward()
        np.testing.assert_allclose(apply("lp_pool", x, kernel=kernel, stride=stride, ceil=ceil, p=p), y.detach(), rtol=1e-12)
        found = interpret(derived(x, kernel=kernel, stride=stride, ceil=ceil, p=float(p)), np, {"x": x})["grad:x"]
        np.testing.assert_allclose(found, leaf.grad, rtol=1e-12, atol=1e-14)


def test_written_out() -> None:
    x = np.array([[[3.0, -4.0, 0.0, 12.0, 1.0]]])
    assert apply("sum_pool", x, kernel=2).tolist() == [[[-1, 12]]]
    assert apply("sum_pool", x, kernel=2, ceil=True).tolist() == [[[-1, 12, 1]]]
    assert apply("sum_pool", x, kernel=2, stride=3, pad=((1, 0),)).tolist() == [[[3, 12]]]
    assert apply("lp_pool", x, kernel=2, p=1).tolist() == [[[7, 12]]]
    assert apply("lp_pool", x, kernel=2, p=2).tolist() == [[[5, 12]]]
    np.testing.assert_allclose(apply("lp_pool", x, kernel=2, p=200), [[[4, 12]]])


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0])
def test_a_window_of_zeros_has_a_gradient_of_zeros(p: float) -> None:
    """Windows of zeros alone, of some zeros, and of none: nothing is nan, and where something is there the norm grows as it should."""
    x = np.array([[[0.0, 0.0, 0.0, 2.0, 1.0, 2.0]]])
    graph = derived(x, kernel=2, p=p)
    first = interpret(graph, np, {"x": x})["grad:x"]
    second = interpret(differentiate(squared(graph), "square", ("x",)), np, {"x": x})["grad:x"]
    assert np.isfinite(first).all() and np.isfinite(second).all()
    assert first[0, 0, :3].tolist() == [0, 0, 0] and first[0, 0, 3] == pytest.approx(1)
    norm = (1 + 2**p) ** (1 / p)
    np.testing.assert_allclose(first[0, 0, 4:], [(1 / norm) ** (p - 1), (2 / norm) ** (p - 1)], rtol=1e-12)


def test_open_sizes() -> None:
    x = tensor("f32", "batch", 3, "h", "w")
    attrs = bind_attrs("lp_pool", {"kernel": [3, 2], "stride": 2, "pad": 1}, [x])
    (y,) = infer("lp_pool", [x], attrs)
    assert y.shape[2:] == ((Dim.of("h") - 1) // 2 + 1, Dim.of("w") // 2 + 1)


@pytest.mark.parametrize(
    ("attrs", "argument"),
    [({"kernel": 2, "p": 0.5}, "p"), ({"kernel": 2, "pad": 2}, "pad"), ({"kernel": 9}, "x"), ({"kernel": 0}, "kernel")],
)
def test_what_is_refused(attrs: dict[str, Any], argument: str) -> None:
    x = tensor("f32", "batch", 3, 5)
    with pytest.raises(Mismatch) as caught:
        infer("lp_pool", [x], bind_attrs("lp_pool", attrs, [x]))
    assert caught.value.argument == argument


LAYERS: dict[str, tuple[str, str]] = {
    "lp_pool": ("[batch, 2, h, w]", "lp_pool(3, p=2, stride=2, pad=1)"),
    "lp_pool_ceil": ("[batch, 2, h, w]", "lp_pool([3, 2], p=3, stride=2, ceil=true)"),
    "lp_pool_1d": ("[batch, 2, time]", "lp_pool(3, p=1.5)"),
    "lp_pool_same": ("[batch, 2, h, 5]", 'lp_pool(3, stride=2, pad="same")'),
    "global": ("[batch, 2, h, w]", "global_lp_pool(p=3)"),
    "sum_pool": ("[batch, c, h, w]", "sum_pool(2, stride=3, pad=1)"),
    "sum_pool_ceil": ("[batch, 2, 3, h, w]", "sum_pool(2, ceil=true)"),
    "gradient": ("[batch, 2, h, w]", "lp_pool(3, p=3, stride=2, pad=1)\n  output gx = grad(sum(y * y), x)"),
}


@pytest.mark.parametrize("opset", [13, 18, 28])
@pytest.mark.parametrize("name", LAYERS)
def test_exported_with_open_sizes(name: str, opset: int) -> None:
    report = export(LAYERS[name], opset)
    assert report.parity
    assert all(row.max_absolute < 1e-4 for row in report.parity)
    assert ("LpPool" in report.operators) == ((name.startswith("lp_pool") and name != "lp_pool_1d") or name == "gradient")
