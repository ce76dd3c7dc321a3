"""Sums of what a tile stores: the rows are added in registers, and one vector for the tile to what is in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from runtime.kernels.native.scalars import JOINS, apply, join_lanes, number, select
from runtime.kernels.native.scope import Scope
from runtime.kernels.native.text import llvm_type
from runtime.loops.nest import Nest, Reduce, Store

if TYPE_CHECKING:
    from runtime.kernels.native.tile import Tiler

Place = tuple[int, int]
CHAINS = 4  # additions that do not wait for each other


def sums_of(nest: Nest, total: int) -> list[Store]:
    """The stores of sums other than the one that the tile computes."""
    return [store for store in nest.stores if store.value != total and isinstance(nest.values[store.value], Reduce)]


def add_sum(tiler: Tiler, store: Store, scopes: Mapping[Place, Scope]) -> None:
    """scopes: of the vectors of a tile, by row and vector."""
    value = tiler.nest.values[store.value]
    assert isinstance(value, Reduce)
    domain = tiler.nest.store_domain(store)
    groups: dict[tuple[int | None, int | None], list[Place]] = {}
    for row, vector in scopes:
        key = (row if tiler.roles.m in domain else None, vector if tiler.roles.n in domain else None)
        groups.setdefault(key, []).append((row, vector))
    for group in groups.values():
        first = scopes[group[0]]
        scope = Scope(dict(first.places), {}, first.mask)
        scope.known[store.value] = added(tiler, value, [scopes[place] for place in group], tiler.roles.n in domain)
        tiler.store(replace(store, adds=True), scope)


def added(tiler: Tiler, value: Reduce, scopes: Sequence[Scope], in_lanes: bool) -> tuple[str, int]:
    """The sum of the values of these vectors: in lanes, or of the lanes that are in use."""
    code, lanes, dtype = tiler.code, tiler.lanes, value.dtype
    totals: list[str] = []
    for at, scope in enumerate(scopes):
        part = tiler.widened(value.arg, scope, lanes)
        if not in_lanes and scope.mask is not None:
            part = select(code, lanes, scope.mask, part, number(code, 0, dtype, lanes), llvm_type(dtype, lanes))
        if at < CHAINS:
            totals.append(part)
        else:
            totals[at % CHAINS] = apply(code, JOINS["sum"], [totals[at % CHAINS], part], [dtype] * 2, dtype, lanes)
    total = totals[0]
    for part in totals[1:]:
        total = apply(code, JOINS["sum"], [total, part], [dtype] * 2, dtype, lanes)
    return (total, lanes) if in_lanes else (join_lanes(code, "sum", total, dtype, lanes), 1)
