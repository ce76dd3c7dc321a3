"""Borders: beside PyTorch over a grid of sizes, what is refused when a spec is checked, and what only the data shows."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from dslc.diagnostics import DataError
from dslc.interpret import interpret
from dslc.ir.types import Dim, DType, tensor
from dslc.loading import check_source
from dslc.ops.infer import bind_attrs, evaluate
from dslc.ops.table import Mismatch, infer
from dslc.ops.value import Builder, F
from dslc.passes.differentiate import differentiate
from dslc.source import Source
from runtime.kernels import registry_of
from runtime.kernels.registry import Call, Signature

MODES = {"edge": "replicate", "reflect": "reflect", "wrap": "circular"}


def padded(x: np.ndarray, mode: str, *amounts: tuple[int, int]) -> np.ndarray:
    """The last axes with these borders."""
    pairs = [(0, 0)] * (x.ndim - len(amounts)) + list(amounts)
    attrs = {"before": [b for b, _ in pairs], "after": [a for _, a in pairs], "mode": mode}
    return np.asarray(evaluate("pad", np, (x,), bind_attrs("pad", attrs))[0])


@pytest.mark.parametrize("mode", MODES)
def test_values_and_gradients_of_torch(mode: str) -> None:
    torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs torch==2.13.0")
    for size, before, after in product((1, 2, 4, 5), (0, 1, 3), (0, 1, 4)):
        if max(before, after) > {"edge": 4, "reflect": size - 1, "wrap": size}[mode]:
            continue
        x = np.random.default_rng(size).uniform(-1, 1, (2, 1, 3, size))
        b = Builder("one")
        y = F.pad(b.input("input", "x", tensor("f64", *x.shape)), before=(0, 0, 1, before), after=(0, 0, 2, after), mode=mode)
        b.output("y", y)
        b.output("loss", F.sum(y * y * y))
        ours = interpret(differentiate(b.build(), "loss", ("x",)), np, {"x": x})
        leaf = torch.tensor(x, requires_grad=True)
        theirs = torch.nn.functional.pad(leaf, (before, after, 1, 2), mode=MODES[mode])
        theirs.pow(3).sum().backward()
        np.testing.assert_array_equal(ours["y"], theirs.detach())
        np.testing.assert_allclose(ours["grad:x"], leaf.grad, rtol=1e-13, atol=1e-13)


def test_written_out() -> None:
    x = np.array([1.0, 2.0, 3.0])
    assert padded(x, "edge", (2, 1)).tolist() == [1, 1, 1, 2, 3, 3]
    assert padded(x, "reflect", (2, 1)).tolist() == [3, 2, 1, 2, 3, 2]
    assert padded(x, "wrap", (2, 1)).tolist() == [2, 3, 1, 2, 3, 1]
    corners = padded(np.array([[1.0, 2.0], [3.0, 4.0]]), "reflect", (1, 0), (0, 1))
    assert corners.tolist() == [[3, 4, 3], [1, 2, 1], [3, 4, 3]]


@pytest.mark.parametrize(
    ("attrs", "argument", "words"),
    [
        ({"before": (0, 3), "after": (0, 0), "mode": "reflect"}, "before", "has 2 values for a border of 3 along axis 1"),
        ({"before": (0, 0), "after": (0, 4), "mode": "wrap"}, "after", "has 3 values for a border of 4 along axis 1"),
        ({"before": (0, 0), "after": (0, -1), "mode": "edge"}, "after", "does not cut"),
        ({"before": (0, 1), "after": (0, 1), "mode": "mirror"}, "mode", "is one of"),
        ({"before": (0, 1), "after": (0, 1), "mode": "edge", "value": 2}, "value", "values of `x`"),
    ],
)
def test_what_is_refused(attrs: dict[str, Any], argument: str, words: str) -> None:
    with pytest.raises(Mismatch, match=words) as caught:
        infer("pad", [tensor("f32", "batch", 3)], bind_attrs("pad", attrs))
    assert caught.value.argument == argument


def test_open_sizes() -> None:
    attrs = bind_attrs("pad", {"before": (0, 2), "after": (0, 1), "mode": "reflect"})
    (y,) = infer("pad", [tensor("f32", "batch", "time")], attrs)
    assert y.shape == (Dim.of("batch"), Dim.of("time") + 3)
    with pytest.raises(Mismatch, match="has 2\\*time - 1 values for a border of 2\\*time"):
        infer(
            "pad",
            [tensor("f32", Dim.of("time") * 2)],
            bind_attrs("pad", {"before": (Dim.of("time") * 2,), "after": (0,), "mode": "reflect"}),
        )


@pytest.mark.parametrize("mode", ["reflect", "wrap"])
def test_an_open_axis_that_turns_out_too_small(mode: str) -> None:
    x = np.zeros((2, 1))
    attrs = bind_attrs("pad", {"before": (0, 2), "after": (0, 0), "mode": mode})
    with pytest.raises(IndexError, match="for a border of 2 along axis 1"):
        evaluate("pad", np, (x,), attrs)
    kernel = registry_of("numpy").choose(Signature("pad", (((2, 1), "float64"),), (((2, 3), "float64"),), attrs))
    with pytest.raises(DataError, match="for a border of 2 along axis 1"):
        kernel.bind(Call("pad", (x,), (np.zeros((2, 3)),), attrs, lambda shape, dtype: np.zeros(shape, dtype), np))


def test_every_dtype_has_borders() -> None:
    for dtype in DType:
        x = np.arange(4).astype(dtype.numpy)
        assert padded(x, "wrap", (1, 1)).dtype == x.dtype


SPEC = """dslc 1

network N {{
  input x: [batch, 3, h, 8]
  output y = x -> {layer}
}}
"""


def spec(layer: str) -> tuple[Any, list[Any]]:
    return check_source(Source("n.nn", SPEC.format(layer=layer)), precision=DType.f64)


def test_the_layer_over_spatial_axes() -> None:
    program, found = spec('pad_spatial([1, 0], after=[2, 3], mode="edge")')
    assert program is not None, [d.message for d in found]
    x = np.random.default_rng(1).uniform(-1, 1, (2, 3, 4, 8))
    y = interpret(program.networks["N"].evaluate, np, {"x": x})["y"]
    np.testing.assert_array_equal(y, np.pad(x, [(0, 0), (0, 0), (1, 2), (0, 3)], mode="edge"))


def test_the_layer_names_the_border_that_is_too_large() -> None:
    program, found = spec('pad_spatial(8, mode="reflect")')
    assert program is None
    assert "has 7 values for a border of 8 along axis 3" in found[0].message
    assert found[0].span.text.startswith("pad_spatial(8")
