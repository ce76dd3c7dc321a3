"""Random draws without temporaries: Philox-4x32-10 as in `dslc.ops.philox`, a block of samples at a time in scratch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from dslc.ops.philox import LOW, MULTIPLIERS, ROUNDS, WEYL, mixed
from runtime.kernels.numpy.generated import split_rows
from runtime.kernels.registry import Call, Registry, Signature, Split, Step

Array = Any
BLOCK = 4096  # words of each of the four streams in one block
U64 = "uint64"
MASK, HALF = np.uint64(LOW), np.uint64(32)
FIRST, SECOND = (np.uint64(word) for word in MULTIPLIERS)


class Keys:
    """What a draw reads from the key input, as rank-0 arrays that stay in place: the two words of each round, and the step."""

    def __init__(self, key: Array, stream: int, first: int) -> None:
        self.key, self.stream, self.first = key, stream, first
        self.rounds = [(np.zeros((), U64), np.zeros((), U64)) for _ in range(ROUNDS)]
        self.step = np.zeros((), U64)
        self.high = np.zeros((), U64)  # of the step
        self.start = np.zeros((), U64)  # number of the first sample

    def load(self) -> None:
        seed, step, first = (int(part) & (2**64 - 1) for part in self.key)
        both = mixed(mixed(seed) ^ self.stream)
        k0, k1 = both & LOW, both >> 32
        for low, high in self.rounds:
            low[...], high[...] = k0, k1
            k0, k1 = (k0 + WEYL[0]) & LOW, (k1 + WEYL[1]) & LOW
        self.step[...] = step & LOW
        self.high[...] = (step >> 32) & LOW
        self.start[...] = (first + self.first) & (2**64 - 1)


def words(keys: Keys, samples: tuple[int, int], blocks: slice, state: Array, work: Array) -> list[Step]:
    """Fill state[0 … 3] with the words of `blocks` of these samples: [samples, blocks] each."""
    c0, c1, c2, c3 = state
    p0, p1 = work
    return [
        partial(np.copyto, c0, numbers(blocks.start, blocks.stop)),
        partial(np.add, numbers(*samples)[:, None], keys.start, out=p0),
        partial(np.bitwise_and, p0, MASK, out=c1),
        partial(np.copyto, c2, keys.step),
        partial(np.right_shift, p0, HALF, out=c3),
        partial(np.add, c3, keys.high, out=c3),
        partial(mix, keys.rounds, c0, c1, c2, c3, p0, p1),
    ]


@lru_cache(maxsize=256)
def numbers(start: int, stop: int) -> Array:
    return np.arange(start, stop, dtype=U64)


def mix(rounds: Sequence[tuple[Array, Array]], c0: Array, c1: Array, c2: Array, c3: Array, p0: Array, p1: Array) -> None:
    """All rounds, in place: one call, for there are ten lines of arithmetic in each of ten rounds of every block."""
    for k0, k1 in rounds:
        np.multiply(c0, FIRST, p0)
        np.multiply(c2, SECOND, p1)
        np.right_shift(p1, HALF, c0)
        np.bitwise_xor(c0, c1, c0)
        np.bitwise_xor(c0, k0, c0)
        np.bitwise_and(p1, MASK, c1)
        np.right_shift(p0, HALF, c2)
        np.bitwise_xor(c2, c3, c2)
        np.bitwise_xor(c2, k1, c2)
        np.bitwise_and(p0, MASK, c3)


def uniform_into(call: Call, target: Array, keys: Keys) -> list[Step]:
    """Uniform numbers in [0, 1) into target [samples, elements]."""
    samples, each = target.shape
    double = target.dtype.itemsize == 8
    blocks = -(-each * (2 if double else 1) // 4)
    wide = min(blocks, BLOCK)
    tall = max(1, min(samples, BLOCK // wide))
    state, work = call.scratch((4, tall, wide), U64), call.scratch((2, tall, wide), U64)
    mixed_words = call.scratch((tall, wide, 4), U64)
    steps: list[Step] = [keys.load]
    for top in range(0, samples, tall):
        height = min(tall, samples - top)
        for left in range(0, blocks, wide):
            width = min(wide, blocks - left)
            inside = (slice(None), slice(0, height), slice(0, width))
            steps += words(keys, (top, top + height), slice(left, left + width), state[inside], work[inside])
            bits = mixed_words.reshape(-1)[: height * width * 4].reshape(height, width, 4)
            finish = doubles if double else singles
            steps += finish(state[inside], bits, target[top : top + height, left * (2 if double else 4) :], work[inside])
    return steps


def singles(state: Array, bits: Array, target: Array, work: Array) -> list[Step]:
    """24 bits of each word, times 2⁻²⁴."""
    steps: list[Step] = [partial(np.right_shift, word, np.uint64(8), out=bits[:, :, k]) for k, word in enumerate(state)]
    flat = bits.reshape(len(bits), -1)
    into = target[:, : flat.shape[1]]
    return [
        *steps,
        partial(np.copyto, into, flat[:, : into.shape[1]], "unsafe"),
        partial(np.multiply, into, into.dtype.type(2.0**-24), out=into),
    ]


def doubles(state: Array, bits: Array, target: Array, work: Array) -> list[Step]:
    """53 bits of each pair of words, times 2⁻⁵³."""
    steps: list[Step] = []
    pairs = bits.reshape(-1)[: bits.size // 2].reshape(len(bits), -1, 2)
    for k in range(2):
        steps += [
            partial(np.right_shift, state[2 * k], np.uint64(5), out=work[0]),
            partial(np.left_shift, work[0], np.uint64(26), out=work[0]),
            partial(np.right_shift, state[2 * k + 1], np.uint64(6), out=work[1]),
            partial(np.bitwise_or, work[0], work[1], out=pairs[:, :, k]),
        ]
    flat = pairs.reshape(len(bits), -1)
    into = target[:, : flat.shape[1]]
    return [
        *steps,
        partial(np.copyto, into, flat[:, : into.shape[1]], "unsafe"),
        partial(np.multiply, into, into.dtype.type(2.0**-53), out=into),
    ]


def rows_of(array: Array) -> Array:
    return array.reshape(array.shape[0] if array.ndim else 1, -1)


def draw(call: Call, target: Array) -> list[Step]:
    return uniform_into(call, rows_of(target), Keys(call.inputs[0], call.attrs["stream"], call.start))


def uniform(call: Call) -> list[Step]:
    (y,) = call.outputs
    low, high = call.attrs["low"], call.attrs["high"]
    return [*draw(call, y), partial(np.multiply, y, y.dtype.type(high - low), out=y), partial(np.add, y, y.dtype.type(low), out=y)]


def bernoulli(call: Call) -> list[Step]:
    (y,) = call.outputs
    below = call.scratch(y.shape, "bool")
    return [*draw(call, y), partial(np.less, y, y.dtype.type(call.attrs["p"]), out=below), partial(np.copyto, y, below)]


def normal(call: Call) -> list[Step]:
    """√(-2 log u)·cos 2πv, computed in float64."""
    (y,) = call.outputs
    target = rows_of(y)
    both = call.scratch((target.shape[0], 2 * target.shape[1]), "float64")
    radius, angle = (call.scratch(target.shape, "float64") for _ in range(2))
    steps = uniform_into(call, both, Keys(call.inputs[0], call.attrs["stream"], call.start))
    return [
        *steps,
        partial(np.subtract, np.float64(1.0), both[:, 0::2], out=radius),
        partial(np.log, radius, out=radius),
        partial(np.multiply, radius, np.float64(-2.0), out=radius),
        partial(np.sqrt, radius, out=radius),
        partial(np.multiply, both[:, 1::2], np.float64(2.0 * np.pi), out=angle),
        partial(np.cos, angle, out=angle),
        partial(np.multiply, radius, angle, out=radius),
        partial(np.copyto, target, radius, "same_kind"),
        partial(np.multiply, y, y.dtype.type(call.attrs["std"]), out=y),
        partial(np.add, y, y.dtype.type(call.attrs["mean"]), out=y),
    ]


def split_samples(signature: Signature) -> Split | None:
    """Along the samples: a piece knows the number of its first."""
    return split_rows(signature) if len(signature.outputs[0][0]) else None


def register(registry: Registry) -> None:
    for name, bind in (("uniform", uniform), ("normal", normal), ("bernoulli", bernoulli)):
        registry.tune(name, split=split_samples)(bind)
