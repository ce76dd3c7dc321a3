"""Clipping of gradients and constraints on weights, as parts of an optimizer's graph. Norms are computed in float64."""

from __future__ import annotations

from collections.abc import Callable

from dslc.ir.types import DType
from dslc.ops.value import F, Val

TINY = 1e-38  # below every norm that is not 0: keeps 0 / 0 out


def norm(x: Val, axes: tuple[int, ...] | None = None) -> Val:
    """√Σ x² over the axes (None: all, a scalar), in float64; the axes are kept with size 1."""
    exact = x if x.type.dtype is DType.f64 else F.cast(x, dtype=DType.f64)
    squares = exact * exact
    return F.sqrt(F.sum(squares) if axes is None else F.sum(squares, axis=axes, keep=True) if axes else squares)


def scaled(x: Val, factor: Val) -> Val:
    """x · factor; the factor, float64, is rounded to the type of x."""
    return x * (factor if x.type.dtype is DType.f64 else F.cast(factor, dtype=x.type.dtype))


def unit_axes(rank: int) -> tuple[int, ...]:
    """The axes over which the weights of one unit lie: all but the output axis.

    A matrix [in, out] has the output axis last, a kernel [out, in, …] first; a vector is one unit.
    """
    return {0: (), 1: (0,), 2: (0,)}.get(rank, tuple(range(1, rank)))


def each(g: Val, limit: float) -> Val:
    """The gradient of one weight, scaled down so that its own norm is at most `limit`: g · limit / max(‖g‖, limit)."""
    return scaled(g, limit / F.maximum(norm(g), constant(g, limit)))


def value(g: Val, limit: float) -> Val:
    """min(max(g, -limit), limit)."""
    return F.clip(g, min=-limit, max=limit)


def max_norm(w: Val, limit: float) -> Val:
    """The weights of each unit, scaled down so that their norm is at most `limit` (Srivastava et al. 2014): w · limit / max(‖w‖, limit)."""
    return scaled(w, limit / F.maximum(norm(w, unit_axes(w.type.rank)), constant(w, limit)))


def unit_norm(w: Val) -> Val:
    """The weights of each unit, scaled to the norm 1; zeros stay zeros."""
    return scaled(w, 1.0 / F.maximum(norm(w, unit_axes(w.type.rank)), constant(w, TINY)))


def non_negative(w: Val) -> Val:
    """max(w, 0)."""
    return F.maximum(w, w.builder.constant(0.0, w.type.dtype))


def constant(x: Val, number: float) -> Val:
    return x.builder.constant(number, DType.f64)


CLIPS: dict[str, Callable[..., Val]] = {"value": value, "each": each}  # `norm` needs all gradients: `Update.limit`
CONSTRAINTS: dict[str, Callable[..., Val]] = {"max_norm": max_norm, "unit_norm": unit_norm, "non_negative": non_negative}
ELEMENTWISE = frozenset({"non_negative"})  # constraints that need no norm
