"""Our own lint: what `onnx.checker`, strict shape inference and onnxruntime let pass. One function a rule; each yields sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeVar

import numpy as np
import onnx
from onnx import numpy_helper

from dslc.ir.types import TensorType
from dslc.pieces import is_finite
from exporters.onnx.model import ELEMENT
from exporters.onnx.opset import OPSETS, ir_version

Name = TypeVar("Name", bound=Hashable)
DOMAINS = {"", "ai.onnx"}
LARGEST_DIM = 2**31


@dataclass(frozen=True)
class Scope:
    """The nodes of the graph or of a function, what is defined before them, what is read from them by name afterwards."""

    title: str
    nodes: Sequence[onnx.NodeProto]
    given: frozenset[str]
    published: frozenset[str]

    @property
    def read(self) -> set[str]:
        return {name for node in self.nodes for name in node.input if name}


class Context:
    """The model and what our graph says of its tensors."""

    def __init__(
        self, model: onnx.ModelProto, types: Mapping[str, TensorType], beside: Mapping[str, np.ndarray], half: Collection[str]
    ) -> None:  # fmt: skip
        self.half = half
        self.model = model
        self.beside = beside
        self.graph = model.graph
        self.types = types
        self.initializers = {item.name: item for item in model.graph.initializer}
        self.defined = {item.name for item in model.graph.input} | set(self.initializers)
        self.read = {name for node in model.graph.node for name in node.input if name}
        self.published = {item.name for item in model.graph.output}
        self.functions = {(item.domain, item.name): item for item in model.functions}
        outer = Scope("", model.graph.node, frozenset(self.defined), frozenset(self.published))
        bodies = [Scope(f"{f.name}: ", f.node, frozenset(f.input), frozenset(f.output)) for f in model.functions]
        self.scopes = (outer, *bodies)
        self.opset = next((item.version for item in model.opset_import if item.domain in DOMAINS), 0)

    def element(self, name: str) -> int:
        return int(onnx.TensorProto.FLOAT16 if name in self.half else ELEMENT[self.types[name].dtype])


def lint(
    model: onnx.ModelProto,
    types: Mapping[str, TensorType],
    beside: Mapping[str, np.ndarray] | None = None,
    half: Collection[str] = (),
) -> list[str]:
    """All findings, in order of the rules.

    types: the types of all tensors by name, from our own graph; beside: initializers that stand in a file beside the model;
    half: tensors that are float16 where `types` says f32.
    """
    context = Context(model, types, beside or {}, half)
    return [finding for rule in RULES for finding in rule(context)]


def repeated(names: Iterable[Name]) -> list[Name]:
    return [name for name, count in Counter(names).items() if count > 1]


def node_names(c: Context) -> Iterator[str]:
    for scope in c.scopes:
        if not all(node.name for node in scope.nodes):
            yield f"{scope.title}a node has no name"
        yield from (f"{scope.title}two nodes are called {name}" for name in repeated(node.name for node in scope.nodes))


def single_assignment(c: Context) -> Iterator[str]:
    for scope in c.scopes:
        made = [name for node in scope.nodes for name in node.output if name]
        yield from (f"{scope.title}{name} is defined twice" for name in repeated(made))
        yield from (f"{scope.title}{name} is defined by a node and from outside" for name in sorted(set(made) & scope.given))


def order(c: Context) -> Iterator[str]:
    for scope in c.scopes:
        known = set(scope.given)
        for node in scope.nodes:
            unknown = (name for name in node.input if name and name not in known)
            yield from (f"{scope.title}{node.name} reads {name} before it is defined" for name in unknown)
            known.update(node.output)
        yield from (f"{scope.title}output {name} is never defined" for name in sorted(scope.published - known))


def dead(c: Context) -> Iterator[str]:
    yield from (f"initializer {name} is never read" for name in c.initializers if name not in c.read and name not in c.published)
    for scope in c.scopes:
        used = scope.read | scope.published
        yield from (f"{scope.title}nothing reads {node.name}" for node in scope.nodes if not used.intersection(node.output))
    for function, scope in zip(c.model.functions, c.scopes[1:], strict=True):
        yield from (f"{scope.title}input {name} is never read" for name in function.input if name not in scope.read | scope.published)
    called = {(node.domain, node.op_type) for scope in c.scopes for node in scope.nodes}
    yield from (f"nothing calls the function {name}" for domain, name in c.functions if (domain, name) not in called)


def initializers(c: Context) -> Iterator[str]:
    yield from (f"two initializers are called {name}" for name in repeated(item.name for item in c.graph.initializer))
    listed = {item.name for item in c.graph.input}
    yield from (f"initializer {name} is listed as an input" for name in c.initializers if name in listed)
    for name, item in c.initializers.items():
        wanted = c.types.get(name)
        if wanted is None:
            yield f"initializer {name} is unknown"
        elif item.data_type != c.element(item.name) or [str(size) for size in item.dims] != [str(size) for size in wanted.shape]:
            yield f"initializer {name} is declared as {onnx.TensorProto.DataType.Name(item.data_type)}{list(item.dims)}, it is {wanted}"
        else:
            yield from contents(c, item, prod(item.dims) * (2 if item.name in c.half else wanted.dtype.itemsize))


def contents(c: Context, item: onnx.TensorProto, size: int) -> Iterator[str]:
    if item.data_location == onnx.TensorProto.EXTERNAL:
        yield from contents_beside(item, size, c.beside.get(item.name))
        return
    if len(item.raw_data) != size:
        yield f"initializer {item.name} holds {len(item.raw_data)} bytes, its shape says {size}"
        return
    if not is_finite(numpy_helper.to_array(item)):
        yield f"initializer {item.name} holds a value that is not finite"


def contents_beside(item: onnx.TensorProto, size: int, array: np.ndarray | None) -> Iterator[str]:
    """The same of an initializer that stands in a file."""
    if array is None:
        yield f"initializer {item.name} stands in a file that is not there"
    elif array.nbytes != size:
        yield f"initializer {item.name} holds {array.nbytes} bytes, its shape says {size}"
    elif not is_finite(array):
        yield f"initializer {item.name} holds a value that is not finite"


def declared_types(c: Context) -> Iterator[str]:
    listed = [*c.graph.input, *c.graph.output, *c.graph.value_info]
    yield from (f"{name} is declared twice" for name in repeated(item.name for item in listed))
    for item in listed:
        shape = item.type.tensor_type.shape
        found = [dim.dim_param or str(dim.dim_value) for dim in shape.dim]
        wanted = c.types.get(item.name)
        if wanted is None:
            yield f"{item.name} is declared and unknown"
        elif item.type.tensor_type.elem_type != c.element(item.name) or found != [str(size) for size in wanted.shape]:
            yield f"{item.name} is declared as [{', '.join(found)}], it is {wanted}"
        fixed = [dim.dim_value for dim in shape.dim if not dim.dim_param]
        yield from (f"{item.name} has the size {size}" for size in fixed if not 1 <= size <= LARGEST_DIM)
    named = {item.name for item in listed}
    made = {name for node in c.graph.node for name in node.output if name}
    yield from (f"{name} has no declared type" for name in sorted(made - named))


def versions(c: Context) -> Iterator[str]:
    own = {domain for domain, _ in c.functions}
    yield from (f"the unknown domain {item.domain} is imported" for item in c.model.opset_import if item.domain not in DOMAINS | own)
    if sum(item.domain in DOMAINS for item in c.model.opset_import) != 1:
        yield "not exactly one opset is imported"
    elif c.opset not in OPSETS:
        yield f"opset {c.opset} is not one of 13 … 28"
    elif c.model.ir_version < ir_version(c.opset):
        yield f"IR version {c.model.ir_version} is too low for opset {c.opset} with node metadata"


def calls(c: Context) -> Iterator[str]:
    """Every operator exists, and no function reaches itself."""
    for node in (node for body in (c.graph, *c.functions.values()) for node in body.node):
        if node.domain not in DOMAINS and (node.domain, node.op_type) not in c.functions:
            yield f"{node.name} calls the unknown {node.domain}.{node.op_type}"
        elif node.domain in DOMAINS and not onnx.defs.has(node.op_type, max_inclusive_version=c.opset):
            yield f"{node.name}: opset {c.opset} has no {node.op_type}"
    called = {key: {(n.domain, n.op_type) for n in body.node} & c.functions.keys() for key, body in c.functions.items()}
    while leaves := [key for key, inside in called.items() if not inside & called.keys()]:
        for key in leaves:
            del called[key]
    yield from (f"the function {domain}.{name} calls itself" for domain, name in called)


def functions(c: Context) -> Iterator[str]:
    """Functions are defined once, mean the model's opset, and are called with all that they take and give."""
    yield from (f"two functions are called {name}" for _, name in repeated((f.domain, f.name) for f in c.model.functions))
    for function in c.model.functions:
        opsets = [item.version for item in function.opset_import if item.domain in DOMAINS]
        if opsets != [c.opset]:
            yield f"the function {function.name} imports the opsets {opsets}, the model {c.opset}"
    for node in (node for scope in c.scopes for node in scope.nodes):
        called = c.functions.get((node.domain, node.op_type))
        if called is not None and (len(node.input), len(node.output)) != (len(called.input), len(called.output)):
            yield f"{node.name} calls {called.name} with {len(node.input)} inputs and {len(node.output)} outputs"


