"""Memory that a training needs, compared with what is free before any of it is taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from dslc.diagnostics import DataError
from dslc.ir.graph import Graph
from dslc.ir.types import Dim
from dslc.plan import make_plan
from dslc.program import StepProgram, Training
from dslc.show import bytes_text
from runtime.arena import aligned
from runtime.train.environment import free_memory
from runtime.train.errors import MemoryFull, MemorySpace
from runtime.train.optimizers import OPTIMIZERS


def check_memory(training: Training, graphs: Sequence[Graph], dims: Mapping[str, int]) -> None:
    """Weights, states, the optimizers' vectors and the planned arenas against what is free (Linux tells; elsewhere nothing is checked).

    graphs: the optimised training steps; dims: the sizes that are known, others count as 1. Raises DataError.
    """
    free = free_memory()
    if free is None:
        return
    sizes = {item.address: aligned(item.type.bytes.constant) for item in (*training.weights, *training.states)}
    parts = {"weights and states": sum(sizes.values())}
    for step in training.steps:
        vectors = len(OPTIMIZERS[step.optimizer.name].slots(step.optimizer.args)) + (training.accumulate > 1) + (training.ema is not None)
        name = f"what `{step.optimizer.name}` keeps"
        parts[name] = parts.get(name, 0) + vectors * sum(sizes[address] for address in step.trains)
    parts["values and gradients"] = sum(arena(step, graph, dims) for step, graph in zip(training.steps, graphs, strict=True))
    needed = sum(parts.values())
    if needed > free:
        listed = ", ".join(f"{what} {amount(size)}" for what, size in parts.items() if size)
        raise DataError(MemorySpace(needed=amount(needed), parts=listed, free=amount(free)))


def arena(step: StepProgram, graph: Graph, dims: Mapping[str, int]) -> int:
    gradients = [f"grad:{name}" for name in step.trains]
    return make_plan(graph, {name: dims.get(name, 1) for name in graph.dims}, contiguous=gradients).arena_bytes


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
