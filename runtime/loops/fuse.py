"""Nests joined: what one nest stores and only another one reads is computed where it is read, and never lies in memory.

%3[n, o] = sum of %1[n, k] · w[k, o]          %5[n, o] = max(sum of %1[n, k] · w[k, o] + b[o], 0)
%4[n, o] = %3[n, o] + b[o]             ->
%5[n, o] = max(%4[n, o], 0)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from runtime.loops.nest import Affine, Apply, Array, Foreign, Index, Load, Nest, Reduce, Size, Store, Taken, Writer, at
from runtime.loops.trim import joined, moved, product, rewritten, used, whole

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
            fit = ((name, in_parts(step, makers[name], name)) for name in step.reads if name in makers)
            name, reader = next(((name, reader) for name, reader in fit if joins(makers[name], reader, name)), ("", step))
            if not name:
                break
            maker = makers.pop(name)
            gone.add(id(maker))
            readers.subtract((*step.reads, *maker.reads))
            step = inlined(reader, maker, name)
            readers.update(step.reads)
        found.append(step)
        if isinstance(step, Nest) and len(step.stores) == 1:
            (name,) = step.writes
            if readers[name] == 1 and writers[name] == 1 and name not in kept and covers(step.stores[0], step, arrays[name]):
                makers[name] = step
    return [step for step in found if id(step) not in gone]


def covers(store: Store, nest: Nest, array: Array) -> bool:
    """Whether every element is written once, each index by axes of its own: one, or the parts of one."""
    parts = [parts_of(item, size, nest) for item, size in zip(store.index, array.shape, strict=True)]
    axes = [axis for found in parts for axis in found or ()]
    return None not in parts and len(set(axes)) == len(axes) and not store.adds and nest.store_domain(store) == set(axes)


def parts_of(item: Affine | Taken, size: Size, nest: Nest) -> list[str] | None:
    """The axes whose mixed number the index is, the outermost first, where they go through all of this length; None: they do not."""
    if not isinstance(item, Affine) or item.constant:
        return None
    axes = sorted((axis for axis, _ in item.terms), key=item.coefficient, reverse=True)
    lengths = [nest.axes[axis] for axis in axes]
    if len(axes) > 1 and not all(isinstance(length, int) and length > 1 for length in lengths):
        return None
    return axes if product(lengths) == size and (not axes or item == whole(nest.axes, axes)) else None


def in_parts(reader: Nest, maker: Nest, name: str) -> Nest:
    """The reader with the axes in parts that are in parts where the array is stored."""
    for load in [load for load in reader.loads if load.array == name]:
        for item, to in zip(maker.stores[0].index, load.index, strict=True):
            if isinstance(item, Affine) and len(item.terms) > 1 and isinstance(to, Affine) and to in at(*reader.axes):
                writer = Writer(dict(reader.axes))
                axis = to.terms[0][0]
                sizes = [maker.axes[part] for part, _ in sorted(item.terms, key=lambda term: -term[1])]
                if product(sizes) == reader.axes[axis]:
                    parts = tuple(writer.axis(size, axis) for size in sizes)
                    return in_parts(joined(replace(reader, axes=writer.axes), axis, parts), maker, name)
    return reader


def matched(maker: Nest, reader: Nest, index: Index) -> dict[str, Affine | Taken] | None:
    """What stands in the reader's index for each axis of the maker's store; None where an axis in parts is read in another way."""
    found: dict[str, Affine | Taken] = {}
    for item, to in zip(maker.stores[0].index, index, strict=True):
        assert isinstance(item, Affine)
        if len(item.terms) < 2:
            found.update({axis: to for axis, _ in item.terms})
            continue
        by = {count: axis for axis, count in to.terms} if isinstance(to, Affine) and not to.constant else {}
        if by.keys() != {count for _, count in item.terms} or any(maker.axes[axis] != reader.axes[by[count]] for axis, count in item.terms):
            return None
        found.update({axis: Affine.of({by[count]: 1}) for axis, count in item.terms})
    return found


def joins(maker: Nest, reader: Nest, name: str) -> bool:
    """Whether the reader may compute the array itself: nothing is computed more often than before, or it is cheap.

    A sum is joined by what follows it place by place, and by what goes through its rows again.
    """
    loads = [load for load in reader.loads if load.array == name]
    if any(load.fill is not None or any(isinstance(item, Taken) for item in load.index) for load in loads):
        return False
    indices = {load.index for load in loads}
    places = [matched(maker, reader, index) for index in indices]
    if any(place is None for place in places):
        return False
    flat = [tuple(place.values()) for place in places if place is not None]
    if any(isinstance(value, Reduce) for value in maker.values):
        if len(indices) != 1 or places[0] is None:
            return False
        return (place_by_place(reader, flat[0]) and not sums(reader)) or row_by_row(maker, reader, places[0])
    if name in factors(reader) and reuses(reader):
        return False
    return len(indices) == 1 and (place_by_place(reader, flat[0]) or len(maker.values) <= CHEAP)


def row_by_row(maker: Nest, reader: Nest, places: Mapping[str, Affine | Taken]) -> bool:
    """Whether both go through the same rows: what the maker combines along a row is known before the reader goes through it.

    The rows are those of the outermost axis of the reader's store, at least: they are shared by threads.
    """
    outer = single_axes(reader.stores[0].index[:1])
    if single_axes(tuple(places.values())) is None or not outer or reuses(maker) or reuses(reader):
        return False
    to = {axis: item.terms[0][0] for axis, item in places.items() if isinstance(item, Affine) and item.terms}
    rows: set[str] = set()
    for value, domain in zip(maker.values, maker.domains, strict=True):
        if isinstance(value, Reduce):
            if not domain <= to.keys():
                return False
            rows |= {to[axis] for axis in domain}
    inner = {axis for value in reader.values if isinstance(value, Reduce) for axis in value.axes}
    return outer[0] in rows and not rows & inner and all(rows <= reader.store_domain(store) for store in reader.stores)


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
                places[value.index] = put(writer, maker, reader, value.index)
            numbers.append(places[value.index])
        else:
            numbers.append(writer.add(rewritten(value, {}, {}, numbers)))
    for store in reader.stores:
        writer.store(store.array, moved(store.index, {}, numbers), numbers[store.value], adds=store.adds)
    return used(writer.nest(f"{maker.name}; {reader.name}"))


def put(writer: Writer, maker: Nest, reader: Nest, index: Index) -> int:
    """The maker's values, written at this index of its result."""
    (store,) = maker.stores
    outer = matched(maker, reader, index) or {}
    inner = {axis: (writer.axis(size, axis),) for axis, size in maker.axes.items() if axis not in outer}
    axes = {axis: to for axis, to in outer.items() if isinstance(to, Affine)}
    axes |= {axis: Affine(0, ((new, 1),)) for axis, (new,) in inner.items()}
    numbers: list[int] = []
    for value in maker.values:
        numbers.append(writer.add(rewritten(value, axes, inner, numbers)))
    return numbers[store.value]
