"""Walks the operator table: every row keeps every promise, and a hole is named."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import DType, TensorType, tensor
from dslc.ir.verify import verify
from dslc.loading import check_source
from dslc.ops import document
from dslc.ops.infer import bind_attrs, evaluate, infer_types
from dslc.ops.table import Case, Op, lookup, rows
from dslc.ops.value import Builder, F, Val
from dslc.passes.differentiate import differentiate, input_names
from dslc.passes.rewrite import resume
from dslc.source import Source

ALL = [row.name for row in rows()]
RUN = [row.name for row in rows() if row.eval is not None]
DERIVED = [row.name for row in rows() if row.eval is not None and any(rule is not None for rule in row.grad.values())]
ANALYTIC = [name for name in DERIVED if lookup(name).analytic]


def type_of(array: np.ndarray) -> TensorType:
    return tensor(next(dtype for dtype in DType if dtype.numpy == array.dtype.name), *array.shape)


def samples(name: str, precision: DType = DType.f64) -> Iterator[tuple[list[np.ndarray], dict[str, Any]]]:
    """Arrays and bound attributes of each sample, floats in the given precision."""
    row = lookup(name)
    assert row.sample is not None, f"{name} has no sample"
    for case in row.sample(np.random.default_rng(zlib.crc32(name.encode()))):
        arrays = [np.asarray(array) for array in case.inputs]
        arrays = [array.astype(precision.numpy) if array.dtype.kind == "f" else array for array in arrays]
        yield arrays, bind_attrs(name, in_precision(case, precision), [type_of(array) for array in arrays])


def in_precision(case: Case, precision: DType) -> dict[str, Any]:
    return {key: precision if value is DType.f64 else value for key, value in case.attrs.items()}


@pytest.mark.parametrize("name", ALL)
def test_the_row_has_no_hole(name: str) -> None:
    row = lookup(name)
    assert row.signature.name == name
    assert row.doc and not row.doc.endswith("."), f"{name}: the words are one phrase"
    if row.eval is None:
        assert not row.grad and row.sample is None, f"{name} stands by its signature, so it has neither gradient nor sample"
        return
    assert row.sample is not None, f"{name} has no sample"
    assert row.internal or row.example, f"{name} has no example"
    floating = {
        key
        for arrays, attrs in samples(name)
        for array, key in zip(arrays, names_of(row, arrays, attrs), strict=True)
        if array.dtype.kind == "f"
    }
    missing = floating - set(row.grad) - {"key"}
    assert not missing or row.kind in ("constant", "random"), f"{name} has no gradient rule for {', '.join(sorted(missing))}"


def names_of(row: Op, arrays: list[np.ndarray], attrs: dict[str, Any]) -> list[str]:
    return input_names(single(row.name, arrays, attrs).nodes[-1])


def single(name: str, arrays: list[np.ndarray], attrs: dict[str, Any]) -> Graph:
    """A graph with one application of the row to inputs x0, x1, ..."""
    b = Builder("one")
    for at, result in enumerate(b.emit(name, [*inputs_of(b, name, arrays).values()], attrs)):
        b.output(f"y{at}", result)
    return b.build()


def inputs_of(b: Builder, name: str, arrays: list[np.ndarray]) -> dict[str, Val]:
    """x0, x1, … as weights; the last input of a random row is the key."""
    random = lookup(name).random
    values = {f"x{at}": b.input("weight", f"x{at}", type_of(array)) for at, array in enumerate(arrays[: len(arrays) - random])}
    return values | ({"key": b.key()} if random else {})


@pytest.mark.parametrize("precision", [DType.f32, DType.f64])
@pytest.mark.parametrize("name", RUN)
def test_the_type_is_what_eval_returns(name: str, precision: DType) -> None:
    for arrays, attrs in samples(name, precision):
        wanted = infer_types(lookup(name), [type_of(array) for array in arrays], attrs)
        found = evaluate(name, np, arrays, attrs)
        assert [type_of(np.asarray(array)) for array in found] == list(wanted), attrs
        verify(single(name, arrays, attrs))


@pytest.mark.parametrize("name", RUN)
def test_layout_and_repetition_change_nothing(name: str) -> None:
    for arrays, attrs in samples(name):
        once = evaluate(name, np, arrays, attrs)
        kept = [array.copy() for array in arrays]
        strided = [np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array for array in arrays]
        twice = evaluate(name, np, strided, attrs)
        for a, b in zip(once, twice, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15)
        for a, b in zip(arrays, kept, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=f"{name} writes into its inputs")


ALONG = [row.name for row in rows() if row.eval is not None and any(parm.name.id == "axis" for parm in row.signature.parms)]
RANKS = {  # of what the axis is counted in, where that is not the first input
    "stack": lambda arrays: arrays[0].ndim + 1,
    "scatter_add": lambda arrays: arrays[0].ndim - arrays[1].ndim + 1,
}


@pytest.mark.parametrize("name", ALONG)
def test_an_axis_counted_from_the_end_is_the_same(name: str) -> None:
    """In the type, in the values and in the gradients."""
    for arrays, attrs in samples(name):
        if attrs["axis"] is None:
            continue
        first = attrs["axis"] if isinstance(attrs["axis"], tuple) else (attrs["axis"],)
        rank = RANKS.get(name, lambda arrays: arrays[0].ndim)(arrays) + (len(first) if name == "unsqueeze" else 0)
        other = tuple(axis - rank if axis >= 0 else axis + rank for axis in first)
        turned = {**attrs, "axis": other if isinstance(attrs["axis"], tuple) else other[0]}
        types = [type_of(array) for array in arrays]
        assert infer_types(lookup(name), types, turned) == infer_types(lookup(name), types, attrs)
        for found, wanted in zip(outcomes(name, arrays, turned), outcomes(name, arrays, attrs), strict=True):
            np.testing.assert_array_equal(found, wanted, err_msg=f"{name} along {attrs['axis']} and {turned['axis']}")


def outcomes(name: str, arrays: list[np.ndarray], attrs: dict[str, Any]) -> list[np.ndarray]:
    """The results, and the gradients to all inputs that have one."""
    found = [np.asarray(array) for array in evaluate(name, np, arrays, attrs)]
    if name not in DERIVED or not any(array.dtype.kind == "f" for array in found):
        return found
    graph, given, names = weighted_sum(name, arrays, attrs)
    rules = lookup(name).grad
    wrt = tuple(f"x{at}" for at, array in enumerate(arrays) if array.dtype.kind == "f" and rules[names[at]] is not None)
    gradients = interpret(differentiate(graph, "loss", wrt), np, given)
    return [*found, *(gradients[f"grad:{key}"] for key in wrt)]


def weighted_sum(name: str, arrays: list[np.ndarray], attrs: dict[str, Any]) -> tuple[Graph, dict[str, np.ndarray], list[str]]:
    """Σ w·y over all floating results, with random w; the graph, its arrays, and the row's input names."""
    rng = np.random.default_rng(5)
    b = Builder("sum")
    values = inputs_of(b, name, arrays)
    given = dict(zip(values, arrays, strict=True))
    results = b.emit(name, [*values.values()], attrs)
    total = None
    for at, result in enumerate(results):
        if result.type.dtype.is_float:
            given[f"w{at}"] = rng.uniform(-1, 1, result.type.sizes({}))
            part = F.sum(result * b.input("input", f"w{at}", result.type))
            total = part if total is None else total + part
    assert total is not None
    b.output("loss", total)
    graph = b.build()
    return graph, given, input_names(graph.nodes[0])


