"""Order and concurrency of prebound calls: which pieces run on which thread, where threads must meet, and which steps run from cache.

A *run* is a series of steps cut the same way along axis 0: each thread takes its share of samples through the whole series, a few samples
at a time, so that intermediate results are read while they still lie in its cache. A *section* is a list of calls for each thread without
a meeting in between. Both are decided from the bytes that pieces read and write: nothing is reordered across a conflict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Array = Any
Step = Callable[[], object]
Interval = tuple[int, int]
# Each new step is compared with those before it in its run, its section and among the sums put off: their number is bounded, so that deep
# networks are bound in time that grows with their depth. What lies in a cache is lost, and threads meet, once more for so many steps.
MOST_RUN, MOST_SECTION, MOST_WAITING = 48, 128, 64


@dataclass
class Piece:
    """Calls on one piece of a step with the bytes that they read and write."""

    steps: list[Step]
    reads: list[Interval]
    writes: list[Interval]


Lanes = list[list[Piece]]  # for each thread the pieces of one step, in order


def interval(array: Array) -> Interval:
    """First byte and the byte after the last of an array."""
    start = stop = array.__array_interface__["data"][0]
    for size, stride in zip(array.shape, array.strides, strict=True):
        if size == 0:
            return (start, start)
        if stride < 0:
            start += (size - 1) * stride
        else:
            stop += (size - 1) * stride
    return (start, stop + array.itemsize)


def meet(left: Sequence[Interval], right: Sequence[Interval]) -> bool:
    return any(a < d and c < b for a, b in left for c, d in right)


def conflict(first: Piece, second: Piece) -> bool:
    """Whether the order of two pieces matters."""
    return meet(first.writes, second.reads) or meet(first.writes, second.writes) or meet(first.reads, second.writes)


def spans(pieces: Sequence[Piece]) -> list[Piece]:
    """For each piece of a step: of every operand all bytes from the first to the last that this piece or a later one touches."""
    found = list(pieces[-1:])
    for piece in pieces[-2::-1]:
        after = found[-1]
        found.append(Piece([], joined(piece.reads, after.reads), joined(piece.writes, after.writes)))
    return found[::-1]


def joined(some: Sequence[Interval], others: Sequence[Interval]) -> list[Interval]:
    return [(min(a, c), max(b, d)) for (a, b), (c, d) in zip(some, others, strict=True)]


def among(pieces: Sequence[Piece], around: Sequence[Piece], first: int, piece: Piece) -> bool:
    """Whether the order of `piece` and of one of `pieces[first:]` matters; most often the bytes around these show that it does not."""
    return first < len(pieces) and conflict(around[first], piece) and any(conflict(earlier, piece) for earlier in pieces[first:])


@dataclass
class Run:
    """Steps with equal cuts. `key` says how they are cut; None: not to be interleaved. spans: of each step and thread."""

    key: Any
    steps: list[Lanes] = field(default_factory=list)
    spans: list[Lanes] = field(default_factory=list)

    def admits(self, lanes: Lanes, key: Any) -> bool:
        """Whether the step may be interleaved: no piece meets a later piece, or another thread's piece, of an earlier step."""
        if key is None or key != self.key or len(self.steps) >= MOST_RUN:
            return False
        return not any(
            among(old, around, at + 1 if mine == theirs else 0, piece)
            for before, spanned in zip(self.steps, self.spans, strict=True)
            for mine, new in enumerate(lanes)
            for theirs, (old, around) in enumerate(zip(before, spanned, strict=True))
            for at, piece in enumerate(new)
        )

    def append(self, lanes: Lanes) -> None:
        self.steps.append(lanes)
        self.spans.append([spans(pieces) for pieces in lanes])

    def pieces(self) -> Lanes:
        """For each thread its pieces, all steps of one piece of samples before the next."""
        return [
            [piece for group in zip(*(lanes[t] for lanes in self.steps), strict=True) for piece in group] for t in range(len(self.steps[0]))
        ]


@dataclass
class Section:
    """What runs between two meetings of the threads."""

    lanes: Lanes

    def admits(self, lanes: Lanes) -> bool:
        """Whether no piece depends on, or disturbs, another thread's pieces here."""
        return len(self.lanes[0]) < MOST_SECTION and not any(
            conflict(old, new)
            for mine, pieces in enumerate(lanes)
            for theirs, before in enumerate(self.lanes)
            if mine != theirs
            for new in pieces
            for old in before
        )

    def calls(self) -> list[list[Step]]:
        return [[step for piece in pieces for step in piece.steps] for pieces in self.lanes]


class Schedule:
    """Collects steps in order; `finish` gives for each section the calls of each thread."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.sections: list[Section] = []
        self.run: Run | None = None
        self.waiting: list[Piece] = []  # sums over threads, put off as long as nobody needs them

    def add(self, lanes: Lanes, key: Any = None, closing: Sequence[Piece] = ()) -> None:
        """Append a step. key: how it is cut, None where pieces are not interleaved. closing: what runs when all threads are done."""
        if len(self.waiting) >= MOST_WAITING or any(conflict(late, piece) for late in self.waiting for pieces in lanes for piece in pieces):
            self.settle()
        if self.run is not None and self.run.admits(lanes, key):
            self.run.append(lanes)
        else:
            self.flush()
            self.run = Run(key)
            self.run.append(lanes)
        self.waiting += closing

    def flush(self) -> None:
        """Put the present run into a section."""
        if self.run is not None:
            self.append(self.run.pieces())
            self.run = None

    def append(self, lanes: Lanes) -> None:
        if not self.sections or not self.sections[-1].admits(lanes):
            self.sections.append(Section([[] for _ in range(self.threads)]))
        for mine, pieces in zip(self.sections[-1].lanes, lanes, strict=True):
            mine += pieces

    def settle(self) -> None:
        """Run the sums that were put off, shared out among the threads."""
        self.flush()
        waiting, self.waiting = self.waiting, []
        if waiting:
            self.append([waiting[t :: self.threads] for t in range(self.threads)])

    def finish(self) -> list[list[list[Step]]]:
        self.settle()
        return [section.calls() for section in self.sections]
