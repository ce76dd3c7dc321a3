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

    A sum is joined by what follows it place by place, and by nothing else.
    """
    loads = [load for load in reader.loads if load.array == name]
    if any(load.fill is not None or any(isinstance(item, Taken) for item in load.index) for load in loads):
        return False
    indices = {load.index for load in loads}
    if any(isinstance(value, Reduce) for value in maker.values):
        return len(indices) == 1 and place_by_place(reader, next(iter(indices))) and not sums(reader)
    if name in factors(reader):
        return False
    return (len(indices) == 1 and place_by_place(reader, next(iter(indices)))) or (len(maker.values) <= CHEAP and len(indices) == 1)


def sums(nest: Nest) -> bool:
    return any(isinstance(value, Reduce) for value in nest.values)


def place_by_place(reader: Nest, index: Index) -> bool:
    """Whether the index is made of axes alone, and the reader has no others."""
    axes = [item.terms[0][0] for item in index if isinstance(item, Affine) and item.terms]
    single = all(item == Affine() or (len(item.terms) == 1 and item.terms[0][1] == 1) for item in index if isinstance(item, Affine))
    return single and len(set(axes)) == len(axes) and set(axes) == set(reader.axes)


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