@pytest.mark.parametrize("name", DERIVED)
def test_the_gradient_agrees_with_fourth_order_differences(name: str) -> None:
    rng = np.random.default_rng(11)
    for arrays, attrs in samples(name):
        graph, given, names = weighted_sum(name, arrays, attrs)
        rules = lookup(name).grad
        wrt = tuple(f"x{at}" for at, array in enumerate(arrays) if array.dtype.kind == "f" and rules[names[at]] is not None)
        derived = differentiate(graph, "loss", wrt)
        verify(derived)
        gradients = interpret(derived, np, given)
        for key in wrt:
            direction = rng.uniform(-1, 1, given[key].shape)
            wanted = float((gradients[f"grad:{key}"] * direction).sum())
            scale = max(1.0, float(np.abs(gradients[f"grad:{key}"]).sum()))
            best = min(abs(difference(graph, given, key, direction, h) - wanted) for h in (1e-3, 3e-4, 1e-4))
            assert best <= 1e-9 * scale, f"{name} for {key} with {attrs}: {best:.1e}"


def difference(graph: Graph, given: dict[str, np.ndarray], key: str, direction: np.ndarray, h: float) -> float:
    """f'(0) = (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h + O(h⁴)."""
    f = {k: float(interpret(graph, np, {**given, key: given[key] + k * h * direction})["loss"]) for k in (-2, -1, 1, 2)}
    return (8 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12 * h)


