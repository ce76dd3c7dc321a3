"""Rows that stand by their signature: a spec that uses them is checked, shown and formatted, and cannot be run yet."""

from __future__ import annotations

from dslc.ir.types import Dim, TensorType
from dslc.ops.movement import checked_axis
from dslc.ops.table import Mismatch, op, unsupported

NOT_YET = unsupported("it stands by its signature only")


def cosine_shape(a: TensorType, b: TensorType, axis: int) -> TensorType:
    at, unit = checked_axis(a, axis), Dim.of(1)
    if a.rank != b.rank or a.shape[at] != b.shape[at]:
        raise Mismatch("b", f"`a` and `b` agree in axis {axis}", wanted=str(a), found=str(b), axis=at, other="a")
    shape = []
    for i, (left, right) in enumerate(zip(a.shape, b.shape, strict=True)):
        if left != right and unit not in (left, right):
            raise Mismatch("b", "`a` and `b` broadcast in the other axes", wanted=str(a), found=str(b), axis=i, other="a")
        if i != at:
            shape.append(right if left == unit else left)
    return TensorType(dtype=a.dtype, shape=tuple(shape))


op(
    "scan(xs: list[t], sequences: int, carries: int, lengths: bool = false) -> t[*r]",
    "the run-time loop: the body graph is applied along axis 1 of the sequences; results are the final carries and the stacked yields",
    kind="scan",
    onnx=NOT_YET,
    internal=True,
)
op(
    "cosine_similarity(a: f[*a], b: f[*b], axis: int = -1) -> f[*r]",
    "a·b / (|a|·|b|) along the axis",
    kind="linalg",
    shape=cosine_shape,
    onnx=NOT_YET,
)
