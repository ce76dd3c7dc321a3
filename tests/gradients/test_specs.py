"""Gradients of the small specs at their own size: against fourth-order differences in float64, and against PyTorch.

The differences are taken of the smooth piece on which the weights lie (`tests/peers/piece.py`). The large specs stand in `tests/specs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import DType, TensorType, tensor
from dslc.loading import load_program, specs_folder
from dslc.ops.value import F, Val
from dslc.passes.differentiate import differentiate
from dslc.passes.drop_dead import drop_dead
from dslc.passes.rewrite import resume
from dslc.program import Network
from tests.peers.piece import Piece
from tests.peers.values import draw, weight
from tests.specs.rows import NAMES

TRAINED = ("xor", "softmax", "mlp", "lenet", "maml")
NETWORKS = ("resnet20", "vgg8")  # without a `train`: the tests put a loss behind them
WITHOUT_WEIGHTS = ("gates",)
WITH_STEPS = ("gradient_penalty",)  # tests/train/test_gradients.py
STEPS = (1e-4, 1e-3, 1e-5)
BATCH = 2
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Subject:
    """A loss over weights: `forward` gives the output `loss`, `graph` also the gradients, `piece` the loss without kinks."""

    forward: Graph
    graph: Graph
    piece: Graph
    weights: tuple[str, ...]
    arrays: Arrays


def test_no_spec_is_left_out() -> None:
    shipped = {path.stem for path in Path(specs_folder()).glob("*.nn")}
    assert shipped == {*TRAINED, *NETWORKS, *WITHOUT_WEIGHTS, *WITH_STEPS, *NAMES}


@cache
def subject(name: str) -> Subject:
    """The spec's loss in double precision with one batch of two and fresh weights."""
    program, _ = load_program(name, precision=DType.f64)
    if name in NETWORKS:
        (net,) = program.networks.values()
        loss = with_loss(net)
        weights = tuple(weight.address for weight in net.weights)
    else:
        ((step,),) = (training.steps for training in program.trainings.values())
        loss, weights = step.graph, step.trains
    forward = drop_dead(loss.model_copy(update={"outputs": tuple(o for o in loss.outputs if o.name == "loss"), "updates": ()}))
    given = arrays(forward)
    piece = Piece(forward, given)
    return Subject(forward, differentiate(forward, "loss", weights), piece.graph, weights, {**given, **piece.held})


def with_loss(net: Network) -> Graph:
    """The cross-entropy of the network's logits in the training phase with labels of the batch."""
    b = resume(net.train)
    label = b.input("data", "data.label", tensor("i64", "batch"))
    logits = Val(b, net.train.output("logits"))
    b.outputs = []
    b.output("loss", F.cross_entropy(logits, label))
    return b.build()


# ---- values -----------------------------------------------------------------------------------------------------------------


def arrays(graph: Graph) -> dict[str, np.ndarray]:
    found = {"key": np.array([1, 0, 0], np.int64)}
    for item in graph.inputs:
        if item.kind != "key":
            type = graph.types[item.id]
            values = weight(item.name, type) if item.kind in ("weight", "state") else data(item.name, type)
            found[item.name] = values.astype(type.dtype.numpy)
    return found


def data(name: str, type: TensorType) -> np.ndarray:
    """Labels below 10, pixels 0..255 where they are bytes, uniform numbers otherwise; the targets of `xor` are 0 or 1."""
    values = draw(name, type.sizes({"batch": BATCH}))
    if type.dtype is DType.u8 and type.rank > 1:
        return np.floor(values * 256)
    if type.dtype.is_int:
        return np.floor(values * 10)
    return np.round(values) if type.rank == 1 else values


# ---- tests ------------------------------------------------------------------------------------------------------------------


def test_gates_have_exact_tables_and_no_weights() -> None:
    program, _ = load_program("gates", precision=DType.f64)
    (net,) = program.networks.values()
    assert net.weights == ()
    found = interpret(net.evaluate, np, {"x": np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64)})
    tables = {name: values.ravel().tolist() for name, values in found.items()}
    assert tables == {"AND": [0, 0, 0, 1], "NAND": [1, 1, 1, 0], "OR": [0, 1, 1, 1], "XOR": [0, 1, 1, 0]}


@pytest.mark.parametrize("name", TRAINED + NETWORKS)
def test_the_piece_is_the_network_at_the_point(name: str) -> None:
    s = subject(name)
    assert interpret(s.piece, np, s.arrays)["loss"] == interpret(s.forward, np, s.arrays)["loss"]


@pytest.mark.parametrize("name", TRAINED + NETWORKS)
def test_against_fourth_order_differences(name: str) -> None:
    """Along one direction through all weights at once, and along one for each of some weights (of all in the small specs)."""
    s = subject(name)
    found = interpret(s.graph, np, s.arrays)
    gradients = {address: found[f"grad:{address}"] for address in s.weights}
    some = s.weights if len(s.weights) <= 8 else (s.weights[0], s.weights[len(s.weights) // 2], s.weights[-1])
    for group in (s.weights, *((address,) for address in some)):
        directions = {address: direction(address, gradients[address]) for address in group}
        wanted = sum(float((gradients[address] * directions[address]).sum()) for address in group)
        best = nearest(s, directions, wanted)
        assert best < 1e-9, f"{', '.join(group)}: {best:.2e}"


def direction(address: str, gradient: np.ndarray) -> np.ndarray:
    """The gradient's own direction plus noise of half its length: the derivative along it is not small."""
    noise = draw(f"direction {address}", gradient.shape) - 0.5
    return np.asarray(gradient / np.linalg.norm(gradient) + 0.5 * noise / np.linalg.norm(noise))


def nearest(s: Subject, directions: Arrays, wanted: float) -> float:
    """The smallest relative error over some steps: large ones see the fifth derivative, small ones lose digits."""
    best = np.inf
    for h in STEPS:
        best = min(best, abs(difference(s, directions, h) - wanted) / abs(wanted))
        if best < 1e-9:
            break
    return float(best)


def difference(s: Subject, directions: Arrays, h: float) -> float:
    """f'(0) = (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h + O(h⁴) along a direction."""

    def f(k: int) -> float:
        moved = {address: s.arrays[address] + k * h * d for address, d in directions.items()}
        return float(interpret(s.piece, np, {**s.arrays, **moved})["loss"])

    return (8 * (f(1) - f(-1)) - (f(2) - f(-2))) / (12 * h)


@pytest.mark.parametrize("name", TRAINED + NETWORKS)
def test_against_torch(name: str) -> None:
    pytest.importorskip("torch", reason="the comparison with PyTorch needs torch==2.13.0")
    from tests.peers import torch_graph

    s = subject(name)
    ours = interpret(s.graph, np, s.arrays)
    theirs, gradients = torch_graph.run(s.forward, s.arrays, wrt=s.weights)
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-12)
    for address in s.weights:
        scale = float(np.abs(gradients[address]).max())
        np.testing.assert_allclose(ours[f"grad:{address}"], gradients[address], rtol=1e-9, atol=1e-11 * scale, err_msg=address)
