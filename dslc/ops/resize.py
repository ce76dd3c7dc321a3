"""Resizing of the spatial axes: nearest neighbours or linear interpolation along each axis (bilinear over two).

Place d of a result axis of m lies at p of the source axis of n, by the convention that `coordinates` names:

half_pixel      p = (d + ½)·n/m - ½      pixels are areas; the borders of both pictures meet (the default of most libraries)
align_corners   p = d·(n - 1)/(m - 1)    the centres of the first and the last pixels meet
asymmetric      p = d·n/m                the first pixels meet

linear takes the two neighbours of p, and the border where there is only one; nearest takes ⌊p + ½⌋, with asymmetric ⌊p⌋.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dslc.ir.types import Dim, TensorType
from dslc.ops.support import sizes
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F
from dslc.ops.window import spatial

MODES = ("nearest", "linear")
COORDINATES = ("half_pixel", "align_corners", "asymmetric")
SETTINGS = 'mode: string = "nearest", coordinates: string = "half_pixel"'


def one_of(name: str, value: str, words: Sequence[str]) -> None:
    if value not in words:
        listed = ", ".join(f'"{word}"' for word in words)
        raise Mismatch(name, f"`{name}` of `resize` is one of {listed}", wanted=listed, found=f'"{value}"')


def resize_shape(x: TensorType, scale: Any, size: Any, mode: str, coordinates: str) -> TensorType:
    axes = spatial("resize", x)
    one_of("mode", mode, MODES)
    one_of("coordinates", coordinates, COORDINATES)
    if (scale is None) == (size is None):
        raise Mismatch("size", "`resize` takes either `scale` or `size`", wanted="one of them", found="none" if size is None else "both")
    found = [n * factor for n, factor in zip(axes, scale, strict=True)] if size is None else [Dim.of(n) for n in size]
    if len(found) != len(axes):
        raise Mismatch("size", f"`size` has one entry for each of {len(axes)} spatial axes", wanted=str(len(axes)), found=str(len(found)))
    for n in found:
        if n.sign() in (0, -1):
            raise Mismatch("size", "`size` is at least 1", wanted=">= 1", found=str(n))
    return TensorType(dtype=x.dtype, shape=(*x.shape[:2], *found))


def taps(xp: Any, n: int, m: int, mode: str, coordinates: str) -> tuple[Any, Any, Any]:
    """For each of m places: its two neighbours of n, and the weight of the second one (float64); in whole numbers as far as they go."""
    d = xp.arange(m)
    if coordinates == "align_corners":
        above, below = d * (n - 1), max(m - 1, 1)
    elif coordinates == "asymmetric":
        above, below = d * n, m
    else:
        above, below = (2 * d + 1) * n - m, 2 * m  # p = above / below
    if mode == "nearest":
        half = 0 if coordinates == "asymmetric" else below
        index = xp.minimum((2 * above + half) // (2 * below), n - 1)
        return index, index, xp.zeros(m)
    above = xp.maximum(xp.minimum(above, (n - 1) * below), 0)
    low = above // below
    return low, xp.minimum(low + 1, n - 1), (above - low * below) / below


def matrix(xp: Any, n: int, m: int, mode: str, coordinates: str, dtype: Any) -> Any:
    """[m, n]: how much of each source place every place of the result has."""
    low, high, weight = taps(xp, n, m, mode, coordinates)
    rows = xp.arange(m)
    result = xp.zeros((m, n))
    result[rows, low] += 1 - weight
    result[rows, high] += weight
    return result.astype(dtype)


def along(array: Any, axis: int, factors: Any) -> Any:
    """A vector as long as an axis, to multiply with the array."""
    return factors.reshape([-1 if i == axis else 1 for i in range(array.ndim)])


def resize(xp: Any, x: Any, scale: Any, size: Any, mode: str, coordinates: str) -> Any:
    wanted = size if size is not None else [n * factor for n, factor in zip(x.shape[2:], scale, strict=True)]
    real = x.real.dtype
    for axis, m in enumerate(wanted, 2):
        low, high, weight = taps(xp, x.shape[axis], m, mode, coordinates)
        first = xp.take(x, low, axis=axis)
        if mode == "linear":
            t = along(x, axis, weight).astype(real)
            x = xp.where(t == 0, first, first * (1 - t) + xp.take(x, high, axis=axis) * t)
        else:
            x = first
    return x


def resize_grad(xp: Any, g: Any, size: Any, mode: str, coordinates: str) -> Any:
    """The adjoint: along each axis every place gives its parts back to its neighbours, but not to one whose part is 0."""
    for axis, n in enumerate(size, 2):
        low, high, weight = taps(xp, n, g.shape[axis], mode, coordinates)
        rows = xp.moveaxis(g, axis, 0)
        result = xp.zeros((n, *rows.shape[1:]), g.dtype)
        t = along(rows, 0, weight).astype(g.real.dtype)
        second = xp.nonzero(weight)[0]
        xp.add.at(result, low, rows * (1 - t))
        xp.add.at(result, high[second], rows[second] * t[second])
        g = xp.moveaxis(result, 0, axis)
    return xp.ascontiguousarray(g)


def grad_shape(g: TensorType, size: Any, mode: str, coordinates: str) -> TensorType:
    return TensorType(dtype=g.dtype, shape=(*g.shape[:2], *(Dim.of(n) for n in size)))


# ---- samples: both modes, all coordinates, larger and smaller, 1-D and 3-D, sizes of 1 ---------------------------------------------

SHAPES: tuple[tuple[tuple[int, ...], dict[str, Any]], ...] = (
    ((2, 3, 3, 4), {"scale": (2, 2)}),
    ((1, 2, 2, 3), {"scale": (2, 3), "mode": "linear"}),
    ((1, 2, 4, 3), {"size": (7, 5), "mode": "linear", "coordinates": "align_corners"}),
    ((1, 2, 6, 5), {"size": (3, 4), "mode": "linear"}),
    ((2, 1, 5, 4), {"size": (3, 7)}),
    ((1, 2, 4, 6), {"size": (6, 9), "coordinates": "asymmetric"}),
    ((1, 2, 4, 5), {"size": (6, 3), "mode": "linear", "coordinates": "asymmetric"}),
    ((1, 2, 4, 5), {"size": (7, 2), "coordinates": "align_corners"}),
    ((1, 1, 1, 1), {"scale": (3, 2), "mode": "linear"}),
    ((1, 1, 3, 2), {"size": (1, 1), "mode": "linear", "coordinates": "align_corners"}),
    ((2, 2, 5), {"scale": (2,), "mode": "linear"}),
    ((1, 2, 2, 3, 2), {"scale": (2, 1, 3)}),
    ((1, 1, 2, 3, 2), {"size": (4, 5, 3), "mode": "linear"}),
)


def cases(rng: Any) -> list[Case]:
    return [Case((rng.uniform(-2, 2, shape),), dict(attrs)) for shape, attrs in SHAPES]


def grad_cases(rng: Any) -> list[Case]:
    found = []
    for shape, attrs in SHAPES:
        words: dict[str, Any] = {key: attrs[key] for key in ("mode", "coordinates") if key in attrs}
        result = attrs.get("size") or tuple(n * s for n, s in zip(shape[2:], attrs["scale"], strict=True))
        found.append(Case((rng.uniform(-2, 2, (*shape[:2], *result)),), {"size": shape[2:], **words}))
    return found


op(
    f"resize(x: f[n, c, *s], scale: sizes = none, size: list[size] = none, {SETTINGS}) -> f[n, c, *t]",
    'the spatial axes `scale` times as large, or of `size`; `mode` "nearest" or "linear", `coordinates` "half_pixel", "align_corners" '
    'or "asymmetric"',
    kind="pool",
    eval=resize,
    grad={"x": lambda g, y, x, scale, size, **a: F.resize_grad(g, size=sizes(x)[2:], **a)},
    shape=resize_shape,
    sample=cases,
    analytic=True,
    example='y = op.resize(image, scale=2, mode="linear")',
)
op(
    f"resize_grad(g: f[n, c, *t], size: list[size], {SETTINGS}) -> f[n, c, *s]",
    "the gradient of resize, of the spatial sizes `size`",
    kind="pool",
    eval=resize_grad,
    grad={"g": lambda h, y, g, size, **a: F.resize(h, size=sizes(g)[2:], **a)},
    shape=grad_shape,
    sample=grad_cases,
    analytic=True,
    internal=True,
)
