"""Verification of an exported model: checkers, lint, and parity with the plain interpreter over a grid of sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import onnx

from dslc.diagnostics import InternalError
from dslc.interpret import interpret
from dslc.ir.graph import Graph, Input
from dslc.ir.types import TensorType
from exporters.onnx.errors import CheckFailed, ParityFailed
from exporters.onnx.lint import lint
from exporters.onnx.report import Check, Parity

RTOL, ATOL = 1e-4, 1e-5
BATCHES = (1, 2, 5)
LENGTHS = (1, 2, 7, 19)
MOST_SIZES = 12
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Subject:
    """What is verified: the model, the graph it came from, and the tensor name of every value of the graph."""

    model: onnx.ModelProto
    graph: Graph
    names: Mapping[int, str]
    types: Mapping[str, TensorType]
    parameters: Mapping[str, np.ndarray]


def static_checks(subject: Subject) -> list[Check]:
    """`onnx.checker`, strict shape inference and our lint; raises InternalError at the first that fails."""
    passed: list[Check] = []
    for name, check in (("onnx.checker (full)", full_check), ("strict shape inference", inference), ("lint", own_lint)):
        detail = check(subject)
        if detail:
            raise InternalError(CheckFailed(check=name, detail=detail))
        passed.append(Check(name=name, passed=True))
    return passed


def full_check(subject: Subject) -> str:
    try:
        onnx.checker.check_model(subject.model, full_check=True)
    except onnx.checker.ValidationError as error:
        return str(error).splitlines()[0]
    except onnx.shape_inference.InferenceError as error:
        return str(error).splitlines()[0]
    return ""


def inference(subject: Subject) -> str:
    try:
        onnx.shape_inference.infer_shapes(subject.model, check_type=True, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        return str(error).splitlines()[0]
    return ""


def own_lint(subject: Subject) -> str:
    return "; ".join(lint(subject.model, subject.types)[:3])


# ---- sizes and inputs -------------------------------------------------------------------------------------------------------


def grid(graph: Graph) -> list[dict[str, int]]:
    """Sizes to verify at: batch 1, 2, 5; other dims at their smallest valid size and 1, 2, 7, 19 where those are valid."""
    names = graph.dims
    if not names:
        return [{}]
    choices = [BATCHES if name == "batch" else LENGTHS for name in names]
    valid = [sizes for sizes in (dict(zip(names, row, strict=True)) for row in product(*choices)) if fits(graph, sizes)]
    if not valid:
        valid = list(smallest(graph, names))
    step = max(1, len(valid) // MOST_SIZES)
    return valid[::step][:MOST_SIZES] if len(valid) > MOST_SIZES else valid


def smallest(graph: Graph, names: Sequence[str]) -> Iterator[dict[str, int]]:
    """For dims with a lower bound (a window needs so many pixels): the smallest common size, an odd and a larger one."""
    for size in range(1, 1025):
        least = {name: 2 if name == "batch" else size for name in names}
        if fits(graph, least):
            yield least
            for more in (size + 3 - size % 2, 2 * size + 5):
                sizes = {name: 1 if name == "batch" else more for name in names}
                if fits(graph, sizes):
                    yield sizes
            return


def fits(graph: Graph, sizes: Mapping[str, int]) -> bool:
    return all(dim.evaluate(sizes) >= 1 for type in graph.types for dim in type.shape)


def index_bounds(graph: Graph, sizes: Mapping[str, int]) -> dict[int, int]:
    """For integer inputs that index a table (through casts): the smallest size they may index."""
    bounds: dict[int, int] = {}
    source = {node.outputs[0]: node.inputs[0] for node in graph.nodes if node.op in ("cast", "reshape", "transpose", "slice")}
    for node in graph.nodes:
        if node.op != "gather":
            continue
        index = node.inputs[1]
        while index in source:
            index = source[index]
        table = graph.types[node.inputs[0]]
        axis: Any = node.attrs["axis"]
        count = table.shape[axis].evaluate(sizes)
        bounds[index] = min(bounds.get(index, count), count)
    return bounds


def inputs_for(graph: Graph, sizes: Mapping[str, int]) -> Arrays:
    """Values for the network's inputs from the counter-based generator: floats in [-1, 1), integers that are valid indices."""
    from dslc.ops.philox import stream_of, uniform

    bounds = index_bounds(graph, sizes)

    def values(item: Input) -> np.ndarray:
        type = graph.types[item.id]
        shape = type.sizes(sizes)
        draw = np.asarray(uniform(np, np.array([0, 0, 0], np.int64), stream_of(item.name), shape, np.dtype("float64")))
        if type.dtype.is_float:
            return (2 * draw - 1).astype(type.dtype.numpy)
        return np.floor(draw * bounds.get(item.id, 2)).astype(type.dtype.numpy)

    return {item.name: values(item) for item in graph.inputs if item.kind == "input"}


# ---- backends ---------------------------------------------------------------------------------------------------------------


def reference_backend(model: onnx.ModelProto) -> Callable[[Arrays], list[np.ndarray]]:
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(model)
    return lambda inputs: evaluator.run(None, inputs)


