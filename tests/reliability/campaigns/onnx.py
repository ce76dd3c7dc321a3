"""Random networks as ONNX models: what other programs compute from the file is what the interpreter says, forward and gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tests.reliability.campaign import Campaign, Goal, Tally

if TYPE_CHECKING:
    from tests.soundness.models import Model
    from tests.soundness.specs import Spec

FIRST_SEED = 1_000_000  # other specs than those of `graphs`


@cache
def folder() -> TemporaryDirectory[str]:
    """Where the data file of the present case stands."""
    return TemporaryDirectory()


def run(case: int, tally: Tally) -> None:
    from tests.soundness.shrink import pinned_on_failure
    from tests.soundness.specs import make_spec

    spec = make_spec(FIRST_SEED + case)
    with pinned_on_failure("onnx", case, spec):
        look(spec, Path(folder().name), case, tally)


def look(spec: Spec, place: Path, case: int, tally: Tally) -> None:
    from dslc.ir.types import DType
    from tests.soundness.examine import accepted
    from tests.soundness.models import Model, Options, models

    options = Options(case)
    program = accepted(spec, place, DType.f32)
    if program is None:
        tally.count("refused")
        return
    tally.count("accepted")
    found = []
    for model in models(program, spec, options):
        if isinstance(model, Model):
            found += examined(model, tally)
        else:
            tally.note("graphs without a model", model.reason)
    for text in options.text() if found else ():
        tally.note("models", text)
    tally.count("passed" if True in found else "mistrusted" if found else "nothing to compare")


def examined(model: Model, tally: Tally) -> list[bool]:
    """For each program that runs the model, whether a result of it says something."""
    import numpy as np

    from dslc.diagnostics import DataError
    from exporters.onnx.backends import BACKENDS, LeftOut
    from exporters.onnx.check import static_checks
    from tests.soundness.rounding import Reference

    try:
        reference = Reference(model.graph, model.arrays)
    except DataError:  # a label that is no class
        tally.note("graphs without a model", "the data do not fit")
        return []
    static_checks(model.subject)
    tally.count(f"{model.what.split()[0]}s")
    for node in model.subject.model.graph.node:
        tally.note("operators", node.op_type)
    inputs = {item.name: np.asarray(model.arrays[item.name]) for item in model.subject.model.graph.input}
    found = []
    for name, make in BACKENDS.items():
        try:
            run = make(model.subject.data)
        except LeftOut as reason:
            tally.note("left out", f"{name}: {str(reason).partition(' (')[0]}")
            continue
        trusted = compared(f"{model.what} in {name}", name, reference, partial(run, inputs), model, tally)
        tally.count(f"{name} {'passed' if trusted else 'mistrusted'}")
        found.append(trusted)
    return found


def compared(what: str, backend: str, reference: Any, run: Callable[[], Sequence[Any]], model: Model, tally: Tally) -> bool:
    """Whether some result says something. Raises Differs where one differs, other than behind a NaN or an infinity (0 · NaN may be 0)."""
    from tests.soundness.compare import Differs, compare
    from tests.soundness.models import Composed

    names = [item.name for item in model.subject.graph.outputs]
    own = Tally()
    try:
        named: Mapping[str, Any] = dict(zip(names, run(), strict=True))
        trusted = compare(what, reference, named, own)
    except Exception as error:  # besides Differs what onnx.reference raises where a window holds NaN only
        if not all(map(finite, reference.values.values())):
            tally.note("results compared", "mistrusted: not finite on the way")
            return False
        if not isinstance(error, Differs):
            raise
        own = Tally()
        trusted = compare(what, Composed(model.graph, model.arrays, backend), named, own)
        tally.note("bounds", f"{backend}: of functions that are made of others")
    for name, value in own.worst.items():
        tally.measure(f"{backend}: {name}", value)
    tally.histograms["results compared"].update(own.histograms["results compared"])
    return bool(trusted)


def finite(value: Any) -> bool:
    import numpy as np

    return value.dtype.kind != "f" or bool(np.isfinite(value).all())


CAMPAIGNS = (
    Campaign(
        "onnx",
        "A random network and its gradient, as ONNX models, compute in onnx.reference and onnxruntime what the interpreter says.",
        run,
        full=20_000,
        sample=64,
        seconds=300,
        goals=(Goal("accepted specs whose results say too little", "mistrusted", "accepted", most=0.1),),
    ),
)
