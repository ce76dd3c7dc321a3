"""Borders: a constant, the edge repeated, the values reflected, or the values of the other side (NumPy's and ONNX's names of the modes).

along an axis of n, the place i < 0 or i >= n holds
edge       x[0] or x[n - 1]
reflect    x[-i] or x[2(n - 1) - i]: the edge itself is not repeated, so a border has n - 1 places at most
wrap       x[i mod n]: the axis is a circle; a border has n places at most

The three are linear, one axis after the other; `pad_grad` is their adjoint, which adds each border to the places that it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dslc.ir.types import Dim, TensorType
from dslc.ops.movement import dims, several, tensors
from dslc.ops.support import attr_shape
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F, Val

MODES = ("constant", "edge", "reflect", "wrap")
ROOM = {"reflect": 1, "wrap": 0}  # a border has the size of its axis less so many places at most


def pad_shape(x: TensorType, before: Any, after: Any, value: Any, mode: str) -> TensorType:
    if mode not in MODES:
        listed = ", ".join(f'"{word}"' for word in MODES)
        raise Mismatch("mode", f"`mode` of `pad` is one of {listed}", wanted=listed, found=f'"{mode}"')
    if mode != "constant" and value != 0:
        raise Mismatch("value", f'with mode="{mode}" the border has values of `x`', wanted="0", found=str(value), other="mode")
    if len(before) != x.rank or len(after) != x.rank:
        raise Mismatch("before", f"`pad` has two amounts for each of {x.rank} axes", wanted=str(x.rank), found=str(len(before)))
    for name, amounts in (("before", dims(before)), ("after", dims(after))):
        for axis, (amount, size) in enumerate(zip(amounts, x.shape, strict=True)):
            check_amount(name, axis, amount, size, mode)
    return TensorType(dtype=x.dtype, shape=tuple(s + b + a for s, b, a in zip(x.shape, dims(before), dims(after), strict=True)))


def check_amount(name: str, axis: int, amount: Dim, size: Dim, mode: str) -> None:
    """Mismatch where a border is negative, or certainly larger than what there is to reflect or wrap."""
    if amount.sign() == -1:
        raise Mismatch(name, "`pad` adds, it does not cut", wanted=">= 0", found=str(amount))
    if mode in ROOM and (size - ROOM[mode] - amount).sign() == -1:
        most = size - ROOM[mode]
        reason = f'mode="{mode}" has {most} values for a border of {amount} along axis {axis}, which has size {size}'
        raise Mismatch(name, reason, wanted=f"<= {most}", found=str(amount), axis=axis, other="x")


def _pad_grad(g: Val, y: Val, x: Val, before: Any, after: Any, value: Any, mode: str) -> Val:
    if mode != "constant":
        return F.pad_grad(g, before=before, after=after, mode=mode)
    stops = attr_shape([Dim.of(b) + size for b, size in zip(before, x.type.shape, strict=True)])
    return F.slice(g, starts=before, stops=stops)


def pad(xp: Any, x: Any, before: Any, after: Any, value: Any, mode: str) -> Any:
    width = list(zip(before, after, strict=True))
    if mode == "constant":
        return xp.pad(x, width, constant_values=value)
    check_room(x.shape, before, after, mode)
    return xp.pad(x, width, mode=mode)


def check_room(shape: Sequence[int], before: Sequence[int], after: Sequence[int], mode: str) -> None:
    """IndexError where a border is larger than what there is: the size of an open axis is known only when the graph runs."""
    for axis, (size, b, a) in enumerate(zip(shape, before, after, strict=True)):
        if not has_room([size], [b], [a], mode):
            raise IndexError(f'mode="{mode}" has {size - ROOM[mode]} values for a border of {max(b, a)} along axis {axis}')


def has_room(shape: Sequence[int], before: Sequence[int], after: Sequence[int], mode: str) -> bool:
    """Whether every axis has enough values to reflect or to wrap."""
    return mode not in ROOM or all(max(b, a) <= size - ROOM[mode] for size, b, a in zip(shape, before, after, strict=True))


def grad_shape(g: TensorType, before: Any, after: Any, mode: str) -> TensorType:
    return TensorType(dtype=g.dtype, shape=tuple(s - b - a for s, b, a in zip(g.shape, dims(before), dims(after), strict=True)))


def pad_grad(xp: Any, g: Any, before: Any, after: Any, mode: str) -> Any:
    for axis, (b, a) in enumerate(zip(before, after, strict=True)):
        if b or a:
            g = xp.moveaxis(folded(xp, xp.moveaxis(g, axis, 0), b, a, mode), 0, axis)
    return xp.array(g)


def folded(xp: Any, g: Any, before: int, after: int, mode: str) -> Any:
    """Along axis 0: the middle, and each border added to where it came from."""
    size = g.shape[0] - before - after
    head, y, tail = g[:before], xp.array(g[before : before + size]), g[before + size :]
    if mode == "edge":
        y[0] += xp.sum(head, axis=0)
        y[size - 1] += xp.sum(tail, axis=0)
    elif mode == "reflect":
        y[1 : before + 1] += head[::-1]
        y[size - 1 - after : size - 1] += tail[::-1]
    else:
        y[size - before :] += head
        y[:after] += tail
    return y


# ---- samples: one axis and several, uneven borders, no border, the largest ones, axes of size 1 --------------------------------------

BORDERS: tuple[tuple[str, tuple[int, ...], tuple[int, ...], tuple[int, ...]], ...] = (  # mode, shape, before, after
    ("edge", (3,), (1,), (4,)),
    ("edge", (2, 1, 3), (0, 2, 1), (0, 1, 0)),
    ("reflect", (2, 3, 5), (0, 1, 4), (0, 2, 1)),
    ("reflect", (1, 2), (0, 1), (0, 1)),
    ("reflect", (2, 3), (0, 0), (0, 0)),
    ("wrap", (2, 3, 4), (0, 3, 1), (0, 2, 4)),
    ("wrap", (1, 1), (1, 0), (1, 1)),
)


def cases(rng: Any) -> list[Case]:
    constant = {"mode": "constant"}
    plain = several(
        tensors((3,), before=(1,), after=(2,), value=0, **constant), tensors((2, 3), before=(0, 1), after=(1, 0), value=1.5, **constant)
    )
    made = several(*(tensors(s, before=before, after=after, value=0, mode=mode) for mode, s, before, after in BORDERS))
    return [*plain(rng), *made(rng)]


def grad_cases(rng: Any) -> list[Case]:
    found = []
    for mode, shape, before, after in BORDERS:
        grown = tuple(s + b + a for s, b, a in zip(shape, before, after, strict=True))
        found.append(Case((rng.uniform(-2, 2, grown),), {"before": before, "after": after, "mode": mode}))
    return found


op(
    'pad(x: t[*s], before: list[size], after: list[size], value: number = 0, mode: string = "constant") -> t[*r]',
    'a border before and after along each axis: `value`, or with mode "edge", "reflect" or "wrap" values of x',
    kind="movement",
    eval=pad,
    grad={"x": _pad_grad},
    shape=pad_shape,
    sample=cases,
    analytic=True,
    example='y = pad(image, before=[0, 0, 1, 1], after=[0, 0, 1, 1], mode="reflect")',
)
op(
    "pad_grad(g: f[*r], before: list[size], after: list[size], mode: string) -> f[*s]",
    "the gradient of pad: each border is added to the places that it came from",
    kind="movement",
    eval=pad_grad,
    grad={"g": lambda h, y, g, **a: F.pad(h, **a)},
    shape=grad_shape,
    sample=grad_cases,
    analytic=True,
    internal=True,
)