def runtime_backend(model: onnx.ModelProto) -> Callable[[Arrays], list[np.ndarray]] | None:
    """onnxruntime on the CPU, or None where it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)


BACKENDS = {"onnx.reference": reference_backend, "onnxruntime": runtime_backend}


def parity(subject: Subject) -> tuple[list[Check], list[Parity]]:
    """Compare every backend with the plain interpreter at all sizes of the grid; raises InternalError where they differ."""
    checks: list[Check] = []
    table: list[Parity] = []
    for name, make in BACKENDS.items():
        if name == "onnxruntime" and missing_kernels(subject):
            checks.append(Check(name=f"parity with {name}", passed=False, detail="it has no double-precision kernels for this model"))
            continue
        try:
            run = make(subject.model)
        except Exception as error:  # a backend refuses the model in its own types
            raise InternalError(CheckFailed(check=name, detail=str(error).splitlines()[0])) from error
        if run is None:
            checks.append(Check(name=f"parity with {name}", passed=False, detail='not installed: pip install "dslc[ort]"'))
            continue
        rows = [compare(subject, name, run, sizes) for sizes in grid(subject.graph)]
        table += rows
        checks.append(Check(name=f"parity with {name}", passed=True, detail=f"{len(rows)} size(s), rtol {RTOL:g}, atol {ATOL:g}"))
    return checks, table


def missing_kernels(subject: Subject) -> bool:
    """onnxruntime's CPU has no Conv and pooling in double precision."""
    windows = {"Conv", "MaxPool", "AveragePool", "BatchNormalization"}
    double = any(type.dtype == "f64" for type in subject.types.values())
    return double and any(node.op_type in windows for node in subject.model.graph.node)


def compare(subject: Subject, backend: str, run: Callable[[Arrays], list[np.ndarray]], sizes: Mapping[str, int]) -> Parity:
    inputs = inputs_for(subject.graph, sizes)
    wanted = interpret(subject.graph, np, {**subject.parameters, **inputs})
    fed = {name: array for name, array in inputs.items() if name in {item.name for item in subject.model.graph.input}}
    found = run(fed)
    absolute = relative = 0.0
    for output, array in zip(subject.graph.outputs, found, strict=True):
        reference = np.asarray(wanted[output.name])
        if not agrees(reference, array) and not tied(subject, output.id, reference, array, inputs):
            raise InternalError(
                ParityFailed(
                    backend=backend,
                    sizes=", ".join(f"{k}={v}" for k, v in sizes.items()) or "fixed sizes",
                    output=output.name,
                    difference=describe(reference, array),
                    node=first_divergence(subject, backend, inputs),
                )
            )
        if reference.dtype.kind == "f" and reference.size:
            difference = np.abs(reference - array)
            absolute = max(absolute, float(difference.max()))
            relative = max(relative, float((difference / np.maximum(np.abs(reference), ATOL)).max()))
    return Parity(backend=backend, sizes=dict(sizes), max_absolute=absolute, max_relative=relative)


def agrees(reference: np.ndarray, array: np.ndarray) -> bool:
    if reference.shape != array.shape or reference.dtype != array.dtype:
        return False
    if reference.dtype.kind == "f":
        return bool(np.allclose(array, reference, rtol=RTOL, atol=ATOL))
    return bool(np.array_equal(array, reference))


def tied(subject: Subject, id: int, reference: np.ndarray, array: np.ndarray, inputs: Arrays) -> bool:
    """An argmax may differ where the two candidates are equal within the tolerance."""
    node = next((node for node in subject.graph.nodes if id in node.outputs), None)
    if node is None or node.op != "argmax" or reference.shape != array.shape or reference.dtype != array.dtype:
        return False
    scores = every_value(subject, inputs)[node.inputs[0]]
    axis: Any = node.attrs["axis"]

    def score(index: np.ndarray) -> np.ndarray:
        return np.take_along_axis(scores, index if index.ndim == scores.ndim else np.expand_dims(index, axis), axis)

    return bool(np.allclose(score(reference), score(array), rtol=RTOL, atol=ATOL))


def describe(reference: np.ndarray, array: np.ndarray) -> str:
    if reference.shape != array.shape or reference.dtype != array.dtype:
        return f"{array.dtype}{list(array.shape)} instead of {reference.dtype}{list(reference.shape)}"
    if reference.dtype.kind != "f":
        return f"{int((reference != array).sum())} of {reference.size} values differ"
    return f"largest difference {float(np.nanmax(np.abs(reference - array))):.3g}"


# ---- where it begins to differ ------------------------------------------------------------------------------------------------


def every_value(subject: Subject, inputs: Arrays) -> dict[int, np.ndarray]:
    """All values of the graph by id, from the plain interpreter."""
    values: dict[int, np.ndarray] = {}

    def keep(node: Any, results: Sequence[np.ndarray]) -> None:
        values.update(zip(node.outputs, results, strict=True))

    interpret(subject.graph, np, {**subject.parameters, **inputs}, on_node=keep)
    return values


def first_divergence(subject: Subject, backend: str, inputs: Arrays) -> str:
    """Address and place of the first node whose value differs, found by publishing every tensor."""
    probe = onnx.ModelProto()
    probe.CopyFrom(subject.model)
    listed = {item.name for item in probe.graph.output}
    for item in subject.model.graph.value_info:
        if item.name not in listed:
            probe.graph.output.append(item)
    run = BACKENDS[backend](probe)
    if run is None:
        return "an unknown node"
    fed = {name: array for name, array in inputs.items() if name in {item.name for item in probe.graph.input}}
    found = dict(zip([item.name for item in probe.graph.output], run(fed), strict=True))
    values = every_value(subject, inputs)
    for node in subject.graph.nodes:
        for id in node.outputs:
            name = subject.names.get(id, "")
            if name in found and id in values and not agrees(np.asarray(values[id]), found[name]):
                return f"{node.address} ({node.place or 'no place'})"
    return "no single node"
