"""Covariance, and moments that batches join: counts, means and products of deviations (Chan, Golub and LeVeque 1979).

Moments are kept as [6, *shape] in f64: n, a number near the mean of x, what is missing to the mean, the same two for y, and
Σ (x - mean)·(y - mean). Two of them make one without any difference of large sums, so values far from 0 lose nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dslc.ir.types import DType, TensorType
from dslc.ops.counting import check_factors
from dslc.ops.reduce import reduced
from dslc.ops.support import as_float, attr_shape, constant, normal_axes, number, one, product, reshape, sizes, spread, zero
from dslc.ops.table import Case, op
from dslc.ops.value import F, Val


def covariance(xp: Any, x: Any, y: Any, mask: Any = None, *, axis: Any, keep: bool) -> Any:
    weight = xp.ones_like(x) if mask is None else xp.broadcast_to(xp.asarray(mask).astype(x.dtype), x.shape)
    n = xp.sum(weight, axis=axis, keepdims=True)
    safe = xp.where(n == 0, xp.ones((), n.dtype), n)
    dx, dy = (value - xp.sum(weight * value, axis=axis, keepdims=True) / safe for value in (x, y))
    mean = xp.sum(weight * dx * dy, axis=axis, keepdims=True) / safe
    return mean if keep else mean.reshape(xp.sum(x, axis=axis).shape)


def covariance_shape(x: TensorType, y: TensorType, mask: TensorType | None = None, *, axis: Any, keep: bool) -> TensorType:
    check_factors(x.shape, x.dtype, mask=mask)
    return reduced(x, axis, keep)


class Weighed(NamedTuple):
    """What the moments share. weight: None where all count 1; n: Σ weight; safe: n, 1 where it is 0; total: Σ weight·value."""

    weight: Val | None
    n: Val
    safe: Val
    total: Callable[[Val], Val]


def weighed(x: Val, mask: Val | None, axis: Any) -> Weighed:
    weight = None if mask is None else F.broadcast(as_float(mask, x.type.dtype), shape=sizes(x))

    def total(value: Val) -> Val:
        return F.sum(value if weight is None else weight * value, axis=axis, keep=True)

    kept = attr_shape(reduced(x.type, axis, True).shape)
    count = product([x.type.shape[a] for a in normal_axes(axis, x.type.rank)])
    n = F.broadcast(number(x, count), shape=kept) if weight is None else F.sum(weight, axis=axis, keep=True)
    return Weighed(weight, n, F.where(F.equal(n, zero(n)), one(n), n), total)


def shaped(value: Val, x: Val, axis: Any, keep: bool) -> Val:
    """A value of the reduced shape with or without the axes of size 1."""
    return reshape(value, attr_shape(reduced(x.type, axis, keep).shape))


def spelled(name: str, x: Val, y: Val, mask: Val | None = None, *, axis: Any, keep: bool) -> Val:
    """The row as plain rows."""
    w = weighed(x, mask, axis)
    dx, dy = x - w.total(x) / w.safe, y - w.total(y) / w.safe
    return shaped(w.total(dx * dy) / w.safe, x, axis, keep)


def gradient(g: Val, x: Val, other: Val, mask: Val | None, axis: Any, keep: bool) -> Val:
    # ∂/∂x = weight·(y - mean of y) / n, because Σ weight·(y - mean of y) is 0
    w = weighed(x, mask, axis)
    slope = (other - w.total(other) / w.safe) / w.safe
    return spread(g, x, axis, keep) * (slope if w.weight is None else w.weight * slope)


# ---- joined -----------------------------------------------------------------------------------------------------------------------------


def moments_of(x: Val, y: Val, mask: Val | None = None, *, axis: Any, keep: bool) -> Val:
    """The moments of one batch: [6, *shape of the result]."""
    same = x.id == y.id
    x = as_float(x, DType.f64)
    y = x if same else as_float(y, DType.f64)
    w = weighed(x, mask, axis)
    near_x, dx, rest_x = centred(x, w)
    near_y, dy, rest_y = (near_x, dx, rest_x) if same else centred(y, w)
    parts = (w.n, near_x, rest_x, near_y, rest_y, w.total(dx * dy) - w.n * rest_x * rest_y)
    return F.stack(*(shaped(part, x, axis, keep) for part in parts), axis=0)


def centred(x: Val, w: Weighed) -> tuple[Val, Val, Val]:
    """The mean as it is rounded, the distances to it, and their mean: what rounding left."""
    near = w.total(x) / w.safe
    return near, x - near, w.total(x - near) / w.safe


def join_moments(xp: Any, a: Any, b: Any) -> Any:
    """Σ_ab = Σ_a + Σ_b + (difference of the means of x)·(that of y)·n_a·n_b / n (Chan, Golub and LeVeque 1979)."""
    n = a[0] + b[0]
    share = b[0] / xp.where(n == 0, xp.ones((), n.dtype), n)
    dx, dy = (b[1] - a[1]) + (b[2] - a[2]), (b[3] - a[3]) + (b[4] - a[4])
    both = xp.stack([n, a[1], a[2] + dx * share, a[3], a[4] + dy * share, a[5] + b[5] + dx * dy * a[0] * share])
    return xp.where(a[0] == 0, b, xp.where(b[0] == 0, a, both))


def spread_of(moments: Val, correction: int = 0) -> Val:
    """Σ / (n - correction); 0 where nothing counts."""
    n, products = (F.gather(moments, moments.builder.constant(at, DType.i64), axis=0) for at in (0, 5))
    n = n - correction if correction else n
    return F.where(F.greater(n, zero(n)), products / F.where(F.greater(n, zero(n)), n, constant(n, 1)), zero(n))


FINISH: dict[str, Callable[..., Val]] = {
    "covariance": lambda moments: spread_of(moments),
    "var": lambda moments, correction: spread_of(moments, correction),
    "std": lambda moments, correction: F.sqrt(spread_of(moments, correction)),
}
"""Rows whose batches join by their moments: from the moments of the whole to the value."""


def covariance_cases(rng: Any) -> list[Case]:
    found = []
    for shape, axis, keep in (((4,), None, False), ((2, 3), 0, False), ((2, 3), -1, True), ((2, 3, 5), (0, 2), False)):
        x, y, mask = rng.uniform(-2, 2, shape), rng.uniform(-2, 2, shape), rng.integers(0, 2, shape).astype(bool)
        plain = {"axis": axis, "keep": keep}
        found += [Case((x, y), plain), Case((x, y, mask), {**plain, "optional": ("mask",)})]
        found.append(Case((x, y, rng.uniform(0.5, 2, ())), {**plain, "optional": ("mask",)}))
    return found


op(
    "covariance(x: f[*s], y: f[*s], mask: t[*m] = none, axis: axes = none, keep: bool = false) -> f[*s]",
    "the mean of (x - mean of x)·(y - mean of y) over the axes, of the places that count; `mask` may weigh them",
    kind="reduce",
    eval=covariance,
    grad={
        "x": lambda g, c, x, y, mask=None, *, axis, keep: gradient(g, x, y, mask, axis, keep),
        "y": lambda g, c, x, y, mask=None, *, axis, keep: gradient(g, y, x, mask, axis, keep),
        "mask": None,
    },
    shape=covariance_shape,
    sample=covariance_cases,
    analytic=True,
    example="y = covariance(x, w, axis=0)",
)
