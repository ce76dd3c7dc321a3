"""Nests made smaller: axes put together from parts, values and axes that nothing needs left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dslc.ir.types import Dim
from runtime.loops.nest import Affine, Apply, Index, Load, Nest, Position, Reduce, Size, Taken, Value


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
    places = {axis: whole(nest.axes, parts)}

    def index(items: Index) -> Index:
        return tuple(item.substitute(places) if isinstance(item, Affine) else item for item in items)

    def value(old: Value) -> Value:
        match old:
            case Load(array=array, index=items, dtype=dtype, fill=fill):
                return Load(array, index(items), dtype, fill)
            case Position(index=place, dtype=dtype):
                return Position(place.substitute(places), dtype)
            case Reduce(function=function, arg=arg, axes=axes, dtype=dtype) if axis in axes:
                return Reduce(function, arg, tuple(new for name in axes for new in (parts if name == axis else (name,))), dtype)
            case _:
                return old

    stores = tuple(type(store)(store.array, index(store.index), store.value, store.adds) for store in nest.stores)
    axes = {name: size for name, size in nest.axes.items() if name != axis}
    return Nest(nest.name, axes, tuple(value(old) for old in nest.values), stores)


def used(nest: Nest) -> Nest:
    """The nest without values that no store needs, and without axes that no value has."""
    keep: set[int] = set()
    todo = [item.value for store in nest.stores for item in store.index if isinstance(item, Taken)] + [store.value for store in nest.stores]
    while todo:
        number = todo.pop()
        if number not in keep:
            keep.add(number)
            todo += needs(nest.values[number])
    order = {old: new for new, old in enumerate(sorted(keep))}

    def index(items: Index) -> Index:
        return tuple(Taken(order[item.value]) if isinstance(item, Taken) else item for item in items)

    def value(old: Value) -> Value:
        match old:
            case Load(array=array, index=items, dtype=dtype, fill=fill):
                return Load(array, index(items), dtype, fill)
            case Apply(function=function, args=args, dtype=dtype):
                return Apply(function, tuple(order[arg] for arg in args), dtype)
            case Reduce(function=function, arg=arg, axes=axes, dtype=dtype):
                return Reduce(function, order[arg], axes, dtype)
            case _:
                return old

    values = tuple(value(nest.values[old]) for old in order)
    stores = tuple(type(store)(store.array, index(store.index), order[store.value], store.adds) for store in nest.stores)
    small = Nest(nest.name, nest.axes, values, stores)
    present = {axis for domain in small.domains for axis in domain} | {axis for store in stores for axis in small.store_domain(store)}
    present |= {axis for item in values if isinstance(item, Reduce) for axis in item.axes}
    return Nest(nest.name, {axis: size for axis, size in nest.axes.items() if axis in present}, values, stores)


def needs(value: Value) -> list[int]:
    match value:
        case Load(index=index):
            return [item.value for item in index if isinstance(item, Taken)]
        case Apply(args=args):
            return list(args)
        case Reduce(arg=arg):
            return [arg]
        case _:
            return []
