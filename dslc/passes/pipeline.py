"""The passes, in the order in which they run. A pass is a function Graph -> Graph: valid IR in, valid IR out."""

from __future__ import annotations

from collections.abc import Callable

from dslc.collector import paused_collector
from dslc.diagnostics import DslcError, InternalError
from dslc.ir.graph import Graph
from dslc.passes.drop_dead import drop_dead
from dslc.passes.errors import PassFailed
from dslc.passes.fold import fold
from dslc.passes.share import share
from dslc.passes.simplify import simplify

Pass = Callable[[Graph], Graph]

PASSES: tuple[Pass, ...] = (
    drop_dead,  # nothing below works on what nobody needs
    fold,
    share,  # equal constants become one value
    simplify,
    fold,
    simplify,  # what the first walk has written
    share,
    drop_dead,
)


@paused_collector()
def optimize(graph: Graph, after: Callable[[str, Graph], None] | None = None) -> Graph:
    """Run all passes. `after(name, graph)` is called after each: to print, to verify, to take the time."""
    for run in PASSES:
        graph = guarded(run, graph)
        if after is not None:
            after(run.__name__, graph)
    return graph


def guarded(run: Pass, graph: Graph) -> Graph:
    """The pass, its unexpected failures reported under its name."""
    try:
        return run(graph)
    except DslcError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise InternalError(PassFailed(name=run.__name__, graph=graph.name, reason=reason)) from error
