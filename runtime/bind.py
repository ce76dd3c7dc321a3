"""Binding: from the steps of a plan to prebound calls on arrays, for one set of sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

from dslc.ir.graph import Graph, Node
from dslc.ops.infer import resolve_attrs
from runtime.arena import SIZES, Scratch, aligned, view
from runtime.device import Array, Device
from runtime.kernels.registry import Call, Kernel, Registry, Signature, Split
from runtime.schedule import Lanes, Piece, Schedule, interval

Arrays = Mapping[int, Array]


@dataclass
class Binder:
    """Binds the nodes of one graph. scratch: one for each thread; sums: memory for what threads add up in the end."""

    graph: Graph
    device: Device
    registry: Registry
    threads: int
    dims: Mapping[str, int]
    arrays: Arrays
    scratch: Sequence[Scratch]
    sums: Scratch

    def bind(self, nodes: Sequence[Node]) -> list[list[list[Any]]]:
        """For each section the calls of each thread."""
        schedule = Schedule(self.threads)
        for node in nodes:
            self.step(node, schedule)
        return schedule.finish()

    def step(self, node: Node, schedule: Schedule) -> None:
        signature = self.signature(node)
        kernel = self.registry.choose(signature)
        call = Call(
            op=node.op,
            inputs=tuple(self.arrays[id] for id in node.inputs),
            outputs=tuple(self.arrays[id] for id in node.outputs),
            attrs=signature.attrs,
            scratch=self.scratch[0].take,
            xp=self.device.xp,
            place=node.place or node.address,
        )
        split = kernel.split(signature) if self.device.threaded else None
        if split is None:
            alone = self.piece(kernel, call, 0)
            schedule.add([[alone], *([] for _ in range(self.threads - 1))])
        elif split.adds:
            schedule.add(*self.addends(kernel, call, split))
        else:
            lanes = [[self.cut(kernel, call, split, part, t) for part in parts] for t, parts in enumerate(shares(split, self.threads))]
            schedule.add(lanes, interleaving(split, lanes))

    def signature(self, node: Node) -> Signature:
        def specs(ids: Sequence[int]) -> tuple[tuple[tuple[int, ...], str], ...]:
            return tuple((self.arrays[id].shape, self.arrays[id].dtype.name) for id in ids)

        packed = tuple(bool(self.arrays[id].flags.c_contiguous) for id in node.inputs)
        return Signature(node.op, specs(node.inputs), specs(node.outputs), resolve_attrs(node.attrs, self.dims), packed)

    def piece(self, kernel: Kernel, call: Call, thread: int) -> Piece:
        """The calls of one piece; its scratch is free again afterwards."""
        scratch = self.scratch[thread]
        scratch.reset()
        steps = list(kernel.bind(replace(call, scratch=scratch.take)))
        if not self.device.threaded:
            return Piece(steps, [], [])
        return Piece(steps, [interval(array) for array in call.inputs], [interval(array) for array in call.outputs])

    def cut(self, kernel: Kernel, call: Call, split: Split, part: slice, thread: int) -> Piece:
        inputs = tuple(along(array, axis, part) for array, axis in zip(call.inputs, split.inputs, strict=True))
        outputs = tuple(along(array, axis, part) for array, axis in zip(call.outputs, split.outputs, strict=True))
        return self.piece(kernel, replace(call, inputs=inputs, outputs=outputs, start=part.start), thread)

    def addends(self, kernel: Kernel, call: Call, split: Split) -> tuple[Lanes, None, list[Piece]]:
        """Every thread computes its own sum; the first one's place is the result, to which the others are added at the end."""
        lanes: Lanes = []
        addends: list[tuple[Array, ...]] = []
        for thread, parts in enumerate(shares(replace(split, chunk=0), self.threads)):
            lanes.append([])
            for part in parts:
                outputs = call.outputs if thread == 0 else tuple(self.sums.take(array.shape, array.dtype.name) for array in call.outputs)
                lanes[-1].append(self.cut(kernel, replace(call, outputs=outputs), split, part, thread))
                if thread:
                    addends.append(outputs)
        return lanes, None, [self.addition(total, parts) for total, *parts in zip(call.outputs, *addends, strict=True) if parts]

    def addition(self, total: Array, addends: Sequence[Array]) -> Piece:
        """The sums of the other threads, added in the order of the threads."""
        steps = [partial(self.device.xp.add, total, addend, total) for addend in addends]
        return Piece(list(steps), [interval(array) for array in (total, *addends)], [interval(total)])


def along(array: Array, axis: int | None, part: slice) -> Array:
    return array if axis is None else array[(*(slice(None),) * axis, part)]


def shares(split: Split, threads: int) -> Iterator[list[slice]]:
    """For each thread its pieces: an equal share of the length, in chunks if the split asks for it; too short a length stays whole."""
    used = max(1, min(threads, split.size // max(split.grain, 1)))
    for thread in range(threads):
        start, stop = (split.size * min(t, used) // used for t in (thread, thread + 1))
        count = -(-(stop - start) // split.chunk) if split.chunk else int(stop > start)
        edges = [start + (stop - start) * i // max(count, 1) for i in range(count + 1)]
        yield [slice(a, b) for a, b in pairwise(edges)]


def interleaving(split: Split, lanes: Lanes) -> Any:
    """Steps with this key are cut at the same samples."""
    whole = all(axis in (0, None) for axis in (*split.inputs, *split.outputs))
    return (split.size, tuple(len(pieces) for pieces in lanes)) if whole and split.chunk else None


def memory(graph: Graph, id: int, dims: Mapping[str, int], block: Array, offset: int) -> Array:
    """The array of a value at these sizes."""
    type = graph.types[id]
    return view(block, offset, type.sizes(dims), type.dtype.numpy)


def size_of(graph: Graph, id: int, dims: Mapping[str, int]) -> int:
    count = SIZES[graph.types[id].dtype.numpy]
    for size in graph.types[id].sizes(dims):
        count *= size
    return aligned(count)
