"""Which axis of a nest is in vector lanes, and in which order its loops stand."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.kernels.native.layout import Layout, linear, linear_accesses
from runtime.loops.nest import Nest, Reduce, Store, Taken


def choose_vector(nest: Nest, layouts: Mapping[str, Layout]) -> str | None:
    """The axis that most accesses have side by side, and that no store takes apart."""
    accesses = linear_accesses(nest, layouts)
    best, most = None, 0
    for axis in nest.axes:
        if not all(may_be_lanes(nest, store, layouts, axis) for store in nest.stores):
            continue
        score = 0
        for where, is_store in accesses:
            stride = where.stride(axis)
            score += (3 if is_store else 2) if stride == 1 else 0 if stride == 0 else -1
        if score > most:
            best, most = axis, score
    return best


def may_be_lanes(nest: Nest, store: Store, layouts: Mapping[str, Layout], axis: str) -> bool:
    """Whether neighbours along the axis are written to different elements, or to no element at all (the axis is reduced before)."""
    if axis not in nest.store_domain(store):
        return True
    taken = any(isinstance(item, Taken) and axis in nest.domains[item.value] for item in store.index)
    return not taken and linear(store.index, layouts[store.array]).stride(axis) != 0


def stripped(nest: Nest, layouts: Mapping[str, Layout], vector: str | None) -> str | None:
    """The axis to go through in strips, inside the vector axis: elements that lie side by side along it are read lane by lane.

    So a line of memory is read again while it is in the cache.
    """
    if vector is None or any(isinstance(value, Reduce) for value in nest.values):
        return None
    for load in nest.loads:
        where = linear(load.index, layouts[load.array])
        step = where.stride(vector)
        beside = [axis for axis, stride in where.axes.items() if stride == 1 and axis != vector]
        if beside and step not in (0, 1) and all(beside[0] in nest.store_domain(store) for store in nest.stores):
            return beside[0]
    return None


def loop_order(nest: Nest, layouts: Mapping[str, Layout], band: str | None, vector: str | None) -> list[str]:
    """First the axes of which a reduction makes one value each, so that it is done once; then the band; then by the stride of the first
    store; the vector axis last, unless it is one of the first.
    """
    where = linear(nest.stores[0].index, layouts[nest.stores[0].array])
    stored = nest.store_domain(nest.stores[0])
    domains = [nest.domains[at] for at, value in enumerate(nest.values) if isinstance(value, Reduce)]
    first = frozenset[str]().union(*(domain for domain in domains if domain < stored))

    def rank(axis: str) -> tuple[bool, int, int]:
        stride = where.stride(axis)
        if axis == band:
            return (axis not in first, 0, 0)
        if axis == vector:
            return (axis not in first, 3, 0)
        step = stride if isinstance(stride, int) else 2**60
        return (axis not in first, 1 if step else 2, -step)

    return sorted(nest.axes, key=rank)
