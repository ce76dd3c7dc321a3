"""Every row that computes in float16, in the oldest opset and the default one: both peers run it, cast around where they have no kernel."""

from __future__ import annotations

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.types import DType
from dslc.ops.table import Case, lookup, rows
from exporters.onnx.backends import BACKENDS, LeftOut
from exporters.onnx.check import static_checks
from exporters.onnx.export import make_subject
from exporters.onnx.half import HALF, UNIT
from exporters.onnx.lower import why_not
from tests.onnx.networks import network
from tests.onnx.test_rows import arrays, one_node

NAMES = [row.name for row in rows() if row.sample is not None and not why_not(row.name) and row.name in HALF]
ROUNDINGS = 8  # of the inputs, the weights, the result, and inside of a formula


def test_what_is_listed_is_a_row() -> None:
    assert {row.name for row in rows()} >= HALF


@pytest.mark.parametrize("name", NAMES)
def test_row(name: str) -> None:
    sample = lookup(name).sample
    assert sample is not None
    for case in sample(np.random.default_rng(3)):
        for opset in (13, 21):
            compare(name, case, opset)


def compare(name: str, case: Case, opset: int) -> None:
    subject = make_subject(network(one_node(name, case, DType.f32)), {}, opset=opset, half=True)[0]
    static_checks(subject)
    inputs = arrays(case, DType.f32)
    wanted = interpret(subject.definition, np, inputs)
    for backend, make in BACKENDS.items():
        try:
            found = make(subject.data)(inputs)
        except LeftOut:
            continue
        for ours, theirs in zip(wanted.values(), found, strict=True):
            assert_near(np.asarray(ours), theirs, f"{backend} at opset {opset}")


def assert_near(ours: np.ndarray, theirs: np.ndarray, where: str) -> None:
    """Within a few roundings of the largest value; integers and what is not finite are equal."""
    assert (theirs.dtype, theirs.shape) == (ours.dtype, ours.shape)
    if ours.dtype.kind != "f":
        np.testing.assert_array_equal(theirs, ours, err_msg=where)
        return
    finite = np.isfinite(ours)
    np.testing.assert_array_equal(theirs[~finite], ours[~finite], err_msg=where)
    largest = float(np.abs(ours[finite]).max(initial=0))
    np.testing.assert_allclose(theirs[finite], ours[finite], rtol=0, atol=ROUNDINGS * UNIT * largest + 1e-6, err_msg=where)
