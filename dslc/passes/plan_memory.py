"""Where every value lives: lifetimes over steps, values that share memory, and offsets in one arena.

Vocabulary: a *step* is a node that runs (not a constant, not a view). A *slot* is a piece of the arena that one value, or a chain of
values computed in place, holds from its first to its last step, both included; the step after the last holds what outlives the run.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from dslc.ir.graph import Graph, Node
from dslc.ops.table import lookup
from dslc.passes.separate import storage

ALIGNMENT = 64
GREEDY_LIMIT = 1500  # slots up to which the quadratic search by size is tried as well


@dataclass
class Slot:
    """`bytes` of memory, held during steps `first` … `last`. `offset` is the result of the allocation."""

    bytes: int
    first: int
    last: int
    values: list[int] = field(default_factory=list)
    offset: int = -1


@dataclass
class Lifetimes:
    """steps: positions of the nodes that run; owners: whose memory each value is; first, last: steps of an owner's life with its views."""

    steps: list[int]
    owners: list[int]
    first: list[int]
    last: list[int]


def aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def lifetimes(graph: Graph) -> Lifetimes:
    """Inputs and constants are there from the start; outputs, updates and all that is no step's result live to the end."""
    owners = storage(graph)
    steps = [at for at, node in enumerate(graph.nodes) if node.op != "constant" and owners[node.outputs[0]] == node.outputs[0]]
    end = len(steps)
    first, last = [0] * len(graph.types), [end] * len(graph.types)
    for step, at in enumerate(steps):
        node = graph.nodes[at]
        for id in node.outputs:
            first[id] = last[id] = step
        for id in node.inputs:
            owner = owners[id]
            last[owner] = max(last[owner], step)
    for item in (*graph.outputs, *graph.updates):
        last[owners[item.id]] = end
    return Lifetimes(steps, owners, first, last)


# ---- slots ----------------------------------------------------------------------------------------------------------------------


def make_slots(graph: Graph, lives: Lifetimes, sizes: Sequence[int], pinned: Iterable[int]) -> tuple[dict[int, Slot], dict[int, int]]:
    """The slot of every result of a step (`pinned` ones excepted), and for steps that write in place the input they write over."""
    slots: dict[int, Slot] = {}
    over: dict[int, int] = {}
    pinned = set(pinned)
    for step, at in enumerate(lives.steps):
        node = graph.nodes[at]
        target = None if pinned.intersection(node.outputs) else in_place(graph, lives, slots, node, step)
        if target is not None:
            (id,) = node.outputs
            slot = slots[lives.owners[node.inputs[target]]]
            slot.last = max(slot.last, lives.last[id])
            slot.values.append(id)
            slots[id] = slot
            over[step] = target
            continue
        for id in node.outputs:
            if id not in pinned:
                slots[id] = Slot(sizes[id], step, lives.last[id], [id])
    return slots, over


def in_place(graph: Graph, lives: Lifetimes, slots: dict[int, Slot], node: Node, step: int) -> int | None:
    """The first input over which an elementwise step may write its result.

    It lies in the arena (never an input, parameter, state or constant), nothing reads it or a view of it later, and it has the result's
    type, so that element i is read before it is written. Another view of the same memory among the inputs has as many elements as
    the result and broadcasts to it: it differs by axes of size 1 only, and is read at the same place.
    """
    if lookup(node.op).kind != "elementwise" or len(node.outputs) != 1:
        return None
    wanted = graph.types[node.outputs[0]]
    for at, id in enumerate(node.inputs):
        owner = lives.owners[id]
        if owner in slots and lives.last[owner] == step and graph.types[id] == wanted:
            return at
    return None


# ---- offsets --------------------------------------------------------------------------------------------------------------------


def allocate(slots: Sequence[Slot], base: int) -> int:
    """Set the offsets so that slots whose lives meet do not overlap, from `base` on; returns the end of the arena.

    Two searches: best fit in order of time, and the largest first at the best gap (quadratic, so for small plans only); the better counts.
    """
    best = base + in_time(slots, base)
    if len(slots) > GREEDY_LIMIT:
        return best
    offsets = [slot.offset for slot in slots]
    greedy = base + by_size(slots, base)
    if greedy < best:
        return greedy
    for slot, offset in zip(slots, offsets, strict=True):
        slot.offset = offset
    return best


def in_time(slots: Sequence[Slot], base: int) -> int:
    """Best fit over a list of free pieces, walking through the steps; returns the size of the arena."""
    free = Free()
    living: list[tuple[int, int, Slot]] = []  # (last, number, slot): a heap
    for number, slot in enumerate(sorted(slots, key=lambda slot: (slot.first, -slot.bytes))):
        while living and living[0][0] < slot.first:
            done = heappop(living)[2]
            free.give(done.offset - base, aligned(done.bytes))
        slot.offset = base + free.take(aligned(slot.bytes))
        heappush(living, (slot.last, number, slot))
    return free.top


class Free:
    """Free pieces below `top`, sorted by offset; neighbours are joined."""

    def __init__(self) -> None:
        self.top = 0
        self.pieces: list[tuple[int, int]] = []  # (offset, size)

    def take(self, size: int) -> int:
        """The smallest piece that is large enough; else the arena grows, from its last piece if that is free."""
        fits = [(piece, offset) for offset, piece in self.pieces if piece >= size]
        if fits:
            piece, offset = min(fits)
            self.pieces.remove((offset, piece))
            if piece > size:
                insort(self.pieces, (offset + size, piece - size))
            return offset
        start = self.top
        if self.pieces and sum(self.pieces[-1]) == self.top:
            start = self.pieces.pop()[0]
        self.top = start + size
        return start

    def give(self, offset: int, size: int) -> None:
        at = bisect_left(self.pieces, (offset, size))
        if at < len(self.pieces) and self.pieces[at][0] == offset + size:
            size += self.pieces.pop(at)[1]
        if at and sum(self.pieces[at - 1]) == offset:
            offset, before = self.pieces.pop(at - 1)
            size += before
        insort(self.pieces, (offset, size))


def by_size(slots: Sequence[Slot], base: int) -> int:
    """Largest first, each into the smallest gap between the slots that live at the same time; returns the size of the arena."""
    placed: list[tuple[int, int, Slot]] = []  # (offset, number, slot): sorted by offset
    top = base
    for number, slot in enumerate(sorted(slots, key=lambda slot: (-slot.bytes, slot.first))):
        size = aligned(slot.bytes)
        slot.offset = best_gap(placed, slot, size, base)
        insort(placed, (slot.offset, number, slot))
        top = max(top, slot.offset + size)
    return top - base


def best_gap(placed: Sequence[tuple[int, int, Slot]], slot: Slot, size: int, base: int) -> int:
    at, best, offset = base, -1, -1
    for start, _, other in placed:
        if other.last < slot.first or other.first > slot.last:
            continue
        gap = start - at
        if gap >= size and (best < 0 or gap < best):
            best, offset = gap, at
        at = max(at, start + aligned(other.bytes))
    return at if offset < 0 else offset


def peak(slots: Sequence[Slot], steps: int) -> tuple[int, int]:
    """The step at which most bytes are live, and how many."""
    change = [0] * (steps + 2)
    for slot in slots:
        change[slot.first] += aligned(slot.bytes)
        change[slot.last + 1] -= aligned(slot.bytes)
    live, most, where = 0, 0, 0
    for step in range(steps + 1):
        live += change[step]
        if live > most:
            most, where = live, step
    return where, most