def metadata(c: Context) -> Iterator[str]:
    yield from (f"metadata key {key} stands twice" for key in repeated(item.key for item in c.model.metadata_props))
    for node in (node for scope in c.scopes for node in scope.nodes):
        yield from (f"{node.name} has the metadata key {key} twice" for key in repeated(item.key for item in node.metadata_props))


def attributes(c: Context) -> Iterator[str]:
    """Attributes that the operator does not know, or repeats, and an axis that its first input does not have."""
    for title, node in ((scope.title, node) for scope in c.scopes for node in scope.nodes):
        if node.domain not in DOMAINS or not onnx.defs.has(node.op_type, max_inclusive_version=c.opset):
            continue
        known = onnx.defs.get_schema(node.op_type, c.opset).attributes
        yield from (f"{node.name} has the unknown attribute {a.name}" for a in node.attribute if a.name not in known)
        yield from (f"{node.name} has the attribute {name} twice" for name in repeated(a.name for a in node.attribute))
        known_type = c.types.get(node.input[0]) if node.input and not title else None  # names in a function are its own
        rank = known_type.rank if known_type is not None else None
        axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
        if rank and not -rank <= axis < rank:
            yield f"{node.name} has the axis {axis}, its input has {rank}"


RULES: tuple[Callable[[Context], Iterator[str]], ...] = (
    node_names,
    single_assignment,
    order,
    dead,
    initializers,
    declared_types,
    versions,
    calls,
    functions,
    metadata,
    attributes,
)
