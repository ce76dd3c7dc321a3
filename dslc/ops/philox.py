"""The counter-based generator: Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).

A draw is a pure function of (seed, step, stream, sample number, element) (R23): the key is (seed, stream), the counter is
(element block, sample number, step). It needs no state, and how a batch is split, padded or optimised does not change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
LOW = 0xFFFFFFFF


def stream_of(address: str) -> int:
    """A stable number below 2^63 for an address."""
    return int.from_bytes(blake2b(address.encode(), digest_size=8).digest(), "little") >> 1


def mixed(value: int) -> int:
    """SplitMix64's finaliser: spreads a 64-bit number over all bits."""
    value = (value + 0x9E3779B97F4A7C15) & (2**64 - 1)
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
    return value ^ (value >> 31)


def philox(xp: Any, counter: Sequence[Any], key: tuple[int, int]) -> tuple[Any, Any, Any, Any]:
    """Ten rounds over four uint64 arrays that hold 32-bit words (their product fits into 64 bits). Returns four such arrays."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    low, half = xp.uint64(LOW), xp.uint64(32)
    m0, m1 = xp.uint64(MULTIPLIERS[0]), xp.uint64(MULTIPLIERS[1])
    for _ in range(ROUNDS):
        p0, p1 = c0 * m0, c2 * m1
        c0, c1, c2, c3 = (p1 >> half) ^ c1 ^ xp.uint64(k0), p1 & low, (p0 >> half) ^ c3 ^ xp.uint64(k1), p0 & low
        k0, k1 = (k0 + WEYL[0]) & LOW, (k1 + WEYL[1]) & LOW
    return c0, c1, c2, c3


def words(xp: Any, key: Any, stream: int, shape: Sequence[int], count: int) -> Any:
    """uint64 array [samples, count] of random 32-bit words for `count` words a sample; axis 0 of `shape` is the sample axis."""
    seed, step, first = (int(part) & (2**64 - 1) for part in key)
    samples = shape[0] if len(shape) else 1
    blocks = -(-count // 4)
    block = xp.arange(blocks, dtype=xp.uint64)[None, :]
    sample = (xp.arange(samples, dtype=xp.uint64) + xp.uint64(first))[:, None]
    zero = xp.zeros((samples, blocks), xp.uint64)
    low, half = xp.uint64(LOW), xp.uint64(32)
    both = mixed(mixed(seed) ^ stream)
    counter = (block + zero, (sample & low) + zero, zero + xp.uint64(step & LOW), (sample >> half) + zero + xp.uint64((step >> 32) & LOW))
    found = philox(xp, counter, (both & LOW, both >> 32))
    return xp.stack(found, axis=-1).reshape(samples, blocks * 4)[:, :count]


def uniform(xp: Any, key: Any, stream: int, shape: Sequence[int], dtype: Any) -> Any:
    """Uniform numbers in [0, 1) of `dtype` (float32: 24 random bits, float64: 53). `key` is (seed, step, first sample number)."""
    shape = tuple(int(size) for size in shape)
    each = 1
    for size in shape[1:]:
        each *= size
    if xp.dtype(dtype).itemsize == 4:
        bits = words(xp, key, stream, shape, each) >> xp.uint64(8)
        return (bits.astype(dtype) * xp.asarray(2.0**-24, dtype)).reshape(shape)
    pairs = words(xp, key, stream, shape, 2 * each)
    bits = ((pairs[:, 0::2] >> xp.uint64(5)) << xp.uint64(26)) | (pairs[:, 1::2] >> xp.uint64(6))
    return (bits.astype(dtype) * xp.asarray(2.0**-53, dtype)).reshape(shape)


def normal(xp: Any, key: Any, stream: int, shape: Sequence[int], dtype: Any) -> Any:
    """Standard normal numbers by the transform of Box and Muller (1958): √(-2 log u)·cos 2πv with u in (0, 1]."""
    shape = tuple(int(size) for size in shape)
    each = 1
    for size in shape[1:]:
        each *= size
    samples = shape[0] if shape else 1
    both = uniform(xp, key, stream, (samples, 2 * each), "float64")
    u, v = 1.0 - both[:, 0::2], both[:, 1::2]
    return (xp.sqrt(-2.0 * xp.log(u)) * xp.cos(2.0 * xp.pi * v)).astype(dtype).reshape(shape)
