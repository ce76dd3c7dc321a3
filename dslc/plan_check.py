"""Checks that a plan keeps its promises, by working everything out anew from the graph. Tests run it over every plan."""

from __future__ import annotations

from bisect import bisect_left

from dslc.diagnostics import InternalError
from dslc.ir.errors import InvalidGraph
from dslc.ops.table import lookup
from dslc.plan import Plan


def check_plan(plan: Plan) -> None:
    """Raise InternalError where the plan breaks a promise; everything is worked out anew from the graph.

    No two buffers (scratch included) that are live at the same time overlap, except that a result may lie exactly over an input that
    dies there; the region of contiguous outputs is used by nothing else; all of it lies in the arena, at multiples of 64.
    """
    checks = PlanCheck(plan)
    checks.steps()
    checks.places()
    checks.contiguous()
    checks.overlaps()


class PlanCheck:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.graph = plan.graph
        self.last = self.last_uses()

    def fail(self, where: str, reason: str) -> None:
        raise InternalError(InvalidGraph(graph=f"{self.graph.name} (plan)", where=where, reason=reason))

    def owner(self, id: int) -> int:
        return self.plan.place(id).value

    def last_uses(self) -> dict[int, int]:
        """The last step that reads each piece of memory, by owner; the number of steps for what is read after the run."""
        last: dict[int, int] = {}
        for number, step in enumerate(self.plan.steps):
            node = self.graph.nodes[step.node]
            last.update((self.owner(id), number) for id in (*node.outputs, *node.inputs))
        last.update((self.owner(item.id), len(self.plan.steps)) for item in (*self.graph.outputs, *self.graph.updates))
        return last

    def views(self) -> dict[int, int]:
        """What each view is a view of: reshapes, and transposes of the last two axes that only matrix products read."""
        strided = {id for node in self.graph.nodes if node.op != "matmul" for id in node.inputs}
        strided |= {item.id for item in (*self.graph.outputs, *self.graph.updates)}
        found = {}
        for node in self.graph.nodes:
            (id, *_), order = node.outputs, self.plan.buffers[node.outputs[0]].order
            if node.op in ("reshape", "flatten"):
                found[id] = node.inputs[0]
            elif order is not None:
                rank = len(order)
                if node.op != "transpose" or id in strided or order != (*range(rank - 2), rank - 1, rank - 2):
                    self.fail(node.address, "it cannot be a view")
                found[id] = node.inputs[0]
        return found

    def steps(self) -> None:
        """Every node that is no constant and no view is a step, in order; in-place steps overwrite only what nobody reads later."""
        views = self.views()
        wanted = [at for at, node in enumerate(self.graph.nodes) if node.op != "constant" and node.outputs[0] not in views]
        if [step.node for step in self.plan.steps] != wanted:
            self.fail("its steps", "they are not the nodes that run, in order")
        for number, step in enumerate(self.plan.steps):
            if step.in_place is None:
                continue
            node = self.graph.nodes[step.node]
            source = node.inputs[step.in_place]
            if self.plan.place(source).kind != "arena" or self.last[self.owner(source)] != number:
                self.fail(node.address, "it writes over an input that is still needed")
            if self.graph.types[source] != self.graph.types[node.outputs[0]] or lookup(node.op).kind != "elementwise":
                self.fail(node.address, "it may not write in place")
            if self.plan.place(source).offset != self.plan.buffers[node.outputs[0]].offset:
                self.fail(node.address, "it does not lie over the input that it names")

    def places(self) -> None:
        views = self.views()
        for id, buffer in enumerate(self.plan.buffers):
            type = self.graph.types[id]
            if buffer.bytes != type.bytes.evaluate(self.plan.dims):
                self.fail(f"%{id}", "its size is wrong")
            if (buffer.kind == "alias") != (id in views) or (id in views and self.owner(id) != self.owner(views[id])):
                self.fail(f"%{id}", "it is an alias of the wrong value")
            if buffer.kind == "arena":
                self.inside(f"%{id}", buffer.offset or 0, buffer.bytes)
        for step in self.plan.steps:
            self.inside(f"the scratch of step {step.node}", step.scratch, step.scratch_bytes)

    def inside(self, where: str, offset: int, size: int) -> None:
        if offset < 0 or offset % 64 or offset + size > self.plan.arena_bytes:
            self.fail(where, f"offset {offset} is outside of the arena or not a multiple of 64")

    def contiguous(self) -> None:
        at = 0
        own = set()
        for name in self.plan.contiguous:
            place = self.plan.place(self.graph.output(name))
            if place.offset != at:
                self.fail(name, f"it stands at {place.offset}, not at {at}")
            own.add(place.value)
            at += -(-place.bytes // 64) * 64
        if at != self.plan.gradients:
            self.fail("the region of contiguous outputs", f"it has {self.plan.gradients} bytes, not {at}")
        for buffer in self.plan.buffers:
            if buffer.offset is not None and buffer.offset < at and buffer.value not in own:
                self.fail(f"%{buffer.value}", "it lies in the region of contiguous outputs")

    def overlaps(self) -> None:
        """Walk through the steps with the live pieces sorted by offset: a new piece may only touch its neighbours' ends."""
        ends: dict[int, list[tuple[int, int]]] = {}
        live: list[tuple[int, int]] = []
        for number, step in enumerate(self.plan.steps):
            node = self.graph.nodes[step.node]
            over = None if step.in_place is None else self.plan.place(node.inputs[step.in_place])
            if over is not None:
                piece = ((over.offset or 0), over.bytes)
                live.remove(piece)
                ends[number].remove(piece)
            for id in node.outputs:
                piece = (self.plan.buffers[id].offset or 0, self.plan.buffers[id].bytes)
                self.enter(live, piece, f"%{id}")
                ends.setdefault(self.last[id], []).append(piece)
            if step.scratch_bytes:
                piece = (step.scratch, step.scratch_bytes)
                self.enter(live, piece, f"the scratch of {node.address}")
                ends.setdefault(number, []).append(piece)
            for piece in ends.pop(number, []):
                live.remove(piece)

    def enter(self, live: list[tuple[int, int]], piece: tuple[int, int], where: str) -> None:
        at = bisect_left(live, piece)
        before, after = live[at - 1] if at else (0, 0), live[at] if at < len(live) else (sum(piece), 0)
        if sum(before) > piece[0] or sum(piece) > after[0]:
            self.fail(where, "it overlaps a buffer that is live at the same time")
        live.insert(at, piece)