@pytest.mark.parametrize("name", ANALYTIC)
def test_the_gradient_agrees_with_the_complex_step(name: str) -> None:
    """f(x + ih·d) = f(x) + ih·f'(x)·d + O(h²), without cancellation (Squire and Trapp 1998)."""
    rng = np.random.default_rng(13)
    h = 1e-30
    for arrays, attrs in samples(name):
        graph, given, names = weighted_sum(name, arrays, attrs)
        rules = lookup(name).grad
        for at, array in enumerate(arrays):
            if array.dtype.kind != "f" or rules[names[at]] is None:
                continue
            direction = rng.uniform(-1, 1, array.shape)
            moved = [a + 1j * h * direction if i == at else a for i, a in enumerate(arrays)]
            results = evaluate(name, np, moved, attrs)
            found = sum(float((np.asarray(y).imag / h * given[f"w{i}"]).sum()) for i, y in enumerate(results) if f"w{i}" in given)
            gradient = interpret(differentiate(graph, "loss", (f"x{at}",)), np, given)[f"grad:x{at}"]
            scale = max(1.0, float(np.abs(gradient).sum()))
            assert abs(found - float((gradient * direction).sum())) <= 1e-12 * scale, f"{name} for {names[at]} with {attrs}"


@pytest.mark.parametrize("name", DERIVED)
def test_second_derivatives_exist(name: str) -> None:
    """The gradient to each input is made of rows that can be differentiated again: to each input, and to what stands behind the row."""
    for arrays, attrs in samples(name):
        graph, given, names = weighted_sum(name, arrays, attrs)
        rules = lookup(name).grad
        keys = [f"x{at}" for at, array in enumerate(arrays) if array.dtype.kind == "f" and rules[names[at]] is not None]
        others = (*keys, *(key for key in given if key.startswith("w")))
        for key in keys:
            for other, error in second_errors(graph, given, key, others).items():
                assert error <= 1e-7, f"{name} for {key}, then {other}, with {attrs}: {error:.1e}"


def second_errors(graph: Graph, given: dict[str, np.ndarray], key: str, others: tuple[str, ...]) -> dict[str, float]:
    """The error of the derivative of Σ (∂loss/∂key)² along a direction of each other input, relative to the derivative or to 1."""
    first = differentiate(graph, "loss", (key,))
    again = first.model_copy(update={"outputs": tuple(o for o in first.outputs if o.name == f"grad:{key}")})
    total = squared(again, f"grad:{key}")
    gradients = interpret(differentiate(total, "square", others), np, given)
    found = {}
    for other in others:
        direction = np.random.default_rng(17).uniform(-1, 1, given[other].shape)
        wanted = float((gradients[f"grad:{other}"] * direction).sum())
        errors = [abs(slope(total, given, other, direction, h) - wanted) for h in (1e-3, 3e-4)]
        found[other] = min(errors) / max(1.0, abs(wanted))
    return found


def slope(graph: Graph, given: dict[str, np.ndarray], key: str, direction: np.ndarray, h: float) -> float:
    """The derivative of the output `square` along a direction."""
    f = {k: float(interpret(graph, np, {**given, key: given[key] + k * h * direction})["square"]) for k in (-2, -1, 1, 2)}
    return (8 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12 * h)


def squared(graph: Graph, name: str) -> Graph:
    """The graph with one output `square`: Σ y² of its output `name`."""
    b = resume(graph)
    y = Val(b, graph.output(name))
    b.outputs = []
    b.output("square", F.sum(y * y))
    return b.build()


# ---- the documents ----------------------------------------------------------------------------------------------------------------

EXAMPLE = """dslc 1

network Example {{
  input x: [batch, 3]
  input image: [batch, 3, 8, 8]
  input i: i64[batch]
  input label: i64[batch]
  input kernel: [4, 3, 3, 3]
  input w: [batch, 3]
  input b: [3]
{body}
  output y
}}
"""


@pytest.mark.parametrize("name", [row.name for row in rows() if row.example])
def test_the_example_is_accepted(name: str) -> None:
    text = EXAMPLE.format(body="\n".join(f"  {line}" for line in lookup(name).example.splitlines()))
    _, found = check_source(Source(f"{name}.nn", text))
    wrong = [d for d in found if d.severity == "error" and not d.code.startswith("unused")]
    assert not wrong, "\n".join(f"{d.code}: {d.message}" for d in wrong)


def test_the_page_of_operators_is_fresh() -> None:
    page = Path(__file__).parents[2] / "docs" / "operators.md"
    assert page.read_text(encoding="utf-8") == document.text(), "run `make docs`"
