"""Random draws: the generator of `dslc/ops/philox.py` for each element, the same bits."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from dslc.ir.types import DType
from dslc.ops.philox import MULTIPLIERS, ROUNDS, WEYL
from runtime.loops.families.geometry import fixed
from runtime.loops.lower import expression
from runtime.loops.nest import Index, Taken
from runtime.loops.tensor import Tensor
from runtime.loops.tracer import Shape

Words = tuple[Tensor, Tensor, Tensor, Tensor]
U = np.uint64
LOW, HALF = U(0xFFFFFFFF), U(32)


def mixed(value: Tensor) -> Tensor:
    """SplitMix64's finaliser."""
    value = value + U(0x9E3779B97F4A7C15)
    value = (value ^ (value >> U(30))) * U(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> U(27))) * U(0x94D049BB133111EB)
    return value ^ (value >> U(31))


def philox(counter: Words, key: tuple[Tensor, Tensor]) -> Words:
    """Ten rounds over 32-bit words in uint64."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        p0, p1 = c0 * U(MULTIPLIERS[0]), c2 * U(MULTIPLIERS[1])
        c0, c1, c2, c3 = (p1 >> HALF) ^ c1 ^ k0, p1 & LOW, (p0 >> HALF) ^ c3 ^ k1, p0 & LOW
        k0, k1 = (k0 + U(WEYL[0])) & LOW, (k1 + U(WEYL[1])) & LOW
    return c0, c1, c2, c3


def block(xp: Any, key: Tensor, stream: int, samples: Tensor, number: Tensor) -> Words:
    """The four words of a block of a sample."""
    seed, step, first = (key[at].astype("uint64") for at in range(3))
    both = mixed(mixed(seed) ^ U(stream))
    sample = samples + first
    counter = (number, sample & LOW, step & LOW, (sample >> HALF) + ((step >> HALF) & LOW))
    return philox(counter, (both & LOW, both >> HALF))


def elements(xp: Any, shape: Shape) -> tuple[Tensor, Tensor]:
    """The numbers of the samples, along axis 0, and of the elements in a sample, along the others."""
    rest = shape[1:]
    samples = xp.arange(shape[0] if shape else 1, "uint64").reshape((-1, *(1 for _ in rest)) if shape else ())
    if all(isinstance(size, int) for size in rest):
        return samples, xp.arange(prod(fixed(rest)), "uint64").reshape((1, *rest) if shape else ())
    number = xp.zeros((), "uint64")
    for axis, size in enumerate(rest, 1):
        number = number * size + xp.arange(size, "uint64").reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return samples, number


def double(high: Tensor, low: Tensor) -> Tensor:
    """A number in [0, 1) with 53 random bits."""
    bits = ((high >> U(5)) << U(26)) | (low >> U(6))
    return bits.astype("int64").astype("float64") * 2.0**-53


def unit(xp: Any, key: Tensor, stream: int, shape: Shape, dtype: str) -> Tensor:
    """Uniform in [0, 1)."""
    samples, number = elements(xp, shape)
    if dtype == "float64":
        w0, w1, w2, w3 = block(xp, key, stream, samples, number >> U(1))
        odd = (number & U(1)) == U(1)
        return double(xp.where(odd, w2, w0), xp.where(odd, w3, w1))
    w0, w1, w2, w3 = block(xp, key, stream, samples, number >> U(2))
    lane = number & U(3)
    word = xp.where(lane < U(2), xp.where(lane == U(0), w0, w1), xp.where(lane == U(2), w2, w3))
    return (word >> U(8)).astype("int32").astype(dtype) * np.dtype(dtype).type(2.0**-24)


@expression("uniform")
def uniform(xp: Any, key: Tensor, *, low: float, high: float, shape: Shape, dtype: DType, stream: int) -> Tensor:
    one = np.dtype(dtype.numpy).type
    return unit(xp, key, stream, shape, dtype.numpy) * one(high - low) + one(low)


@expression("bernoulli")
def bernoulli(xp: Any, key: Tensor, *, p: float, shape: Shape, dtype: DType, stream: int) -> Tensor:
    return (unit(xp, key, stream, shape, dtype.numpy) < p).astype(dtype.numpy)


@expression("normal")
def normal(xp: Any, key: Tensor, *, mean: float, std: float, shape: Shape, dtype: DType, stream: int) -> Tensor:
    """An element has a block of its own: two numbers of 53 bits."""
    w0, w1, w2, w3 = block(xp, key, stream, *elements(xp, shape))
    u, v = 1.0 - double(w0, w1), double(w2, w3)
    one = np.dtype(dtype.numpy).type
    return (xp.sqrt(-2.0 * xp.log(u)) * xp.cos(2.0 * np.pi * v)).astype(dtype.numpy) * one(std) + one(mean)


# ---- samples that are changed -------------------------------------------------------------------------------------------------


@expression("random_flip")
def random_flip(xp: Any, x: Tensor, key: Tensor, *, stream: int) -> Tensor:
    which = unit(xp, key, stream, x.shape[:1], "float64") < 0.5
    return xp.where(which.reshape((-1, *(1 for _ in x.shape[1:]))), x[..., ::-1], x)


def moved(xp: Any, x: Tensor, key: Tensor, pixels: int, stream: int, sign: int) -> Tensor:
    """Each sample moved along its spatial axes; 0 comes in."""
    sizes = fixed(x.shape[2:])
    drawn = xp.floor(unit(xp, key, stream, (x.shape[0], len(sizes)), "float64") * (2 * pixels + 1)).astype("int64") - pixels
    inside, sources = None, []
    for axis, size in enumerate(sizes, 2):
        by = drawn[:, axis - 2].reshape((-1, *(1 for _ in x.shape[1:])))
        source = xp.arange(size).reshape([-1 if i == axis else 1 for i in range(x.ndim)]) - by * sign
        here = (source >= 0) & (source < size)
        inside = here if inside is None else inside & here
        sources.append(xp.broadcast_to(xp.minimum(xp.maximum(source, 0), size - 1), x.shape))

    def read(index: Index) -> int:
        return x.read((*index[:2], *(Taken(source.read(index)) for source in sources)))

    return xp.where(inside, Tensor(x.tracer, x.shape, x.dtype, read), np.dtype(x.dtype).type(0))


@expression("random_shift")
def random_shift(xp: Any, x: Tensor, key: Tensor, *, pixels: int, stream: int) -> Tensor:
    return moved(xp, x, key, pixels, stream, 1)


@expression("random_shift_back")
def random_shift_back(xp: Any, x: Tensor, key: Tensor, *, pixels: int, stream: int) -> Tensor:
    return moved(xp, x, key, pixels, stream, -1)
