"""The plan: ordered steps over planned offsets in one arena. It is the contract between the compiler and the devices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from dslc.collector import paused_collector
from dslc.diagnostics import InternalError, SpecError
from dslc.ir.errors import InvalidGraph, NotRunnable
from dslc.ir.graph import Graph, Node
from dslc.ir.types import Dim, Frozen, TensorType
from dslc.ops.table import lookup
from dslc.passes.plan_memory import Lifetimes, Slot, aligned, allocate, lifetimes, make_slots, peak
from dslc.passes.separate import operand_views, separate

BufferKind = Literal["input", "parameter", "state", "constant", "arena", "alias"]
Scratch = Callable[[Node, tuple[TensorType, ...], tuple[TensorType, ...], Mapping[str, int]], int]
KINDS: dict[str, BufferKind] = {"input": "input", "data": "input", "key": "input", "weight": "parameter", "state": "state"}


class Buffer(Frozen):
    """Where one value lives.

    kind: "arena" has an `offset` (bytes from the start of the arena); "alias" is the memory of the value `of`: in its own shape, or, where
    there is an `order`, with the axes of the value `source` in that order (read by matrix products only); the others come from
    outside (`input`, `parameter`, `state`) or are made once (`constant`). bytes: at the planned dims.
    first, last: the steps between which the memory must not be given to another; the number of steps means "after the run".
    """

    value: int
    kind: BufferKind
    bytes: int
    offset: int | None = None
    of: int | None = None
    source: int | None = None
    order: tuple[int, ...] | None = None
    first: int
    last: int


class Step(Frozen):
    """One kernel call. node: its position in `graph.nodes`. scratch: offset and bytes of memory that is free during this step only.

    in_place: the number of the input whose memory the result takes: element i of the result may be written when element i of every
    input has been read for the last time.
    """

    node: int
    scratch: int = 0
    scratch_bytes: int = 0
    in_place: int | None = None


class Peak(Frozen):
    """The step at which most of the arena is in use, the bytes, and the values that live there (largest first)."""

    step: int
    bytes: int
    live: tuple[int, ...]


class Plan(Frozen):
    """graph: what is run (copies that the plan needs are nodes of it). buffers: by value id.

    dims: the sizes planned for; every smaller size of the same dims runs over the same offsets.
    gradients: bytes of the region [0, gradients) that holds the contiguous outputs in order, each padded to 64 bytes, never used for
    anything else. arena_bytes: the size of the arena.
    """

    graph: Graph
    dims: dict[str, int]
    buffers: tuple[Buffer, ...]
    steps: tuple[Step, ...]
    contiguous: tuple[str, ...]
    gradients: int
    arena_bytes: int
    peak: Peak

    def place(self, id: int) -> Buffer:
        """The buffer that holds the bytes of value `id`: its own, or what it is an alias of."""
        buffer = self.buffers[id]
        return buffer if buffer.of is None else self.buffers[buffer.of]

    def fits(self, dims: Mapping[str, int]) -> bool:
        """Whether a run at these sizes stays within the plan."""
        return all(1 <= dims.get(name, 0) <= size for name, size in self.dims.items())

    def to_text(self) -> str:
        """The plan as people read it: buffers that come from outside, steps with where they write, and what is live at the peak."""
        return "".join(f"{line}\n" for line in plan_lines(self))


def no_scratch(node: Node, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...], dims: Mapping[str, int]) -> int:
    return 0


@paused_collector()
def make_plan(graph: Graph, dims: Mapping[str, int], scratch: Scratch = no_scratch, contiguous: Sequence[str] = ()) -> Plan:
    """Plan the memory of `graph` at these sizes.

    scratch: the bytes of working memory that the kernel of a node wants (node, input types, output types, dims).
    contiguous: names of outputs that stand one after the other in the region `gradients`.
    Raises SpecError for an operator that stands by its signature only.
    """
    graph = separate(graph, contiguous)
    sizes = value_bytes(graph, dims)
    lives = lifetimes(graph)
    runnable(graph, lives)
    pinned = [lives.owners[graph.output(name)] for name in contiguous]
    offsets: dict[int, int] = {}
    region = 0
    for id in pinned:
        offsets[id] = region
        region += aligned(sizes[id])
    slots, over = make_slots(graph, lives, sizes, pinned)
    working = scratch_slots(graph, lives, dims, scratch)
    everything = [*unique(slots.values()), *working.values()]
    arena_bytes = allocate(everything, region)
    offsets |= {id: slot.offset for id, slot in slots.items()}
    return Plan(
        graph=graph,
        dims={name: dims[name] for name in all_dims(graph)},
        buffers=make_buffers(graph, lives, sizes, offsets),
        steps=tuple(
            Step(
                node=at,
                scratch=working[step].offset if step in working else 0,
                scratch_bytes=working[step].bytes if step in working else 0,
                in_place=over.get(step),
            )
            for step, at in enumerate(lives.steps)
        ),
        contiguous=tuple(contiguous),
        gradients=region,
        arena_bytes=aligned(arena_bytes),
        peak=find_peak(everything, lives, sizes, pinned, region),
    )


def all_dims(graph: Graph) -> tuple[str, ...]:
    """The dims of the inputs, and those that only other values have (`batch`, where all is drawn)."""
    return tuple(dict.fromkeys((*graph.dims, *sorted({name for type in graph.types for name in type.names}))))


def unique(slots: Iterable[Slot]) -> list[Slot]:
    """Every slot once, in order."""
    return list({id(slot): slot for slot in slots}.values())


def runnable(graph: Graph, lives: Lifetimes) -> None:
    for at in lives.steps:
        node = graph.nodes[at]
        if lookup(node.op).eval is None or node.body is not None:
            raise SpecError(NotRunnable(operator=node.op, place=node.place or node.address))


def value_bytes(graph: Graph, dims: Mapping[str, int]) -> list[int]:
    """The size of every value; InternalError where a dim has no value."""
    known: dict[tuple[Dim, ...], int] = {}

    def elements(shape: tuple[Dim, ...]) -> int:
        if shape not in known:
            count = 1
            for size in shape:
                count *= size.evaluate(dims)
            known[shape] = count
        return known[shape]

    try:
        return [elements(type.shape) * type.dtype.itemsize for type in graph.types]
    except KeyError as error:
        reason = f"the size {error.args[0]} has no value to plan with"
        raise InternalError(InvalidGraph(graph=graph.name, where="its dims", reason=reason)) from error


def scratch_slots(graph: Graph, lives: Lifetimes, dims: Mapping[str, int], scratch: Scratch) -> dict[int, Slot]:
    """Working memory by step: it lives in that step only."""
    found = {}
    for step, at in enumerate(lives.steps):
        node = graph.nodes[at]
        inputs = tuple(graph.types[id] for id in node.inputs)
        size = scratch(node, inputs, tuple(graph.types[id] for id in node.outputs), dims)
        if size:
            found[step] = Slot(size, step, step)
    return found


def make_buffers(graph: Graph, lives: Lifetimes, sizes: Sequence[int], offsets: Mapping[int, int]) -> tuple[Buffer, ...]:
    outside = {item.id: KINDS[item.kind] for item in graph.inputs}
    orders = operand_views(graph)
    sources = {node.outputs[0]: node.inputs[0] for node in graph.nodes if node.outputs[0] in orders}

    def buffer(id: int, owner: int) -> Buffer:
        kind: BufferKind = "alias" if owner != id else "arena" if id in offsets else outside.get(id, "constant")
        return Buffer(
            value=id,
            kind=kind,
            bytes=sizes[id],
            offset=offsets.get(id),
            of=owner if owner != id else None,
            source=sources.get(id),
            order=orders.get(id),
            first=lives.first[owner],
            last=lives.last[owner],
        )

    return tuple(buffer(id, owner) for id, owner in enumerate(lives.owners))


def find_peak(slots: Sequence[Slot], lives: Lifetimes, sizes: Sequence[int], pinned: Sequence[int], region: int) -> Peak:
    step, live = peak(slots, len(lives.steps))
    present = [*pinned]
    for slot in slots:
        if slot.first <= step <= slot.last and slot.values:
            present.append(max((id for id in slot.values if lives.first[id] <= step), key=lambda id: lives.first[id]))
    return Peak(step=step, bytes=live + region, live=tuple(sorted(present, key=lambda id: (-sizes[id], id))))


# ---- text -----------------------------------------------------------------------------------------------------------------------


def plan_lines(plan: Plan) -> Iterator[str]:
    graph = plan.graph
    sizes = " ".join(f"{name}={size}" for name, size in plan.dims.items())
    yield f"plan {graph.name}{f' for {sizes}' if sizes else ''}"
    region = f", of them {plan.gradients:,} for contiguous outputs" if plan.contiguous else ""
    yield f"arena {plan.arena_bytes:,} bytes{region}; {plan.peak.bytes:,} are live at step {plan.peak.step}"
    yield "outside"
    for item in graph.inputs:
        yield f"  %{item.id} {graph.types[item.id]} {plan.buffers[item.id].bytes:,} bytes: {item.kind} {item.name}"
    for node in graph.nodes:
        if node.op == "constant":
            yield f"  %{node.outputs[0]} {graph.types[node.outputs[0]]} = {node.attrs['value']}"
    yield "steps"
    for number, step in enumerate(plan.steps):
        yield f"  {number}: {step_text(plan, step)}"
    yield "outputs"
    for word, items in (("", graph.outputs), ("update ", graph.updates)):
        for output in items:
            yield f"  {word}{output.name} = {value_text(plan, output.id)}"
    yield f"live at step {plan.peak.step}"
    for id in plan.peak.live:
        yield f"  %{id} {graph.types[id]} {plan.buffers[id].bytes:,} bytes"


def step_text(plan: Plan, step: Step) -> str:
    node = plan.graph.nodes[step.node]
    results = ", ".join(f"{value_text(plan, id)} {plan.graph.types[id]}" for id in node.outputs)
    inputs = ", ".join(value_text(plan, id) for id in node.inputs)
    over = "" if step.in_place is None else f" over input {step.in_place}"
    scratch = f" scratch {step.scratch}+{step.scratch_bytes}" if step.scratch_bytes else ""
    return f"{results} = {node.op}({inputs}){over}{scratch} {node.address}"


def value_text(plan: Plan, id: int) -> str:
    """`%5@1024`: value 5 at offset 1024; `%6=%5@1024`: a view of value 5, `%6=%5ᵀ` a transposed one."""
    buffer = plan.buffers[id]
    place = plan.place(id)
    view = "" if buffer.of is None else f"=%{buffer.of}" if buffer.order is None else f"=%{buffer.of}ᵀ"
    return f"%{id}{view}" + ("" if place.offset is None else f"@{place.offset}")
