"""Export of a network to ONNX: lower, check, compare, and only then write.

Opset 21, IR 10. Tensor names are the spec's: inputs and outputs by name, weights and inner values by address. Same network and
parameters, same bytes. The loss, the data and the optimizer are not part of a `Network`, so they cannot be exported by mistake.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx

from dslc import __version__
from dslc.diagnostics import DataError, SpecError
from dslc.ir.graph import Graph, Node
from dslc.ir.types import TensorType
from dslc.ops.table import Unsupported, lookup
from dslc.passes.pipeline import optimize
from dslc.program import Network
from exporters.onnx.check import Subject, parity, static_checks
from exporters.onnx.errors import BadParameters, CannotWrite, NotExportable
from exporters.onnx.lowerings import LOWERINGS
from exporters.onnx.model import OPSET, Writer
from exporters.onnx.recognise import Match, find
from exporters.onnx.report import Check, Report, Tensor


def export_network(
    network: Network,
    parameters: Mapping[str, np.ndarray],
    path: Path | str | None,
    *,
    classes: Sequence[str] = (),
    contract: Mapping[str, str] | None = None,
    spec_text: str = "",
    verify: bool = True,
) -> Report:
    """Write `network` with `parameters` (weights and states by address) to `path` and return the report.

    `classes`: class labels; `contract`: for each input the expression of the data that it was trained on; both go into the metadata.
    With `path` None nothing is written (a dry run). `verify=False` leaves parity out, never the static checks.
    Raises SpecError for operators without an ONNX form, DataError for parameters that do not fit, InternalError where a check fails:
    in all cases no file is written.
    """
    graph = optimize(network.evaluate)
    values = fitting(graph, parameters)
    metadata = describe(network, values, classes, contract or {}, spec_text)
    subject, merged = lower(network, graph, values, metadata)
    checks = static_checks(subject)
    table = []
    if verify:
        more, table = parity(subject)
        checks += more
    else:
        checks.append(Check(name="parity", passed=False, detail="not asked for"))
    data = subject.model.SerializeToString(deterministic=True)
    report = Report(
        file=Path(path).name if path is not None else "(not written)",
        network=network.name,
        opset=OPSET,
        ir_version=subject.model.ir_version,
        bytes=len(data),
        sha256=sha256(data).hexdigest(),
        nodes=len(subject.model.graph.node),
        operators=dict(sorted(Counter(node.op_type for node in subject.model.graph.node).items())),
        parameters=sum(int(np.prod(weight.type.sizes({}))) for weight in network.weights),
        inputs=tuple(Tensor(name=item.name, type=str(subject.types[item.name])) for item in subject.model.graph.input),
        outputs=tuple(Tensor(name=item.name, type=str(subject.types[item.name])) for item in subject.model.graph.output),
        merged=tuple(merged),
        metadata=metadata,
        checks=tuple(checks),
        parity=tuple(table),
    )
    if path is not None:
        write(Path(path), data)
    return report


def fitting(graph: Graph, parameters: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The parameters that the graph reads, checked for name, shape, dtype and finiteness."""
    found: dict[str, np.ndarray] = {}
    for item in graph.inputs:
        if item.kind not in ("weight", "state"):
            continue
        type = graph.types[item.id]
        array = parameters.get(item.name)
        if array is None:
            raise DataError(BadParameters(detail=f"{item.name} is missing"))
        if array.shape != type.sizes({}) or array.dtype.name != type.dtype.numpy:
            raise DataError(BadParameters(detail=f"{item.name} is {array.dtype}{list(array.shape)}, not {type}"))
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(BadParameters(detail=f"{item.name} holds a value that is not finite"))
        found[item.name] = array
    return found


def describe(
    network: Network, values: Mapping[str, np.ndarray], classes: Sequence[str], contract: Mapping[str, str], spec: str
) -> dict[str, str]:
    """The model's metadata: no time, no path, no name of a person or machine."""
    digest = sha256()
    for name in sorted(values):
        digest.update(f"{name} {values[name].dtype.name} {list(values[name].shape)}\n".encode())
        digest.update(np.ascontiguousarray(values[name]).tobytes())
    metadata = {"dslc.network": network.name, "dslc.version": __version__, "dslc.weights_sha256": digest.hexdigest()}
    if spec:
        metadata["dslc.spec_sha256"] = sha256(spec.encode()).hexdigest()
    if classes:
        metadata["dslc.classes"] = json.dumps(list(classes), ensure_ascii=False)
    if contract:
        metadata["dslc.input_contract"] = json.dumps(dict(sorted(contract.items())), ensure_ascii=False)
    return metadata


