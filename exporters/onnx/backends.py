"""What runs an exported model in the checks: `onnx.reference`, and onnxruntime where it is installed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import onnx
import onnx.inliner

from dslc.pieces import release
from exporters.onnx.drafts import Beside
from exporters.onnx.wide import gather_operators, log_softmax_operators, wide_operators

Arrays = Mapping[str, np.ndarray]
Run = Callable[[Arrays], list[np.ndarray]]


class LeftOut(Exception):
    """A backend that cannot judge this model, with the reason."""


def reference(data: bytes, beside: Beside | None = None) -> Run:
    """`onnx.reference`, always there; LeftOut where it does not follow the standard.

    It would copy weights that stand beside the model, so they are inputs for it, views of the mapped file.
    """
    from onnx.reference import ReferenceEvaluator

    weights = dict(beside.arrays) if beside else {}
    flat = inlined(with_inputs(data, weights))
    if wrong := misread(flat):
        raise LeftOut(f"it does not follow the standard in {wrong} (onnx {onnx.__version__})")
    wide = wide_operators() if holds(data, onnx.TensorProto.FLOAT16) else []
    evaluator = ReferenceEvaluator(flat, new_ops=[*gather_operators(), *log_softmax_operators(), *wide])
    given = {item.name for item in evaluator.proto_.graph.input}
    weights = {name: array for name, array in weights.items() if name in given}

    def run(inputs: Arrays) -> list[np.ndarray]:
        with np.errstate(all="ignore"):  # 0 / 0 is nan in a network too; what differs is for the comparison to say
            found = list(evaluator.run(None, {**weights, **inputs}))
        for array in weights.values():
            release(array)
        return found

    return run


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

    A model with weights beside it is read from its file, for each run anew, and without packed copies of the weights, which only save
    time: so the pages of the mapped file are no memory of the process any longer than a run.
    """
    os.environ.setdefault(
        "ORT_DISABLE_TELEMETRY", "1"
    )  # read when it is loaded: it would write to the user's cache and report to its maker
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

    def opened() -> Any:
        return ort.InferenceSession(str(beside.file(data)) if beside else data, options, providers=["CPUExecutionProvider"])

    try:
        session = opened()
    except (NoKernel, Fail) as error:  # Fail: its optimizer merges Relu and Clip in single precision only
        if not uses_double(data):
            raise
        raise LeftOut(f"it does not run this in double precision ({str(error).strip().splitlines()[-1]})") from error
    if beside:
        del session
        return lambda inputs: list(opened().run(None, dict(inputs)))
    return lambda inputs: list(session.run(None, dict(inputs)))


def misread(data: bytes) -> str:
    """What `onnx.reference` computes in a way of its own (`MISREAD`) in a model without functions; "" where there is no such node."""
    nodes = onnx.ModelProto.FromString(data).graph.node
    if any(node.op_type == "Erf" for node in nodes) and uses_double(data):
        return "Erf in double precision"  # it rounds to single
    for node in nodes:
        words, wrong = MISREAD.get(node.op_type, ("", None))
        values = {item.name: list(item.ints) or item.i for item in node.attribute}
        if wrong is not None and wrong(values | {"results": len(node.output)}):
            return words
    return ""


def misplaces(values: Mapping[str, Any]) -> bool:
    """MaxPool of stride 1: unequal pads go to another axis, those of one or three axes are lost, indices over several axes are wrong."""
    pads = values.get("pads") or []
    if not set(values.get("strides") or []) <= {1}:
        return False
    axes = len(values["kernel_shape"])
    return len(set(pads)) > 1 or (axes != 2 and any(pads)) or (axes > 1 and values["results"] > 1)


def moves_windows(values: Mapping[str, Any]) -> bool:
    """AveragePool with ceil_mode: windows that end outside by two or more are moved."""
    sides = zip(values["kernel_shape"], values.get("strides") or [], strict=False)
    return bool(values.get("ceil_mode")) and any(min(side) > 2 for side in sides)


MISREAD: dict[str, tuple[str, Callable[[Mapping[str, Any]], bool]]] = {
    "MaxPool": ("MaxPool of stride 1", misplaces),
    "AveragePool": ("AveragePool with ceil_mode", moves_windows),
    "ConvTranspose": ("the groups of ConvTranspose", lambda values: values.get("group", 1) > 1),  # the kernels of the first group only
    "LRN": ("LRN", lambda values: True),  # it counts channels up to the size of the batch
}
"""Operator -> what is wrong, and with which attributes."""


def uses_double(data: bytes) -> bool:
    return holds(data, onnx.TensorProto.DOUBLE)


def holds(data: bytes, element: int) -> bool:
    """Whether a tensor of this element type is declared or stored."""
    graph = onnx.ModelProto.FromString(data).graph
    declared = any(item.type.tensor_type.elem_type == element for item in (*graph.input, *graph.value_info))
    return declared or any(item.data_type == element for item in graph.initializer)


class Backend(Protocol):
    def __call__(self, data: bytes, beside: Beside | None = None) -> Run: ...


BACKENDS: dict[str, Backend] = {"onnx.reference": reference, "onnxruntime": onnxruntime}
