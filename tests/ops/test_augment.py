"""Mirroring and moving: every sample is one of the allowed changes of itself, by its number alone; the gradient goes back the same way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import DType, tensor
from dslc.loading import check_source
from dslc.ops.infer import evaluate
from dslc.ops.table import Mismatch, infer
from dslc.source import Source

PICTURES = np.random.default_rng(2).integers(1, 255, (400, 2, 5, 4), np.uint8)


def change(name: str, x: np.ndarray, first: int = 0, **attrs: Any) -> np.ndarray:
    return np.asarray(evaluate(name, np, [x, np.array([7, 3, first], np.int64)], {**attrs, "stream": 5})[0])


def test_a_flip_mirrors_half_of_the_samples() -> None:
    y = change("random_flip", PICTURES)
    assert y.dtype == np.uint8
    same = (y == PICTURES).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(y[~same], PICTURES[~same][..., ::-1])
    assert 0.4 < same.mean() < 0.6


def shifted(x: np.ndarray, down: int, right: int) -> np.ndarray:
    """By the definition, one place after the other."""
    y = np.zeros_like(x)
    height, width = x.shape[1:]
    for i in range(height):
        for j in range(width):
            if 0 <= i - down < height and 0 <= j - right < width:
                y[:, i, j] = x[:, i - down, j - right]
    return y


@pytest.mark.parametrize("pixels", [0, 1, 2])
def test_a_shift_moves_each_axis_by_each_amount(pixels: int) -> None:
    y = change("random_shift", PICTURES, pixels=pixels)
    places = [(down, right) for down in range(-pixels, pixels + 1) for right in range(-pixels, pixels + 1)]
    counts = dict.fromkeys(places, 0)
    for before, after in zip(PICTURES, y, strict=True):
        (found,) = (place for place in places if np.array_equal(shifted(before, *place), after))
        counts[found] += 1
    assert min(counts.values()) > 0.25 * len(PICTURES) / len(places)


def test_a_shift_beyond_the_picture_leaves_nothing() -> None:
    y = change("random_shift", PICTURES, pixels=1000)
    assert (y == 0).all(axis=(1, 2, 3)).mean() > 0.9


@pytest.mark.parametrize(("name", "attrs"), [("random_flip", {}), ("random_shift", {"pixels": 2})])
def test_the_batch_changes_nothing(name: str, attrs: dict[str, int]) -> None:
    whole = change(name, PICTURES, **attrs)
    parts = [change(name, PICTURES[at : at + 80], first=at, **attrs) for at in range(0, 400, 80)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_what_a_shift_refuses() -> None:
    for type, pixels, argument in ((tensor("f32", 2, 3), 1, "x"), (tensor("f32", 2, 3, 4), -1, "pixels")):
        with pytest.raises(Mismatch) as caught:
            infer("random_shift", [type, tensor("i64", 3)], {"pixels": pixels, "stream": 0})
        assert caught.value.argument == argument


def graphs(body: str) -> tuple[Graph, Graph]:
    text = f"dslc 1\n\nnetwork N {{\n  input x: u8[batch, 1, height, width]\n  output y = x -> {body}\n}}\n"
    program, found = check_source(Source("n.nn", text))
    assert program is not None and not found, [d.message for d in found]
    return program.networks["N"].train, program.networks["N"].evaluate


def test_the_layers_change_training_only() -> None:
    train, evaluate_graph = graphs("random_flip -> random_shift(1) -> divide(255)")
    given = {"x": PICTURES[:, :1], "key": np.array([0, 1, 0], np.int64)}
    y = interpret(train, np, given)["y"]
    assert y.dtype == DType.f32.numpy
    assert (y != PICTURES[:, :1] / np.float32(255)).any()
    np.testing.assert_array_equal(interpret(evaluate_graph, np, given)["y"], PICTURES[:, :1] / np.float32(255))