# ---- lowering -----------------------------------------------------------------------------------------------------------------


def lower(network: Network, graph: Graph, values: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> tuple[Subject, list[str]]:
    """The ONNX model of a graph, and sentences about nodes that were merged into one."""
    w = Writer(graph.types)
    inputs = []
    for item in graph.inputs:
        type = graph.types[item.id]
        w.names[item.id] = item.name
        w.known[item.name] = type
        if item.kind == "input":
            inputs.append((item.name, type))
            for axis, size in enumerate(type.shape):
                if str(size) in size.names:
                    w.sources.setdefault(str(size), (item.name, axis))
        elif item.kind in ("weight", "state"):
            w.initializer(item.name, values[item.name])
        else:
            raise SpecError(NotExportable(operator=item.name, place=item.place or "an input", reason="it depends on the seed and the step"))
    outputs = output_names(graph)
    name_values(w, graph, outputs)
    matches = find(graph)
    covered = frozenset().union(*(match.covered for match in matches.values())) if matches else frozenset()
    for node in graph.nodes:
        if node.outputs[0] not in covered:
            lower_node(w, node, matches.get(node.outputs[0]))
    publish(w, graph, outputs)
    published = [(outputs[item.name], graph.types[item.id]) for item in graph.outputs]
    model = w.model(network.name, inputs, published, metadata, __version__)
    types = dict(w.known)
    types.update(published)
    merged = [f"{match_name(graph, match)}" for match in matches.values()]
    return Subject(model, graph, dict(w.names), types, values), merged


def match_name(graph: Graph, match: Match) -> str:
    node = next(node for node in graph.nodes if match.last in node.outputs)
    kind = "Conv with bias" if node.op == "add" else "BatchNormalization"
    return f"{len(match.covered) + 1} nodes into {kind} at {node.address}"


def output_names(graph: Graph) -> dict[str, str]:
    """The tensor name of each output: its own, with `_out` where an input is called the same."""
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
    """Inner values by address; a value that is published first by an output has the output's name."""
    for node in graph.nodes:
        for index, id in enumerate(node.outputs):
            w.names[id] = node.address if len(node.outputs) == 1 else f"{node.address}:{index}"
    given = {item.id for item in graph.inputs}
    constants = {id for node in graph.nodes if node.op == "constant" for id in node.outputs}
    seen: set[int] = set()
    for output in graph.outputs:
        if output.id not in given | constants | seen:
            w.names[output.id] = outputs[output.name]
        seen.add(output.id)


def lower_node(w: Writer, node: Node, match: Match | None) -> None:
    w.current = node
    if match is not None:
        match.write(w)
        return
    row = lookup(node.op)
    if isinstance(row.onnx, Unsupported):
        raise SpecError(NotExportable(operator=node.op, place=node.place or node.address, reason=row.onnx.reason))
    inputs = [w.names[id] for id in node.inputs]
    outputs = [w.names[id] for id in node.outputs]
    if node.op in LOWERINGS:
        LOWERINGS[node.op](w, node, inputs, outputs)
        return
    if row.onnx == "lower":
        raise SpecError(NotExportable(operator=node.op, place=node.place or node.address, reason="no lowering is written for it"))
    types: list[TensorType] = [w.types[id] for id in node.outputs]
    w.emit_many(row.onnx, inputs, types, outputs)


def publish(w: Writer, graph: Graph, outputs: Mapping[str, str]) -> None:
    """Identity nodes for outputs that are inputs, weights, constants, or published before."""
    for output in graph.outputs:
        name = outputs[output.name]
        if w.names[output.id] != name:
            w.current = Node(op="identity", inputs=(output.id,), outputs=(), address=name)
            w.emit("Identity", [w.names[output.id]], graph.types[output.id], name)


# ---- file -----------------------------------------------------------------------------------------------------------------------


def write(path: Path, data: bytes) -> None:
    """Atomic: a temporary file in the same folder, flushed to the disk, then renamed."""
    import os
    import tempfile

    if path.is_symlink() or path.is_dir():
        raise DataError(CannotWrite(path=str(path), reason="it is a link or a folder"))
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
        temporary = None
    except OSError as error:
        raise DataError(CannotWrite(path=str(path), reason=error.strerror or str(error))) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def load(path: Path | str) -> onnx.ModelProto:
    """Read back a model that `export_network` wrote."""
    return onnx.load(str(path), load_external_data=False)
