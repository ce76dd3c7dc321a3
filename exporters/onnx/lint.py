"""Our own lint: what `onnx.checker`, strict shape inference and onnxruntime let pass. One function a rule; each yields sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from math import prod

import numpy as np
import onnx
from onnx import numpy_helper

from dslc.ir.types import TensorType
from exporters.onnx.model import ELEMENT, IR_VERSION

DOMAINS = {"", "ai.onnx"}
LARGEST_DIM = 2**31
SMALLEST_IR = {21: 10, 22: 10, 20: 9, 19: 9, 18: 8, 17: 8, 16: 8, 15: 8, 14: 7, 13: 7, 23: 11, 24: 12}


class Context:
    """The model and what our graph says of its tensors."""

    def __init__(self, model: onnx.ModelProto, types: Mapping[str, TensorType]) -> None:
        self.model = model
        self.graph = model.graph
        self.types = types
        self.initializers = {item.name: item for item in model.graph.initializer}
        self.defined = {item.name for item in model.graph.input} | set(self.initializers)
        self.read = {name for node in model.graph.node for name in node.input if name}
        self.published = {item.name for item in model.graph.output}


def lint(model: onnx.ModelProto, types: Mapping[str, TensorType]) -> list[str]:
    """All findings, in order of the rules. `types`: the types of all tensors by name, from our own graph."""
    context = Context(model, types)
    return [finding for rule in RULES for finding in rule(context)]


def repeated(names: list[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def names_of_nodes(c: Context) -> Iterator[str]:
    if not all(node.name for node in c.graph.node):
        yield "a node has no name"
    yield from (f"two nodes are called {name}" for name in repeated([n.name for n in c.graph.node]))


def single_assignment(c: Context) -> Iterator[str]:
    made = [name for node in c.graph.node for name in node.output if name]
    yield from (f"{name} is defined twice" for name in repeated(made))
    yield from (f"{name} is defined by a node and from outside" for name in sorted(set(made) & c.defined))


def order(c: Context) -> Iterator[str]:
    known = set(c.defined)
    for node in c.graph.node:
        yield from (f"{node.name} reads {name} before it is defined" for name in node.input if name and name not in known)
        known.update(node.output)
    yield from (f"output {name} is never defined" for name in sorted(c.published - known))


def dead(c: Context) -> Iterator[str]:
    yield from (f"initializer {name} is never read" for name in c.initializers if name not in c.read and name not in c.published)
    for node in c.graph.node:
        if not any(name in c.read or name in c.published for name in node.output):
            yield f"nothing reads {node.name}"


def initializers(c: Context) -> Iterator[str]:
    yield from (f"two initializers are called {name}" for name in repeated([item.name for item in c.graph.initializer]))
    listed = {item.name for item in c.graph.input}
    yield from (f"initializer {name} is listed as an input" for name in c.initializers if name in listed)
    for name, item in c.initializers.items():
        if any(size < 0 for size in item.dims):
            yield f"initializer {name} has a negative size"
            continue
        width = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(item.data_type)).itemsize
        if len(item.raw_data) != prod(item.dims) * width:
            yield f"initializer {name} holds {len(item.raw_data)} bytes, its shape says {prod(item.dims) * width}"
            continue
        array = numpy_helper.to_array(item)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            yield f"initializer {name} holds a value that is not finite"
        wanted = c.types.get(name)
        if wanted is not None and (
            item.data_type != ELEMENT[wanted.dtype] or [str(d) for d in wanted.shape] != [str(d) for d in item.dims]
        ):
            yield f"initializer {name} is not {wanted}"


def declared_types(c: Context) -> Iterator[str]:
    listed = [*c.graph.input, *c.graph.output, *c.graph.value_info]
    yield from (f"{name} is declared twice" for name in repeated([item.name for item in listed]))
    for item in listed:
        shape = item.type.tensor_type.shape
        found = [dim.dim_param or str(dim.dim_value) for dim in shape.dim]
        wanted = c.types.get(item.name)
        if wanted is None:
            yield f"{item.name} is declared and unknown"
        elif item.type.tensor_type.elem_type != ELEMENT[wanted.dtype] or found != [str(size) for size in wanted.shape]:
            yield f"{item.name} is declared as [{', '.join(found)}], it is {wanted}"
        yield from (f"{item.name} has the size {dim.dim_value}" for dim in shape.dim
                    if not dim.dim_param and not 1 <= dim.dim_value <= LARGEST_DIM)  # fmt: skip
    named = {item.name for item in listed}
    made = {name for node in c.graph.node for name in node.output if name}
    yield from (f"{name} has no declared type" for name in sorted(made - named))


def versions(c: Context) -> Iterator[str]:
    yield from (f"domain {item.domain} is imported" for item in c.model.opset_import if item.domain not in DOMAINS)
    opsets = [item.version for item in c.model.opset_import if item.domain in DOMAINS]
    if len(opsets) != 1:
        yield "not exactly one opset is imported"
    elif c.model.ir_version < max(IR_VERSION, SMALLEST_IR.get(opsets[0], IR_VERSION)):
        yield f"IR version {c.model.ir_version} is too low for opset {opsets[0]} with node metadata"
    functions = {(f.domain, f.name) for f in c.model.functions}
    for node in c.graph.node:
        if node.domain not in DOMAINS and (node.domain, node.op_type) not in functions:
            yield f"{node.name} calls the unknown {node.domain}.{node.op_type}"
        elif node.domain in DOMAINS and opsets and not onnx.defs.has(node.op_type, max_inclusive_version=opsets[0]):
            yield f"{node.name}: opset {opsets[0]} has no {node.op_type}"


def metadata(c: Context) -> Iterator[str]:
    yield from (f"metadata key {key} stands twice" for key in repeated([item.key for item in c.model.metadata_props]))
    for node in c.graph.node:
        yield from (f"{node.name} has the metadata key {key} twice" for key in repeated([item.key for item in node.metadata_props]))


def attributes(c: Context) -> Iterator[str]:
    """Attributes that the operator does not know, or repeats."""
    version = next((item.version for item in c.model.opset_import if item.domain in DOMAINS), 0)
    for node in c.graph.node:
        if not onnx.defs.has(node.op_type, max_inclusive_version=version):
            continue
        known = onnx.defs.get_schema(node.op_type, version).attributes
        yield from (f"{node.name} has the unknown attribute {a.name}" for a in node.attribute if a.name not in known)
        yield from (f"{node.name} has the attribute {name} twice" for name in repeated([a.name for a in node.attribute]))


RULES: tuple[Callable[[Context], Iterator[str]], ...] = (
    names_of_nodes,
    single_assignment,
    order,
    dead,
    initializers,
    declared_types,
    versions,
    metadata,
    attributes,
)
