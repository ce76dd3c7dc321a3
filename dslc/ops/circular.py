"""Circular convolution: the shift of a neural Turing machine's attention (Graves et al. 2014, equation 8).

y(i) = Σ_a x(i - shift(a)) · kernel(a) with indices modulo n, and shift(a) = a - ⌊k/2⌋: a kernel of 3 holds the weights of the shifts
-1, 0, 1. Each row has a kernel of its own.
"""

from __future__ import annotations

from typing import Any

from dslc.ir.types import DType, TensorType
from dslc.ops.support import attr_shape, number, reshape
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F, Val

LARGEST = 4096  # shifts of a kernel


def shifts(count: int) -> tuple[int, ...]:
    """How far each place of the kernel moves the row."""
    return tuple(a - count // 2 for a in range(count))


def circular_shape(x: TensorType, kernel: TensorType) -> TensorType:
    size = kernel.shape[-1]
    if not size.is_constant or size.constant > LARGEST:
        reason = f"the last axis of `kernel` is a fixed number of shifts, at most {LARGEST}"
        raise Mismatch("kernel", reason, wanted=f"1 … {LARGEST}", found=str(size), axis=kernel.rank - 1)
    return x


def circular_conv(xp: Any, x: Any, kernel: Any) -> Any:
    total = xp.zeros_like(x)
    for place, shift in enumerate(shifts(kernel.shape[-1])):
        total = total + xp.roll(x, shift, axis=-1) * kernel[..., place : place + 1]
    return total


def windows(x: Val, count: int, direction: int) -> Val:
    """[*s, n, count]: at (i, a) stands x(i - direction·shift(a))."""
    n = x.type.shape[-1]
    by = x.builder.one("constant", (), value=tuple(direction * shift for shift in shifts(count)), dtype=DType.i64)
    places = x.builder.one("arange", (), count=attr_shape((n,))[0], dtype=DType.i64)
    index = F.remainder(reshape(places, (*attr_shape((n,)), 1)) - by, number(places, n))
    return F.gather(x, index, axis=x.type.rank - 1)


def _grad_x(g: Val, y: Val, x: Val, kernel: Val) -> Val:
    # ∂L/∂x(i) = Σ_a g(i + shift(a)) · kernel(a)
    count = kernel.type.shape[-1].constant
    *lead, size = attr_shape(kernel.type.shape)
    return F.sum(windows(g, count, -1) * reshape(kernel, (*lead, 1, size)), axis=-1, keep=False)


def _grad_kernel(g: Val, y: Val, x: Val, kernel: Val) -> Val:
    # ∂L/∂kernel(a) = Σ_i g(i) · x(i - shift(a))
    count = kernel.type.shape[-1].constant
    return F.sum(windows(x, count, 1) * reshape(g, (*attr_shape(g.type.shape), 1)), axis=-2, keep=False)


def _cases(rng: Any) -> list[Case]:
    shapes = (((5,), 3), ((2, 4), 1), ((2, 3), 2), ((2, 2, 5), 4), ((1, 2), 5))
    return [Case((rng.uniform(-2, 2, shape), rng.uniform(-2, 2, (*shape[:-1], k)))) for shape, k in shapes]


op(
    "circular_conv(x: f[*s, n], kernel: f[*s, k]) -> f[*s, n]",
    "Σ_a x(i - a + ⌊k/2⌋)·kernel(a), each row with its kernel, the ends joined (Graves et al. 2014, equation 8)",
    kind="linalg",
    eval=circular_conv,
    grad={"x": _grad_x, "kernel": _grad_kernel},
    shape=circular_shape,
    sample=_cases,
    analytic=True,
    example="y = circular_conv(x, softmax(x[:, 0:3]))",
)
