"""Nests taken apart where a sum over an axis is to be computed in parts: the sums first, what is made of them in a second nest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runtime.loops.nest import Affine, Array, Load, Nest, Reduce, Store
from runtime.loops.trim import used


def split_sums(nest: Nest, axis: str, fresh: Callable[[Array], str]) -> tuple[Nest, Nest] | None:
    """The nest that only sums over the axis, and the rest, which reads the sums.

    fresh: gives a new array for each sum. None where something is combined over the axis that is no plain sum, or where the rest runs along
    it too.

        y[] = (sum of x[i] over i) / n    becomes    t[] = sum of x[i] over i,    y[] = t[] / n
    """
    sums = [at for at, value in enumerate(nest.values) if isinstance(value, Reduce) and axis in value.axes]
    reduces = [nest.values[at] for at in sums]
    if not all(isinstance(value, Reduce) and value.function == "sum" for value in reduces):
        return None
    if any(axis in nest.store_domain(store) for store in nest.stores):
        return None
    if len(nest.stores) == 1 and sums == [nest.stores[0].value]:
        return nest, Nest(nest.name, {}, (), ())
    values, stores = list(nest.values), []
    for at in sums:
        domain = [name for name in nest.axes if name in nest.domains[at]]
        array = fresh(Array(tuple(nest.axes[name] for name in domain), nest.values[at].dtype))
        index = tuple(Affine(0, ((name, 1),)) for name in domain)
        stores.append(Store(array, index, at))
        values[at] = Load(array, index, nest.values[at].dtype)
    first = used(replace(nest, stores=tuple(stores)))
    return replace(first, name=f"{nest.name}, its sums"), used(replace(nest, values=tuple(values)))
