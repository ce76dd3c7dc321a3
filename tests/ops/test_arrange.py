"""Corners of the rows that turn, shift and repeat: scalars, zeros in a running product, batches that must not mix, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dslc.diagnostics import SpecError
from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import tensor
from dslc.ops.infer import bind_attrs
from dslc.ops.table import Mismatch, infer
from dslc.ops.value import Builder, F, Val
from dslc.passes.accumulate import accumulate
from dslc.passes.differentiate import differentiate
from dslc.passes.pipeline import optimize
from exporters.onnx.backends import onnxruntime
from exporters.onnx.export import make_subject
from runtime.device import get_device
from runtime.executor import Executor
from tests.onnx.networks import network


def graph(name: str, *shape: int | str, dtype: str = "f64", **attrs: Any) -> Graph:
    b = Builder("One")
    b.output("y", b.one(name, (b.input("input", "x", tensor(dtype, *shape)),), **attrs))
    return b.build()


@pytest.mark.parametrize("opset", [13, 21])
@pytest.mark.parametrize(("name", "attrs"), [("flip", {}), ("tile", {"repeats": ()})])
def test_a_scalar_has_nothing_to_turn_or_repeat(name: str, attrs: dict[str, Any], opset: int) -> None:
    arrays = {"x": np.array(2.5, np.float32)}
    one = graph(name, dtype="f32", **attrs)
    assert interpret(one, np, arrays)["y"] == 2.5
    (found,) = onnxruntime(make_subject(network(one), {}, opset=opset)[0].data)(arrays)
    assert found == 2.5 and found.shape == ()


@pytest.mark.parametrize(
    ("x", "wanted"),
    [([2.0, 0.0, 3.0, 4.0], [1, 32, 0, 0]), ([2.0, 0.0, 3.0, 0.0], [1, 8, 0, 0]), ([0.0, 2.0, 3.0], [9, 0, 0])],
    ids=["one", "two", "first"],
)
def test_a_running_product_with_zeros_has_a_gradient(x: list[float], wanted: list[float]) -> None:
    """Written out, of [a, b, c, d]: ∂(a + ab + abc + abcd)/∂b = a + ac + acd, and so on."""
    b = Builder("One")
    b.output("loss", F.sum(F.cumprod(b.input("weight", "x", tensor("f64", len(x))))))
    found = interpret(differentiate(b.build(), "loss", ("x",)), np, {"x": np.array(x)})
    assert found["grad:x"].tolist() == wanted


def test_views_take_no_memory_and_keep_their_values() -> None:
    b = Builder("One")
    x = b.input("input", "x", tensor("f64", "n", 3))
    b.output("y", F.squeeze(F.unsqueeze(F.exp(x), axis=(1, 3)) * 2.0, axis=-1))
    executor = Executor(optimize(b.build()), get_device("numpy"), {"n": 2})
    given = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(executor.run({"x": given})["y"], 2 * np.exp(given)[:, None])
    assert not {"squeeze", "unsqueeze"} & {node.op for node in optimize(b.build()).nodes}


def joined(make: Any) -> Graph:
    """The sum over the batch of what `make` does to x: [batch, 3, 3]."""
    b = Builder("One")
    b.output("total", F.sum(make(b.input("input", "x", tensor("f64", "batch", 3, 3)))))
    return b.build()


ALONE: dict[str, Any] = {
    "flip": lambda x: F.flip(x, axis=1),
    "tile": lambda x: F.tile(x, repeats=(1, 2, 1)),
    "tril": F.tril,
    "unsqueeze": lambda x: F.squeeze(F.unsqueeze(x, axis=0) * 2.0, axis=0),
    "einsum": lambda x: F.einsum(x, x, equation="bij,bjk->bik"),
    "sort": lambda x: x.builder.many("sort", (x,), axis=1)[0],
}
MIXED: dict[str, Any] = {
    "flip": lambda x: F.flip(x, axis=0) * x,
    "roll": lambda x: F.roll(x, shift=1, axis=0) * x,
    "tile": lambda x: F.tile(x, repeats=(2, 1, 1)),
    "repeat": lambda x: F.repeat(x, count=2, axis=0),
    "tril": lambda x: F.tril(F.sum(x, axis=-1)),
    "einsum": lambda x: F.einsum(x, x, equation="bij,cij->b"),
    "argsort": lambda x: F.argsort(x, axis=0),
}


@pytest.mark.parametrize("name", ALONE)
def test_batches_are_joined_where_each_sample_is_alone(name: str) -> None:
    one = joined(ALONE[name])
    x = np.random.default_rng(2).uniform(-1, 1, (5, 3, 3))
    parts = accumulate(one)
    batches = [interpret(parts.batch, np, {"x": piece}) for piece in (x[:2], x[2:])]
    total = {key: batches[0][key] + batches[1][key] for key in parts.combine}
    np.testing.assert_allclose(interpret(parts.final, np, total)["total"], interpret(one, np, {"x": x})["total"])


@pytest.mark.parametrize("name", MIXED)
def test_batches_are_not_joined_where_samples_meet(name: str) -> None:
    with pytest.raises(SpecError, match=f"`{name}`"):
        accumulate(joined(MIXED[name]))


def test_counts_are_joined() -> None:
    def counts(x: Val) -> Val:
        return F.count_nonzero(x, axis=0)

    parts = accumulate(joined(counts))
    assert set(parts.combine.values()) == {"sum"}


@pytest.mark.parametrize(
    ("name", "shape", "attrs", "said"),
    [
        ("flip", (2, 3), {"axis": 2}, "there is no axis 2"),
        ("flip", (2, 3), {"axis": (0, -2)}, "an axis is named twice"),
        ("roll", (2, 3), {"shift": (1, 2), "axis": 0}, "one `shift` for each axis"),
        ("roll", (2, 3), {"shift": (), "axis": ()}, "at least one axis"),
        ("tile", (2, 3), {"repeats": (2,)}, "one number for each of 2 axes"),
        ("tile", (2, 3), {"repeats": (2, 0)}, "`repeats` is at least 1"),
        ("repeat", (2, 3), {"count": 0}, "`count` is at least 1"),
        ("squeeze", (2, 1), {"axis": 0}, "axis 0 of f32[2, 1] has not size 1"),
        ("squeeze", ("n", 1), {"axis": 0}, "axis 0 of f32[n, 1] has not size 1"),
        ("squeeze", (2, 1), {"axis": ()}, "at least one axis"),
        ("unsqueeze", (2, 3), {"axis": 3}, "there is no axis 3"),
        ("unsqueeze", (2, 3), {"axis": (0, 0)}, "an axis is named twice"),
        ("tril", (3,), {}, "a triangle is of a matrix"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, shape: tuple[int | str, ...], attrs: dict[str, Any], said: str) -> None:
    types = [tensor("f32", *shape)]
    with pytest.raises(Mismatch) as found:
        infer(name, types, bind_attrs(name, attrs, types))
    assert said in found.value.reason
