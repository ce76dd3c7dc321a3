"""Parity: the exported model in `onnx.reference` and onnxruntime against the plain interpreter, over a grid of sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from dslc.diagnostics import DataError, InternalError
from dslc.interpret import interpret
from dslc.ir.graph import Output
from exporters.onnx.backends import BACKENDS, Arrays, LeftOut, Run
from exporters.onnx.check import Subject
from exporters.onnx.errors import CheckFailed, ParityFailed, Undecided
from exporters.onnx.half import Bound
from exporters.onnx.report import Check, Parity
from exporters.onnx.rounding import bounds, flips, judged, refuse_coarse
from exporters.onnx.sizes import grid, inputs_for

RTOL, ATOL = 1e-4, 1e-5
LOWS = (-1, 0, 1)  # where the range of drawn floats begins
COMPARISONS = ("greater", "greater_equal", "less", "less_equal")


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
    words = f"{len(sizes)} size{'s' if len(sizes) > 1 else ''}, rtol {RTOL:g}, atol {ATOL:g}{allowed(subject)}"
    return [Check(name=f"parity with {name}", verdict="passed", detail=words) for name in runs] + left_out, table


def allowed(subject: Subject) -> str:
    """What float16 may move, relative to the largest value of each output; refuses what it moves too far."""
    if subject.half is None:
        return ""
    refuse_coarse(subject.graph, subject.half)
    parts = []
    for output in subject.graph.outputs:
        found = [at[output.id] for at in subject.half.limits.values() if output.id in at]
        share = max((bound.limit / bound.largest for bound in found if bound.largest), default=0.0)
        parts += [f"`{output.name}` by {share:.2%} of its largest value"] if found else []
    return f"; float16 may move {', '.join(parts)}" if parts else ""


def first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


# ---- comparison -------------------------------------------------------------------------------------------------------------


def compare_all(subject: Subject, runs: Mapping[str, Run], sizes: Mapping[str, int], lows: Sequence[float] = LOWS) -> list[Parity]:
    """Compare all backends at these sizes; InternalError where one differs.

    Where the network makes NaN of what was drawn, as `log` does below 0, the next range is tried: the standard does not say what the
    largest of numbers and NaN is.
    """
    inputs = inputs_for(subject.graph, sizes, lows[0])
    wanted = interpret(subject.definition, np, arrays(subject, inputs), on_node=subject.forget)
    limits = limits_at(subject, sizes, inputs, lows[0])
    try:
        return [compare(subject, name, run, sizes, inputs, wanted, limits) for name, run in runs.items()]
    except InternalError:
        if len(lows) == 1 or not makes_nan(subject, inputs):
            raise
    return compare_all(subject, runs, sizes, lows[1:])


def makes_nan(subject: Subject, inputs: Arrays) -> bool:
    return any(value.dtype.kind == "f" and bool(np.isnan(value).any()) for value in every_value(subject, inputs).values())


def limits_at(subject: Subject, sizes: Mapping[str, int], inputs: Arrays, low: float) -> Mapping[int, float]:
    """What float16 may move beyond the tolerance, by value of the graph; nothing in single precision."""
    if subject.half is None:
        return {}
    key = (low, *sorted(sizes.items()))
    if key not in subject.half.limits:
        given = {**arrays(subject, inputs), **subject.stored}
        subject.half.limits[key] = bounds(subject.graph, subject.half, given, judged(subject.graph))
    return {id: bound.limit for id, bound in subject.half.limits[key].items()}


def arrays(subject: Subject, inputs: Arrays) -> dict[str, np.ndarray]:
    """What the plain interpreter reads; a key that no node needs has any value."""
    return {"key": np.zeros(3, np.int64), **subject.parameters, **inputs}


def compare(
    subject: Subject,
    backend: str,
    run: Run,
    sizes: Mapping[str, int],
    inputs: Arrays,
    wanted: Mapping[str, Any],
    limits: Mapping[int, float],
) -> Parity:
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
        if not agrees(ours, array, limits.get(output.id, 0)) and not tied(subject, output, ours, array, inputs, limits):
            refuse_undecided(subject, output, ours, array, inputs)
            raise fail(output.name, describe(ours, array))
        if ours.dtype.kind == "f":
            difference = apart(ours, array)
            absolute = max(absolute, float(difference.max(initial=0)))
            relative = max(relative, float((difference / np.maximum(np.abs(ours), ATOL)).max(initial=0, where=np.isfinite(ours))))
    return Parity(backend=backend, sizes=dict(sizes), max_absolute=absolute, max_relative=relative)


def agrees(ours: np.ndarray, array: np.ndarray, limit: float = 0) -> bool:
    """Same dtype and shape, and equal: for floats within the tolerance and this limit (NaN and infinities at the same places)."""
    if ours.shape != array.shape or ours.dtype != array.dtype:
        return False
    if ours.dtype.kind == "f":
        return bool(np.allclose(array, ours, rtol=RTOL, atol=ATOL + limit, equal_nan=True))
    return bool(np.array_equal(array, ours))


def apart(ours: np.ndarray, array: np.ndarray) -> np.ndarray:
    """|ours - array|, 0 where both are the same NaN or infinity."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(ours - array)
    return np.where((ours == array) | (np.isnan(ours) & np.isnan(array)), 0, difference)


