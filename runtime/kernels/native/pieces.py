"""The kernels of programs as modules of their own, named by what they compute: programs share what is the same in them."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from runtime.kernels.native.choose import Chosen
from runtime.kernels.native.emit import Emitter, Kernel
from runtime.kernels.native.machine import Target
from runtime.kernels.native.roles import find_roles
from runtime.kernels.native.schedule import Job
from runtime.kernels.native.tile import Tiler
from runtime.loops.nest import Load, Nest

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
            kernel, text = named(self.written(job, axis, chosen))
            self.modules[kernel.name] = text
            self.known[same] = kernel, names
        kernel, there = self.known[same]
        return replace(kernel, arrays=tuple(names[there.index(name)] for name in kernel.arrays))

    def written(self, job: Job, axis: str | None, chosen: Chosen) -> Kernel:
        nest, arrays, layouts = job.nest, chosen.arrays, chosen.layouts
        assert isinstance(nest, Nest)
        roles = find_roles(nest, arrays, layouts, self.goal)
        if roles is not None:
            return Tiler(nest, arrays, layouts, self.goal, axis, roles).kernel(UNNAMED)
        return Emitter(nest, arrays, layouts, self.goal.width, axis, adds=job.adds).kernel(UNNAMED)


def likeness(job: Job, axis: str | None, chosen: Chosen) -> str:
    """All that the code of a job hangs on: everything but the names of its arrays. Text, because as numbers 0.0 and -0.0 are the same."""
    nest = job.nest
    names = dict.fromkeys((*nest.reads, *nest.writes))
    numbers = {name: at for at, name in enumerate(names)}
    values = [(numbers[one.array], one.index, one.dtype, one.fill) if isinstance(one, Load) else one for one in nest.values]
    stores = [(numbers[one.array], one.index, one.value, one.adds) for one in nest.stores]
    arrays = [(chosen.arrays[name], chosen.layouts[name]) for name in names]
    return repr((nest.axes, values, stores, arrays, axis, vars(job) | {"nest": None}))
