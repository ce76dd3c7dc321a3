"""Memory: one block with planned offsets, and scratch that every step of a thread uses anew."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from dslc.ir.types import DType
from runtime.device import ALIGNMENT, Array, Device


def aligned(count: int) -> int:
    """`count` bytes rounded up to the alignment."""
    return -(-count // ALIGNMENT) * ALIGNMENT


def view(block: Array, offset: int, shape: Sequence[int], dtype: str) -> Array:
    """An array over the bytes of `block` from `offset` on."""
    count = prod(shape) * SIZES[dtype]
    return block[offset : offset + count].view(dtype).reshape(tuple(shape))


SIZES = {item.numpy: item.itemsize for item in DType} | {"int8": 1, "int16": 2, "uint16": 2, "uint32": 4}


class Scratch:
    """Hands out scratch arrays one after the other; `reset` starts over. Without a block it only measures."""

    def __init__(self, device: Device, block: Array | None = None) -> None:
        self.device = device
        self.block = block
        self.used = 0
        self.peak = 0

    def reset(self) -> None:
        self.used = 0

    def take(self, shape: Sequence[int], dtype: str) -> Array:
        count = prod(shape) * SIZES[dtype]
        offset = self.used
        self.used += aligned(count)
        self.peak = max(self.peak, self.used)
        if self.block is None:
            return self.device.xp.empty(tuple(shape), dtype)
        return view(self.block, offset, shape, dtype)


class Pool:
    """Blocks of scratch, one for each thread and one for sums, shared by executors that run one after the other."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.blocks: list[Array] = []
        self.bytes = 0  # of all blocks; one that was too small for a later executor stays with those before

    def take(self, sizes: Sequence[int]) -> list[Scratch]:
        """Scratch of at least these sizes."""
        self.blocks += [self.device.empty(0) for _ in sizes[len(self.blocks) :]]
        for at, size in enumerate(sizes):
            if self.blocks[at].size < size:
                self.blocks[at] = self.device.empty(size)
                self.bytes += size
        return [Scratch(self.device, block) for block in self.blocks[: len(sizes)]]
