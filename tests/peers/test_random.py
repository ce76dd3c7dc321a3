"""Random graphs over all rows against PyTorch: values, and the gradients of the loss to all weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from dslc.interpret import interpret
from dslc.passes.differentiate import differentiate
from tests.passes.random_graphs import Subject, subjects

pytest.importorskip("torch", reason="the comparison with PyTorch needs torch==2.13.0")

from tests.peers import torch_graph

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@few
@given(subject=subjects())
def test_values_and_gradients(subject: Subject) -> None:
    ours = interpret(differentiate(subject.graph, "loss", subject.weights), np, subject.arrays)
    theirs, gradients = torch_graph.run(subject.graph, subject.arrays, subject.weights)
    for name, array in theirs.items():
        np.testing.assert_allclose(ours[name], array, rtol=1e-10, atol=1e-12, err_msg=name)
    for name, array in gradients.items():
        np.testing.assert_allclose(ours[f"grad:{name}"], array, rtol=1e-9, atol=1e-11, err_msg=name)
