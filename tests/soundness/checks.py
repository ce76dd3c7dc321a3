"""What campaigns look at in a spec, one by one: a function of the spec and a folder that raises where something does not hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from dslc.ir.types import DType
from tests.reliability.campaign import Tally
from tests.reliability.campaigns.accepted import FIRST_SEED as ACCEPTED
from tests.reliability.campaigns.native import FIRST_SEED as NATIVE
from tests.reliability.campaigns.onnx import FIRST_SEED as ONNX
from tests.soundness.specs import Spec

Check = Callable[[Spec, Path], None]


def graphs(number: int) -> Check:
    """All ways to run it, as case `number` of the campaign `graphs` does."""

    def check(spec: Spec, folder: Path) -> None:
        from tests.soundness.examine import accepted, compared, same_program

        program = accepted(spec, folder, DType.f32 if number % 5 == 4 else DType.f64)
        if program is not None:
            same_program(spec.text, folder, program)
            compared(program, spec, Tally(), seed=number)

    return check


def onnx(number: int) -> Check:
    """Its models in other programs, as case `number` of the campaign `onnx` does."""

    def check(spec: Spec, folder: Path) -> None:
        from tests.reliability.campaigns.onnx import look

        look(spec, folder, number, Tally())

    return check


def accepted(number: int) -> Check:
    """Two steps from the file, as case `number` of the campaign `accepted` does."""

    def check(spec: Spec, folder: Path) -> None:
        from tests.reliability.campaigns.accepted import look

        look(spec, folder, number, Tally())

    return check


def native(number: int) -> Check:
    """As machine code, as case `number` of the campaign `native` does."""

    def check(spec: Spec, folder: Path) -> None:
        from tests.reliability.campaigns.native import look, own_cache

        with own_cache():
            look(spec, folder, number, Tally())

    return check


FIRST_SEEDS = {"graphs": 0, "onnx": ONNX, "accepted": ACCEPTED, "native": NATIVE}
CHECKS: Mapping[str, Callable[[int], Check]] = {"graphs": graphs, "onnx": onnx, "accepted": accepted, "native": native}
