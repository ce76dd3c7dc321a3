"""Masked softmax at every opset where a form changes: rows with nothing unmasked, and values that are no numbers where it is masked."""

from __future__ import annotations

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import DType, tensor
from dslc.ops.value import Builder, F
from dslc.passes.pipeline import optimize
from exporters.onnx.backends import BACKENDS, LeftOut
from exporters.onnx.export import make_subject
from runtime.device import get_device
from runtime.executor import Executor
from tests.onnx.networks import network
from tests.onnx.test_opsets import CUTS

NAN, INF = np.nan, np.inf
X = [[1, NAN, 2, INF], [NAN, -INF, INF, 1], [-INF, 3, 4, 5], [1e30, -1e30, 3e38, -3e38]]
MASK = [[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 1]]
ONE = 1 / (1 + np.e)
WANTED = [[ONE, 0, 1 - ONE, 0], [0, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]]


def graph(axis: int) -> Graph:
    b = Builder("One")
    shape = ("n", 4) if axis else (4, "n")
    x, mask = b.input("input", "x", tensor(DType.f32, *shape)), b.input("input", "mask", tensor(DType.bool, *shape))
    b.output("y", F.softmax(x, mask, optional=("mask",), axis=axis))
    return b.build()


def arrays(axis: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    x, mask, wanted = np.array(X, np.float32), np.array(MASK, bool), np.array(WANTED, np.float32)
    return ({"x": x, "mask": mask}, wanted) if axis else ({"x": x.T.copy(), "mask": mask.T.copy()}, wanted.T)


@pytest.mark.parametrize("axis", [0, 1])
def test_interpreter_and_kernel(axis: int) -> None:
    given, wanted = arrays(axis)
    np.testing.assert_allclose(interpret(graph(axis), np, given)["y"], wanted, rtol=1e-6)
    executor = Executor(optimize(graph(axis)), get_device("numpy"), {"n": 4})
    np.testing.assert_allclose(executor.run(given)["y"], wanted, rtol=1e-6)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("opset", CUTS)
def test_the_exported_model(opset: int, axis: int) -> None:
    given, wanted = arrays(axis)
    data = make_subject(network(graph(axis)), {}, opset=opset)[0].data
    judged = 0
    for run in BACKENDS.values():
        try:
            (found,) = run(data)(given)
        except LeftOut:
            continue
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
        judged += 1
    assert judged
