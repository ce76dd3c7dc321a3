"""Parity: the exported model in `onnx.reference` and onnxruntime against the plain interpreter, over a grid of sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import onnx
import onnx.inliner

from dslc.diagnostics import InternalError
from dslc.interpret import interpret
from dslc.ir.graph import Output
from exporters.onnx.check import Subject
from exporters.onnx.drafts import Beside
from exporters.onnx.errors import CheckFailed, ParityFailed
from exporters.onnx.report import Check, Parity
from exporters.onnx.sizes import grid, inputs_for

RTOL, ATOL = 1e-4, 1e-5
Arrays = Mapping[str, np.ndarray]
Run = Callable[[Arrays], list[np.ndarray]]


# ---- backends ---------------------------------------------------------------------------------------------------------------


class LeftOut(Exception):
    """A backend that cannot judge this model, with the reason."""


def reference(data: bytes, beside: Beside | None = None) -> Run:
    """`onnx.reference`, always there; LeftOut where it does not follow the standard.

    It would copy weights that stand beside the model, so they are inputs for it, views of the mapped file.
    """
    from onnx.reference import ReferenceEvaluator

    if wrong := misread(data):
        raise LeftOut(f"it does not follow the standard in {wrong} (onnx {onnx.__version__})")
    weights = dict(beside.arrays) if beside else {}
    evaluator = ReferenceEvaluator(inlined(with_inputs(data, weights)))
    given = {item.name for item in evaluator.proto_.graph.input}
    weights = {name: array for name, array in weights.items() if name in given}
    return lambda inputs: list(evaluator.run(None, {**weights, **inputs}))


def with_inputs(data: bytes, weights: Arrays) -> bytes:
    """The model with these initializers as inputs."""
    if not weights:
        return data
    model = onnx.ModelProto.FromString(data)
    items = list(model.graph.initializer)
    del model.graph.initializer[:]
    model.graph.initializer.extend(item for item in items if item.name not in weights)
    model.graph.input.extend(
        onnx.helper.make_tensor_value_info(item.name, item.data_type, item.dims) for item in items if item.name in weights
    )
    return bytes(model.SerializeToString())


def inlined(data: bytes) -> bytes:
    """The model with its functions written out by ONNX's own inliner: the reference needs types for some operators (Gelu)."""
    model = onnx.ModelProto.FromString(data)
    if not model.functions:
        return data
    flat = onnx.inliner.inline_local_functions(model)
    return bytes(onnx.shape_inference.infer_shapes(flat).SerializeToString())


def onnxruntime(data: bytes, beside: Beside | None = None) -> Run:
    """onnxruntime on the CPU; LeftOut where it is not installed or cannot do double precision.

    A model with weights beside it is read from its file; packed copies of the weights, which only save time, are then not made.
    """
    try:
        import onnxruntime as ort
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail
        from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel
    except ImportError:
        raise LeftOut('not installed: pip install "dslc[ort]"') from None
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if beside:
        options.add_session_config_entry("session.disable_prepacking", "1")
    try:
        session = ort.InferenceSession(str(beside.file(data)) if beside else data, options, providers=["CPUExecutionProvider"])
    except (NoKernel, Fail) as error:  # Fail: its optimizer merges Relu and Clip in single precision only
        if not uses_double(data):
            raise
        raise LeftOut(f"it does not run this in double precision ({str(error).strip().splitlines()[-1]})") from error
    return lambda inputs: list(session.run(None, dict(inputs)))


def misread(data: bytes) -> str:
    """What `onnx.reference` computes in a way of its own (`MISREAD`); "" where there is no such node."""
    nodes = onnx.ModelProto.FromString(data).graph.node
    if any(node.op_type == "Erf" for node in nodes) and uses_double(data):
        return "Erf in double precision"  # it rounds to single
    for node in nodes:
        words, wrong = MISREAD.get(node.op_type, ("", None))
        if wrong is not None and wrong({item.name: list(item.ints) or item.i for item in node.attribute}):
            return words
    return ""


def loses_pads(values: Mapping[str, Any]) -> bool:
    """MaxPool of stride 1: pads that are not equal go to another axis, those of one axis are lost."""
    pads = values.get("pads") or []
    return set(values.get("strides") or []) <= {1} and (len(set(pads)) > 1 or (len(values["kernel_shape"]) == 1 and any(pads)))


