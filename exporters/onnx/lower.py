"""Graph -> ONNX model: names, initializers, one lowering for each node or group of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

import numpy as np
import onnx

from dslc import __version__
from dslc.diagnostics import SpecError
from dslc.ir.graph import Graph, Node
from dslc.ir.types import DType
from dslc.ops.table import Unsupported, lookup
from exporters.onnx.errors import NotExportable
from exporters.onnx.external import Storage
from exporters.onnx.lowerings import LOWERINGS
from exporters.onnx.lowerings.base import Lowering, like
from exporters.onnx.matches import Match
from exporters.onnx.model import ELEMENT, Writer
from exporters.onnx.opset import DEFAULT
from exporters.onnx.recognise import find


def refuse_unsupported(graph: Graph, more: Mapping[str, Lowering] | None = None) -> None:
    """SpecError with every operator of the graph that has no ONNX form, each once, at the first place where it stands.

    more: lowerings of operators that have a form here only.
    """
    found: dict[str, NotExportable] = {}
    for node in graph.nodes:
        reason = "" if node.op in (more or {}) else why_not(node.op)
        if reason:
            found.setdefault(node.op, NotExportable(operator=node.op, place=node.place or node.address, reason=reason))
    if found:
        raise SpecError(found.values())


def why_not(op: str) -> str:
    """Why an operator cannot be exported, "" if it can."""
    row = lookup(op)
    if isinstance(row.onnx, Unsupported):
        return row.onnx.reason
    if row.eval is None:
        return "it can be checked, but not run yet"
    return "no lowering is written for it" if row.onnx == "lower" and op not in LOWERINGS else ""


def lower(
    graph: Graph,
    values: Mapping[str, np.ndarray],
    metadata: Mapping[str, str],
    opset: int = DEFAULT,
    more: Mapping[str, Lowering] | None = None,
    storage: Storage | None = None,
    finish: Callable[[Writer], None] | None = None,
) -> tuple[onnx.ModelProto, Writer, list[str]]:
    """The model of a graph, the writer with the names and types of all tensors, and sentences about nodes that became one.

    more: lowerings that count before those of the table; storage: where the weights stand; finish: is called with all nodes, before
    the model is made.
    """
    lowerings = {**LOWERINGS, **(more or {})}
    w = Writer(graph.types, opset, storage)
    for item in graph.inputs:
        w.names[item.id] = item.name
        if item.kind == "input":
            w.input(item.name, graph.types[item.id])
        elif item.kind in ("weight", "state"):
            w.initializer(item.name, values[item.name])
    outputs = output_names(graph)
    name_values(w, graph, outputs)
    matches = find(graph, opset=opset)
    covered = frozenset(id for match in matches.values() for id in match.covered)
    for node in graph.nodes:
        if node.outputs[0] not in covered:
            lower_node(w, node, matches.get(node.outputs[0]), lowerings)
    publish(w, graph, outputs)
    w.drop_unread(outputs.values())
    published = [(outputs[item.name], graph.types[item.id]) for item in graph.outputs]
    w.known.update(published)
    if finish is not None:
        finish(w)
    return w.model(graph.name, published, metadata, __version__), w, list(merged(graph, matches))


def merged(graph: Graph, matches: Mapping[int, Match]) -> Iterator[str]:
    for node in graph.nodes:
        if match := matches.get(node.outputs[0]):
            yield f"{len(match.covered) + 1} nodes into {match.title} at {node.address}"


# ---- names --------------------------------------------------------------------------------------------------------------------


def output_names(graph: Graph) -> dict[str, str]:
    """The tensor name of each output: its own, with `_out` where an input or weight is called the same."""
    taken = {item.name for item in graph.inputs}
    names = {}
    for output in graph.outputs:
        name = output.name
        while name in taken:
            name += "_out"
        taken.add(name)
        names[output.name] = name
    return names


def name_values(w: Writer, graph: Graph, outputs: Mapping[str, str]) -> None:
    """Inner values by address (`address:1` for a second result); a value that is an output has the first output's name."""
    given = {item.id for item in graph.inputs}
    constants = {id for node in graph.nodes if node.op == "constant" for id in node.outputs}
    for output in reversed(graph.outputs):
        if output.id not in given | constants:
            w.names[output.id] = outputs[output.name]
    w.taken |= {item.name for item in graph.inputs} | set(outputs.values())
    for node in graph.nodes:
        for index, id in enumerate(node.outputs):
            if id not in w.names:
                w.names[id] = w.at(node.address if len(node.outputs) == 1 else f"{node.address}:{index}")


# ---- nodes --------------------------------------------------------------------------------------------------------------------


def lower_node(w: Writer, node: Node, match: Match | None, lowerings: Mapping[str, Lowering] = LOWERINGS) -> None:
    w.current = node
    if match is not None:
        match.write(w)
        return
    inputs = [w.names[id] for id in node.inputs]
    outputs = [w.names[id] for id in node.outputs]
    if node.op in lowerings:
        lowerings[node.op](w, node, inputs, outputs)
        return
    direct(w, str(lookup(node.op).onnx), node, inputs, outputs)


def direct(w: Writer, op: str, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """One ONNX operator of the same meaning. Bytes that the opset does not calculate with (`Add` below 14) are i32 meanwhile."""
    types = [w.types[id] for id in node.outputs]
    wide = [name for name in inputs if w.type(name).dtype is DType.u8]
    if not wide or takes(op, w.opset, DType.u8):
        w.emit_many(op, inputs, types, outputs)
        return
    numbers = [w.emit("Cast", [x], like(w.type(x), DType.i32), to=ELEMENT[DType.i32]) if x in wide else x for x in inputs]
    for type, output in zip(types, outputs, strict=True):
        if type.dtype is DType.u8:
            w.emit("Cast", [w.emit(op, numbers, like(type, DType.i32))], type, output, to=ELEMENT[DType.u8])
        else:
            w.emit(op, numbers, type, output)


@cache
def takes(op: str, opset: int, dtype: DType) -> bool:
    """Whether the first input of the operator may have this element type."""
    schema = onnx.defs.get_schema(op, opset)
    held = schema.inputs[0].type_str
    allowed = next((item.allowed_type_strs for item in schema.type_constraints if item.type_param_str == held), [held])
    return f"tensor({onnx.TensorProto.DataType.Name(ELEMENT[dtype]).lower()})" in allowed


def publish(w: Writer, graph: Graph, outputs: Mapping[str, str]) -> None:
    """Identity nodes for outputs that are inputs, weights, constants, or published before."""
    for output in graph.outputs:
        name = outputs[output.name]
        if w.names[output.id] != name:
            w.current = Node(op="identity", inputs=(output.id,), outputs=(), address=f"{graph.name}.{name}")
            w.emit("Identity", [w.names[output.id]], graph.types[output.id], name)
