"""Random networks, written as specs: every way to run one computes what the plain interpreter computes, forward and gradient."""

from __future__ import annotations

import warnings
from functools import cache
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.reliability.campaign import Campaign, Goal, Tally

if TYPE_CHECKING:
    from dslc.program import Program

MOST_ELEMENTS = 10**6  # of a value that is compared
OFTEN = 5  # every so many cases the formatted text is compared with the text, and so is the text whose blocks are imported


@cache
def folder() -> TemporaryDirectory[str]:
    """Where the data file of the present case stands."""
    return TemporaryDirectory()


def largest(program: Program) -> int:
    """Elements of the largest value of a step, where all open sizes are 7."""
    graphs = [step.graph for training in program.trainings.values() for step in training.steps]
    return max((prod(type.sizes(dict.fromkeys(type.names, 7))) for graph in graphs for type in graph.types), default=0)


def run(case: int, tally: Tally) -> None:
    from dslc.ir.types import DType
    from runtime.device import available_devices
    from tests.soundness.examine import accepted, compared, same_import, same_program
    from tests.soundness.specs import make_spec

    spec, place = make_spec(case), Path(folder().name)
    program = accepted(spec, place, DType.f32 if case % 5 == 4 else DType.f64)
    if program is None:
        tally.count("refused")
        return
    if largest(program) > MOST_ELEMENTS:
        tally.count("too large to compare")
        return
    tally.count("accepted")
    if case % OFTEN == 0:
        same_program(spec.text, place, program)
        tally.note("texts", "formatted")
    if case % OFTEN == 1 and same_import(spec.text, place, program):
        tally.note("texts", "with imported blocks")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nobody who trains may be told of NumPy's
        outcomes = {compared(program, spec, tally, seed=case, device=device) for device in available_devices()}
    tally.count(max(outcomes, key=["passed", "mistrusted", "data refused"].index))


CAMPAIGNS = (
    Campaign(
        "graphs",
        "A random network, written as a spec, computes the same in every way to run it: as the interpreter says, forward and gradient.",
        run,
        full=20_000,
        sample=96,
        goals=(
            Goal("specs that are accepted", "accepted", "cases", least=0.4),
            Goal("accepted specs whose results say too little", "mistrusted", "accepted", most=0.1),
        ),
    ),
)
