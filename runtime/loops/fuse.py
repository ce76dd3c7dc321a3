"""Nests joined: what one nest stores and only another one reads is computed where it is read, and never lies in memory.

%3[n, o] = sum of %1[n, k] · w[k, o]          %5[n, o] = max(sum of %1[n, k] · w[k, o] + b[o], 0)
%4[n, o] = %3[n, o] + b[o]             ->
%5[n, o] = max(%4[n, o], 0)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from runtime.loops.nest import Affine, Apply, Array, Foreign, Index, Load, Nest, Reduce, Store, Taken, Writer
from runtime.loops.trim import moved, rewritten, used

Step = Nest | Foreign
CHEAP = 8  # values of a nest that may be computed again for every window that reads them


def fuse(steps: Sequence[Step], arrays: Mapping[str, Array], kept: Collection[str]) -> list[Step]:
    """The steps with as few arrays between them as the rules of `joins` allow. kept: arrays that are looked at from outside."""
    readers = Counter(name for step in steps for name in step.reads)
    writers = Counter(name for step in steps for name in step.writes)
    makers: dict[str, Nest] = {}
    gone: set[int] = set()
    found: list[Step] = []
    for step in steps:
        while isinstance(step, Nest):
            name = next((name for name in step.reads if name in makers and joins(makers[name], step, name)), None)
            if name is None:
                break
            maker = makers.pop(name)
            gone.add(id(maker))
            readers.subtract((*step.reads, *maker.reads))
            step = inlined(step, maker, name)
            readers.update(step.reads)
        found.append(step)
        if isinstance(step, Nest) and len(step.stores) == 1:
            (name,) = step.writes
            if readers[name] == 1 and writers[name] == 1 and name not in kept and covers(step.stores[0], step, arrays[name]):
                makers[name] = step
    return [step for step in found if id(step) not in gone]


def covers(store: Store, nest: Nest, array: Array) -> bool:
    """Whether every element is written once, each index by an axis of its own."""
    axes = [item.terms[0][0] for item in store.index if isinstance(item, Affine) and item.terms]
    plain = all(
        item == Affine(0, ((axis, 1),)) and nest.axes[axis] == size
        if isinstance(item, Affine) and item.terms and (axis := item.terms[0][0])
        else item == Affine() and size == 1
        for item, size in zip(store.index, array.shape, strict=True)
    )
    return plain and len(set(axes)) == len(axes) and not store.adds and nest.store_domain(store) == set(axes)


def joins(maker: Nest, reader: Nest, name: str) -> bool:
    """Whether the reader may compute the array itself: nothing is computed more often than before, or it is cheap.

    A sum is joined by what follows it place by place, and by what goes through its rows again.
    """
    loads = [load for load in reader.loads if load.array == name]
    if any(load.fill is not None or any(isinstance(item, Taken) for item in load.index) for load in loads):
        return False
    indices = {load.index for load in loads}
    if any(isinstance(value, Reduce) for value in maker.values):
        if len(indices) != 1:
            return False
        (index,) = indices
        return (place_by_place(reader, index) and not sums(reader)) or row_by_row(maker, reader, index)
    if name in factors(reader) and reuses(reader):
        return False
    return (len(indices) == 1 and place_by_place(reader, next(iter(indices)))) or (len(maker.values) <= CHEAP and len(indices) == 1)


def row_by_row(maker: Nest, reader: Nest, index: Index) -> bool:
    """Whether both go through the same rows: what the maker combines along a row is known before the reader goes through it.

    The rows are those of the outermost axis of the reader's store, at least: they are shared by threads.
    """
    axes = single_axes(index)
    outer = single_axes(reader.stores[0].index[:1])
    if axes is None or not outer or reuses(maker) or reuses(reader):
        return False
    to = {item.terms[0][0]: axis for item, axis in named(maker.stores[0].index, index)}
    rows: set[str] = set()
    for at, value in enumerate(maker.values):
        if isinstance(value, Reduce):
            if not maker.domains[at] <= to.keys():
                return False
            rows |= {to[axis] for axis in maker.domains[at]}
    inner = {axis for value in reader.values if isinstance(value, Reduce) for axis in value.axes}
    return outer[0] in rows and not rows & inner and all(rows <= reader.store_domain(store) for store in reader.stores)


def named(stored: Index, read: Index) -> list[tuple[Affine, str]]:
    """The axes of a store, each with the axis of the reader in its place."""
    pairs = zip(stored, read, strict=True)
    return [(item, to.terms[0][0]) for item, to in pairs if isinstance(item, Affine) and isinstance(to, Affine) and item.terms and to.terms]


def reuses(nest: Nest) -> bool:
    """Whether products are summed whose factors are used more than once: a tile keeps them in registers."""
    for value in nest.values:
        product = nest.values[value.arg] if isinstance(value, Reduce) and value.function == "sum" else None
        if isinstance(product, Apply) and product.function == "multiply":
            domains = [nest.domains[arg] for arg in product.args]
            if domains[0] != domains[-1] and any(isinstance(nest.values[arg], Load) for arg in product.args):
                return True
    return False


def sums(nest: Nest) -> bool:
    return any(isinstance(value, Reduce) for value in nest.values)


def place_by_place(reader: Nest, index: Index) -> bool:
    """Whether the index is made of axes alone, and the reader has no others."""
    axes = single_axes(index)
    return axes is not None and set(axes) == set(reader.axes)


def single_axes(index: Index) -> list[str] | None:
    """The axes of an index that is made of axes alone, each once."""
    axes = [item.terms[0][0] for item in index if isinstance(item, Affine) and item.terms]
    alone = all(
        item == Affine() or (isinstance(item, Affine) and item.terms and item == Affine(0, ((item.terms[0][0], 1),))) for item in index
    )
    return axes if alone and len(set(axes)) == len(axes) else None


def factors(nest: Nest) -> set[str]:
    """The arrays whose products are summed: a tile wants to read them as they are."""
    found: set[str] = set()
    for value in nest.values:
        if isinstance(value, Reduce) and value.function == "sum":
            product = nest.values[value.arg]
            if isinstance(product, Apply) and product.function == "multiply":
                found |= {one.array for arg in product.args if isinstance(one := nest.values[arg], Load)}
    return found


# ---- joining --------------------------------------------------------------------------------------------------------------------


def inlined(reader: Nest, maker: Nest, name: str) -> Nest:
    """The reader with every load of the array replaced by what the maker stores there."""
    writer = Writer(dict(reader.axes))
    places: dict[Index, int] = {}
    numbers: list[int] = []
    for value in reader.values:
        if isinstance(value, Load) and value.array == name:
            if value.index not in places:
                places[value.index] = put(writer, maker, value.index)
            numbers.append(places[value.index])
        else:
            numbers.append(writer.add(rewritten(value, {}, {}, numbers)))
    for store in reader.stores:
        writer.store(store.array, moved(store.index, {}, numbers), numbers[store.value], adds=store.adds)
    return used(writer.nest(f"{maker.name}; {reader.name}"))


def put(writer: Writer, maker: Nest, index: Index) -> int:
    """The maker's values, written at this index of its result."""
    (store,) = maker.stores
    outer = {item.terms[0][0]: to for item, to in zip(store.index, index, strict=True) if isinstance(item, Affine) and item.terms}
    inner = {axis: (writer.axis(size, axis),) for axis, size in maker.axes.items() if axis not in outer}
    axes = {axis: to for axis, to in outer.items() if isinstance(to, Affine)}
    axes |= {axis: Affine(0, ((new, 1),)) for axis, (new,) in inner.items()}
    numbers: list[int] = []
    for value in maker.values:
        numbers.append(writer.add(rewritten(value, axes, inner, numbers)))
    return numbers[store.value]
