"""Every row of the table: a graph with one node, from each of its samples, exported and run by the peers."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import DType, tensor
from dslc.ops.table import Case, Unsupported, lookup, rows
from dslc.ops.value import Builder
from exporters.onnx.backends import BACKENDS, LeftOut
from exporters.onnx.check import Subject, static_checks
from exporters.onnx.export import make_subject
from exporters.onnx.lower import why_not
from exporters.onnx.lowerings import LOWERINGS
from exporters.onnx.opset import OPSETS
from exporters.onnx.parity import apart
from tests.onnx.networks import network

Arrays = dict[str, np.ndarray]
EXPORTED = [row.name for row in rows() if not why_not(row.name) and row.sample is not None]
TOLERANCE = {DType.f32: (1e-5, 1e-6), DType.f64: (1e-12, 1e-13)}  # relative, absolute


def arrays(case: Case, precision: DType) -> dict[str, np.ndarray]:
    """The case's inputs by name; its floats in the given precision."""
    values = [np.asarray(value) for value in case.inputs]
    return {f"x{at}": value.astype(precision.numpy) if value.dtype.kind == "f" else value for at, value in enumerate(values)}


def one_node(name: str, case: Case, precision: DType) -> Graph:
    """A graph `One` with one application of the row."""
    b = Builder("One")
    given = arrays(case, precision)
    inputs = [b.input("input", key, tensor(dtype_of(value), *value.shape)) for key, value in given.items()]
    for at, result in enumerate(b.many(name, inputs, **with_precision(case.attrs, precision))):
        b.output(f"y{at}", result)
    return b.build()


def dtype_of(value: np.ndarray) -> DType:
    return next(dtype for dtype in DType if dtype.numpy == value.dtype.name)


def with_precision(attrs: dict[str, Any], precision: DType) -> dict[str, Any]:
    return {key: precision if value is DType.f64 else value for key, value in attrs.items()}


@cache
def subjects(name: str, precision: DType) -> list[tuple[Subject, dict[str, np.ndarray]]]:
    sample = lookup(name).sample
    assert sample is not None
    cases = sample(np.random.default_rng(3))
    return [(make_subject(network(one_node(name, case, precision)), {})[0], arrays(case, precision)) for case in cases]


@pytest.mark.parametrize("precision", [DType.f32, DType.f64])
@pytest.mark.parametrize("name", EXPORTED)
def test_static_checks(name: str, precision: DType) -> None:
    for subject, _ in subjects(name, precision):
        static_checks(subject)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("precision", [DType.f32, DType.f64])
@pytest.mark.parametrize("name", EXPORTED)
def test_same_values(name: str, precision: DType, backend: str) -> None:
    if backend == "onnxruntime":
        pytest.importorskip("onnxruntime", reason='the comparison with onnxruntime needs: pip install "dslc[ort]"')
    for subject, inputs in subjects(name, precision):
        try:
            found = BACKENDS[backend](subject.data)(inputs)
        except LeftOut:
            assert precision is DType.f64 or backend == "onnx.reference"
            continue
        wanted = interpret(subject.definition, np, inputs)
        for at, array in enumerate(found):
            assert_same(wanted[f"y{at}"], array)


def assert_same(wanted: np.ndarray, found: np.ndarray) -> None:
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(found, wanted)
        return
    rtol, atol = TOLERANCE[dtype_of(wanted)]
    excess = apart(wanted, found) - (atol + rtol * np.abs(wanted))
    assert float(np.max(excess, initial=0)) <= 0, (wanted, found)


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: row.name)
def test_every_row_has_a_form_or_a_reason(row: Any) -> None:
    if isinstance(row.onnx, Unsupported):
        assert len(row.onnx.reason.split()) > 2
    elif row.onnx == "lower":
        assert row.name in LOWERINGS or row.eval is None
    else:
        assert onnx.defs.has(row.onnx, max_inclusive_version=OPSETS[0])


def test_every_lowering_has_a_row() -> None:
    assert {row.name for row in rows()} >= LOWERINGS.keys()
