"""The order of samples: pure functions of (seed, epoch) by the project's own counter-based generator.

NumPy's streams may change between versions, so none is used: sample `i` gets the 53-bit number `u(seed, epoch, i)`, and the order
sorts them.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from dslc.ops.philox import stream_of, uniform

EPOCHS, SPLITS = "data.order", "data.split"  # names of the two streams


def permutation(count: int, seed: int, epoch: int, purpose: str = EPOCHS) -> np.ndarray:
    """A permutation of `0 … count - 1` as i64[count]; the same for the same arguments, on every machine."""
    key = np.array([seed, epoch, 0], np.int64)
    numbers = uniform(np, key, stream_of(purpose), (count,), "float64")
    return np.argsort(numbers, kind="stable")


def batches(count: int, size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """The sample numbers of each batch of an epoch; the last batch may be smaller."""
    order = permutation(count, seed, epoch)
    return [order[start : start + size] for start in range(0, count, size)]


def choose(count: int, parts: tuple[int, ...], seed: int) -> tuple[np.ndarray, ...]:
    """`count` samples dealt out into `parts` sizes by seed; each part keeps the original order."""
    order = permutation(count, seed, 0, SPLITS)
    edges = np.cumsum((0, *parts))
    return tuple(np.sort(order[a:b]) for a, b in pairwise(edges))