def moves_windows(values: Mapping[str, Any]) -> bool:
    """AveragePool with ceil_mode: windows that end outside by two or more are moved."""
    sides = zip(values["kernel_shape"], values.get("strides") or [], strict=False)
    return bool(values.get("ceil_mode")) and any(2 < k <= s for k, s in sides)


MISREAD: dict[str, tuple[str, Callable[[Mapping[str, Any]], bool]]] = {
    "MaxPool": ("the pads of MaxPool", loses_pads),
    "AveragePool": ("AveragePool with ceil_mode", moves_windows),
    "ConvTranspose": ("the groups of ConvTranspose", lambda values: values.get("group", 1) > 1),  # the kernels of the first group only
    "LRN": ("LRN", lambda values: True),  # it counts channels up to the size of the batch
}
"""Operator -> what is wrong, and with which attributes."""


def uses_double(data: bytes) -> bool:
    model = onnx.ModelProto.FromString(data)
    return any(item.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE for item in (*model.graph.input, *model.graph.value_info))


class Backend(Protocol):
    def __call__(self, data: bytes, beside: Beside | None = None) -> Run: ...


BACKENDS: dict[str, Backend] = {"onnx.reference": reference, "onnxruntime": onnxruntime}


def parity(subject: Subject) -> tuple[list[Check], list[Parity]]:
    """Compare every backend with the plain interpreter at all sizes of the grid; raises InternalError where they differ."""
    runs: dict[str, Run] = {}
    left_out: list[Check] = []
    for name, make in BACKENDS.items():
        try:
            runs[name] = make(subject.data, subject.beside)
        except LeftOut as reason:
            left_out.append(Check(name=f"parity with {name}", verdict="left out", detail=str(reason)))
        except Exception as error:  # a backend refuses the model in an exception of its own
            raise InternalError(CheckFailed(check=name, detail=first_line(error))) from error
    sizes = grid(subject.graph)
    table = [row for at in sizes for row in compare_all(subject, runs, at)]
    words = f"{len(sizes)} size{'s' if len(sizes) > 1 else ''}, rtol {RTOL:g}, atol {ATOL:g}"
    return [Check(name=f"parity with {name}", verdict="passed", detail=words) for name in runs] + left_out, table


def first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


# ---- comparison -------------------------------------------------------------------------------------------------------------


def compare_all(subject: Subject, runs: Mapping[str, Run], sizes: Mapping[str, int]) -> list[Parity]:
    inputs = inputs_for(subject.graph, sizes)
    wanted = interpret(subject.definition, np, arrays(subject, inputs))
    return [compare(subject, name, run, sizes, inputs, wanted) for name, run in runs.items()]


def arrays(subject: Subject, inputs: Arrays) -> dict[str, np.ndarray]:
    """What the plain interpreter reads; a key that no node needs has any value."""
    return {"key": np.zeros(3, np.int64), **subject.parameters, **inputs}


def compare(
    subject: Subject, backend: str, run: Run, sizes: Mapping[str, int], inputs: Arrays, wanted: Mapping[str, Any]
) -> Parity:  # fmt: skip
    """The largest differences of one backend at one size; InternalError with the first node that differs."""

    def fail(output: str, difference: str) -> InternalError:
        at = ", ".join(f"{name}={size}" for name, size in sizes.items()) or "fixed sizes"
        node = first_divergence(subject, backend, inputs)
        return InternalError(ParityFailed(backend=backend, sizes=at, output=output, difference=difference, node=node))

    try:
        found = run(inputs)
    except Exception as error:  # a backend stops in an exception of its own
        raise fail(subject.graph.outputs[0].name, f"it stops with {first_line(error)}") from error
    absolute = relative = 0.0
    for output, array in zip(subject.graph.outputs, found, strict=True):
        ours = np.asarray(wanted[output.name])
        if not agrees(ours, array) and not tied(subject, output, ours, array, inputs):
            raise fail(output.name, describe(ours, array))
        if ours.dtype.kind == "f":
            difference = apart(ours, array)
            absolute = max(absolute, float(difference.max(initial=0)))
            relative = max(relative, float((difference / np.maximum(np.abs(ours), ATOL)).max(initial=0, where=np.isfinite(ours))))
    return Parity(backend=backend, sizes=dict(sizes), max_absolute=absolute, max_relative=relative)


