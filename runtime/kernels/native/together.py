"""Sums over the samples are made where what they sum is made, or where another sum reads it: one pass over memory for all of them.

A tile makes them only where a sample is too large to be still in the cache when they would read it: it is no faster with them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from runtime.arena import SIZES
from runtime.kernels.native.layout import elements
from runtime.kernels.native.schedule import Job
from runtime.loops.fuse import reuses
from runtime.loops.nest import Array, Nest, Reduce
from runtime.loops.siblings import together

STAYS = 1 << 17  # bytes of a sample that are in the cache until the next job reads them


def join_sums(jobs: Sequence[Job], arrays: Mapping[str, Array], dims: Mapping[str, int]) -> list[Job]:
    """Every job that only sums stands in an earlier one where `partner` finds one; the others in their order."""
    large = {
        name for name, array in arrays.items() if elements(array.shape[1:], dims) * SIZES[array.dtype] > STAYS
    }  # fmt: skip
    found: list[Job] = []
    writers: dict[str, list[int]] = {}
    readers: dict[str, list[int]] = {}
    for job in jobs:
        at = len(found)
        made = partner(job, found, writers, readers, large) if only_sums(job) else None
        if made is None:
            found.append(job)
        else:
            at, found[at] = made
        for name in job.nest.writes:
            writers.setdefault(name, []).append(at)
        for name in job.nest.reads:
            readers.setdefault(name, []).append(at)
    return found


def only_sums(job: Job) -> bool:
    return bool(job.sums) and job.sums == job.nest.writes


def partner(
    job: Job, found: Sequence[Job], writers: dict[str, list[int]], readers: dict[str, list[int]], large: Collection[str]
) -> tuple[int, Job] | None:  # fmt: skip
    """The number of the job that this one can stand in, and both as one.

    Nothing that it reads is written later: first the last writer is looked at, then the sums behind it that read the same.
    """
    made = [at for name in job.nest.reads for at in writers.get(name, ())]
    if any(len(writers.get(name, ())) > 1 for name in job.nest.reads):
        return None
    last = max(made, default=-1)
    trials = [(last, name) for name in job.nest.reads if last in writers.get(name, ()) and (name in large or not contracts(found[last]))]
    trials += [(at, name) for name in job.nest.reads for at in readers.get(name, ()) if at > last and only_sums(found[at])]
    for at, name in trials:
        both = in_one(found[at], job, name)
        if both is not None:
            return at, both
    return None


def contracts(job: Job) -> bool:
    return isinstance(job.nest, Nest) and reuses(job.nest)


def in_one(first: Job, second: Job, array: str) -> Job | None:
    """Both as one job that shares the axis of the samples; None where the first has other loops, or a sum for each row."""
    if first.axis is None or not isinstance(first.nest, Nest) or not isinstance(second.nest, Nest):
        return None
    stored = next((first.nest.store_domain(store) for store in first.nest.stores if store.array == array), None)
    reduces = [at for at, value in enumerate(first.nest.values) if isinstance(value, Reduce)]
    summed = {store.value for store in first.nest.stores if store.array in first.sums}
    if stored is not None and any(first.nest.domains[at] != stored for at in reduces if at not in summed):
        return None
    both = together(first.nest, second.nest, array)
    if both is None or not all(same_axis(both, name, first.axis) for name in second.sums):
        return None
    return replace(first, nest=both, sums=(*first.sums, *second.sums))


def same_axis(nest: Nest, name: str, axis: str) -> bool:
    """Whether the array is a sum over this axis."""
    (store,) = [store for store in nest.stores if store.array == name]
    value = nest.values[store.value]
    return isinstance(value, Reduce) and axis in value.axes
