"""Gradients of every step of the reduced specs: against fourth-order differences in float64, and against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from dslc.interpret import interpret
from tests.specs.rows import NAMES
from tests.specs.subjects import difference, direction, nearest, subjects


@pytest.mark.parametrize("name", NAMES)
def test_against_fourth_order_differences(name: str) -> None:
    """Along one direction through all weights at once, and along one for each of three weights."""
    for s in subjects(name):
        assert interpret(s.piece, np, s.arrays)["loss"] == pytest.approx(interpret(s.forward, np, s.arrays)["loss"], rel=1e-13)
        found = interpret(s.graph, np, s.arrays)
        gradients = {address: found[f"grad:{address}"] for address in s.weights}
        some = (s.weights[0], s.weights[len(s.weights) // 2], s.weights[-1])
        for group in (s.weights, *((address,) for address in some)):
            directions = {address: direction(address, gradients[address]) for address in group}
            wanted = sum(float((gradients[address] * directions[address]).sum()) for address in group)
            if group != s.weights and abs(wanted) < 1e-12:  # what the loss does not see, as the bias of a difference
                assert abs(difference(s, directions, 1e-3)) < 1e-9, f"{s.step}: {group[0]}"
                continue
            best = nearest(s, directions, wanted)
            assert best < 1e-9, f"{s.step}, {len(group)} weights from {group[0]}: {best:.2e}"


@pytest.mark.parametrize("name", NAMES)
def test_against_torch(name: str) -> None:
    pytest.importorskip("torch", reason="the comparison with PyTorch needs torch==2.13.0")
    from tests.peers import torch_graph

    for s in subjects(name):
        ours = interpret(s.graph, np, s.arrays)
        theirs, gradients = torch_graph.run(s.forward, s.arrays, wrt=s.weights)
        np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-12)
        whole = max(float(np.abs(gradient).max()) for gradient in gradients.values())
        for address in s.weights:
            # what stands before a norm cancels: its gradient is 0, up to the rounding of the others
            atol = 1e-11 * float(np.abs(gradients[address]).max()) + 1e-14 * whole
            np.testing.assert_allclose(ours[f"grad:{address}"], gradients[address], rtol=1e-9, atol=atol, err_msg=address)
