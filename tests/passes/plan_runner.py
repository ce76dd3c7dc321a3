"""Runs a plan literally, over one block of bytes: the reference `eval` of each step reads and writes views at the planned offsets.

Whatever the plan does not promise to keep is filled with rubbish, so that a wrong offset, alias or lifetime changes a result.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dslc.interpret import bind_dims, quiet, run_node
from dslc.plan import Plan

RUBBISH = 0xA5


def run_plan(plan: Plan, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Outputs and updates, as the interpreter names them; the sizes may be smaller than the planned ones."""
    graph = plan.graph
    dims = bind_dims(graph, arrays)
    arena = np.full(plan.arena_bytes, RUBBISH, np.uint8)
    outside = {item.id: arrays[item.name] for item in graph.inputs}
    constants = [node for node in graph.nodes if node.op == "constant"]
    outside |= {node.outputs[0]: run_node(np, node, [], dims)[0] for node in constants}
    for array in outside.values():
        array.setflags(write=False)

    def value(id: int) -> np.ndarray:
        buffer, place, type = plan.buffers[id], plan.place(id), graph.types[id]
        if buffer.order is not None:
            assert buffer.source is not None
            return value(buffer.source).transpose(buffer.order)
        if place.offset is None:
            return outside[place.value].reshape(type.sizes(dims))
        size = type.bytes.evaluate(dims)
        return arena[place.offset : place.offset + size].view(type.dtype.numpy).reshape(type.sizes(dims))

    with quiet(np):
        for number, step in enumerate(plan.steps):
            node = graph.nodes[step.node]
            arena[step.scratch : step.scratch + step.scratch_bytes] = RUBBISH
            results = run_node(np, node, [value(id) for id in node.inputs], dims)
            for id, result in zip(node.outputs, results, strict=True):
                value(id)[...] = result
            arena[step.scratch : step.scratch + step.scratch_bytes] = RUBBISH
            for buffer in plan.buffers:  # what has died; a value that took over its place in this step is left alone
                if buffer.kind == "arena" and buffer.last == number and step.in_place is None:
                    assert buffer.offset is not None
                    arena[buffer.offset : buffer.offset + buffer.bytes] = RUBBISH
    found = {output.name: value(output.id) for output in graph.outputs}
    return found | {f"update:{update.name}": value(update.id) for update in graph.updates}
