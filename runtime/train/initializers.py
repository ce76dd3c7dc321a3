"""Initial values of weights and states: pure functions of (seed, address), so that no other weight and no pass can change them.

Fans: a matrix [in, out] has fan_in = in and fan_out = out; a kernel [out, in / groups, k…] has fan_in = in / groups · Πk and
fan_out = out · Πk; a vector of n has fan_in = fan_out = n. The kernels of a transposed convolution are [in, out / groups, k…],
so that there fan_in means out / groups · Πk, as in PyTorch. An embedding [count, features] is a matrix.

A unit is what makes one output: a column of a matrix, the slice of a kernel along its first axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

from dslc.diagnostics import SpecError
from dslc.ops import philox
from dslc.program import State, Weight
from dslc.vocabulary import INITIALISERS
from runtime.errors import CannotRun
from runtime.workers import single_blas

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

    def round(self, number: int) -> Draw:
        """Other numbers for the same tensor; round 0 is this one."""
        return Draw(self.key + [0, number, 0], self.stream)

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


def truncated_normal(draw: Draw, shape: Shape, mean: float, std: float, limit: float) -> Any:
    """mean + std·z, z normal with |z| ≤ limit; what lies outside is drawn again

    std is that of the whole normal distribution.
    """
    z = draw.normal((prod(shape),))
    outside = (abs(z) > limit).nonzero()[0]
    round = 0
    while outside.size:
        round += 1
        z[outside] = draw.round(round).normal(outside.shape)
        outside = outside[abs(z[outside]) > limit]
    return mean + std * z.reshape(shape)


# ---- scaled by the fans ------------------------------------------------------------------------------------------------------------


def fan_of(shape: Shape, fan: str) -> float:
    """fan_in, fan_out, or their mean."""
    inward, outward = fans(shape)
    return {"in": float(inward), "out": float(outward), "average": (inward + outward) / 2}[fan]


def of_variance(draw: Draw, shape: Shape, variance: float, uniform: bool) -> Any:
    """Uniform in ±√(3·variance), or normal."""
    if uniform:
        limit = sqrt(3.0 * variance)
        return between(draw, shape, -limit, limit)
    return draw.normal(shape) * sqrt(variance)


def xavier(draw: Draw, shape: Shape, fan: str, uniform: bool, gain: float) -> Any:
    """variance gain² / fan; uniform, so in ±gain·√(6 / (fan_in + fan_out))

    Glorot & Bengio 2010, equation 16.
    """
    return of_variance(draw, shape, gain * gain / fan_of(shape, fan), uniform)


def he(draw: Draw, shape: Shape, fan: str, uniform: bool, slope: float) -> Any:
    """variance 2 / ((1 + slope²)·fan); slope: of the leaky ReLU that follows

    He et al. 2015, equations 10, 14 and 15.
    """
    return of_variance(draw, shape, 2.0 / ((1 + slope * slope) * fan_of(shape, fan)), uniform)


def lecun(draw: Draw, shape: Shape, fan: str, uniform: bool) -> Any:
    """variance 1 / fan

    LeCun et al. 1998, Efficient BackProp, equation 16.
    """
    return of_variance(draw, shape, 1.0 / fan_of(shape, fan), uniform)


# ---- structured --------------------------------------------------------------------------------------------------------------------


def orthogonal(draw: Draw, shape: Shape, gain: float) -> Any:
    """gain·Q: the rows of the matrix [first axis, all others], or its columns where they are fewer, are orthonormal

    Saxe et al. 2014; Q of the QR factorisation of a normal matrix, with the signs that make the diagonal of R positive (so that Q is evenly
    distributed, Mezzadri 2007).
    """
    import numpy as np

    rows, columns = shape[0], prod(shape[1:])
    normal = draw.normal((max(rows, columns), min(rows, columns)))
    with single_blas():
        q, r = np.linalg.qr(normal)
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return gain * (q if rows >= columns else q.T).reshape(shape)


def bilinear(draw: Draw, shape: Shape) -> Any:
    """Π over the axes of (1 - |i - c| / f), f = ⌈k / 2⌉, c the middle of f: a channel to its own, zero between channels

    Upsampling by f, for the kernel of a transposed convolution (Long et al. 2015); where each group has one channel, all of them.
    """
    import numpy as np

    kernel = np.ones(())
    for size in shape[2:]:
        factor = (size + 1) // 2
        middle = factor - 1 if size % 2 else factor - 0.5
        kernel = np.multiply.outer(kernel, 1 - abs(np.arange(size) - middle) / factor)
    if shape[1] == 1:
        return np.broadcast_to(kernel, shape)
    found = np.zeros(shape)
    for channel in range(min(shape[:2])):
        found[channel, channel] = kernel
    return found


def sparse(draw: Draw, shape: Shape, nonzero: int, std: float) -> Any:
    """`nonzero` weights of each unit, at random places, normal with std; 0 elsewhere

    Martens 2010.
    """
    import numpy as np

    units = (shape[1], shape[0]) if len(shape) == 2 else (shape[0], prod(shape[1:]))
    rank = np.argsort(np.argsort(draw.round(1).uniform(units), axis=1, kind="stable"), axis=1, kind="stable")
    found = np.where(rank < nonzero, std * draw.normal(units), 0.0)
    return found.T if len(shape) == 2 else found.reshape(shape)


def identity(draw: Draw, shape: Shape, gain: float) -> Any:
    """gain on the diagonal of a matrix; a kernel passes on in its middle channel i of its group, i the output's number modulo their count

    Le et al. 2015; for kernels Zagoruyko & Komodakis 2017 (Dirac).
    """
    import numpy as np

    if len(shape) == 2:
        return gain * np.eye(*shape)
    found = np.zeros(shape)
    middle = tuple(size // 2 for size in shape[2:])
    for unit in range(shape[0]):
        found[(unit, unit % shape[1], *middle)] = gain
    return found


INITIALIZERS: dict[str, Callable[..., Any]] = {
    "zeros": lambda draw, shape: full(0.0, shape),
    "ones": lambda draw, shape: full(1.0, shape),
    "constant": lambda draw, shape, value: full(value, shape),
    "uniform": lambda draw, shape, low, high: between(draw, shape, low, high),
    "normal": lambda draw, shape, mean, std: mean + std * draw.normal(shape),
    "truncated_normal": truncated_normal,
    "xavier": xavier,
    "he": he,
    "lecun": lecun,
    "orthogonal": orthogonal,
    "bilinear": bilinear,
    "sparse": sparse,
    "identity": identity,
}


def initialize(item: Weight | State, seed: int) -> Any:
    """The initial array of a weight or state, keyed by the seed and its address."""
    import numpy as np

    if item.type.rank < INITIALISERS[item.init.name].rank:
        what = f"the initialiser `{item.init.name}` for {item.type}"
        raise SpecError(CannotRun(what=what, where=item.place or item.address))
    draw = Draw(np.array([seed, 0, 0], np.int64), philox.stream_of(item.address))
    made = INITIALIZERS[item.init.name](draw, item.type.sizes({}), **item.init.args)
    return np.asarray(made).astype(item.type.dtype.numpy)
