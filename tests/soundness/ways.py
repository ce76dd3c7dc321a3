"""The ways to rewrite a graph that must not change its results: every pass alone, all of them, and other orders and choices.

Which orders are legal: the passes of the pipeline may run in any order, any number of times, on a graph that has been differentiated;
so may `steady` where the first sample of the batch is 0, as it is here. Before differentiation all but `simplify` may run, which takes
`stop_gradient` away. `separate` must be the last: what it writes are copies to the own shape, which `simplify` takes away and `share` makes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random

from dslc.ir.graph import Graph
from dslc.ir.verify import verify
from dslc.passes import pipeline
from dslc.passes.differentiate import differentiate
from dslc.passes.separate import separate
from dslc.passes.simplify import simplify
from dslc.passes.steady import steady

Pass = Callable[[Graph], Graph]


def passes() -> list[Pass]:
    """Those of the pipeline, each once."""
    return list(dict.fromkeys(pipeline.PASSES))


def rewritten(graph: Graph, rng: Random, alone: bool = True) -> Iterator[tuple[str, Graph]]:
    """What each way makes of the graph, with the names of the passes; the graphs are valid, and differ from all before.

    alone: whether every pass by itself is tried.
    """
    seen = [graph]
    single = [[run] for run in passes()] if alone else []
    for chosen in [*single, [pipeline.optimize], [*mixed(rng), partial(separate, contiguous=gradients(graph))]]:
        result = graph
        for run in chosen:
            result = run(result)
        if not any(same(result, other) for other in seen):
            seen.append(result)
            verify(result)
            yield ", ".join(map(name_of, chosen)), result


def mixed(rng: Random) -> list[Pass]:
    """Some passes in some order, some of them several times."""
    return rng.choices([*passes(), steady], k=rng.randint(2, 6))


def differentiated(graph: Graph, loss: str, wrt: Sequence[str], rng: Random) -> tuple[str, Graph]:
    """The gradient graph of a graph that was rewritten before."""
    before = rng.choices([run for run in passes() if run is not simplify], k=rng.randint(1, 3))
    for run in before:
        graph = run(graph)
    found = differentiate(graph, loss, tuple(wrt))
    verify(found)
    return f"{', '.join(run.__name__ for run in before)}, differentiate", found


def name_of(run: Pass) -> str:
    return str(run.func.__name__ if isinstance(run, partial) else run.__name__)  # type: ignore[attr-defined]


def gradients(graph: Graph) -> list[str]:
    return [item.name for item in graph.outputs if item.name.startswith("grad:")]


def same(left: Graph, right: Graph) -> bool:
    return len(left.nodes) == len(right.nodes) and (left.nodes, left.outputs, left.updates) == (right.nodes, right.outputs, right.updates)
