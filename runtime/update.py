"""Runs an optimizer over the flat vectors of a step's weights, in place.

Weights that lie side by side under equal rules share one graph over their range, cut into blocks that stay in the cache; what needs the
norm of a weight (LAMB, `clip: each(…)`, most constraints) runs weight by weight. Every element depends on its own weight alone, so threads
change no bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from math import expm1, isfinite, log, sqrt
from typing import Any

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import DType
from dslc.ops.infer import evaluate
from dslc.program import Call
from runtime.arena import Scratch, view
from runtime.device import ALIGNMENT, Array, Device
from runtime.train.limits import ELEMENTWISE
from runtime.train.optimizers import OPTIMIZERS, update_graph
from runtime.workers import Step, Workers, calculating

BLOCK = 16384  # elements: the vectors of one block lie in a second-level cache together


@dataclass(frozen=True)
class Group:
    """One weight: elements [start, stop) of the flat vectors, and what its rules say.

    rate: a factor of the step's rate; weight_decay: in place of the optimizer's, None for the optimizer's own.
    """

    address: str
    start: int
    stop: int
    shape: tuple[int, ...]
    rate: float = 1.0
    weight_decay: float | None = None
    constraint: Call | None = None


@dataclass(frozen=True)
class Piece:
    """A range of the flat vectors under one rule. shape: of the weight where it is updated as a whole, None where the range may be cut."""

    start: int
    stop: int
    shape: tuple[int, ...] | None
    rate: float
    weight_decay: float | None
    constraint: Call | None

    @property
    def size(self) -> int:
        return self.stop - self.start

    @property
    def rule(self) -> tuple[Any, ...]:
        constraint = self.constraint and (self.constraint.name, *sorted(self.constraint.args.items()))
        return self.shape, self.weight_decay, constraint

    def part(self, start: int, stop: int) -> Piece:
        return replace(self, start=start, stop=stop)

    def blocks(self) -> list[Piece]:
        """Parts that fit into the cache; a weight that is updated as a whole is one."""
        if self.shape is not None:
            return [self]
        return [self.part(at, min(at + BLOCK, self.stop)) for at in range(self.start, self.stop, BLOCK)]


class Update:
    """One optimizer over one flat vector of weights.

    arrays: "w" and "g", the vectors of weights and gradients; groups: the weights that are updated, nothing else in the vectors moves.
    slots: the optimizer's own vectors by name (and `average` with `ema`), to be saved and restored.
    """

    def __init__(
        self,
        optimizer: Call,
        clip: Call | None,
        groups: Sequence[Group],
        device: Device,
        arrays: Mapping[str, Array],
        workers: Workers | None = None,
        *,
        ema: float | None = None,
    ) -> None:
        self.optimizer, self.clip, self.ema = optimizer, clip, ema
        self.device, self.workers = device, workers
        self.arrays = dict(arrays)
        self.dtype = next(dtype for dtype in DType if dtype.numpy == self.arrays["w"].dtype.name)
        self.unit = ALIGNMENT // self.dtype.itemsize
        self.slots = self.make_slots()
        self.arrays |= self.slots
        self.pieces = self.joined(groups)
        self.t = device.xp.zeros((), "float64")
        self.share = device.xp.zeros((), self.dtype.numpy)
        self.rates = {piece.rate: device.xp.zeros((), self.dtype.numpy) for piece in self.pieces}
        self.graphs: dict[tuple[Any, ...], Graph] = {}
        self.scratch_bytes = 0
        self.parts = self.bind() if device.threaded else None

    # ---- the step ---------------------------------------------------------------------------------------------------------------

    def run(self, rate: float, t: int, norm: float | None = None) -> None:
        """One update at this rate; t counts from 1.

        norm: of the gradients of the whole step, where it has more vectors than this one (for `clip: norm`); None takes that of `g`.
        """
        self.limit(norm)
        if self.ema is not None:
            self.share[...] = newest_share(self.ema, t)
            if t == 1:
                self.slots["average"][...] = self.arrays["w"]  # also of the weights that never move
        self.t[...] = t
        for factor, scalar in self.rates.items():
            scalar[...] = rate * factor
        if self.parts is None:
            return self.interpreted()
        with calculating(self.device, self.workers):
            if self.workers is None or len(self.parts) == 1:
                for part in self.parts:
                    for step in part:
                        step()
            else:
                self.workers.run(self.parts)
        return None

    def limit(self, norm: float | None) -> None:
        """`clip: norm(limit)`: scale the gradient, where it lies, so that its norm is at most the limit."""
        if self.clip is None or self.clip.name != "norm":
            return
        found = gradient_norm([self]) if norm is None else norm
        limit = float(self.clip.args["limit"])  # type: ignore[arg-type]
        if found > limit:
            gradient = self.arrays["g"]
            gradient *= gradient.dtype.type(limit / found)

    def accumulate_into(self, source: Array, *, first: bool, scale: float = 1.0) -> None:
        """Add a micro-batch's gradient, times `scale`, to `g`, which is then a vector of its own; the first one overwrites it."""
        total = self.arrays["g"]
        factor = total.dtype.type(scale)
        if first:
            self.device.xp.multiply(source, factor, out=total)
        elif scale == 1.0:
            total += source
        else:
            for part in self.ranges():
                total[part] += source[part] * factor

    def rebind(self, name: str, array: Array) -> None:
        """An input lies elsewhere from now on."""
        self.arrays[name] = array
        self.parts = self.bind() if self.device.threaded else None

    @contextmanager
    def averaged(self, t: int) -> Iterator[None]:
        """The averaged weights stand in place of the weights, for an evaluation after t updates.

        Without `ema`, or before any update, nothing changes.
        """
        if self.ema is None or t == 0:
            yield
            return
        self.swap()
        try:
            yield
        finally:
            self.swap()

    def swap(self) -> None:
        """Exchange the weights and their average."""
        for part in self.ranges():
            weights, average = self.arrays["w"][part], self.slots["average"][part]
            kept = weights.copy()
            weights[...] = average
            average[...] = kept

    def ranges(self) -> Iterator[slice]:
        """The whole vector, in parts whose copy is small where that costs nothing."""
        length = self.arrays["w"].shape[0]
        step = BLOCK if self.device.threaded else max(length, 1)
        return (slice(at, min(at + step, length)) for at in range(0, length, step))

    # ---- parts ------------------------------------------------------------------------------------------------------------------

    def make_slots(self) -> dict[str, Array]:
        starts = dict(OPTIMIZERS[self.optimizer.name].slots(self.optimizer.args))
        found = {name: self.vector(value) for name, value in starts.items()}
        if self.ema is not None:
            found["average"] = self.vector(0.0)
            found["average"][...] = self.arrays["w"]
        return found

    def vector(self, value: float) -> Array:
        length = self.arrays["w"].shape[0]
        found = view(self.device.empty(length * self.dtype.itemsize), 0, (length,), self.dtype.numpy)
        found[...] = value
        return found

    def joined(self, groups: Sequence[Group]) -> list[Piece]:
        """Ranges of weights side by side under equal rules, and weights that are updated as a whole."""
        found: list[Piece] = []
        for group in sorted(groups, key=lambda group: group.start):
            whole = self.whole(group)
            piece = Piece(group.start, group.stop, group.shape if whole else None, group.rate, group.weight_decay, group.constraint)
            last = found[-1] if found else None
            if last is not None and not whole and self.side_by_side(last, piece):
                found[-1] = last.part(last.start, piece.stop)
            else:
                found.append(piece)
        return found

    def whole(self, group: Group) -> bool:
        per_weight = OPTIMIZERS[self.optimizer.name].per_weight or (self.clip is not None and self.clip.name == "each")
        return per_weight or (group.constraint is not None and group.constraint.name not in ELEMENTWISE)

    def side_by_side(self, a: Piece, b: Piece) -> bool:
        """Equal rules, and nothing but padding between them."""
        gap = -(-a.stop // self.unit) * self.unit
        return gap == b.start and (a.rate, a.rule) == (b.rate, b.rule)

    def graph(self, piece: Piece) -> Graph:
        """The optimizer's graph under the rule of a piece."""
        if piece.rule not in self.graphs:
            args = dict(self.optimizer.args)
            if piece.weight_decay is not None:
                args["weight_decay"] = piece.weight_decay
            shape = piece.shape if piece.shape is not None else ("n",)
            name, clip = self.optimizer.name, self.clip
            self.graphs[piece.rule] = update_graph(
                name, args, shape, self.dtype, clip=clip, constraint=piece.constraint, averaged=self.ema is not None
            )
        return self.graphs[piece.rule]

    def inputs(self, piece: Piece) -> dict[str, Array]:
        """What the graph reads, by input name: views of the vectors, and the scalars."""
        shape = piece.shape if piece.shape is not None else (piece.size,)
        views = {name: array[piece.start : piece.stop].reshape(shape) for name, array in self.arrays.items()}
        return views | {"rate": self.rates[piece.rate], "t": self.t, "share": self.share}

    def interpreted(self) -> None:
        """The reference way, for devices without prebound calls."""
        for piece in self.pieces:
            arrays = self.inputs(piece)
            for name, value in interpret(self.graph(piece), self.device.xp, arrays).items():
                arrays[name][...] = value

    def bind(self) -> list[list[Step]]:
        """For each thread the calls over its blocks."""
        self.scratch_bytes = 0
        total = sum(piece.size for piece in self.pieces)
        threads = self.workers.count if self.workers is not None and total > 2 * BLOCK else 1
        if self.device.name == "cpu":
            from runtime.native_update import native_parts

            return native_parts(self, shared(self.pieces, threads, self.unit))
        return [self.calls([block for piece in part for block in piece.blocks()]) for part in shared(self.pieces, threads, self.unit)]

    def calls(self, blocks: Sequence[Piece]) -> list[Step]:
        measure = Scratch(self.device)
        for block in {(block.rule, block.size): block for block in blocks}.values():
            measure.reset()
            self.block(block, measure)
        memory = Scratch(self.device, self.device.empty(measure.peak))
        self.scratch_bytes += measure.peak
        found: list[Step] = []
        for block in blocks:
            memory.reset()
            found += self.block(block, memory)
        return found

    def block(self, piece: Piece, scratch: Scratch) -> list[Step]:
        """The whole graph on one block: traced node by node into one list of steps."""
        from runtime.kernels.numpy.lower import lower
        from runtime.kernels.numpy.trace import Tape

        graph, named = self.graph(piece), self.inputs(piece)
        tape = Tape()
        arrays = [named[item.name] for item in graph.inputs]
        values: dict[int, Any] = {}
        for item, array in zip(graph.inputs, arrays, strict=True):
            values[item.id] = tape.input(array.shape, array.dtype)
        for node in graph.nodes:
            if node.op == "constant":
                dtype = graph.types[node.outputs[0]].dtype.numpy
                results: tuple[Any, ...] = (self.device.xp.dtype(dtype).type(node.attrs["value"]),)
            else:
                results = evaluate(node.op, tape.xp, [values[id] for id in node.inputs], node.attrs)
            values.update(zip(node.outputs, results, strict=True))
        into = [named[output.name] for output in graph.outputs]
        return lower(tape, [values[output.id] for output in graph.outputs], arrays, into, scratch.take)


def shared(pieces: Sequence[Piece], count: int, unit: int) -> list[list[Piece]]:
    """About equal parts for `count` threads: ranges are cut at multiples of `unit` elements, whole weights go to one thread."""
    total = sum(piece.size for piece in pieces)
    edges = [total * thread // count for thread in range(count + 1)]
    parts: list[list[Piece]] = [[] for _ in range(count)]
    at = 0
    for piece in pieces:
        if piece.shape is not None:
            parts[(at + piece.size // 2) * count // max(1, total)].append(piece)
        else:
            cuts = [min(max(edge - at, 0), piece.size) // unit * unit for edge in edges[:-1]] + [piece.size]
            cuts[0] = 0
            for part, (low, high) in zip(parts, pairwise(cuts), strict=True):
                if low < high:
                    part.append(piece.part(piece.start + low, piece.start + high))
        at += piece.size
    return parts


def newest_share(decay: float, t: int) -> float:
    """The share of the newest weights in the average: (1 - d) / (1 - dᵗ).

    So the average over steps 1 … t is Σ dᵗ⁻ⁱ·wᵢ / Σ dᵗ⁻ⁱ, Adam's bias correction kept up at every step: after one step it is the
    weights themselves, and the random start has no part in it.
    """
    return 1.0 if t <= 1 or decay == 0 else (1 - decay) / -expm1(t * log(decay))


def gradient_norm(updates: Sequence[Update]) -> float:
    """√Σ g² over all vectors, in a fixed order; 0 where nothing is trained."""
    if not updates:
        return 0.0
    device = updates[0].device
    with calculating(device):
        vectors = [update.arrays["g"] for update in updates]
        squares = [float(device.xp.dot(g, g)) for g in vectors]
        if all(map(isfinite, squares)):
            return sqrt(sum(squares))
        # the squares of finite numbers may overflow in float32
        return sqrt(sum(float((g.astype("float64") ** 2).sum()) for g in vectors))
