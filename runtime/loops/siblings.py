"""Two nests as one: the second reads, place by place, what the first stores or reads at the same places.

%3[n, c] = max(%1[n, c], 0)                     %3[n, c] = max(%1[n, c], 0)
%4[c] = sum of %3[n, c] over n           ->     %4[c] = sum of that over n
"""

from __future__ import annotations

from collections.abc import Iterator

from runtime.loops.fuse import place_by_place
from runtime.loops.nest import Affine, Index, Load, Nest, Writer
from runtime.loops.trim import moved, rewritten


def together(first: Nest, second: Nest, array: str) -> Nest | None:
    """One nest with the stores of both; None where their places are not the same. The array is written once, in full."""
    index = the_index(second, array)
    if index is None or not place_by_place(second, index):
        return None
    for place, value in places(first, array):
        axes = renaming(first, second, place, index)
        if axes is not None:
            return joined(first, second, array, axes, value)
    return None


def the_index(nest: Nest, array: str) -> Index | None:
    """Where the nest reads the array, if that is one place."""
    found = {load.index for load in nest.loads if load.array == array and load.fill is None}
    return next(iter(found)) if len(found) == 1 and not any(load.fill is not None for load in nest.loads if load.array == array) else None


def places(nest: Nest, array: str) -> Iterator[tuple[Index, int | None]]:
    """Where it stores the array, with the value, or where it reads it."""
    for store in nest.stores:
        if store.array == array and not store.adds:
            yield store.index, store.value
    index = the_index(nest, array)
    if index is not None and array not in nest.writes and place_by_place(nest, index):
        yield index, None


def renaming(first: Nest, second: Nest, place: Index, index: Index) -> dict[str, str] | None:
    """The axis of the first for each axis of the second."""
    found: dict[str, str] = {}
    for mine, item in zip(place, index, strict=True):
        if not isinstance(mine, Affine) or not isinstance(item, Affine):
            return None
        if not item.terms:
            if mine != Affine():
                return None
            continue
        axis = item.terms[0][0]
        if len(mine.terms) != 1 or mine != Affine.of({mine.terms[0][0]: 1}) or first.axes[mine.terms[0][0]] != second.axes[axis]:
            return None
        found[axis] = mine.terms[0][0]
    return found if len(set(found.values())) == len(found) else None


def joined(first: Nest, second: Nest, array: str, axes: dict[str, str], value: int | None) -> Nest:
    """value: what the first stores in the array; None: it reads the array too."""
    writer = Writer(dict(first.axes))
    kept: list[int] = []
    for item in first.values:
        kept.append(writer.add(rewritten(item, {}, {}, kept)))
    for store in first.stores:
        writer.store(store.array, moved(store.index, {}, kept), kept[store.value], adds=store.adds)
    named = {axis: Affine.of({to: 1}) for axis, to in axes.items()}
    parts = {axis: (to,) for axis, to in axes.items()}
    numbers: list[int] = []
    for item in second.values:
        known = value is not None and isinstance(item, Load) and item.array == array
        numbers.append(kept[value] if known and value is not None else writer.add(rewritten(item, named, parts, numbers)))
    for store in second.stores:
        writer.store(store.array, moved(store.index, named, numbers), numbers[store.value], adds=store.adds)
    return writer.nest(f"{first.name}; {second.name}")
