"""The part of an axis that is summed in which the factors lie inside their arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.kernels.native.roles import open_items
from runtime.kernels.native.scope import Scope
from runtime.kernels.native.text import is_number
from runtime.loops.nest import Affine, Size

if TYPE_CHECKING:
    from runtime.kernels.native.tile import Tiler


def limits(tiler: Tiler, axis: str, scope: Scope) -> tuple[str, str]:
    """The part of an axis of k in which both loads lie inside: a product with what is outside would be 0."""
    low, high = tiler.bounds(axis)
    for load in (tiler.a, tiler.b):
        for item, size in open_items(tiler.nest, load, tiler.arrays, tiler.layouts):
            count = item.coefficient(axis)
            others = {name for name, _ in item.terms if name != axis}
            if count and others <= scope.places.keys():
                low, high = narrowed(tiler, low, high, item, axis, size, scope)
    return low, high


def narrowed(tiler: Tiler, low: str, high: str, item: Affine, axis: str, size: Size, scope: Scope) -> tuple[str, str]:
    """0 <= count * place + rest < size, for places of the axis."""
    count = item.coefficient(axis)
    rest = tiler.place(Affine(item.constant, tuple(term for term in item.terms if term[0] != axis)), scope)
    if count < 0:  # mirrored: rest - |count| * place
        first = floor_divided(tiler, tiler.code.add(tiler.minus(rest, tiler.size(size)), str(-count)), -count)
        last = tiler.code.add(floor_divided(tiler, rest, -count), "1")
    else:
        first = floor_divided(tiler, tiler.code.add(tiler.minus("0", rest), str(count - 1)), count)
        last = tiler.code.add(floor_divided(tiler, tiler.minus(tiler.code.add(tiler.size(size), "-1"), rest), count), "1")
    return tiler.code.larger(low, first), tiler.code.smaller(high, last)


def floor_divided(tiler: Tiler, a: str, by: int) -> str:
    if by == 1:
        return a
    if is_number(a):
        return str(int(a) // by)
    negative = tiler.code.value(f"icmp slt i64 {a}, 0")
    shifted = tiler.code.value(f"select i1 {negative}, i64 {by - 1}, i64 0")
    return tiler.code.value(f"sdiv i64 {tiler.minus(a, shifted)}, {by}")
