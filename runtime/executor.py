"""Runs a graph: a plan, one arena, and a flat list of prebound calls for each set of sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dslc.diagnostics import DataError, InternalError
from dslc.interpret import bind_dims, check_values
from dslc.ir.errors import BadArray, InvalidGraph
from dslc.ir.graph import Graph
from dslc.plan import make_plan
from runtime.arena import Pool, Scratch
from runtime.bind import Binder, memory, size_of
from runtime.device import Array, Device
from runtime.kernels import registry_of
from runtime.views import transposed_views
from runtime.workers import Step, Workers, calculating

Sections = list[list[list[Step]]]


class Executor:
    """One graph on one device, planned for `dims`; smaller sizes run over the same memory.

    contiguous: names of outputs that stand one after the other in `gradients` (bytes).
    storage: arrays for inputs that are bound where they lie (weights, states); every other input is copied in by `run`.
    workers: threads of the numpy device; None: the caller's thread alone.
    pool: scratch that executors share which never run at the same time; None: memory of its own.
    """

    def __init__(
        self,
        graph: Graph,
        device: Device,
        dims: Mapping[str, int],
        *,
        contiguous: Sequence[str] = (),
        storage: Mapping[str, Array] | None = None,
        workers: Workers | None = None,
        pool: Pool | None = None,
    ) -> None:
        check_values(graph, dims)
        self.plan = make_plan(graph, dims, contiguous=contiguous)
        self.graph = self.plan.graph
        self.device = device
        self.storage = dict(storage or {})
        self.workers = workers if device.threaded else None
        self.threads = self.workers.count if self.workers is not None else 1
        self.pool = pool or Pool(device)
        self.arena = device.empty(self.plan.arena_bytes)
        self.fed = [item for item in self.graph.inputs if item.name not in self.storage]
        self.buffers = {item.id: device.empty(size_of(self.graph, item.id, self.plan.dims)) for item in self.fed}
        self.bound: dict[tuple[tuple[str, int], ...], Bound] = {}
        self.prepare(self.plan.dims)

    @property
    def gradients(self) -> Array:
        """The bytes of the contiguous outputs."""
        return self.arena[: self.plan.gradients]

    @property
    def dims(self) -> dict[str, int]:
        """The sizes planned for."""
        return self.plan.dims

    def fits(self, dims: Mapping[str, int]) -> bool:
        """Whether a run at these sizes stays within the memory."""
        return self.plan.fits(dims)

    def run(self, arrays: Mapping[str, Any], dims: Mapping[str, int] | None = None) -> dict[str, Array]:
        """Outputs by name and updates as "update:ADDRESS", valid until the next run. Raises DataError for an array that does not fit."""
        bound = self.prepare(self.sizes(arrays) if dims is None else dims)
        for name, target in bound.inputs:
            self.feed(name, target, arrays)
        with calculating(self.device, self.workers):
            for section in bound.sections:
                if len(section) > 1 and any(section[1:]) and self.workers is not None:
                    self.workers.run(section)
                else:
                    for step in section[0]:
                        step()
        return dict(bound.outputs)

    def sizes(self, arrays: Mapping[str, Any]) -> dict[str, int]:
        return bind_dims(self.graph, self.storage | dict(arrays))

    def feed(self, name: str, target: Array, arrays: Mapping[str, Any]) -> None:
        if name not in arrays:
            raise DataError(BadArray(name=name, reason="no array is given"))
        source = arrays[name]
        if source.shape != target.shape or source.dtype != target.dtype:
            reason = f"the array is {source.dtype}{list(source.shape)}, {target.dtype}{list(target.shape)} is needed"
            raise DataError(BadArray(name=name, reason=reason))
        self.device.to_device(target, source)

    def prepare(self, dims: Mapping[str, int]) -> Bound:
        """The calls for these sizes, bound once."""
        key = tuple(sorted(dims.items()))
        if key not in self.bound:
            if not self.plan.fits(dims):
                reason = f"{dict(dims)} is larger than the plan {self.plan.dims}"
                raise InternalError(InvalidGraph(graph=self.graph.name, where="its dims", reason=reason))
            check_values(self.graph, dims)
            self.bound[key] = Bound(self, dict(dims))
        return self.bound[key]


class Bound:
    """The calls of one executor at one set of sizes."""

    def __init__(self, owner: Executor, dims: dict[str, int]) -> None:
        self.owner = owner
        self.dims = dims
        graph, plan = owner.graph, owner.plan
        self.arrays: dict[int, Array] = {}
        for id in range(len(graph.types)):
            self.arrays[id] = self.array(id)
        nodes = [graph.nodes[step.node] for step in plan.steps]
        if owner.device.threaded:
            views = transposed_views(graph, nodes, self.arrays)
            self.arrays |= views
            nodes = [node for node in nodes if views.keys().isdisjoint(node.outputs)]
        self.sections = self.bind(nodes)
        self.inputs = [(item.name, self.arrays[item.id]) for item in owner.fed]
        self.outputs = {output.name: self.arrays[output.id] for output in graph.outputs}
        self.outputs |= {f"update:{update.name}": self.arrays[update.id] for update in graph.updates}

    def array(self, id: int) -> Array:
        owner, graph, plan = self.owner, self.owner.graph, self.owner.plan
        buffer, place = plan.buffers[id], plan.place(id)
        if buffer.order is not None and buffer.source is not None:
            return self.arrays[buffer.source].transpose(buffer.order)
        if place.kind == "arena":
            assert place.offset is not None
            return memory(graph, id, self.dims, owner.arena, place.offset)
        if place.kind == "constant":
            base = self.constant(place.value)
        else:
            base = self.outside(place.value)
        return base if buffer.of is None else base.reshape(graph.types[id].sizes(self.dims))

    def outside(self, id: int) -> Array:
        item = next(item for item in self.owner.graph.inputs if item.id == id)
        if item.name in self.owner.storage:
            return self.owner.storage[item.name]
        return memory(self.owner.graph, id, self.dims, self.owner.buffers[id], 0)

    def constant(self, id: int) -> Array:
        node = next(node for node in self.owner.graph.nodes if id in node.outputs)
        type = self.owner.graph.types[id]
        array = self.owner.device.xp.full(type.sizes(self.dims), node.attrs["value"], type.dtype.numpy)
        if self.owner.device.threaded:
            array.flags.writeable = False  # kernels may count on its value
        return array

    def bind(self, nodes: Sequence[Any]) -> Sections:
        """Measure the working memory, then bind over memory."""
        owner = self.owner
        measured = [Scratch(owner.device) for _ in range(owner.threads + 1)]
        views: dict[tuple[int, int, int, int], Array] = {}
        self.calls = self.binder(measured, views).measure(nodes)
        return self.binder(owner.pool.take([scratch.peak for scratch in measured]), views).bind(nodes)

    def binder(self, scratch: Sequence[Scratch], views: dict[tuple[int, int, int, int], Array]) -> Binder:
        owner = self.owner
        return Binder(
            graph=owner.graph,
            device=owner.device,
            registry=registry_of(owner.device.name),
            threads=owner.threads,
            dims=self.dims,
            arrays=self.arrays,
            scratch=scratch[:-1],
            sums=scratch[-1],
            views=views,
        )
