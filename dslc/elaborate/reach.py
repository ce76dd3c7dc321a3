"""Weights that a training would train and that no loss reaches: they do not move, and a warning says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dslc.elaborate import errors
from dslc.elaborate.frame import Frame
from dslc.elaborate.session import Session
from dslc.ops.value import Val
from dslc.source import Span

SHOWN = 3


def reached(frame: Frame, losses: Iterable[Val], weights: Sequence[str]) -> tuple[str, ...]:
    """Those of the weights to which one of the losses has a gradient."""
    from dslc.passes.reach import reached as behind

    builder = frame.tape.builder
    found: set[int] = set()
    for loss in losses:
        found |= behind(builder.nodes, builder.types, loss.id)
    inputs = frame.tape.inputs
    return tuple(address for address in weights if ("weight", address) in inputs and inputs["weight", address].id in found)


def warn(session: Session, weights: Mapping[str, Span]) -> None:
    """One warning for each place in the text that makes such weights."""
    places: dict[tuple[str, int], list[str]] = {}
    for address, span in weights.items():
        places.setdefault((span.source.path, span.start), []).append(address)
    for addresses in places.values():
        shown = [f"`{address}`" for address in addresses[:SHOWN]]
        rest = len(addresses) - len(shown)
        last = f"{rest} more" if rest else shown.pop()
        names = f"{', '.join(shown)} and {last}" if shown else last
        verb = "is" if len(addresses) == 1 else "are"
        session.report(errors.UnreachedWeight(span=weights[addresses[0]], names=names, verb=verb))
