"""Nests made smaller: axes put together from parts, values and axes that nothing needs left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dslc.ir.types import Dim
from runtime.loops.nest import Affine, Apply, Index, Load, Nest, Position, Reduce, Size, Store, Taken, Value


class NoNest(Exception):
    """An array expression that is no loop nest: another way to run it is needed."""


def product(sizes: Sequence[Size]) -> Size:
    total = Dim.of(1)
    for size in sizes:
        total = total * size
    return total.constant if total.is_constant else total


def whole(axes: Mapping[str, Size], parts: Sequence[str]) -> Affine:
    """The place along an axis of the places along its parts, the outermost first."""
    counts: dict[str, int] = {}
    step: Size = 1
    for part in reversed(parts):
        if not isinstance(step, int):
            raise NoNest("a part of an axis inside another has no fixed length")
        counts[part] = step
        step = product([step, axes[part]])
    return Affine.of(counts)


def joined(nest: Nest, axis: str, parts: tuple[str, ...]) -> Nest:
    """The nest with an axis replaced by its parts."""
    places, numbers = {axis: whole(nest.axes, parts)}, range(len(nest.values))
    values = tuple(rewritten(value, places, {axis: parts}, numbers) for value in nest.values)
    stores = tuple(replace(store, index=moved(store.index, places, numbers)) for store in nest.stores)
    axes = {name: size for name, size in nest.axes.items() if name != axis}
    return Nest(nest.name, axes, values, stores)


def used(nest: Nest) -> Nest:
    """The nest without values that no store needs, and without axes that no value has."""
    order = {old: new for new, old in enumerate(sorted(needed(nest.values, roots(nest.stores))))}
    values = tuple(rewritten(nest.values[old], {}, {}, order) for old in order)
    stores = tuple(replace(store, index=moved(store.index, {}, order), value=order[store.value]) for store in nest.stores)
    small = Nest(nest.name, nest.axes, values, stores)
    present = {axis for domain in small.domains for axis in domain} | {axis for store in stores for axis in small.store_domain(store)}
    present |= {axis for item in values if isinstance(item, Reduce) for axis in item.axes}
    return Nest(nest.name, {axis: size for axis, size in nest.axes.items() if axis in present}, values, stores)


# ---- values ---------------------------------------------------------------------------------------------------------------------


def roots(stores: Sequence[Store]) -> list[int]:
    """The values that stores name."""
    return [item.value for store in stores for item in store.index if isinstance(item, Taken)] + [store.value for store in stores]


def needed(values: Sequence[Value], first: Sequence[int]) -> set[int]:
    """These values and all that they are made of."""
    found: set[int] = set()
    todo = list(first)
    while todo:
        number = todo.pop()
        if number not in found:
            found.add(number)
            todo += needs(values[number])
    return found


def needs(value: Value) -> list[int]:
    """The values that one value is made of."""
    match value:
        case Load(index=index):
            return [item.value for item in index if isinstance(item, Taken)]
        case Apply(args=args):
            return list(args)
        case Reduce(arg=arg):
            return [arg]
        case _:
            return []


Numbers = Mapping[int, int] | Sequence[int]
"""What the number of a value becomes."""


def moved(index: Index, places: Mapping[str, Affine], numbers: Numbers) -> Index:
    """An index with other axes and other numbers of values."""
    return tuple(Taken(numbers[item.value]) if isinstance(item, Taken) else item.substitute(places) for item in index)


def rewritten(value: Value, places: Mapping[str, Affine], parts: Mapping[str, Sequence[str]], numbers: Numbers) -> Value:
    """A value with other axes and other numbers. places: what stands for an axis in an index; parts: over what axes is reduced instead."""
    match value:
        case Load(array=array, index=index, dtype=dtype, fill=fill):
            return Load(array, moved(index, places, numbers), dtype, fill)
        case Position(index=place, dtype=dtype):
            return Position(place.substitute(places), dtype)
        case Apply(function=function, args=args, dtype=dtype):
            return Apply(function, tuple(numbers[arg] for arg in args), dtype)
        case Reduce(function=function, arg=arg, axes=axes, dtype=dtype):
            return Reduce(function, numbers[arg], tuple(new for name in axes for new in parts.get(name, (name,))), dtype)
        case _:
            return value