def tied(
    subject: Subject, output: Output, ours: np.ndarray, array: np.ndarray, inputs: Arrays, limits: Mapping[int, float]
) -> bool:  # fmt: skip
    """An argmax may differ where the two candidates are equal within the tolerance, or float16 may move both so far.

    In float16 so may a comparison where it may move the two numbers past each other.
    """
    node = next((node for node in subject.graph.nodes if output.id in node.outputs), None)
    if node is None or node.op not in ("argmax", *COMPARISONS) or ours.shape != array.shape or ours.dtype != array.dtype:
        return False
    values = every_value(subject, inputs)
    room = sum(limits.get(id, 0) for id in node.inputs)
    if node.op in COMPARISONS:
        gap = np.broadcast_to(np.abs(np.subtract(*(values[id] for id in node.inputs), dtype=np.float64)), ours.shape)
        return subject.half is not None and bool((gap[ours != array] <= ATOL + room).all())
    scores, axis = np.asarray(values[node.inputs[0]]), node.attrs["axis"]

    def score(index: np.ndarray) -> np.ndarray:
        return np.take_along_axis(scores, np.expand_dims(index, axis), axis)  # type: ignore[arg-type]

    return bool(np.allclose(score(ours), score(array), rtol=RTOL, atol=ATOL + 2 * room))


def refuse_undecided(subject: Subject, output: Output, ours: np.ndarray, array: np.ndarray, inputs: Arrays) -> None:
    """DataError where an output that is no float differs and roundings to float16 alone change it too: no fault, but no use."""
    if subject.half is not None and ours.dtype == array.dtype and ours.dtype.kind != "f" and ours.shape == array.shape:
        changed = flips(subject.graph, subject.half, {**arrays(subject, inputs), **subject.stored}, output.id)
        if changed:
            raise DataError(Undecided(output=output.name, changed=changed, count=ours.size))


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
    limits: dict[int, Bound] = {}
    if subject.half is not None:
        floats = [id for node in subject.graph.nodes for id in node.outputs if subject.graph.types[id].dtype.is_float]
        limits = bounds(subject.graph, subject.half, {**arrays(subject, inputs), **subject.stored}, floats)
    for node in subject.graph.nodes:
        for id in node.outputs:
            name = subject.names.get(id, "")
            limit = limits[id].limit if id in limits else 0
            if name in made and not (name in theirs and agrees(np.asarray(ours[id]), theirs[name], limit)):
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
    wide = [array.astype(np.float32) if array.dtype == np.float16 else array for array in found]
    return {item.name: array for item, array in zip(tensors, wide, strict=True)}


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
