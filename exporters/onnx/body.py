"""The nodes of one expansion as the body of a function: what goes in, what comes out, when two are equal, the FunctionProto."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import count
from math import prod

import onnx
from onnx import helper

FEW = 8  # elements of a constant that stands in the body; a larger one is handed in like a weight
ADDRESS = "dslc.address"


def address_of(node: onnx.NodeProto) -> str:
    return next((item.value for item in node.metadata_props if item.key == ADDRESS), "")


def has_graph(node: onnx.NodeProto) -> bool:
    return any(item.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for item in node.attribute)


class Body:
    """inputs: values first, then weights, each in order of first use; outputs: in order of definition; constants: stand inside."""

    def __init__(
        self, address: str, nodes: Sequence[onnx.NodeProto], initializers: Mapping[str, onnx.TensorProto], reads: Counter[str]
    ) -> None:
        self.address, self.nodes, self.initializers = address, nodes, initializers
        self.reads = Counter(name for node in nodes for name in node.input)
        made = [name for node in nodes for name in node.output if name]
        outer = [name for name in self.reads if name and name not in set(made)]
        self.constants = [name for name in outer if self.is_small(name)]
        self.values = [name for name in outer if name not in initializers]
        self.weights = [name for name in outer if name in initializers and not self.is_small(name)]
        self.inputs = [*self.values, *self.weights]
        self.outputs = [name for name in made if reads[name] > self.reads[name]]
        self.made = made

    def is_small(self, name: str) -> bool:
        return name.startswith("constant/") and name in self.initializers and prod(self.initializers[name].dims) <= FEW

    def key(self, elements: Mapping[str, int]) -> Hashable:
        """Equal for equal bodies, whatever their tensors are called; `elements`: the element type of every tensor."""
        number = {name: at for at, name in enumerate((*self.constants, *self.inputs, *self.made))}
        nodes = tuple(
            (
                node.domain,
                node.op_type,
                tuple(number.get(name, -1) for name in node.input),
                tuple(number.get(name, -1) for name in node.output),
                tuple(sorted(item.SerializeToString(deterministic=True) for item in node.attribute)),
            )
            for node in self.nodes
        )
        return nodes, tuple(self.constants), tuple(elements[name] for name in self.inputs), tuple(number[name] for name in self.outputs)

    def names(self) -> dict[str, str]:
        """Names inside: weights and inner tensors as the block calls them (`conv0.w`), values that come in `x`, `x1`, …"""
        local: dict[str, str] = {"": ""} | {name: name for name in self.constants}
        taken = set(local)
        for name in (*self.inputs, *self.made):
            short = "x" if name in self.values else self.relative(name)
            tries = (short if not at else f"{short}{at}" for at in count()) if name in self.values else numbered(short)
            local[name] = next(text for text in tries if text not in taken)
            taken.add(local[name])
        return local

    def relative(self, name: str) -> str:
        """The name without the expansion's address; of a tensor from elsewhere (a shared weight, an output) the last part."""
        if name.startswith((f"{self.address}.", f"{self.address}/")):
            return name[len(self.address) + 1 :]
        return name.rpartition(".")[2].rpartition("/")[2]

    def function(self, domain: str, name: str, opset: int) -> onnx.FunctionProto:
        """The FunctionProto; its nodes keep their source places, their addresses are those inside the block."""
        local = self.names()
        nodes = [constant_node(self.initializers[key], key) for key in self.constants]
        for node in self.nodes:
            inside = onnx.NodeProto()
            inside.CopyFrom(node)
            inside.input[:] = [local[key] for key in node.input]
            inside.output[:] = [local[key] for key in node.output]
            inside.name = inside.output[0]
            for item in inside.metadata_props:
                if item.key == ADDRESS:
                    item.value = self.relative(item.value)
            nodes.append(inside)
        imports = [helper.make_opsetid("", opset)]
        if any(node.domain == domain for node in nodes):
            imports.append(helper.make_opsetid(domain, 1))
        ins, outs = [local[key] for key in self.inputs], [local[key] for key in self.outputs]
        return helper.make_function(domain, name, ins, outs, nodes, imports)


def numbered(name: str) -> Iterable[str]:
    yield name
    yield from (f"{name}.{number}" for number in count(1))


def constant_node(tensor: onnx.TensorProto, name: str) -> onnx.NodeProto:
    inside = onnx.TensorProto()
    inside.CopyFrom(tensor)
    inside.ClearField("name")
    return helper.make_node("Constant", [], [name], name=name, value=inside)
