"""Runs an optimizer's graph over flat vectors, in place."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ops.infer import evaluate
from runtime.arena import Scratch
from runtime.device import ALIGNMENT, Array, Device
from runtime.workers import Step, Workers, calculating

BLOCK = 16384  # elements: the vectors of one block lie in a second-level cache together
SCALARS = ("rate", "t")


class FlatUpdate:
    """One optimizer step over vectors. arrays: by input name, all but the scalars; outputs are written over the inputs of the same name."""

    def __init__(self, graph: Graph, device: Device, arrays: Mapping[str, Array], workers: Workers | None = None) -> None:
        self.graph = graph
        self.device = device
        self.arrays = dict(arrays)
        self.workers = workers
        types = {item.name: graph.types[item.id].dtype.numpy for item in graph.inputs}
        self.scalars = {name: device.xp.zeros((), types[name]) for name in SCALARS}
        self.parts = self.bind() if device.threaded else None

    def run(self, rate: float, factor: float, t: int) -> None:
        """Update with the gradient times `factor` (clipping; the gradient is scaled where it lies). t counts from 1."""
        self.scalars["rate"][...], self.scalars["t"][...] = rate, t
        if factor != 1.0:
            self.arrays["g"] *= self.arrays["g"].dtype.type(factor)
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

    def rebind(self, name: str, array: Array) -> None:
        """An input lies elsewhere from now on."""
        self.arrays[name] = array
        self.parts = self.bind() if self.device.threaded else None

    def interpreted(self) -> None:
        """The reference way, for devices without prebound calls."""
        found = interpret(self.graph, self.device.xp, self.arrays | self.scalars)
        for name, value in found.items():
            self.arrays[name][...] = value

    def bind(self) -> list[list[Step]]:
        """For each thread the calls over its blocks."""
        length = self.arrays["w"].shape[0]
        threads = self.workers.count if self.workers is not None and length > 2 * BLOCK else 1
        unit = ALIGNMENT // self.arrays["w"].itemsize
        edges = [length * t // threads // unit * unit for t in range(threads)] + [length]
        return [self.calls(start, stop) for start, stop in pairwise(edges)]

    def calls(self, start: int, stop: int) -> list[Step]:
        measure = Scratch(self.device)
        self.block(start, min(start + BLOCK, stop), measure)
        memory = Scratch(self.device, self.device.empty(measure.peak))
        found: list[Step] = []
        for at in range(start, stop, BLOCK):
            memory.reset()
            found += self.block(at, min(at + BLOCK, stop), memory)
        return found

    def block(self, start: int, stop: int, scratch: Scratch) -> list[Step]:
        """The whole graph on one block: traced node by node into one list of steps."""
        from runtime.kernels.numpy.lower import lower
        from runtime.kernels.numpy.trace import Tape

        tape = Tape()
        names = [item.name for item in self.graph.inputs]
        arrays = [self.scalars[name] if name in self.scalars else self.arrays[name][start:stop] for name in names]
        values: dict[int, Any] = {}
        for item, array in zip(self.graph.inputs, arrays, strict=True):
            values[item.id] = tape.input(array.shape, array.dtype)
        for node in self.graph.nodes:
            if node.op == "constant":
                dtype = self.graph.types[node.outputs[0]].dtype.numpy
                results: tuple[Any, ...] = (self.device.xp.dtype(dtype).type(node.attrs["value"]),)
            else:
                results = evaluate(node.op, tape.xp, [values[id] for id in node.inputs], node.attrs)
            values.update(zip(node.outputs, results, strict=True))
        into = [self.arrays[output.name][start:stop] for output in self.graph.outputs]
        return lower(tape, [values[output.id] for output in self.graph.outputs], arrays, into, scratch.take)
