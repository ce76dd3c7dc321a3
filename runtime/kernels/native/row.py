"""A vector times a matrix: the matrix is read once, in the order in which it lies, and the sums are in memory meanwhile.

    c[n] = 0;    for a few k at once: c[n] += a[k] * b[k, n] for all n;    c[n] = what is made of the sum

Each sum is made in the same order as in a tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from runtime.kernels.native.layout import linear
from runtime.kernels.native.limits import limits
from runtime.kernels.native.scope import Scope
from runtime.kernels.native.text import is_number, splat
from runtime.loops.nest import Affine

if TYPE_CHECKING:
    from runtime.kernels.native.tile import Tiler

DEEP = 8  # rows of b that are added at once
PANEL = 4096  # columns that are gone through for these rows: their sums lie in a first-level cache


def fit_for_row(tiler: Tiler) -> bool:
    """Whether there may be one row only, that it is a plain product of matrices, and the sums may lie where the result will."""
    nest, roles = tiler.nest, tiler.roles
    stores = nest.stores
    return (
        roles.m is not None
        and not all(map(is_number, tiler.bounds(roles.m)))
        and len(tiler.ks) == 1
        and not tiler.adds
        and not roles.both
        and len(stores) == 1
        and not stores[0].adds
        and all(isinstance(item, Affine) for item in stores[0].index)
        and tiler.arrays[stores[0].array].dtype == "float32"
        and linear(stores[0].index, tiler.layouts[stores[0].array]).stride(roles.n) == 1
        and stores[0].array not in nest.reads
    )


def write_row(tiler: Tiler, scope: Scope) -> None:
    """scope: with the place of the row."""
    code = tiler.code
    low, high = tiler.bounds(tiler.roles.n)
    with code.loop(low, high, PANEL) as panel:
        end = code.smaller(code.add(panel.index, str(PANEL)), high)
        for inner in columns(tiler, scope, panel.index, end):
            keep(tiler, inner, "zeroinitializer")
        first, last = limits(tiler, tiler.ks[0], scope)
        full = tiler.rounded(first, last, DEEP)
        for start, stop, deep in ((first, full, DEEP), (full, last, 1)):
            with code.loop(start, stop, deep) as k:
                add_rows(tiler, scope.inner(tiler.ks[0], k.index), panel.index, end, deep)
        for inner in columns(tiler, scope, panel.index, end):
            inner.known[tiler.roles.total] = (kept(tiler, inner), tiler.lanes)
            tiler.store(tiler.nest.stores[0], inner)


def add_rows(tiler: Tiler, scope: Scope, low: str, high: str, deep: int) -> None:
    """Add a[k] * b[k, n] to all sums for `deep` places of k, the first of which is bound."""
    code = tiler.code
    ones = []
    a = tiler.base(tiler.a, tiler.where_a, scope)
    step_a, step_b = (tiler.size(where.stride(tiler.ks[0])) for where in (tiler.where_a, tiler.where_b))
    for turn in range(deep):
        one = code.value(f"load float, ptr {code.pointer(a, code.multiply(str(turn), step_a), 'float')}, align 4")
        ones.append(splat(code, "float", tiler.lanes, one))
    fma = code.intrinsic("fma", tiler.type, 3)
    for inner in columns(tiler, scope, low, high):
        total = kept(tiler, inner)
        b = tiler.base(tiler.b, tiler.where_b, inner)
        for turn, one in enumerate(ones):
            pointer = code.pointer(b, code.multiply(str(turn), step_b), "float")
            other = tiler.vector_load(tiler.type, pointer, inner.mask, "zeroinitializer", "float32")
            total = code.value(f"call {tiler.type} {fma}({tiler.type} {one}, {tiler.type} {other}, {tiler.type} {total})")
        keep(tiler, inner, total)


def columns(tiler: Tiler, scope: Scope, low: str, high: str) -> Iterator[Scope]:
    """The body of the loop over vectors of n, written twice: for full ones and for the last."""
    full = tiler.full(low, high)
    with tiler.code.loop(low, full, tiler.lanes) as loop:
        yield scope.inner(tiler.roles.n, loop.index)
    with tiler.code.loop(full, high, tiler.lanes) as loop:
        yield scope.inner(tiler.roles.n, loop.index, tiler.mask(tiler.minus(high, loop.index)))


def kept(tiler: Tiler, scope: Scope) -> str:
    """The sums of a vector, from memory."""
    store = tiler.nest.stores[0]
    pointer, _ = tiler.address(store.array, store.index, scope)
    return tiler.vector_load(tiler.type, pointer, scope.mask, "zeroinitializer", "float32")


def keep(tiler: Tiler, scope: Scope, total: str) -> None:
    store = tiler.nest.stores[0]
    pointer, _ = tiler.address(store.array, store.index, scope)
    tiler.vector_store(tiler.type, "float", total, pointer, None, scope.mask, "float32")
