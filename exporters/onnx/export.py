"""Export of a network to ONNX: lower, check, compare, and only then write.

Opsets 13 … 28, each written natively. Tensor names are the spec's: inputs and outputs by name, weights and inner values by address.
Same network and parameters, same bytes. The loss, the data and the optimizer are not part of a `Network`, so they cannot be exported
by mistake.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from dslc import __version__
from dslc.collector import paused_collector
from dslc.diagnostics import DataError
from dslc.files import place
from dslc.ir.graph import Graph
from dslc.passes.drop_dead import drop_dead
from dslc.passes.pipeline import optimize
from dslc.pieces import is_finite, pieces, raw
from dslc.program import Network
from exporters.onnx.agreement import Samples, agreement
from exporters.onnx.check import Subject, static_checks
from exporters.onnx.drafts import disk_errors, drafted, publish
from exporters.onnx.errors import BadParameters, CannotWrite
from exporters.onnx.external import Storage
from exporters.onnx.fold_batch_norm import Folded, fold_batch_norm
from exporters.onnx.functions import extract
from exporters.onnx.half import Half, is_half, narrow
from exporters.onnx.lower import lower, refuse_unsupported
from exporters.onnx.model import Writer
from exporters.onnx.opset import DEFAULT, checked, runtimes
from exporters.onnx.parity import parity
from exporters.onnx.report import Check, External, HalfPrecision, Parity, Report, Tensor


def export_network(
    network: Network,
    parameters: Mapping[str, np.ndarray],
    path: Path | str | None,
    *,
    classes: Sequence[str] = (),
    contract: Mapping[str, str] | None = None,
    spec_text: str = "",
    verify: bool = True,
    opset: int = DEFAULT,
    flat: bool = False,
    fold_batch_norm: bool = False,
    dtype: str = "f32",
    storage: Storage | None = None,
    samples: Samples | None = None,
) -> Report:
    """Write `network` with `parameters` (weights and states by address) to `path` and return the report.

    `classes`: class labels; `contract`: for each input the expression of the data that it was trained on; both go into the metadata.
    With `path` None nothing is written (a dry run). `verify=False` leaves parity out, never the static checks.
    `opset`: 13 … 28; `flat`: no function for each block of the file; `fold_batch_norm`: normalisations become part of the weights before.
    `dtype`: "f16": weights and most operators in half precision; classes are then compared on `samples`, or on drawn ones.
    `storage`: from how many bytes of weights on they stand in a file beside the model, and what it is called.
    Raises SpecError for another opset, for operators without an ONNX form and for more than 2 GiB in one file, DataError for parameters
    that do not fit or a path that cannot be written, InternalError where a check fails: in all cases no file is written.
    """
    target = Path(path) if path is not None else None
    subject, merged, metadata = make_subject(
        network, parameters, classes=classes, contract=contract or {}, spec_text=spec_text, opset=opset, fold=fold_batch_norm,
        half=is_half(dtype), storage=storage,
    )  # fmt: skip
    with disk_errors(target), laid_out(subject, target) as subject:
        checks, table = verified(subject, verify)
        facts = facts_of(subject)
        if not flat:
            functions, inline = extract(subject.model, network.layers, subject.outside)
            facts |= {"functions": tuple(functions), "inline": tuple(inline)}
            if functions:  # the same model in its other form, checked again
                subject = replace(subject)
                more, rows = verified(subject, verify)
                checks += [check.model_copy(update={"name": f"{check.name}, with functions"}) for check in more]
                table += [row.model_copy(update={"backend": f"{row.backend}, functions"}) for row in rows]
        if verify and subject.half is not None:
            checks.append(agreement(subject, classes, samples))
        if target is not None:
            put(subject, target)
    name = target.name if target is not None else "(not written)"
    return make_report(name, network, subject, merged, metadata, checks, table, facts)


@contextmanager
def laid_out(subject: Subject, target: Path | None) -> Iterator[Subject]:
    """The subject for the checks: where weights stand beside the model, with drafts of both files on the disk, near their places."""
    if subject.data_file is None:
        yield subject
        return
    with drafted(subject.model, subject.data_file, target) as beside:
        yield replace(subject, beside=beside)


def put(subject: Subject, target: Path) -> None:
    """The checked files at their places."""
    if subject.data_file is not None and subject.beside is not None:
        publish(subject.beside, subject.data_file, subject.data, target)
    else:
        write(target, subject.data)


def verified(subject: Subject, verify: bool) -> tuple[list[Check], list[Parity]]:
    """Static checks and, if asked for, parity; InternalError at the first that fails."""
    checks = static_checks(subject)
    if not verify:
        return [*checks, Check(name="parity", verdict="left out", detail="not asked for")], []
    verdicts, table = parity(subject)
    return [*checks, *verdicts], table


def facts_of(subject: Subject) -> dict[str, Any]:
    """What the report says of the flat form: nodes and operators."""
    nodes = subject.model.graph.node
    operators = dict(sorted(Counter(node.op_type for node in nodes).items()))
    facts = {"nodes": len(nodes), "operators": operators, "folded": subject.folded, "not_folded": subject.not_folded}
    return facts | {"half": half_facts(subject)}


def half_facts(subject: Subject) -> HalfPrecision | None:
    """What the report says of float16."""
    if subject.half is None:
        return None
    read = {item.name for item in subject.model.graph.initializer}
    sizes = {name: array.nbytes for name, array in subject.stored.items() if name in read}
    half = subject.half
    return HalfPrecision(
        tensors=len(half.parameters),
        bytes=sum(size // 2 if name in half.parameters else size for name, size in sizes.items()),
        bytes_f32=sum(sizes.values()),
        casts=half.casts,
        single={name: half.single[name] for name in sorted(half.single) if half.single[name]},
        lost=tuple(half.lost),
    )


def file_facts(subject: Subject) -> dict[str, Any]:
    """What the report says of the file: versions, size, hash, inputs and outputs."""
    graph = subject.model.graph
    opset = next(item.version for item in subject.model.opset_import if not item.domain)
    return {
        "opset": opset,
        "runs_in": runtimes(opset),
        "ir_version": subject.model.ir_version,
        "bytes": len(subject.data),
        "sha256": sha256(subject.data).hexdigest(),
        "external": external_facts(subject),
        "inputs": tuple(Tensor(name=item.name, type=str(subject.types[item.name])) for item in graph.input),
        "outputs": tuple(Tensor(name=item.name, type=str(subject.types[item.name])) for item in graph.output),
    }


def external_facts(subject: Subject) -> External | None:
    """What the report says of the file beside the model."""
    if subject.data_file is None or subject.beside is None:
        return None
    file, size = subject.data_file, sum(array.nbytes for array in subject.data_file.arrays.values())
    return External(file=file.location, bytes=size, tensors=len(file.arrays), sha256=subject.beside.sha256, written=file.is_new)


@paused_collector()
def make_subject(
    network: Network,
    parameters: Mapping[str, np.ndarray],
    *,
    classes: Sequence[str] = (),
    contract: Mapping[str, str] | None = None,
    spec_text: str = "",
    opset: int = DEFAULT,
    fold: bool = False,
    half: bool = False,
    storage: Storage | None = None,
) -> tuple[Subject, list[str], dict[str, str]]:
    """The unchecked model with all that its checks need, sentences about merged nodes, and the metadata."""
    checked(opset)
    definition = drop_dead(network.evaluate.model_copy(update={"updates": ()}))  # a model has no states that move
    refuse_unsupported(definition)
    graph = optimize(definition)
    if storage is not None and not half:
        storage.refuse(network.name, sum(graph.types[item.id].bytes.constant for item in graph.inputs if item.kind in ("weight", "state")))
    values = fitting(graph, parameters)
    metadata = describe(network, values, classes, contract or {}, spec_text)
    folded = fold_batch_norm(graph, values) if fold else Folded(graph, values)
    graph, stored = folded.graph, folded.parameters
    found: list[Half] = []
    blocks = [row.address for row in network.layers if not row.std]

    def finish(w: Writer) -> None:
        if half:
            found.append(narrow(w, graph, blocks))
            w.half = found[0].tensors

    named = graph.model_copy(update={"name": network.name})
    model, writer, merged = lower(named, stored, metadata, opset, storage=storage, finish=finish)
    subject = Subject(
        model=model, definition=definition, graph=graph, names=writer.names, types=writer.known, parameters=values,
        outside=frozenset(writer.hoisted), data_file=writer.data_file, stored=stored,
        folded=tuple(folded.done), not_folded=tuple(folded.left), half=found[0] if found else None,
    )  # fmt: skip
    return subject, merged, metadata


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
        if not is_finite(array):
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
        for piece in pieces(values[name]):
            digest.update(raw(piece))
    defaults = {port.name: port.default for port in network.inputs if port.default is not None}
    texts = {
        "dslc.network": network.name,
        "dslc.version": __version__,
        "dslc.weights_sha256": digest.hexdigest(),
        "dslc.spec_sha256": sha256(spec.encode()).hexdigest() if spec else "",
        "dslc.classes": as_json(list(classes)) if classes else "",
        "dslc.input_contract": as_json(dict(sorted(contract.items()))) if contract else "",
        "dslc.input_defaults": as_json(dict(sorted(defaults.items()))) if defaults else "",
    }
    return {key: text for key, text in texts.items() if text}


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def make_report(
    name: str,
    network: Network,
    subject: Subject,
    merged: Sequence[str],
    metadata: Mapping[str, str],
    checks: Sequence[Check],
    table: Sequence[Parity],
    facts: Mapping[str, Any],
) -> Report:
    return Report(
        file=name,
        network=network.name,
        parameters=sum(weight.type.elements.constant for weight in network.weights),
        merged=tuple(merged),
        metadata=dict(metadata),
        checks=tuple(checks),
        parity=tuple(table),
        **file_facts(subject),
        **facts,
    )


def write(path: Path, data: bytes) -> None:
    """The whole file or nothing. Raises DataError."""
    with disk_errors(path):
        if path.is_symlink() or path.is_dir():
            raise DataError(CannotWrite(path=str(path), reason="it is a link or a folder"))
        place(path, data)
