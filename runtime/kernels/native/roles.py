"""Which axes of a contraction are the lanes and the rows of its tile: the cheapest, by a count of products and loads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, product, repeat

from runtime.kernels.native.layout import Layout, certainly_inside, linear
from runtime.kernels.native.machine import Target
from runtime.loops.nest import Affine, Apply, Array, Load, Nest, Reduce, Size, Taken
from runtime.loops.trim import needed, roots

FAR = 4096  # elements between rows of a tile, beyond which they do not share pages; an axis of open length may be short
LONG = 16  # lanes of a vector whose half takes half the time


@dataclass(frozen=True)
class Roles:
    """Which value is what. total: the sum; a, b: the loads; m (None: there is no such axis) and n: the axes of the tile.

    both: a lies side by side along n, too, and is loaded in vectors (depthwise convolutions).
    """

    total: int
    a: int
    b: int
    m: str | None
    n: str
    rows: int
    vectors: int
    both: bool


def product_of(nest: Nest, reduce: Reduce) -> tuple[int, int] | None:
    """The two loads whose product is summed."""
    value = nest.values[reduce.arg]
    if not (isinstance(value, Apply) and value.function == "multiply" and len(value.args) == 2):
        return None
    a, b = value.args
    return (a, b) if isinstance(nest.values[a], Load) and isinstance(nest.values[b], Load) else None


def find_roles(nest: Nest, arrays: Mapping[str, Array], layouts: Mapping[str, Layout], goal: Target) -> Roles | None:
    """The cheapest tile for a nest with one sum of products; None where it is no such nest, or no axis is fit to be in lanes."""
    return cheapest(nest, arrays, layouts, goal)[1]


def cheapest(nest: Nest, arrays: Mapping[str, Array], layouts: Mapping[str, Layout], goal: Target) -> tuple[float, Roles | None]:
    """The cheapest tile, with its cost: cycles for each product."""
    none: tuple[float, Roles | None] = (float("inf"), None)
    sums = own_sums(nest)
    if len(sums) != 1 or sums[0][1].function != "sum" or sums[0][1].dtype != "float32":
        return none
    at, reduce = sums[0]
    pair = product_of(nest, reduce)
    if pair is None or any(isinstance(item, Taken) for one in pair for item in nest.values[one].index):  # type: ignore[union-attr]
        return none
    found = [roles for a, b in (pair, pair[::-1]) for roles in candidates(nest, at, a, b, arrays, layouts, goal)]
    return min(found, default=none, key=lambda item: item[0])


def own_sums(nest: Nest) -> list[tuple[int, Reduce]]:
    """The reductions, without sums of what the first store writes: these can be made beside it."""
    stored, first = nest.store_domain(nest.stores[0]), needed(nest.values, roots(nest.stores[:1]))
    beside = {store.value for store in nest.stores[1:]} - first
    sums = [(at, value) for at, value in enumerate(nest.values) if isinstance(value, Reduce)]
    return [(at, value) for at, value in sums if at not in beside or value.function != "sum" or nest.domains[value.arg] != stored]


def candidates(
    nest: Nest, at: int, a: int, b: int, arrays: Mapping[str, Array], layouts: Mapping[str, Layout], goal: Target
) -> Iterator[tuple[float, Roles]]:
    """Tiles with their costs: (cycles for each useful multiplication, roles)."""
    loads = [nest.values[a], nest.values[b]]
    where = [linear(load.index, layouts[load.array]) for load in loads]  # type: ignore[union-attr]
    stored = linear(nest.stores[0].index, layouts[nest.stores[0].array])
    inner = [axis for axis in nest.axes if axis in nest.domains[at]]
    for n in inner:
        both = n in nest.domains[a]
        if nest.axes[n] == 1 or where[1].stride(n) != 1 or guarded(nest, b, n, arrays, layouts):
            continue
        if both and (where[0].stride(n) != 1 or guarded(nest, a, n, arrays, layouts)):
            continue
        fit = [axis for axis in inner if axis not in nest.domains[b] and not guarded(nest, a, axis, arrays, layouts)]
        for m in sorted(fit, key=lambda axis: rank(where[0].stride(axis))) or [None]:
            far = m is not None and not (0 < rank(where[0].stride(m)) <= FAR and isinstance(nest.axes[m], int))
            cost, rows, vectors = best_tile(nest.axes[n], nest.axes[m] if m else None, both, goal)
            yield cost * (1.0 if stored.stride(n) == 1 else 1.5) * (1.1 if far else 1.0), Roles(at, a, b, m, n, rows, vectors, both)


def guarded(nest: Nest, at: int, axis: str, arrays: Mapping[str, Array], layouts: Mapping[str, Layout]) -> bool:
    """Whether a load looks at its bounds along this axis."""
    load = nest.values[at]
    assert isinstance(load, Load)
    return any(axis in dict(item.terms) for item, _ in open_items(nest, load, arrays, layouts))


def open_items(nest: Nest, load: Load, arrays: Mapping[str, Array], layouts: Mapping[str, Layout]) -> list[tuple[Affine, Size]]:
    """The indices of a load that may lie outside of what is in memory, with the lengths of the axes."""
    if load.fill is None:
        return []
    pairs = enumerate(zip(load.index, arrays[load.array].shape, strict=True))
    layout = layouts[load.array]
    return [
        (item, size)
        for axis, (item, size) in pairs
        if isinstance(item, Affine) and not certainly_inside(item, size, nest.axes, layout.border(axis) if load.fill == 0 else (0, 0))
    ]


def tiles(goal: Target) -> list[tuple[int, int]]:
    """The (rows, vectors) that fit into the registers, beside the vectors of b and one for a."""
    return [(rows, vectors) for vectors, rows in product(range(1, 5), range(1, 29)) if rows * vectors + vectors + 1 <= goal.registers]


@lru_cache(maxsize=1 << 12)
def best_tile(n: Size, m: Size | None, both: bool, goal: Target) -> tuple[float, int, int]:
    """The cheapest tile for these lengths: (cost, rows, vectors)."""
    fit = [(rows, vectors) for rows, vectors in tiles(goal) if m is not None or rows == 1]
    costs = [(tile_cost(n, 1 if m is None else m, rows, vectors, both, goal.width // 4), rows, vectors) for rows, vectors in fit]
    return min(costs, key=lambda item: item[0])


def tile_cost(n: Size, m: Size, rows: int, vectors: int, both: bool, lanes: int) -> float:
    """Cycles for each useful product: two vectors of them or two loads a cycle, and a sum waits four cycles for the one before it.

    A load costs a little even where it is hidden.
    """
    total = 0.0
    width = n if isinstance(n, int) else lanes * vectors * 4
    height = m if isinstance(m, int) else rows * 8
    columns = [*chain.from_iterable(repeat(size, often) for size, often in tally(-(-width // lanes), vectors))]
    unused = 0.5 if computed(width, lanes) < lanes else 0.0
    for column, (row_count, blocks) in product(range(len(columns)), tally(height, rows)):
        products = row_count * (columns[column] - (unused if column == len(columns) - 1 else 0.0))
        loads = row_count * (columns[column] if both else 1) + columns[column]
        total += blocks * (max(products / 2, loads / 2, 4.0) + loads / 16)
    return total / (width * height)


def computed(width: int, lanes: int) -> int:
    """The lanes of the last vector that are computed: of a long one only the lower half, where the others are not used."""
    return lanes // 2 if lanes >= LONG and 0 < width % lanes <= lanes // 2 else lanes


def pieces(length: int, most: int) -> list[int]:
    """The length cut into as few nearly equal pieces as there can be."""
    count = -(-length // most)
    return [length * (i + 1) // count - length * i // count for i in range(count)]


def tally(length: int, most: int) -> list[tuple[int, int]]:
    """The sizes of the pieces, each with how many there are."""
    count = -(-length // most)
    size, larger = divmod(length, count) if count else (0, 0)
    return [(size + 1, larger), (size, count - larger)]


def rank(stride: Size) -> int:
    return stride if isinstance(stride, int) else 2**40
