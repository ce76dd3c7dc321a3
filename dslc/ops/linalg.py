"""Matrix products."""

from __future__ import annotations

from typing import Any

from dslc.ir.types import Dim, TensorType
from dslc.ops.support import attr_shape, last_swapped, product, reshape, unbroadcast
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import Val


def matmul_shape(a: TensorType, b: TensorType) -> TensorType:
    """[..., m, k] @ [..., k, n] -> [..., m, n]; the axes before are equal, 1, or absent on one side."""
    for name, type in (("a", a), ("b", b)):
        if type.rank < 2:
            raise Mismatch(name, f"`{name}` of `@` is a matrix or a stack of matrices", wanted="[..., m, k]", found=str(type))
    if a.shape[-1] != b.shape[-2]:
        reason = f"the last axis of `a` is {a.shape[-1]}, the one before the last of `b` is {b.shape[-2]}"
        raise Mismatch("b", reason, wanted=str(a.shape[-1]), found=str(b.shape[-2]), axis=b.rank - 2, other="a")
    lead: list[Dim] = []
    unit = Dim.of(1)
    left, right = a.shape[:-2], b.shape[:-2]
    for at in range(1, max(len(left), len(right)) + 1):
        x, y = (left[-at] if at <= len(left) else unit), (right[-at] if at <= len(right) else unit)
        if x != y and unit not in (x, y):
            raise Mismatch("b", f"the stacks differ: {x} and {y}", wanted=str(x), found=str(y), axis=len(right) - at, other="a")
        lead.insert(0, y if x == unit else x)
    return TensorType(dtype=a.dtype, shape=(*lead, a.shape[-2], b.shape[-1]))


def _grad_a(g: Val, y: Val, a: Val, b: Val) -> Val:
    # ∂L/∂a = g @ bᵀ
    return unbroadcast(g @ last_swapped(b), a.type)


def _grad_b(g: Val, y: Val, a: Val, b: Val) -> Val:
    # ∂L/∂b = aᵀ @ g; for one matrix b under a stack of a the stack is flattened into one product
    if b.type.rank == 2 and a.type.rank > 2:
        a, g = flattened(a), flattened(g)
    return unbroadcast(last_swapped(a) @ g, b.type)


def flattened(value: Val) -> Val:
    """[..., m, k] as [rows, k]."""
    return reshape(value, attr_shape((product(value.type.shape[:-1]), value.type.shape[-1])))


def cases(rng: Any) -> list[Case]:
    shapes = (
        ((2, 3), (3, 4)),
        ((1, 1), (1, 1)),
        ((2, 3, 4), (4, 5)),
        ((2, 3, 4), (2, 4, 1)),
        ((2, 1, 3, 2), (5, 2, 3)),
        ((3, 2), (2, 2, 3)),
    )
    return [Case((rng.uniform(-1, 1, a), rng.uniform(-1, 1, b))) for a, b in shapes]


op(
    "matmul(a: f[*a], b: f[*b]) -> f[*c]",
    "the matrix product of the last two axes; the axes before broadcast",
    kind="linalg",
    eval=lambda xp, a, b: xp.matmul(a, b),
    grad={"a": _grad_a, "b": _grad_b},
    shape=matmul_shape,
    onnx="MatMul",
    sample=cases,
    analytic=True,
    example="y = x @ transpose(x)",
)
