"""Initial values of weights and states: pure functions of (seed, address), so that no other weight and no pass can change them.

Fans: a matrix [in, out] has fan_in = in and fan_out = out; a kernel [out, in / groups, k…] has fan_in = in / groups · Πk and
fan_out = out · Πk; a vector of n has fan_in = fan_out = n.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

from dslc.diagnostics import SpecError
from dslc.ops import philox
from dslc.program import State, Weight
from runtime.errors import CannotRun

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Draw:
    """Random numbers of one tensor, float64."""

    key: Any
    stream: int

    def uniform(self, shape: Shape) -> Any:
        """In [0, 1)."""
        return self.draw(philox.uniform, shape)

    def normal(self, shape: Shape) -> Any:
        """Of mean 0 and standard deviation 1."""
        return self.draw(philox.normal, shape)

    def draw(self, generator: Callable[..., Any], shape: Shape) -> Any:
        import numpy as np

        return generator(np, self.key, self.stream, (1, prod(shape)), "float64").reshape(shape)  # one sample of many elements


def fans(shape: Shape) -> tuple[int, int]:
    """(fan_in, fan_out)."""
    if len(shape) < 2:
        size = prod(shape)
        return size, size
    if len(shape) == 2:
        return shape[0], shape[1]
    return prod(shape[1:]), shape[0] * prod(shape[2:])


def full(value: float, shape: Shape) -> Any:
    import numpy as np

    return np.full(shape, value)


def between(draw: Draw, shape: Shape, low: float, high: float) -> Any:
    return low + (high - low) * draw.uniform(shape)


def xavier(draw: Draw, shape: Shape) -> Any:
    """Uniform within ±√(6 / (fan_in + fan_out)) (Glorot & Bengio 2010)."""
    limit = sqrt(6.0 / sum(fans(shape)))
    return between(draw, shape, -limit, limit)


def he(draw: Draw, shape: Shape) -> Any:
    """Normal with std √(2 / fan_in) (He et al. 2015)."""
    return draw.normal(shape) * sqrt(2.0 / fans(shape)[0])


INITIALIZERS: dict[str, Callable[..., Any]] = {
    "zeros": lambda draw, shape: full(0.0, shape),
    "ones": lambda draw, shape: full(1.0, shape),
    "constant": lambda draw, shape, value: full(value, shape),
    "uniform": lambda draw, shape, low, high: between(draw, shape, low, high),
    "normal": lambda draw, shape, mean, std: mean + std * draw.normal(shape),
    "xavier": xavier,
    "he": he,
}


def initialize(item: Weight | State, seed: int) -> Any:
    """The initial array of a weight or state, keyed by the seed and its address."""
    import numpy as np

    if item.init.name not in INITIALIZERS:
        raise SpecError(CannotRun(what=f"the initialiser `{item.init.name}`", where=item.place or item.address))
    draw = Draw(np.array([seed, 0, 0], np.int64), philox.stream_of(item.address))
    made = INITIALIZERS[item.init.name](draw, item.type.sizes({}), **item.init.args)
    return np.asarray(made).astype(item.type.dtype.numpy)
