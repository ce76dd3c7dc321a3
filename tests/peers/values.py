"""Values for weights, states and inputs by their names: the same in every run, and of a size that networks can live with."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np

from dslc.ir.types import TensorType
from dslc.ops.philox import stream_of, uniform
from dslc.program import State, Weight


def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform numbers in [0, 1), a different stream for each name."""
    return np.asarray(uniform(np, np.array([7, 0, 0], np.int64), stream_of(name), shape, "float64"))


def weight(name: str, type: TensorType) -> np.ndarray:
    """Kernels of about unit gain, vectors around 0, factors and variances around 1."""
    values = draw(name, type.sizes({}))
    if name.endswith((".gamma", ".var")):
        values = 0.5 + values
    elif values.ndim < 2:
        values = 0.2 * values - 0.1
    else:
        fan_in = values.shape[0] if values.ndim == 2 else prod(values.shape[1:])
        values = (2 * values - 1) * (6 / fan_in) ** 0.5
    return values.astype(type.dtype.numpy)


def weights(items: Iterable[Weight | State]) -> dict[str, np.ndarray]:
    return {item.address: weight(item.address, item.type) for item in items}
