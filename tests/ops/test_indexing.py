"""Corners of the rows that order and index: ties, equal indices, indices that are none, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dslc.diagnostics import DataError
from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import DType, tensor
from dslc.loading import check_source
from dslc.ops.infer import bind_attrs, evaluate
from dslc.ops.table import Mismatch, infer
from dslc.ops.value import Builder, F
from dslc.passes.differentiate import differentiate
from dslc.passes.pipeline import optimize
from dslc.source import Source
from exporters.onnx.backends import onnxruntime
from exporters.onnx.export import make_subject
from tests.onnx.networks import network

TIED = np.array([[2.0, 1.0, 2.0, 1.0, 3.0]])
OF = {array.numpy: array for array in DType}


def run(name: str, *arrays: Any, **attrs: Any) -> tuple[Any, ...]:
    values = [np.asarray(array) for array in arrays]
    return evaluate(name, np, values, bind_attrs(name, attrs, [tensor(OF[v.dtype.name], *v.shape) for v in values]))


def graph(name: str, arrays: dict[str, np.ndarray], **attrs: Any) -> Graph:
    """The results y0, …, and the sum of the first as `loss`."""
    b = Builder("One")
    results = b.many(name, [b.input("input", key, tensor(OF[v.dtype.name], *v.shape)) for key, v in arrays.items()], **attrs)
    for at, y in enumerate(results):
        b.output(f"y{at}", y)
    if results[0].type.dtype.is_float:
        b.output("loss", F.sum(results[0]))
    return b.build()


@pytest.mark.parametrize(("descending", "wanted"), [(False, [1, 3, 0, 2, 4]), (True, [4, 0, 2, 1, 3])])
def test_of_equal_values_the_lower_index_comes_first(descending: bool, wanted: list[int]) -> None:
    values, index = run("sort", TIED, descending=descending)
    assert index.tolist() == [wanted]
    assert values.tolist() == TIED[:, wanted].tolist()
    assert run("argsort", TIED, descending=descending)[0].tolist() == [wanted]
    assert run("top_k", TIED, k=3, largest=descending)[1].tolist() == [wanted[:3]]


@pytest.mark.parametrize("name", ["sort", "argsort", "top_k"])
def test_ties_are_the_same_in_onnxruntime(name: str) -> None:
    arrays = {"x": TIED.astype(np.float32)}
    one = graph(name, arrays, **({"k": 4} if name == "top_k" else {"descending": True}))
    subject = make_subject(network(one), {})[0]
    wanted = interpret(one, np, arrays)
    for output, array in zip(one.outputs, onnxruntime(subject.data)(arrays), strict=True):
        np.testing.assert_array_equal(array, wanted[output.name])


def test_small_and_unsigned_integers_are_ordered_from_above() -> None:
    assert run("sort", np.array([0, 255, 7], np.uint8), descending=True)[0].tolist() == [255, 7, 0]
    low = np.iinfo(np.int64).min
    assert run("top_k", np.array([low, 5, -1]), k=2)[0].tolist() == [5, -1]


def test_of_equal_indices_the_last_update_stays_and_has_the_gradient() -> None:
    arrays = {"x": np.zeros((1, 3)), "index": np.array([[1, 1, 0]]), "updates": np.array([[5.0, 6.0, 7.0]])}
    found = interpret(differentiate(graph("scatter", arrays), "loss", ("x", "updates")), np, arrays)
    assert found["y0"].tolist() == [[7, 6, 0]]
    assert found["grad:updates"].tolist() == [[0, 1, 1]]
    assert found["grad:x"].tolist() == [[0, 0, 1]]


@pytest.mark.parametrize(
    ("updates", "wanted"), [([0.0, 3.0], [6.0, 0.0]), ([0.0, 0.0], [0.0, 0.0]), ([4.0, 3.0], [6.0, 8.0])], ids=["one", "two", "none"]
)
def test_a_product_with_zeros_has_a_gradient(updates: list[float], wanted: list[float]) -> None:
    arrays = {"x": np.array([2.0, 1.0]), "index": np.array([0, 0]), "updates": np.array(updates)}
    found = interpret(differentiate(graph("scatter", arrays, reduction="mul"), "loss", ("updates",)), np, arrays)
    assert found["grad:updates"].tolist() == wanted


def test_equal_extremes_share_the_gradient() -> None:
    arrays = {"x": np.array([2.0, 1.0]), "index": np.array([0, 0, 1]), "updates": np.array([2.0, 2.0, 0.5])}
    found = interpret(differentiate(graph("scatter", arrays, reduction="max"), "loss", ("x", "updates")), np, arrays)
    np.testing.assert_allclose(found["grad:x"], [1 / 3, 1.0])
    np.testing.assert_allclose(found["grad:updates"], [1 / 3, 1 / 3, 0.0])


@pytest.mark.parametrize("wrong", [-1, 3])
@pytest.mark.parametrize("name", ["take_along_axis", "scatter", "one_hot"])
def test_an_index_that_is_no_place_is_an_error_of_the_data(name: str, wrong: int) -> None:
    arrays = {"x": np.ones(3), "index": np.array([0, wrong]), "updates": np.ones(2)}
    needed = {"take_along_axis": ("x", "index"), "scatter": ("x", "index", "updates"), "one_hot": ("index",)}[name]
    given = {key: arrays[key] for key in needed}
    one = graph(name, given, **({"classes": 3} if name == "one_hot" else {}))
    with pytest.raises(DataError, match=f"an index of `{name}` is {wrong}, and there are 3 places"):
        interpret(one, np, given)


@pytest.mark.parametrize(
    ("name", "shapes", "attrs", "said"),
    [
        ("top_k", [(2, 3)], {"k": 4}, "`k` is from 1 to the size of axis -1, 3"),
        ("top_k", [(2, 3)], {"k": 0}, "`k` is from 1"),
        ("sort", [(2, 3)], {"axis": 2}, "there is no axis 2"),
        ("take_along_axis", [(2, 3), (3, 1)], {}, "`index` has the shape of `x` in all axes but -1"),
        ("scatter", [(2, 3), (2, 1), (2, 2)], {}, "axis 1 of `updates` is 2, `scatter` needs 1 (as `index` has)"),
        ("scatter", [(2, 3), (2, 1), (2, 1)], {"reduction": "sum"}, "`reduction` is one of"),
        ("one_hot", [(2,)], {"classes": 0}, "`classes` is at least 1"),
        ("einsum", [(2, 3), (4, 5)], {"equation": "ij,jk->ik"}, "`j` of `ij,jk->ik` is 3 in tensor 1 and 4 in tensor 2"),
        ("einsum", [(2, 3)], {"equation": "ii->i"}, "`i` of `ii->i` is 2 in tensor 1 and 3 in tensor 1"),
        ("einsum", [(2, 3)], {"equation": "ij"}, "one term for each of 1 tensors"),
        ("einsum", [(2, 3)], {"equation": "ijk->i"}, "the term `ijk` names 3 axes, and tensor 1 has 2"),
        ("einsum", [(2, 3)], {"equation": "ij->ik"}, "`k` of the result is in no tensor"),
        ("einsum", [(2, 3)], {"equation": "ij->ii"}, "`i` is twice in the result"),
        ("einsum", [(2, 3)], {"equation": "i1->i"}, "`1` is no letter"),
        ("einsum", [(2, 3)], {"equation": "....->..."}, "is no letter"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, shapes: list[tuple[int, ...]], attrs: dict[str, Any], said: str) -> None:
    integer = {"take_along_axis": 1, "scatter": 1, "one_hot": 0}.get(name)
    types = [tensor("i64" if at == integer else "f32", *shape) for at, shape in enumerate(shapes)]
    with pytest.raises(Mismatch) as found:
        infer(name, types, bind_attrs(name, attrs, types))
    assert said in found.value.reason


@pytest.mark.parametrize("body", ["take_along_axis(x, tensor([[0, 1, 7]], dtype=i64))", "x + one_hot(tensor([5], dtype=i64), 3)"])
def test_a_constant_index_that_is_no_place_is_an_error_where_it_is_run(body: str) -> None:
    text = f"dslc 1\nnetwork N {{\n  x = tensor([[1.0, 2.0, 3.0]])\n  output y = {body}\n}}\n"
    program, found = check_source(Source("n.nn", text))
    assert program is not None, [d.message for d in found]
    with pytest.raises(DataError, match=r"n\.nn:4.*there are 3 places"):
        interpret(optimize(program.networks["N"].evaluate), np, {})
