"""Every kernel that the registry chooses computes what the row's `eval` computes, on all samples of the table, in f32 and f64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.infer import bind_attrs, evaluate
from dslc.ops.table import Case, Op, rows
from runtime.kernels import registry_of
from runtime.kernels.registry import EVAL, Call, Kernel, Signature

TOLERANCE = {"float32": 2e-5, "float64": 1e-12}
KINDS = {item.numpy: item for item in DType}
RUNNABLE = [row for row in rows() if row.eval is not None and row.sample is not None]


def typed(array: np.ndarray[Any, Any]) -> TensorType:
    return TensorType(dtype=KINDS[array.dtype.name], shape=tuple(Dim.of(n) for n in array.shape))


def of_float(array: Any, dtype: str) -> np.ndarray[Any, Any]:
    array = np.asarray(array)
    return array.astype(dtype) if array.dtype.kind == "f" else array


def prepare(row: Op, case: Case, dtype: str) -> tuple[tuple[np.ndarray[Any, Any], ...], dict[str, Any], tuple[Any, ...]]:
    inputs = tuple(of_float(array, dtype) for array in case.inputs)
    attrs = bind_attrs(row.name, case.attrs, [typed(array) for array in inputs])
    with np.errstate(all="ignore"):
        wanted = tuple(np.asarray(result) for result in evaluate(row.name, np, inputs, attrs))
    return inputs, attrs, wanted


def signature_of(row: Op, inputs: Any, attrs: Any, wanted: Any) -> Signature:
    return Signature(row.name, tuple((a.shape, a.dtype.name) for a in inputs), tuple((a.shape, a.dtype.name) for a in wanted), attrs)


def run(kernel: Kernel, row: Op, inputs: Any, outputs: Any, attrs: Any, start: int = 0) -> None:
    """Scratch and results start as nan or 7, so that a kernel that counts on zeros is found."""

    def scratch(shape: Any, dtype: str) -> np.ndarray[Any, Any]:
        return np.full(tuple(shape), np.nan if dtype.startswith("float") else 1, dtype)

    with np.errstate(all="ignore"):
        for step in kernel.bind(Call(row.name, tuple(inputs), tuple(outputs), attrs, scratch, np, start)):
            step()


def blank(wanted: Any) -> list[np.ndarray[Any, Any]]:
    return [np.full_like(array, 7) for array in wanted]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", RUNNABLE, ids=lambda row: row.name)
def test_kernel_agrees_with_eval(row: Op, dtype: str) -> None:
    for case in row.sample(np.random.default_rng(5)):  # type: ignore[misc]
        inputs, attrs, wanted = prepare(row, case, dtype)
        kept = [array.copy() for array in inputs]
        kernel = registry_of("numpy").choose(signature_of(row, inputs, attrs, wanted))
        outputs = blank(wanted)
        run(kernel, row, inputs, outputs, attrs)
        for found, value in zip(outputs, wanted, strict=True):
            np.testing.assert_allclose(found, value, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype], err_msg=f"{row.name} {attrs}")
        for array, before in zip(inputs, kept, strict=True):
            np.testing.assert_array_equal(array, before, err_msg=f"{row.name} changes its input")


@pytest.mark.parametrize("row", RUNNABLE, ids=lambda row: row.name)
def test_pieces_make_the_whole(row: Op) -> None:
    """Cut as the kernel says, into two uneven parts, the pieces give what the whole gives."""
    for case in row.sample(np.random.default_rng(6)):  # type: ignore[misc]
        inputs, attrs, wanted = prepare(row, case, "float64")
        signature = signature_of(row, inputs, attrs, wanted)
        kernel = registry_of("numpy").choose(signature)
        split = kernel.split(signature)
        if split is None or split.size < 2:
            continue
        outputs = blank(wanted)
        total = [np.zeros_like(array) for array in wanted]
        edge = split.size // 3 + 1
        for part in (slice(0, edge), slice(edge, split.size)):
            piece = [a if axis is None else a[(*(slice(None),) * axis, part)] for a, axis in zip(inputs, split.inputs, strict=True)]
            into = [a if axis is None else a[(*(slice(None),) * axis, part)] for a, axis in zip(outputs, split.outputs, strict=True)]
            run(kernel, row, piece, into, attrs, part.start)
            total = [t + a for t, a in zip(total, outputs, strict=True)]
        for found, added, value, axis in zip(outputs, total, wanted, split.outputs, strict=True):
            np.testing.assert_allclose(added if axis is None else found, value, rtol=1e-12, atol=1e-12, err_msg=f"{row.name} {attrs}")


@pytest.mark.parametrize("row", [row for row in RUNNABLE if row.kind == "elementwise"], ids=lambda row: row.name)
def test_elementwise_kernels_work_in_place(row: Op) -> None:
    for case in row.sample(np.random.default_rng(7)):  # type: ignore[misc]
        inputs, attrs, wanted = prepare(row, case, "float64")
        for number, array in enumerate(inputs):
            if array.shape == wanted[0].shape and array.dtype == wanted[0].dtype:
                copies = [a.copy() for a in inputs]
                kernel = registry_of("numpy").choose(signature_of(row, inputs, attrs, wanted))
                run(kernel, row, copies, [copies[number]], attrs)
                np.testing.assert_array_equal(copies[number], wanted[0], err_msg=f"{row.name} over input {number}")


MARK = 0xA5
LARGER = {  # some samples leave the end of their memory alone: borders that nothing reads, blocks that are rounded up
    "bernoulli",
    "channel_dot",
    "channel_moments",
    "circular_conv",
    "conv_grad_w",
    "conv_transpose",
    "max_pool_grad",
    "normal",
    "uniform",
    "unpool_kept",
}


@pytest.mark.parametrize("row", [row for row in RUNNABLE if row.name not in LARGER], ids=lambda row: row.name)
def test_memory_that_a_kernel_asks_for_is_used_to_its_end(row: Op) -> None:
    """What is never written would only make the plan larger."""
    for case in row.sample(np.random.default_rng(5)):  # type: ignore[misc]
        inputs, attrs, wanted = prepare(row, case, "float64")
        asked: list[np.ndarray[Any, Any]] = []

        def scratch(shape: Any, dtype: str, asked: list[np.ndarray[Any, Any]] = asked) -> np.ndarray[Any, Any]:
            asked.append(np.full(int(np.prod(shape)) * np.dtype(dtype).itemsize, MARK, np.uint8).view(dtype).reshape(tuple(shape)))
            return asked[-1]

        kernel = registry_of("numpy").choose(signature_of(row, inputs, attrs, wanted))
        with np.errstate(all="ignore"):
            for step in kernel.bind(Call(row.name, inputs, tuple(blank(wanted)), attrs, scratch, np)):
                step()
        ends = [array.reshape(-1).view(np.uint8)[-array.itemsize :] for array in asked if array.size]
        assert not any((end == MARK).all() for end in ends), case.attrs


def test_rows_without_a_kernel_of_their_own_are_few() -> None:
    """What still runs as `eval` (and so allocates) is known."""
    found = set()
    for row in RUNNABLE:
        for case in row.sample(np.random.default_rng(8)):  # type: ignore[misc]
            inputs, attrs, wanted = prepare(row, case, "float32")
            if registry_of("numpy").choose(signature_of(row, inputs, attrs, wanted)) is EVAL:
                found.add(row.name)
    assert found <= BY_EVAL


BY_EVAL = {
    "constant",
    "einsum",
    "sort",
    "argsort",
    "top_k",
    "one_hot",
    "count_nonzero",
    "class_counts",
    "confusion_matrix",
    "roc_auc",
    "average_precision",
}
