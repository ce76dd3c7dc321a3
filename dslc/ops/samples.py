"""Sample inputs for the generated tests. numpy is imported when a sample is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dslc.ops.table import Case

Sampler = Callable[[Any], list[Case]]
SHAPES = ((3,), (1,), (2, 3), (5, 1, 2))
PAIRS = (((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1, 3), (2, 5, 1)), ((), (4,)), ((1,), (1,)), ((3, 1), (2, 3, 2)))


def away(rng: Any, shape: tuple[int, ...], low: float, high: float, kinks: tuple[float, ...] = ()) -> Any:
    """Uniform values that keep a distance of 0.05 from every kink."""
    import numpy as np

    x = rng.uniform(low, high, shape)
    for kink in kinks:
        x = np.where(np.abs(x - kink) < 0.05, kink + 0.1, x)
    return np.asarray(x)


def unary(low: float = -3, high: float = 3, kinks: tuple[float, ...] = (), **attrs: Any) -> Sampler:
    return lambda rng: [Case((away(rng, shape, low, high, kinks),), dict(attrs)) for shape in SHAPES]


def binary(low: float = -3, high: float = 3, low2: float | None = None, high2: float | None = None, apart: bool = False) -> Sampler:
    """Pairs of broadcasting shapes; `apart`: the two differ by at least 0.1 everywhere."""

    def draw(rng: Any) -> list[Case]:
        cases = []
        for left, right in PAIRS:
            a = away(rng, left, low, high)
            b = away(rng, right, low if low2 is None else low2, high if high2 is None else high2)
            cases.append(Case((a, b + 10 * (rng.integers(0, 2, right) - 0.5) * 2 if apart else b)))
        return cases

    return draw


def ints(low: int, high: int) -> Sampler:
    def draw(rng: Any) -> list[Case]:
        return [Case((rng.integers(low, high, left), rng.integers(max(low, 1), high, right))) for left, right in PAIRS]

    return draw


def booleans(count: int) -> Sampler:
    return lambda rng: [Case(tuple(rng.integers(0, 2, shape).astype(bool) for _ in range(count))) for shape in SHAPES]
