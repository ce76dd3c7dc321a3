"""Graphs from tapes: only what the outputs and updates need."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from dslc.elaborate.tape import Tape
from dslc.ir.graph import Graph, Output
from dslc.ops.value import Val


def pruned(tape: Tape, name: str, outputs: Mapping[str, Val], updates: Mapping[str, Val], keep: Collection[str] = ()) -> Graph:
    """The part of a tape that these outputs and updates need, ids counted anew. Inputs named in `keep` stay, used or not."""
    builder = tape.builder
    needed = {value.id for value in (*outputs.values(), *updates.values())}
    kept = []
    for node in reversed(builder.nodes):
        if needed & set(node.outputs):
            kept.append(node)
            needed |= set(node.inputs)
    kept.reverse()
    inputs = [item for item in builder.inputs if item.id in needed or item.name in keep]
    ids: dict[int, int] = {}
    for old in (*(item.id for item in inputs), *(id for node in kept for id in node.outputs)):
        ids[old] = len(ids)
    return Graph(
        name=name,
        types=tuple(builder.types[old] for old in ids),
        inputs=tuple(item.model_copy(update={"id": ids[item.id]}) for item in inputs),
        nodes=tuple(
            node.model_copy(update={"inputs": tuple(ids[old] for old in node.inputs), "outputs": tuple(ids[old] for old in node.outputs)})
            for node in kept
        ),
        outputs=tuple(Output(name=key, id=ids[value.id]) for key, value in outputs.items()),
        updates=tuple(Output(name=key, id=ids[value.id]) for key, value in updates.items()),
    )
