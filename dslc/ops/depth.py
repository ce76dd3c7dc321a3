"""Places into channels and back (Shi et al. 2016): permutations, so each is the other's gradient.

With a square of `scale` places for each place of the smaller picture, row i and column j in it, channel k:

space_to_depth   y[n, at(i, j, k), h, w] = x[n, k, h·scale + i, w·scale + j]        depth_to_space is its inverse
mode DCR         at = (i·scale + j)·channels + k      all channels of one place stand together (ONNX's default, TensorFlow)
mode CRD         at = (k·scale + i)·scale + j         all places of one channel stand together (PyTorch's pixel_shuffle)
"""

from __future__ import annotations

from typing import Any

from dslc.ir.types import Dim, TensorType
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F

MODES = ("DCR", "CRD")
SETTINGS = 'scale: int, mode: string = "DCR"'


def check(name: str, x: TensorType, scale: int, mode: str) -> None:
    if mode not in MODES:
        raise Mismatch("mode", f'`mode` of `{name}` is "DCR" or "CRD"', wanted='"DCR" or "CRD"', found=f'"{mode}"')
    if scale < 1:
        raise Mismatch("scale", f"`scale` of `{name}` is at least 1", wanted=">= 1", found=str(scale))


def divided(name: str, x: TensorType, axis: int, by: int) -> Dim:
    """A part of the axis; Mismatch where it is not known to be a whole number."""
    size = x.shape[axis]
    if size % by == Dim.of(0):
        return size // by
    reason = f"axis {axis} of `x` of `{name}` has size {size}, which is no multiple of {by}"
    if not size.is_constant:
        text = str(size) if len(size.terms) == 1 else f"({size})"
        cut = f"x[{':, ' * axis}0:{text} // {by} * {by}]"
        reason = (
            f"axis {axis} of `x` of `{name}` has size {size}, which may be no multiple of {by}: give it a fixed size, or cut it, `{cut}`"
        )
    raise Mismatch("x", reason, wanted=f"a multiple of {by}", found=str(size), axis=axis)


def space_to_depth_shape(x: TensorType, scale: int, mode: str) -> TensorType:
    check("space_to_depth", x, scale, mode)
    height, width = (divided("space_to_depth", x, axis, scale) for axis in (2, 3))
    return TensorType(dtype=x.dtype, shape=(x.shape[0], x.shape[1] * (scale * scale), height, width))


def depth_to_space_shape(x: TensorType, scale: int, mode: str) -> TensorType:
    check("depth_to_space", x, scale, mode)
    channels = divided("depth_to_space", x, 1, scale * scale)
    return TensorType(dtype=x.dtype, shape=(x.shape[0], channels, x.shape[2] * scale, x.shape[3] * scale))


ORDER = {"DCR": (0, 3, 5, 1, 2, 4), "CRD": (0, 1, 3, 5, 2, 4)}  # of [n, channel, row, i, column, j] for the channels of the result


def squares(x: Any, scale: int) -> Any:
    """[n, channel, row, i, column, j] of the large picture."""
    n, c, height, width = x.shape
    return x.reshape(n, c, height // scale, scale, width // scale, scale)


def space_to_depth(xp: Any, x: Any, scale: int, mode: str) -> Any:
    y = xp.ascontiguousarray(squares(x, scale).transpose(ORDER[mode]))
    return y.reshape(x.shape[0], -1, x.shape[2] // scale, x.shape[3] // scale)


def depth_to_space(xp: Any, x: Any, scale: int, mode: str) -> Any:
    n, _, height, width = x.shape
    split = (n, scale, scale, -1, height, width) if mode == "DCR" else (n, -1, scale, scale, height, width)
    back = [ORDER[mode].index(axis) for axis in range(6)]
    return xp.ascontiguousarray(x.reshape(split).transpose(back)).reshape(n, -1, height * scale, width * scale)


SHAPES = (((2, 3, 4, 6), 2), ((1, 1, 3, 3), 3), ((1, 2, 6, 3), 3), ((2, 2, 3, 1), 1), ((1, 1, 2, 2), 2))


def cases(rng: Any) -> list[Case]:
    return [Case((rng.uniform(-2, 2, shape),), {"scale": scale, "mode": mode}) for shape, scale in SHAPES for mode in MODES]


def back_cases(rng: Any) -> list[Case]:
    found = []
    for (n, c, h, w), scale in SHAPES:
        shape = (n, c * scale * scale, h // scale, w // scale)
        found += [Case((rng.uniform(-2, 2, shape),), {"scale": scale, "mode": mode}) for mode in MODES]
    return found


op(
    f"space_to_depth(x: t[n, c, h, w], {SETTINGS}) -> t[n, d, p, q]",
    'the places of each square of `scale` become channels: "DCR" all channels of a place together, "CRD" all places of a channel',
    kind="movement",
    eval=space_to_depth,
    grad={"x": lambda g, y, x, **a: F.depth_to_space(g, **a)},
    shape=space_to_depth_shape,
    sample=cases,
    analytic=True,
    example="y = op.space_to_depth(image, 2)",
)
op(
    f"depth_to_space(x: t[n, d, p, q], {SETTINGS}) -> t[n, c, h, w]",
    "the inverse of space_to_depth: groups of scale² channels become squares",
    kind="movement",
    eval=depth_to_space,
    grad={"x": lambda g, y, x, **a: F.space_to_depth(g, **a)},
    shape=depth_to_space_shape,
    sample=back_cases,
    analytic=True,
    example="y = op.depth_to_space(op.space_to_depth(image, 2), 2)",
)
