"""The mean over what counts (R15), for losses that are written in the language."""

from __future__ import annotations

from typing import Any

from dslc.ir.types import TensorType
from dslc.ops.counting import averaged, averaged_val, check_factors, coefficient, count_of, counted, counted_val, extras
from dslc.ops.table import Case, op
from dslc.ops.value import F, Val


def average(xp: Any, x: Any, mask: Any = None, weight: Any = None, *, each: bool) -> Any:
    return averaged(xp, x, counted(xp, x.shape, x.real.dtype, mask, weight), each)


def average_shape(x: TensorType, mask: TensorType | None = None, weight: TensorType | None = None, *, each: bool) -> TensorType:
    check_factors(x.shape, x.dtype, mask=mask, weight=weight)
    return TensorType(dtype=x.dtype, shape=x.shape if each else ())


def average_grad(g: Val, y: Val, x: Val, mask: Val | None = None, weight: Val | None = None, *, each: bool) -> Val:
    factor = coefficient(g, x, x.type.shape, counted_val(x, x.type.shape, mask, weight), each)
    return factor if factor.type.rank == x.type.rank else F.broadcast(factor, shape=x.type.shape)


def average_parts(x: Val, mask: Val | None = None, weight: Val | None = None, *, each: bool) -> tuple[Val, Val]:
    given, names = extras(mask=mask, weight=weight)
    counting = F.average(x, *given, optional=names, each=True)
    return F.sum(counting), count_of(x, x.type.shape, counted_val(x, x.type.shape, mask, weight))


def spelled(name: str, x: Val, mask: Val | None = None, weight: Val | None = None, *, each: bool) -> Val:
    """The row as plain rows."""
    return averaged_val(x, counted_val(x, x.type.shape, mask, weight), each)


def average_cases(rng: Any) -> list[Case]:
    import numpy as np

    found = []
    for shape in ((4,), (2, 3), (1, 2, 2), ()):
        x, weight = rng.uniform(-2, 2, shape), rng.uniform(0.5, 2, shape)
        mask = np.arange(x.size).reshape(shape) % 2 == 0
        found += [Case((x,), {"each": False}), Case((x,), {"each": True}), Case((x, mask), {"each": False, "optional": ("mask",)})]
        found.append(Case((x, mask, weight), {"each": True, "optional": ("mask", "weight")}))
        found.append(Case((x, mask, rng.uniform(0.5, 2, ())), {"each": False, "optional": ("mask", "weight")}))
    return found


op(
    "average(x: f[*s], mask: t[*m] = none, weight: f[*w] = none, each: bool = false) -> f[]",
    "the mean of x over what counts, Σ mask·weight·x / Σ mask·weight, 0 where nothing counts; `each`: x as it counts",
    kind="loss",
    eval=average,
    grad={"x": average_grad, "mask": None, "weight": None},
    shape=average_shape,
    sample=average_cases,
    analytic=True,
    parts=average_parts,
    example="y = average(x, mask=x > 0)",
)
