"""Layouts: channels last where windows are read, borders of zeros where they reach outside, copies of matrices whose lanes lie apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count as numbers
from itertools import takewhile

from dslc.ir.types import Dim
from runtime.kernels.native.layout import Layout, certainly_inside, elements, in_order, linear
from runtime.kernels.native.machine import Target
from runtime.kernels.native.roles import cheapest, own_sums, product_of, rank
from runtime.kernels.native.schedule import Job, part_name
from runtime.loops.nest import Affine, Array, Foreign, Load, Nest, Number, Reduce, Size, Store, Taken, Writer, at

UNTILED = 1.0  # cycles for a product where there is no tile, about
PAGE, GAP = 1024, 16  # elements
COPIED = 1.5  # cycles to copy an element into another order, about


@dataclass
class Chosen:
    """jobs: with those that copy and that write borders; arrays, layouts: of all names."""

    jobs: list[Job]
    arrays: dict[str, Array]
    layouts: dict[str, Layout]


def choose(jobs: Sequence[Job], arrays: Mapping[str, Array], fixed: Collection[str], goal: Target, dims: Mapping[str, int]) -> Chosen:
    """fixed: the arrays that lie as they stand, because others look at them; dims: the lengths to expect."""
    found = Chosen([], dict(arrays), {name: in_order(array.shape) for name, array in arrays.items()})
    for name in channels_last(jobs, arrays, fixed):
        found.layouts[name] = in_order(arrays[name].shape, last_of(len(arrays[name].shape)))
    for name, halo in halos(jobs, arrays, fixed).items():
        shape = arrays[name].shape
        order = last_of(len(shape)) if found.layouts[name].strides[1] == 1 else range(len(shape))
        found.layouts[name] = in_order(shape, tuple(order), halo)
    for name in dict.fromkeys(load.array for job in jobs for load in factors(job.nest)):
        if name not in fixed and len(arrays[name].shape) == 2 and not found.layouts[name].halo:
            found.layouts[name] = apart(arrays[name].shape, (0, 1))
    copies: dict[tuple[str, tuple[int, ...]], str] = {}
    for job in jobs:
        if job.sums == job.nest.writes and job.sums and job.sums[0] not in fixed:
            order_sums(job, found, goal)
        for name in job.nest.writes:
            found.jobs += borders(name, found, job)
        found.jobs += [*repacked(job, found, copies, goal, dims)]
    return found


# ---- channels -------------------------------------------------------------------------------------------------------------------


def last_of(rank: int) -> tuple[int, ...]:
    """Batch, spatial axes, channels."""
    return (0, *range(2, rank), 1)


def has_windows(nest: Nest | Foreign) -> bool:
    return isinstance(nest, Nest) and any(is_window(nest, access, item) for access in accesses(nest) for item in access.index)


def is_window(nest: Nest, access: Load | Store, item: Affine | Taken) -> bool:
    """Whether places along two axes are added up, and that is not an axis in parts: parts do not overlap.

    Windows may not overlap either: those of images, and those that a factor is summed over which does not know where they are.
    """
    if not isinstance(item, Affine) or len(item.terms) < 2:
        return False
    if len(access.index) > 3 or overlapping(item, nest.axes):
        return True
    summed = {axis for _, value in own_sums(nest) for axis in value.axes}
    places = {axis for axis, _ in item.terms} - summed
    others = [linear(load.index, in_order((1,) * len(load.index))) for load in factors(nest) if load != access]
    return len(places) < len(item.terms) and any(not other.stride(axis) for other in others for axis in places)


def overlapping(item: Affine, axes: Mapping[str, Size]) -> bool:
    """Whether two sums of places along the axes are the same place."""
    reach = 1
    for axis, step in sorted(item.terms, key=lambda term: abs(term[1])):
        if abs(step) < reach:
            return True
        length = axes[axis]
        reach = reach + abs(step) * (length - 1) if isinstance(length, int) else 2**60
    return False


def channels_last(jobs: Sequence[Job], arrays: Mapping[str, Array], fixed: Collection[str]) -> list[str]:
    """The arrays [n, c, *s] that are read by windows, and those that meet them place by place."""

    def fit(name: str) -> bool:
        shape = arrays[name].shape
        return name not in fixed and len(shape) >= 3 and isinstance(shape[0], Dim)

    wanted: dict[str, None] = {}
    for job in jobs:
        if has_windows(job.nest):
            wanted.update(dict.fromkeys(name for name in (*job.nest.reads, *job.nest.writes) if fit(name)))
    changed = True
    while changed:
        changed = False
        for job in jobs:
            groups: dict[tuple[Affine | Taken, ...], list[str]] = {}
            for access in accesses(job.nest):
                groups.setdefault(access.index, []).append(access.array)
            for names in groups.values():
                if any(name in wanted for name in names):
                    new = [name for name in names if fit(name) and name not in wanted]
                    wanted.update(dict.fromkeys(new))
                    changed = changed or bool(new)
    return list(wanted)


def accesses(nest: Nest | Foreign) -> list[Load | Store]:
    return [*nest.loads, *nest.stores]


# ---- borders --------------------------------------------------------------------------------------------------------------------


def halos(jobs: Sequence[Job], arrays: Mapping[str, Array], fixed: Collection[str]) -> dict[str, list[tuple[int, int]]]:
    """For each array that is a factor of a sum, the border that its last axis needs so that the axis of the tile never looks at bounds."""
    found: dict[str, list[tuple[int, int]]] = {}
    for job in jobs:
        for load in factors(job.nest):
            shape = arrays[load.array].shape
            if load.array in fixed or load.fill != 0 or len(shape) < 3:
                continue
            item, size = load.index[-1], shape[-1]
            if isinstance(item, Affine) and not certainly_inside(item, size, job.nest.axes) and runs_along(job.nest, item):
                low, high = reach(item, job.nest.axes)
                border = found.setdefault(load.array, [(0, 0)] * len(shape))
                before, behind = border[-1]
                border[-1] = (max(before, -low), max(behind, high - int(size) + 1 if isinstance(size, int) else 0))
    return found


def factors(nest: Nest | Foreign) -> list[Load]:
    """The loads whose products are summed."""
    found: list[Load] = []
    for value in nest.values:
        pair = product_of(nest, value) if isinstance(value, Reduce) and value.function == "sum" else None
        found += [nest.values[at] for at in pair or () if isinstance(nest.values[at], Load)]  # type: ignore[misc]
    return found


def runs_along(nest: Nest, item: Affine) -> bool:
    """Whether an axis of the result is in it, and all lengths are known."""
    summed = {axis for _, value in own_sums(nest) for axis in value.axes}
    return any(axis not in summed for axis, _ in item.terms) and all(isinstance(nest.axes[axis], int) for axis, _ in item.terms)


def reach(item: Affine, axes: Mapping[str, Size]) -> tuple[int, int]:
    """The smallest and the largest place."""
    low = high = item.constant
    for axis, count in item.terms:
        span = count * (int(axes[axis]) - 1)  # type: ignore[arg-type]
        low, high = low + min(0, span), high + max(0, span)
    return low, high


def borders(name: str, found: Chosen, job: Job) -> list[Job]:
    """Jobs that write the zeros around the last axis, once for each writer that comes first."""
    halo = found.layouts[name].halo
    if not halo or any(name in other.nest.writes for other in found.jobs):
        return []
    made = []
    shape = found.arrays[name].shape
    before, behind = halo[-1]
    last = shape[-1]
    assert isinstance(last, int)
    for count, start in ((before, -before), (behind, last)):
        if count:
            writer = Writer()
            lead = [writer.axis(size, "n") for size in shape[:-1]]
            index = (*at(*lead), Affine.of({writer.axis(count, "h"): 1}, start))
            writer.store(name, index, writer.add(Number(0.0, found.arrays[name].dtype)))
            made.append(Job(writer.nest(f"the border of {name}"), lead[0] if job.axis else None))
    return made


# ---- copies ---------------------------------------------------------------------------------------------------------------------


def repacked(
    job: Job, found: Chosen, copies: dict[tuple[str, tuple[int, ...]], str], goal: Target, dims: Mapping[str, int]
) -> list[Job]:  # fmt: skip
    """The job, with a factor replaced by a copy in another order where tile and copy together are cheaper, behind the job that copies."""
    nest = job.nest
    if isinstance(nest, Foreign):
        return [job]
    best = 0.8 * min(UNTILED, cheapest(nest, found.arrays, found.layouts, goal)[0])
    products = elements(nest.axes.values(), dims)
    choice: tuple[str, tuple[int, ...]] | None = None
    for load, other in pairs_of(nest):
        if found.layouts[load.array].halo or load.fill is not None:
            continue
        for order in orders(nest, load, other, found):
            layouts = {**found.layouts, load.array: apart(found.arrays[load.array].shape, order)}
            cost, _ = cheapest(nest, found.arrays, layouts, goal)
            if (load.array, order) not in copies:
                cost += COPIED * elements(found.arrays[load.array].shape, dims) / products
            if cost < best:
                best, choice = cost, (load.array, order)
    if choice is None:
        return [job]
    made = []
    if choice not in copies:
        copies[choice] = f"{choice[0]}~{len(copies)}"
        made.append(copy_job(choice, copies[choice], found, job))
    values = tuple(
        replace(value, array=copies[choice]) if isinstance(value, Load) and value.array == choice[0] else value for value in nest.values
    )
    return [*made, replace(job, nest=replace(nest, values=values))]


def order_sums(job: Job, found: Chosen, goal: Target) -> None:
    """The array of a sum lies so that its tile is cheap, and so do the parts of all threads."""
    assert isinstance(job.nest, Nest)
    (name,) = job.nest.writes[:1]
    rank_of = len(found.arrays[name].shape)
    best, layout = float("inf"), found.layouts[name]
    for last in reversed(range(rank_of)):
        order = (*(axis for axis in range(rank_of) if axis != last), last)
        tried = in_order(found.arrays[name].shape, order)
        cost, _ = cheapest(job.nest, found.arrays, {**found.layouts, name: tried}, goal)
        if cost < best:
            best, layout = cost, tried
    for part in takewhile(found.arrays.__contains__, (part_name(name, thread) for thread in numbers())):
        found.layouts[part] = layout


def pairs_of(nest: Nest | Foreign) -> list[tuple[Load, Load]]:
    """Each factor with the other one; none where a place is taken from an array, of which there is no tile."""
    loads = factors(nest)
    if len(loads) != 2 or any(isinstance(item, Taken) for load in loads for item in load.index):
        return []
    return [(loads[0], loads[1]), (loads[1], loads[0])]


def orders(nest: Nest, load: Load, other: Load, chosen: Chosen) -> list[tuple[int, ...]]:
    """Orders of the axes of a factor with one axis last that the other has not, or side by side, and the rest as the other walks.

    A batch stays in front.
    """
    where = linear(other.index, chosen.layouts[other.array])
    batch = has_batch(chosen.arrays[load.array])
    found = []
    for dim, item in enumerate(load.index):
        if batch and dim == 0:
            continue
        if not isinstance(item, Affine) or not any(step == 1 and where.stride(axis) in (0, 1) for axis, step in item.terms):
            continue
        rest = [i for i in range(len(load.index)) if i != dim]
        rest.sort(key=lambda i: (not batch or i > 0, -max((abs(rank(where.stride(axis))) for axis, _ in load.index[i].terms), default=0)))  # type: ignore[union-attr]
        found.append((*rest, dim))
    return found


def apart(shape: Sequence[Size], order: Sequence[int]) -> Layout:
    """In this order, without rows that begin whole pages apart: they would share a few sets of the cache."""
    last = shape[order[-1]]
    return in_order(shape, order, gap=GAP if isinstance(last, int) and last % PAGE == 0 else 0)


def has_batch(array: Array) -> bool:
    """Whether the length of its first axis is open."""
    return bool(array.shape) and isinstance(array.shape[0], Dim)


def copy_job(choice: tuple[str, tuple[int, ...]], name: str, found: Chosen, reader: Job) -> Job:
    """The copy is made sample by sample where its reader goes so."""
    source, order = choice
    array = found.arrays[source]
    found.arrays[name] = array
    found.layouts[name] = apart(array.shape, order)
    writer = Writer()
    index = at(*(writer.axis(size, "i") for size in array.shape))
    writer.store(name, index, writer.add(Load(source, index, array.dtype)))
    shared = reader.axis is not None and has_batch(array) and array.shape[0] == reader.nest.axes[reader.axis]
    return Job(writer.nest(f"{name} = {source} in another order"), next(iter(writer.axes)) if shared else None)
