"""Runs a graph as native code: the same interface as `runtime/executor.py`."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dslc.diagnostics import DataError, InternalError
from dslc.interpret import bind_dims, check_values, interpret, run_node
from dslc.ir.errors import BadArray, InvalidGraph
from dslc.ir.graph import Graph
from runtime.arena import Pool
from runtime.device import Array, Device
from runtime.kernels.native.cache import objects_of
from runtime.kernels.native.machine import Library, host
from runtime.kernels.native.program import Program, make_program
from runtime.kernels.native.team import Function
from runtime.loops.nest import Foreign
from runtime.workers import Workers, calculating

Dims = Mapping[str, int]


class NativeExecutor:
    """One graph as native code, planned for `dims`; smaller sizes run over the same memory.

    contiguous, storage, workers: as of `Executor`; bound, buffers: what that one has beside the arena, and this one has not.
    gap: bytes around each array of the arena that no code may touch, for tests.
    What has no native form runs as the row's `eval` between native functions.
    """

    def __init__(
        self,
        graph: Graph,
        device: Device,
        dims: Dims,
        *,
        contiguous: Sequence[str] = (),
        storage: Mapping[str, Array] | None = None,
        workers: Workers | None = None,
        pool: Pool | None = None,
        gap: int = 0,
    ) -> None:
        check_values(graph, dims)
        self.graph, self.device, self.dims = graph, device, dict(dims)
        self.storage = dict(storage or {})
        self.workers = workers
        self.threads = workers.count if workers is not None else 1
        self.program: Program = make_program(graph, dims, host(), self.threads, contiguous, gap)
        self.arena = device.empty(self.program.memory.arena)
        names = [turn for turn in self.program.turns if isinstance(turn, str)]
        self.library = Library(objects_of(self.program.modules, host(), self.threads), names)
        together = workers if self.threads > 1 else None
        self.functions = {name: Function(self.library, name, together) for name in names}
        self.known: set[tuple[tuple[str, int], ...]] = set()  # sizes that have been looked at
        self.bound: dict[Any, Any] = {}
        self.buffers: dict[int, Array] = {}

    @property
    def gradients(self) -> Array:
        """The bytes of the contiguous outputs."""
        return self.arena[: self.program.memory.pinned]

    def fits(self, dims: Dims) -> bool:
        """Whether a run at these sizes stays within the memory."""
        return all(1 <= dims.get(name, 0) <= size for name, size in self.dims.items())

    def run(self, arrays: Mapping[str, Any], dims: Dims | None = None) -> dict[str, Array]:
        """Outputs by name and updates as "update:ADDRESS", valid until the next run. Raises DataError for an array that does not fit."""
        given = self.storage | dict(arrays)
        sizes = bind_dims(self.graph, given) if dims is None else dims
        self.look_at(sizes)
        outside = self.outside(given)
        run = Run(self, outside, sizes)
        with calculating(self.device, self.workers):
            for turn in self.program.turns:
                if isinstance(turn, Foreign):
                    run.foreign(turn)
                else:
                    run.native(self.functions[turn])
        if any(run.array(name, (), "int64") != 0 for name in self.program.checks):
            interpret(self.graph, np, given)  # says which data are wrong
        found = {output.name: run.value(output.id) for output in self.graph.outputs}
        return found | {f"update:{update.name}": run.value(update.id) for update in self.graph.updates}

    def look_at(self, dims: Dims) -> None:
        """Raises DataError where a value is empty at these sizes."""
        key = tuple(sorted(dims.items()))
        if key in self.known:
            return
        if not self.fits(dims):
            reason = f"{dict(dims)} is larger than the plan {self.dims}"
            raise InternalError(InvalidGraph(graph=self.graph.name, where="its dims", reason=reason))
        check_values(self.graph, dims)
        self.known.add(key)

    def outside(self, given: Mapping[str, Any]) -> dict[str, Array]:
        """The arrays of inputs and constants, as they lie in memory."""
        found: dict[str, Array] = dict(self.program.constants)
        for item in self.graph.inputs:
            type = self.graph.types[item.id]
            array = given.get(item.name)
            if array is None:
                raise DataError(BadArray(name=item.name, reason="no array is given"))
            if array.dtype != type.dtype.numpy or array.ndim != type.rank:
                reason = f"the array is {array.dtype}{list(array.shape)}, {type} is needed"
                raise DataError(BadArray(name=item.name, reason=reason))
            found[f"%{item.id}"] = np.ascontiguousarray(array).reshape(array.shape)
        return found


class Run:
    """One run of a program at some sizes."""

    def __init__(self, owner: NativeExecutor, outside: Mapping[str, Array], dims: Dims) -> None:
        program = owner.program
        self.owner, self.given, self.dims = owner, outside, dims
        self.pointers = (ctypes.c_void_p * max(len(program.outside), 1))(*(outside[name].ctypes.data for name in program.outside))
        self.sizes = (ctypes.c_int64 * max(len(program.sizes), 1))(*(size.evaluate(dims) for size in program.sizes))

    def native(self, function: Function) -> None:
        function(self.owner.arena.ctypes.data, ctypes.addressof(self.pointers), ctypes.addressof(self.sizes))

    def foreign(self, step: Foreign) -> None:
        node = self.owner.graph.nodes[step.at]
        results = run_node(np, node, [self.value(id) for id in node.inputs], self.dims)
        for id, result in zip(node.outputs, results, strict=True):
            self.value(id)[...] = result

    def value(self, id: int) -> Array:
        type = self.owner.graph.types[id]
        return self.array(f"%{id}", type.sizes(self.dims), type.dtype.numpy)

    def array(self, name: str, shape: Sequence[int], dtype: str) -> Array:
        """An array that lies as it stands."""
        if name in self.given:
            return self.given[name]
        start = self.owner.program.memory.offsets[name]
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        return self.owner.arena[start : start + size].view(dtype).reshape(shape)
