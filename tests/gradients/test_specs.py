"""Gradients of every shipped spec: against fourth-order differences in float64, and against PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import DType
from dslc.load import load_program
from dslc.ops.philox import stream_of, uniform
from dslc.passes.differentiate import differentiate
from dslc.program import Training
from runtime.train.initializers import initialize

TRAINED = ("xor", "softmax", "mlp", "lenet", "resnet20", "vgg8")
STEPS = (1e-4, 1e-5, 1e-6, 3e-7)


def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform numbers in [0, 1), a different stream for each name."""
    return np.asarray(uniform(np, np.array([7, 0, 0], np.int64), stream_of(name), shape, np.dtype("float64")))


@cache
def subject(name: str) -> tuple[Training, Graph, Mapping[str, np.ndarray]]:
    """The training, its differentiated graph in float64 and one small batch with fresh weights."""
    program, _ = load_program(name, precision=DType.f64)
    (training,) = program.trainings.values()
    (step,) = training.steps
    graph = differentiate(step.graph, "loss", step.trains)
    arrays: dict[str, np.ndarray] = {"key": np.array([1, 0, 0], np.int64)}
    arrays |= {item.address: initialize(item, 1) for item in (*training.weights, *training.states)}
    for item in graph.inputs:
        if item.kind == "data":
            type = graph.types[item.id]
            values = draw(item.name, type.sizes({"batch": 2}))
            # Labels and images come as u8: labels below 10, pixels 0..255.
            top = 10 if type.rank == 1 and not type.dtype.is_float else 256 if type.dtype is DType.u8 else 1
            arrays[item.name] = np.floor(values * top).astype(type.dtype.numpy) if top > 1 else np.round(values).astype(type.dtype.numpy)
    return training, graph, arrays


def forward_only(graph: Graph) -> Graph:
    """The graph without its gradients."""
    from dslc.passes.drop_dead import drop_dead

    return drop_dead(graph.model_copy(update={"outputs": tuple(o for o in graph.outputs if o.name == "loss"), "updates": ()}))


@pytest.mark.parametrize("name", TRAINED)
def test_against_fourth_order_differences(name: str) -> None:
    training, graph, arrays = subject(name)
    gradients = interpret(graph, np, arrays)
    forward = forward_only(graph)
    weights = [weight.address for weight in training.weights]
    for weight in (weights[0], weights[len(weights) // 2], weights[-1]):
        gradient = gradients[f"grad:{weight}"]
        noise = draw(f"direction {weight}", gradient.shape) - 0.5
        direction = gradient / np.linalg.norm(gradient) + noise / np.linalg.norm(noise)
        wanted = float((gradient * direction).sum())
        best = min(abs(difference(forward, arrays, weight, direction, h) - wanted) / abs(wanted) for h in STEPS)
        assert best < 1e-9, f"{weight}: {best:.2e}"


def difference(graph: Graph, arrays: Mapping[str, np.ndarray], weight: str, direction: np.ndarray, h: float) -> float:
    """f'(0) = (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h + O(h⁴) along a direction."""
    f = {k: interpret(graph, np, {**arrays, weight: arrays[weight] + k * h * direction})["loss"] for k in (-2, -1, 1, 2)}
    return float((8 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12 * h))


@pytest.mark.parametrize("name", TRAINED)
def test_against_torch(name: str) -> None:
    pytest.importorskip("torch", reason="the comparison with PyTorch needs torch==2.13.0")
    from tests.peers import torch_graph

    training, graph, arrays = subject(name)
    ours = interpret(graph, np, arrays)
    weights = tuple(weight.address for weight in training.weights)
    theirs, gradients = torch_graph.run(forward_only(graph), arrays, wrt=weights)
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-12)
    for weight in weights:
        scale = float(np.abs(gradients[weight]).max())
        np.testing.assert_allclose(ours[f"grad:{weight}"], gradients[weight], rtol=1e-9, atol=1e-12 * max(scale, 1e-6))
