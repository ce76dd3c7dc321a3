"""Graphs from tapes: only what the outputs and updates need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from dslc.elaborate.tape import Tape
from dslc.ir.graph import Graph, Node, Output
from dslc.ir.types import Dim
from dslc.ops.value import Val


def pruned(tape: Tape, name: str, outputs: Mapping[str, Val], updates: Mapping[str, Val], keep: Collection[str] = ()) -> Graph:
    """The part of a tape that these outputs and updates need, ids counted anew.

    Inputs named in `keep` stay, used or not, and so does one that shows a size which nothing else shows.
    """
    builder = tape.builder
    needed = {value.id for value in (*outputs.values(), *updates.values())}
    kept = []
    for node in reversed(builder.nodes):
        if needed & set(node.outputs):
            kept.append(node)
            needed |= set(node.inputs)
    kept.reverse()
    needed |= {item.id for item in builder.inputs if item.name in keep}
    types = {id(type): type for node in kept for type in [builder.types[out] for out in node.outputs]}
    wanted = {name for type in types.values() for name in type.names} | attribute_names(kept)
    for item in sorted(builder.inputs, key=lambda item: item.id not in needed):
        if wanted and not wanted.isdisjoint(builder.types[item.id].names):
            needed.add(item.id)
            wanted -= builder.types[item.id].names
    inputs = [item for item in builder.inputs if item.id in needed]
    ids: dict[int, int] = {}
    for old in (*(item.id for item in inputs), *(id for node in kept for id in node.outputs)):
        ids[old] = len(ids)
    return Graph(
        name=name,
        types=tuple(builder.types[old] for old in ids),
        inputs=tuple(item.changed(id=ids[item.id]) for item in inputs),
        nodes=tuple(
            node.changed(inputs=tuple([ids[old] for old in node.inputs]), outputs=tuple([ids[old] for old in node.outputs]))
            for node in kept
        ),
        outputs=tuple(Output(name=key, id=ids[value.id]) for key, value in outputs.items()),
        updates=tuple(Output(name=key, id=ids[value.id]) for key, value in updates.items()),
    )


def attribute_names(nodes: Iterable[Node]) -> set[str]:
    """The names of sizes in the settings of nodes."""
    values = [value for node in nodes for value in node.attrs.values()]
    flat = [item for value in values for item in (value if isinstance(value, tuple) else (value,))]
    return {name for item in flat if isinstance(item, Dim) for name in item.names}
