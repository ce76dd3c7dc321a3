"""Binding: from the steps of a plan to prebound calls on arrays, for one set of sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from dslc.ir.graph import Graph, Node
from dslc.ops.infer import resolve_attrs
from runtime.arena import SIZES, Scratch, aligned, view
from runtime.device import Array, Device
from runtime.kernels.registry import Call, Kernel, Registry, Signature, Split
from runtime.schedule import Lanes, Piece, Schedule, interval

Arrays = Mapping[int, Array]


@dataclass
class Binder:
    """Binds the nodes of one graph. scratch: one for each thread; sums: memory for what threads add up in the end.

    views: pieces of arrays that were made already, by array, axis and place.
    """

    graph: Graph
    device: Device
    registry: Registry
    threads: int
    dims: Mapping[str, int]
    arrays: Arrays
    scratch: Sequence[Scratch]
    sums: Scratch
    views: dict[tuple[int, int, int, int], Array]

    def bind(self, nodes: Sequence[Node]) -> list[list[list[Any]]]:
        """For each section the calls of each thread."""
        schedule = Schedule(self.threads)
        for node in nodes:
            self.step(node, schedule)
        return schedule.finish()

    def step(self, node: Node, schedule: Schedule) -> None:
        kernel, call, split = self.chosen(node)
        cuts = self.cuts(call, split)
        lanes = [[self.piece(kernel, part, thread) for part in parts] for thread, parts in enumerate(cuts)]
        if split is None:
            schedule.add(lanes)
        elif split.adds:
            schedule.add(lanes, closing=self.additions(call, cuts))
        else:
            schedule.add(lanes, interleaving(split, lanes))

    def measure(self, nodes: Sequence[Node]) -> int:
        """Find what `bind` takes of the scratch, by one piece of each kind. Returns the number of calls."""
        count = 0
        for node in nodes:
            kernel, call, split = self.chosen(node)
            cuts = self.cuts(call, split)
            for thread, parts in enumerate(cuts):
                known: dict[object, int] = {}
                for part in parts:
                    kind = kind_of(part) if len(parts) > 1 else None
                    if kind not in known:
                        known[kind] = len(self.piece(kernel, part, thread).steps)
                    count += known[kind]
            if split is not None and split.adds:
                count += sum(len(piece.steps) for piece in self.additions(call, cuts))
        return count

    def chosen(self, node: Node) -> tuple[Kernel, Call, Split | None]:
        """The kernel of a node, its call, and how this may be cut."""
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
        return kernel, call, kernel.split(signature) if self.device.threaded else None

    def cuts(self, call: Call, split: Split | None) -> list[list[Call]]:
        """For each thread the calls of its pieces. Of a sum the first thread's place is the result, others have places of their own."""
        if split is None:
            return [[call], *([] for _ in range(self.threads - 1))]
        shared = shares(replace(split, chunk=0) if split.adds else split, self.threads)
        return [[self.cut(call, split, part, thread) for part in parts] for thread, parts in enumerate(shared)]

    def cut(self, call: Call, split: Split, part: slice, thread: int) -> Call:
        inputs = tuple(self.along(array, axis, part) for array, axis in zip(call.inputs, split.inputs, strict=True))
        if split.adds:
            outputs = tuple(self.sums.take(array.shape, array.dtype.name) for array in call.outputs) if thread else call.outputs
        else:
            outputs = tuple(self.along(array, axis, part) for array, axis in zip(call.outputs, split.outputs, strict=True))
        return replace(call, inputs=inputs, outputs=outputs, start=part.start)

    def along(self, array: Array, axis: int | None, part: slice) -> Array:
        """A piece of an array of the graph; steps that are cut alike share it."""
        if axis is None:
            return array
        key = (id(array), axis, part.start, part.stop)
        if key not in self.views:
            self.views[key] = array[(*(slice(None),) * axis, part)]
        return self.views[key]

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

    def additions(self, call: Call, cuts: Sequence[Sequence[Call]]) -> list[Piece]:
        """What adds the sums of all threads to the first one's, for each result."""
        addends = [part.outputs for parts in cuts[1:] for part in parts]
        return [self.addition(total, parts) for total, *parts in zip(call.outputs, *addends, strict=True) if parts]

    def addition(self, total: Array, addends: Sequence[Array]) -> Piece:
        """The sums of the other threads, added in the order of the threads."""
        steps = [partial(self.device.xp.add, total, addend, total) for addend in addends]
        return Piece(list(steps), [interval(array) for array in (total, *addends)], [interval(total)])


def kind_of(call: Call) -> tuple[object, ...]:
    """Pieces of one step with the same shapes and overlaps are bound alike."""
    arrays = (*call.inputs, *call.outputs)
    overlaps = (np.may_share_memory(one, other) for one in call.outputs for other in call.inputs)
    return (*(array.shape for array in arrays), *overlaps)


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
