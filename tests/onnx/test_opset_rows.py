"""The rows at every opset where the form of one of them changes, run by onnxruntime, or by `onnx.reference` where it stops earlier."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.types import DType
from dslc.ops.table import Case, lookup, rows
from exporters.onnx.backends import LeftOut, onnxruntime, reference
from exporters.onnx.export import make_subject
from exporters.onnx.lower import why_not
from tests.onnx.networks import network
from tests.onnx.test_rows import arrays, assert_same, one_node

CUTS = (13, 14, 15, 17, 18, 20, 21, 22, 23, 24, 28)
KINDS = ("elementwise", "reduce", "movement", "linalg", "constant")
NAMES = [row.name for row in rows() if row.kind in KINDS and row.sample is not None and not why_not(row.name)]
NEWEST = 23  # of the opsets here the last that onnxruntime has every kernel for


@cache
def cases(name: str) -> list[Case]:
    sample = lookup(name).sample
    assert sample is not None
    return sample(np.random.default_rng(3))


def run(data: bytes, opset: int, inputs: Any) -> list[np.ndarray]:
    """What onnxruntime computes, else what `onnx.reference` does."""
    if opset <= NEWEST:
        try:
            return onnxruntime(data)(inputs)
        except LeftOut:
            pass
    return reference(data)(inputs)


@pytest.mark.parametrize("opset", CUTS)
@pytest.mark.parametrize("name", NAMES)
def test_the_same_values_at_every_opset(name: str, opset: int) -> None:
    for case in cases(name)[:: 1 if opset in (13, 28) else 3]:
        subject = make_subject(network(one_node(name, case, DType.f32)), {}, opset=opset)[0]
        inputs = arrays(case, DType.f32)
        wanted = interpret(subject.definition, np, inputs)
        for at, array in enumerate(run(subject.data, opset, inputs)):
            assert_same(wanted[f"y{at}"], array)
