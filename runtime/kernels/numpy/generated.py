"""Generated kernels: rows whose `eval` can be traced run as prebound ufuncs over planned memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from dslc.ops.infer import evaluate
from dslc.ops.support import normal_axes
from dslc.ops.table import lookup
from runtime.kernels.numpy.lower import lower
from runtime.kernels.numpy.trace import Tape, Traced, Untraceable
from runtime.kernels.registry import Call, Kernel, Signature, Split, Step

Spec = tuple[tuple[int, ...], str]
ROWWISE = frozenset({"softmax", "log_softmax", "normalize", "rms_normalize"})  # independent along every axis but `axis`
CHUNK_BYTES = 1 << 17  # of the widest result: an operand or two more, and all lie in a second-level cache


def bind_traced(call: Call) -> list[Step]:
    specs = tuple((array.shape, array.dtype.name) for array in call.inputs)
    tape, results = traced(call.op, specs, tuple(sorted(call.attrs.items())))
    return lower(tape, results, call.inputs, call.outputs, call.scratch)


@lru_cache(maxsize=4096)
def traced(op: str, inputs: tuple[Spec, ...], attrs: tuple[tuple[str, Any], ...]) -> tuple[Tape, Sequence[Traced]]:
    """The trace of a row at these shapes; Untraceable if it cannot be written down."""
    tape = Tape()
    values = [tape.input(shape, dtype) for shape, dtype in inputs]
    results = evaluate(op, tape.xp, values, dict(attrs))
    if not all(isinstance(result, Traced) for result in results):
        raise Untraceable("a result that is no tensor")
    return tape, results


def traceable(signature: Signature) -> bool:
    """Whether the trace exists and gives what the graph says."""
    if lookup(signature.op).random:
        return False
    try:
        _, results = traced(signature.op, signature.inputs, tuple(sorted(signature.attrs.items())))
    except (Untraceable, TypeError, AttributeError, ValueError, IndexError):
        return False
    return all(
        (tuple(result.shape), result.dtype) == (shape, np.dtype(dtype))
        for result, (shape, dtype) in zip(results, signature.outputs, strict=True)
    )


def split_traced(signature: Signature) -> Split | None:
    """Elementwise rows are cut along the first axis, and so are rows that work along another axis."""
    if not (lookup(signature.op).kind == "elementwise" or rowwise(signature)):
        return None
    return split_rows(signature)


def rowwise(signature: Signature) -> bool:
    rank = len(signature.inputs[0][0]) if signature.inputs else 0
    axis = signature.attrs.get("axis")
    return signature.op in ROWWISE and rank > 1 and 0 not in normal_axes(axis, rank)


def split_rows(signature: Signature) -> Split | None:
    """Cut along axis 0 of the result; an operand that is broadcast along it is read whole."""
    shape, dtype = signature.outputs[0]
    if not shape or shape[0] < 2:
        return None
    row = int(np.prod(shape[1:], dtype=np.int64)) * np.dtype(dtype).itemsize
    inputs = tuple(0 if len(other) == len(shape) and other[0] == shape[0] else None for other, _ in signature.inputs)
    return Split(
        inputs, (0,) * len(signature.outputs), shape[0], grain=max(1, (1 << 15) // max(row, 1)), chunk=max(1, CHUNK_BYTES // max(row, 1))
    )


GENERATED = Kernel(bind_traced, split_traced, traceable)
