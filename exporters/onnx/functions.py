"""One function for each block of the file: the nodes of an expansion become a call, equal bodies one FunctionProto.

Works on a finished flat model, in place. The nodes of an expansion are those whose address lies below its own; inner blocks go first,
so that functions call functions. What ONNX reads alone decides: two bodies are equal where operators, attributes, wiring, small constants
and element types are, whatever the sizes. Weights become inputs. Where passes moved nodes so that an expansion is no longer one region
(a path leaves it and comes back), it stays inline.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

import onnx
from onnx import helper

from dslc.program import LayerRow
from exporters.onnx.body import ADDRESS, Body, address_of, has_graph, numbered
from exporters.onnx.model import shown_place
from exporters.onnx.report import Function

DOMAIN = "dslc"


class Slots:
    """The nodes in order of execution, so that a region is replaced by looking at the slots from its first to its last node only.

    keys: of the nodes, None where one is gone; at: the slot of a node; reads: how often a tensor is read or published.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes = dict(enumerate(model.graph.node))
        self.keys: list[int | None] = list(self.nodes)
        self.at = {key: key for key in self.nodes}
        self.next = len(self.nodes)
        self.reads = Counter(name for node in model.graph.node for name in node.input)
        self.reads.update(item.name for item in model.graph.output)

    def split(self, members: Sequence[int]) -> tuple[list[int], list[int]] | None:
        """The other nodes between the region's first and last: those that can stand before it and those that need it. None: both."""
        inside = set(members)
        own = {name for key in members for name in self.nodes[key].output}
        late: set[str] = set()
        before: list[int] = []
        after: list[int] = []
        for key in self.keys[self.at[members[0]] : self.at[members[-1]] + 1]:
            if key is None:
                continue
            node = self.nodes[key]
            if key in inside:
                if late.intersection(node.input):
                    return None
            elif late.intersection(node.input) or own.intersection(node.input):
                after.append(key)
                late.update(node.output)
            else:
                before.append(key)
        return before, after

    def replace(self, members: Sequence[int], call: onnx.NodeProto, before: Sequence[int], after: Sequence[int]) -> int:
        """Put the call where the members stand; returns its key."""
        first, last = self.at[members[0]], self.at[members[-1]]
        for key in members:
            self.reads.subtract(self.nodes.pop(key).input)
        key, self.next = self.next, self.next + 1
        self.nodes[key] = call
        self.reads.update(call.input)
        order = [*before, key, *after]
        start = last + 1 - len(order)
        self.keys[first : last + 1] = [*([None] * (start - first)), *order]
        self.at.update((item, start + at) for at, item in enumerate(order))
        return key


@dataclass
class Region:
    """An expansion: its own nodes, and the calls of the expansions inside it once they are calls."""

    row: LayerRow
    parent: str
    members: list[int] = field(default_factory=list)


def extract(model: onnx.ModelProto, layers: Iterable[LayerRow], outside: Collection[str]) -> tuple[list[Function], list[str]]:
    """Make functions of the expansions of user blocks; `outside`: tensors of nodes that belong to no block (sizes of the inputs).

    Returns the functions, and the addresses of expansions that stay inline.
    """
    slots = Slots(model)
    regions = regions_of(slots, layers, outside)
    table = Table(model)
    inline: list[str] = []
    for region in sorted(regions.values(), key=lambda item: -item.row.depth):
        members = sorted(region.members, key=lambda key: slots.at[key])
        around = slots.split(members) if members and not any(has_graph(slots.nodes[key]) for key in members) else None
        keys = members
        if around is None:
            inline += [region.row.address] if members else []
        else:
            body = Body(region.row.address, [slots.nodes[key] for key in members], table.initializers, slots.reads)
            keys = [slots.replace(members, table.call(body, region.row), *around)]
        if region.parent:
            regions[region.parent].members += keys
    table.write([slots.nodes[key] for key in slots.keys if key is not None])
    functions = [Function(name=item.name, calls=table.calls[item.name], nodes=len(item.node)) for item in model.functions]
    return functions, inline


def regions_of(slots: Slots, layers: Iterable[LayerRow], outside: Collection[str]) -> dict[str, Region]:
    """The expansions of user blocks by address; every node lies in the innermost one around it."""
    rows = {row.address: row for row in layers if not row.std}
    regions = {address: Region(row, enclosing(address.rpartition(".")[0], rows)) for address, row in rows.items()}
    for key, node in slots.nodes.items():
        address = enclosing(address_of(node).rpartition("/")[0], rows)
        if address and not any(name in outside for name in node.output):
            regions[address].members.append(key)
    return regions


def enclosing(address: str, rows: Collection[str]) -> str:
    """The nearest address at or above this one that is in `rows`, "" if there is none."""
    while address and address not in rows:
        address = address.rpartition(".")[0]
    return address


class Table:
    """The functions of a model, one for each distinct body."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.opset = next(item.version for item in model.opset_import if not item.domain)
        self.initializers = {item.name: item for item in model.graph.initializer}
        self.elements = {item.name: item.data_type for item in model.graph.initializer}
        listed = (*model.graph.input, *model.graph.output, *model.graph.value_info)
        self.elements |= {item.name: item.type.tensor_type.elem_type for item in listed}
        self.names: dict[Hashable, str] = {}
        self.calls: Counter[str] = Counter()
        self.taken = {node.name for node in model.graph.node}

    def call(self, body: Body, row: LayerRow) -> onnx.NodeProto:
        """A node that calls the function of this body, which is made where there is none yet."""
        key = row.block, body.key(self.elements)
        name = self.names.get(key)
        if name is None:
            name = self.fresh(row.block)
            self.names[key] = name
            self.model.functions.append(body.function(DOMAIN, name, self.opset))
        self.calls[name] += 1
        title = next(text for text in numbered(row.address) if text not in self.taken)
        self.taken.add(title)
        node = helper.make_node(name, body.inputs, body.outputs, name=title, domain=DOMAIN)
        node.metadata_props.add(key=ADDRESS, value=row.address)
        if row.place:
            node.metadata_props.add(key="dslc.source", value=shown_place(row.place))
        return node

    def fresh(self, block: str) -> str:
        """The block's name, with a number where another body has it."""
        taken = set(self.names.values())
        return next(text for text in chain([block], (f"{block}_{number}" for number in count(1))) if text not in taken)

    def write(self, nodes: Sequence[onnx.NodeProto]) -> None:
        """Put the nodes into the model; drop types and initializers of tensors that now live in functions."""
        graph = self.model.graph
        kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:]
        graph.node.extend(kept)
        made = {name for node in kept for name in node.output}
        read = {name for node in kept for name in node.input} | {item.name for item in graph.output}
        retain(graph.value_info, made)
        retain(graph.initializer, read)
        if self.model.functions:
            self.model.opset_import.add(domain=DOMAIN, version=1)


def retain(items: Any, names: Collection[str]) -> None:
    """Delete those that are called otherwise, in place: nothing large is copied."""
    for at in range(len(items) - 1, -1, -1):
        if items[at].name not in names:
            del items[at]
