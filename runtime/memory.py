"""The memory that a training needs, by named parts, and its comparison with what is free.

`planned` is known before anything is allocated. `whole` is known when the training and its evaluation are bound: their blocks have their
places by then, but nobody has written there, so that the system has not given the memory yet.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dslc.diagnostics import DataError
from dslc.ir.graph import Graph
from dslc.ir.types import Dim
from dslc.plan import make_plan
from dslc.program import Training
from dslc.show import bytes_text
from runtime.arena import aligned
from runtime.train.environment import free_memory, resident_memory
from runtime.train.errors import MemoryFull, MemorySpace
from runtime.train.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from runtime.executor import Executor
    from runtime.step import Step
    from runtime.train.inputs import Inputs

CALL_BYTES = 600  # of a bound call with the arrays that are its own, about
LATER_BYTES = 2 << 20  # that libraries take when they are first used, about

WEIGHTS, KEPT, GRADIENTS, VALUES = "weights and states", "optimizer state", "gradients", "values of a training step"
EVALUATION, BATCHES, SCRATCH, CALLS = "values of an evaluation", "batches", "scratch", "bound calls"
DATA, COPIES, BASE = "data", "copies of a batch and for a save", "Python, libraries and compiler"


@dataclass(frozen=True)
class Memory:
    """parts: bytes by name; taken: how many of all of them the process has already."""

    parts: dict[str, int]
    taken: int = 0

    @property
    def total(self) -> int:
        return sum(self.parts.values())

    def check(self) -> None:
        """Raise DataError where the system has less (Linux tells; elsewhere nothing is checked)."""
        free = free_memory()
        if free is not None and self.total > free + self.taken:
            listed = ", ".join(f"{what} {amount(size)}" for what, size in self.parts.items() if size)
            raise DataError(MemorySpace(needed=amount(self.total), parts=listed, free=amount(free + self.taken)))


def planned(training: Training, graphs: Sequence[Graph], dims: Mapping[str, int]) -> Memory:
    """What weights, optimizers and the planned arenas of the training steps take.

    graphs: the optimised training steps; dims: the sizes that are known, others count as 1.
    """
    sizes = {item.address: aligned(item.type.bytes.constant) for item in (*training.weights, *training.states)}
    parts = {WEIGHTS: sum(sizes.values()), KEPT: 0, GRADIENTS: 0, VALUES: 0}
    for step, graph in zip(training.steps, graphs, strict=True):
        trained = sum(sizes[address] for address in step.trains)
        slots = len(OPTIMIZERS[step.optimizer.name].slots(step.optimizer.args))
        plan = make_plan(graph, {name: dims.get(name, 1) for name in graph.dims}, contiguous=[f"grad:{name}" for name in step.trains])
        parts[KEPT] += (slots + (training.ema is not None)) * trained
        parts[GRADIENTS] += plan.gradients + (training.accumulate > 1) * trained
        parts[VALUES] += plan.arena_bytes - plan.gradients
    return Memory(parts)


def whole(step: Step, inputs: Inputs | None) -> Memory:
    """The peak of a training that is bound, with its evaluations and saves. inputs: its data, None where that is not known."""
    halves = [half.runner.planned for half in step.steps.values()]
    training = [executor for executor in halves if executor is not None]
    evaluation = [runner.planned for runner in step.runners.values() if runner.planned is not None]
    bound = [(executor, last) for executors, last in ((training, "train"), (evaluation, "evaluated")) for executor in executors]
    calls = sum(found.calls for executor, _ in bound for found in executor.bound.values()) + sum(
        len(part) for half in step.steps.values() for update in half.updates for part in update.parts or ()
    )
    smaller = sum(smaller_calls(executor, samples_of(inputs, last)) for executor, last in bound)
    saved = sum(array.nbytes for arrays in step.shown() for array in arrays.values())
    loaded = inputs.nbytes if inputs is not None else 0
    parts = step.planned.parts | {
        VALUES: sum(executor.arena.nbytes - executor.gradients.nbytes for executor in training),
        EVALUATION: sum(executor.arena.nbytes for executor in evaluation),
        BATCHES: sum(buffer.nbytes for executor, _ in bound for buffer in executor.buffers.values()),
        SCRATCH: step.pool.bytes + sum(update.scratch_bytes for half in step.steps.values() for update in half.updates),
        CALLS: CALL_BYTES * (calls + smaller),
        DATA: loaded + (inputs.redrawn if inputs is not None else 0),
        COPIES: saved + batch_bytes(step, inputs),
    }
    taken = resident_memory() or 0
    known = sum(parts[name] for name in (WEIGHTS, KEPT, GRADIENTS)) + loaded + CALL_BYTES * calls
    return Memory({**parts, BASE: max(0, taken - known) + LATER_BYTES}, taken)


def samples_of(inputs: Inputs | None, split: str) -> int:
    if inputs is None:
        return 0
    return inputs.count(inputs.evaluated() if split == "evaluated" else split)


def smaller_calls(executor: Executor, samples: int) -> int:
    """Calls of the last batch, which are bound for its own size."""
    size = executor.dims.get("batch", 1)
    rest = samples % size
    return max((found.calls for found in executor.bound.values()), default=0) * rest // size


def batch_bytes(step: Step, inputs: Inputs | None) -> int:
    """The rows of one update, as they are taken from the data."""
    if inputs is None:
        return 0
    rows = min(step.batch_size * step.training.accumulate, inputs.count("train"))
    fields = (array for name, array in inputs.splits["train"].items() if name not in inputs.whole)
    return sum(rows * array[:1].nbytes for array in fields)


def amount(size: int) -> str:
    return bytes_text(Dim.of(size)) or "0 B"


@contextmanager
def enough_memory() -> Iterator[None]:
    """An allocation that the system refuses is a DataError: nothing is wrong with dslc or the spec."""
    try:
        yield
    except MemoryError as error:
        raise out_of_memory(error) from error


def out_of_memory(error: MemoryError) -> DataError:
    detail = str(error).strip().partition("\n")[0][:200] or "the system gives no more"
    return DataError(MemoryFull(detail=detail[:1].lower() + detail[1:]))


def give_back() -> None:
    """Memory that was freed goes back to the system, where its C library keeps it for later (glibc)."""
    if sys.platform == "linux":
        getattr(ctypes.CDLL(None), "malloc_trim", int)(0)