def agrees(ours: np.ndarray, array: np.ndarray) -> bool:
    """Same dtype and shape, and equal: within the tolerance for floats (NaN and infinities at the same places), exactly otherwise."""
    if ours.shape != array.shape or ours.dtype != array.dtype:
        return False
    if ours.dtype.kind == "f":
        return bool(np.allclose(array, ours, rtol=RTOL, atol=ATOL, equal_nan=True))
    return bool(np.array_equal(array, ours))


def apart(ours: np.ndarray, array: np.ndarray) -> np.ndarray:
    """|ours - array|, 0 where both are the same NaN or infinity."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(ours - array)
    return np.where((ours == array) | (np.isnan(ours) & np.isnan(array)), 0, difference)


def tied(subject: Subject, output: Output, ours: np.ndarray, array: np.ndarray, inputs: Arrays) -> bool:
    """An argmax may differ where the two candidates are equal within the tolerance."""
    node = next((node for node in subject.graph.nodes if output.id in node.outputs), None)
    if node is None or node.op != "argmax" or ours.shape != array.shape or ours.dtype != array.dtype:
        return False
    scores = np.asarray(every_value(subject, inputs)[node.inputs[0]])
    axis: Any = node.attrs["axis"]

    def score(index: np.ndarray) -> np.ndarray:
        return np.take_along_axis(scores, np.expand_dims(index, axis), axis)

    return bool(np.allclose(score(ours), score(array), rtol=RTOL, atol=ATOL))


def describe(ours: np.ndarray, array: np.ndarray) -> str:
    if ours.shape != array.shape or ours.dtype != array.dtype:
        return f"{array.dtype}{list(array.shape)} instead of {ours.dtype}{list(ours.shape)}"
    if ours.dtype.kind != "f":
        return f"{int((ours != array).sum())} of {ours.size} values differ"
    return f"largest difference {float(apart(ours, array).max()):.3g}"


# ---- where it begins to differ ----------------------------------------------------------------------------------------------


def every_value(subject: Subject, inputs: Arrays) -> dict[int, Any]:
    """All values of the graph by id, from the plain interpreter."""
    values: dict[int, Any] = {item.id: inputs[item.name] for item in subject.graph.inputs if item.name in inputs}

    def keep(node: Any, results: Sequence[Any]) -> None:
        values.update(zip(node.outputs, results, strict=True))

    interpret(subject.graph, np, {**arrays(subject, inputs), **subject.stored}, on_node=keep)
    return values


def first_divergence(subject: Subject, backend: str, inputs: Arrays) -> str:
    """Address and place of the first node whose value differs, found by publishing every tensor."""
    ours = every_value(subject, inputs)
    made = {item.name: item for item in (*subject.model.graph.value_info, *subject.model.graph.output)}
    theirs = published(subject, backend, list(made.values()), inputs)
    for node in subject.graph.nodes:
        for id in node.outputs:
            name = subject.names.get(id, "")
            if name in made and not (name in theirs and agrees(np.asarray(ours[id]), theirs[name])):
                return f"{node.address} ({node.place or 'no place'})"
    return "no single node"


def published(subject: Subject, backend: str, tensors: Sequence[onnx.ValueInfoProto], inputs: Arrays) -> dict[str, np.ndarray]:
    """The values of these tensors; where a node stops the backend, of those that do not need it (halves are tried alone)."""
    try:
        found = BACKENDS[backend](cut(subject.model, tensors), subject.beside)(inputs)
    except Exception:  # a backend stops in an exception of its own
        if len(tensors) == 1:
            return {}
        half = len(tensors) // 2
        return published(subject, backend, tensors[:half], inputs) | published(subject, backend, tensors[half:], inputs)
    return {item.name: array for item, array in zip(tensors, found, strict=True)}


def cut(model: onnx.ModelProto, tensors: Sequence[onnx.ValueInfoProto]) -> bytes:
    """The model that publishes these tensors, with only the nodes and initializers that they need; all inputs stay."""
    needed = {item.name for item in tensors}
    nodes = []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(node.input)
    probe = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    probe.graph.name = model.graph.name
    probe.graph.node.extend(reversed(nodes))
    probe.graph.input.extend(model.graph.input)
    probe.graph.output.extend(tensors)
    probe.graph.initializer.extend(item for item in model.graph.initializer if item.name in needed)
    return bytes(probe.SerializeToString())
