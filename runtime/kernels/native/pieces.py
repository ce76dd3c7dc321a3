"""The kernels of programs as modules of their own, named by what they compute: programs share what is the same in them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace

from runtime.kernels.native.choose import Chosen
from runtime.kernels.native.emit import Emitter
from runtime.kernels.native.layout import Layout
from runtime.kernels.native.machine import Target
from runtime.kernels.native.roles import find_roles
from runtime.kernels.native.schedule import Job
from runtime.kernels.native.scope import Kernel
from runtime.kernels.native.tile import Tiler
from runtime.kernels.native.transpose import Transposer, find_turn
from runtime.loops.nest import Array, Load, Nest

UNNAMED = "KERNEL"  # how a kernel is called until its text is known


def named(kernel: Kernel) -> tuple[Kernel, str]:
    """A kernel with a name that its text tells, and its module."""
    text = "\n".join([*kernel.declared.values(), kernel.text])
    name = f"kernel.{hashlib.sha256(text.encode()).hexdigest()[:24]}"
    return replace(kernel, name=name), text.replace(f"@{UNNAMED}(", f"@{name}(", 1)


class Kernels:
    """Those of one program. modules: by name, in the order of their first use."""

    def __init__(self, goal: Target) -> None:
        self.goal = goal
        self.modules: dict[str, str] = {}
        self.known: dict[str, tuple[Kernel, tuple[str, ...]]] = {}

    def kernel(self, job: Job, axis: str | None, chosen: Chosen) -> Kernel:
        """The kernel of a job, which is written once for all jobs that differ by the names of their arrays only."""
        names = (*job.nest.reads, *job.nest.writes)
        same = likeness(job, axis, chosen)
        if same not in self.known:
            assert isinstance(job.nest, Nest)
            kernel, text = named(written(job.nest, chosen.arrays, chosen.layouts, self.goal, axis, sums=job.sums))
            self.modules[kernel.name] = text
            self.known[same] = kernel, names
        kernel, there = self.known[same]
        return replace(kernel, arrays=tuple(names[there.index(name)] for name in kernel.arrays))


def written(
    nest: Nest,
    arrays: Mapping[str, Array],
    layouts: Mapping[str, Layout],
    goal: Target,
    axis: str | None,
    *,
    sums: Collection[str] = (),
    name: str = UNNAMED,
) -> Kernel:
    """The code of a nest, by the generator that is made for it. sums: the arrays of which it adds to what is there."""
    roles = find_roles(nest, arrays, layouts, goal)
    if roles is not None:
        return Tiler(nest, arrays, layouts, goal, axis, roles).kernel(name)
    turn = find_turn(nest, arrays, layouts, goal)
    if turn is not None and not sums:
        return Transposer(nest, arrays, layouts, goal, axis, turn).kernel(name)
    return Emitter(nest, arrays, layouts, goal.width, axis, sums).kernel(name)


def likeness(job: Job, axis: str | None, chosen: Chosen) -> str:
    """All that the code of a job hangs on: everything but the names of its arrays. Text, because as numbers 0.0 and -0.0 are the same."""
    nest = job.nest
    names = dict.fromkeys((*nest.reads, *nest.writes))
    numbers = {name: at for at, name in enumerate(names)}
    values = [(numbers[one.array], one.index, one.dtype, one.fill) if isinstance(one, Load) else one for one in nest.values]
    stores = [(numbers[one.array], one.index, one.value, one.adds) for one in nest.stores]
    arrays = [(chosen.arrays[name], chosen.layouts[name]) for name in names]
    sums = [numbers[name] for name in job.sums]
    return repr((nest.axes, values, stores, arrays, axis, vars(job) | {"nest": None, "sums": sums}))
