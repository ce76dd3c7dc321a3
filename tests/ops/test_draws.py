"""Draws of classes: their frequencies, and what a loss over drawn classes estimates."""

from __future__ import annotations

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.types import DType
from dslc.loading import check_source
from dslc.passes.differentiate import differentiate
from dslc.program import Network
from dslc.source import Source

KEY = np.array([4, 2, 0], np.int64)


def network(body: str) -> Network:
    program, found = check_source(Source("n.nn", f"dslc 1\n\nnetwork N {{\n{body}}}\n"), precision=DType.f64)
    assert program is not None, [d.message for d in found]
    return program.networks["N"]


def test_classes_come_as_often_as_softmax_says() -> None:
    net = network("  input x: [batch, 2, 4]\n  output y = categorical(x)\n")
    logits = np.log(np.array([[0.1, 0.2, 0.3, 0.4], [0.97, 0.01, 0.01, 0.01]])) + 3
    y = interpret(net.train, np, {"x": np.broadcast_to(logits, (20000, 2, 4)), "key": KEY})["y"]
    assert y.dtype == np.int64
    for row, wanted in enumerate(np.exp(logits - 3)):
        np.testing.assert_allclose(np.bincount(y[:, row], minlength=4) / len(y), wanted, atol=0.012)


def softmax_net(samples: int, frequent_first: str) -> Network:
    return network(
        "  input x: [batch, 4]\n  input label: i64[batch]\n  weight w: [30, 4] = xavier\n  weight b: [30] = zeros\n"
        f"  output loss = sampled_softmax(x, w, b, label, {samples}, frequent_first={frequent_first})\n"
    )


def values(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(16) % 30
    return {"x": rng.normal(size=(16, 4)), "label": labels, "N.w": rng.normal(size=(30, 4)), "N.b": rng.normal(size=30), "key": KEY}


@pytest.mark.parametrize("frequent_first", ["false", "true"])
def test_many_drawn_classes_give_the_whole_softmax(frequent_first: str) -> None:
    """The value and the gradients tend to those of cross-entropy over all classes, whatever the classes are drawn by."""
    net = softmax_net(200_000, frequent_first)
    given = values(1)
    wrt = ("N.w", "N.b")
    sampled = interpret(differentiate(net.train, "loss", wrt), np, given)
    whole = interpret(differentiate(net.evaluate, "loss", wrt), np, given)
    np.testing.assert_allclose(sampled["loss"], whole["loss"], rtol=0.01)
    for key in wrt:
        np.testing.assert_allclose(sampled[f"grad:{key}"], whole[f"grad:{key}"], atol=0.01)


def test_few_drawn_classes_move_few_rows() -> None:
    net = softmax_net(3, "true")
    given = {**values(2), "label": np.full(16, 7)}
    gradient = interpret(differentiate(net.train, "loss", ("N.b",)), np, given)["grad:N.b"]
    assert gradient[7] < 0
    assert 2 <= np.count_nonzero(gradient) <= 4
