"""A spec that the check accepts trains: what can still happen is that its numbers diverge, or that a label of the data is no class."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.reliability.campaign import Campaign, Goal, Tally

if TYPE_CHECKING:
    from tests.soundness.specs import Spec

FIRST_SEED = 2_000_000  # other specs than those of `graphs` and `onnx`
STEPS = 2
MEMORY = Path("/dev/shm")


@cache
def folder() -> TemporaryDirectory[str]:
    """Where the files of the present case stand: in memory, where the system has such a place."""
    return TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)


def run(case: int, tally: Tally) -> None:
    from tests.soundness.shrink import pinned_on_failure
    from tests.soundness.specs import make_spec

    spec = make_spec(FIRST_SEED + case)
    with pinned_on_failure("accepted", case, spec):
        look(spec, Path(folder().name), case, tally)


def look(spec: Spec, place: Path, case: int, tally: Tally) -> None:
    import numpy as np

    import dslc
    from dslc.diagnostics import DataError, DivergedError, SpecError

    path, out = place / "spec.nn", place / "run"
    path.write_text(spec.text)
    np.savez(place / "data.npz", **spec.arrays)
    shutil.rmtree(out, ignore_errors=True)
    try:
        loaded = dslc.load(path)
        (training,) = loaded.program.trainings.values() or (None,)
    except SpecError:
        tally.count("refused")
        return
    tally.count("accepted")
    if training is None:
        tally.count("without a training")
        return
    try:
        done = loaded.train(max_steps=STEPS, out=out, threads=1, seed=case, quiet=True)
        tally.count("trained")
        tally.note("steps taken", str(done.saved.meta["step"]))
    except DivergedError:
        tally.count("diverged")
    except DataError as error:
        tally.count("data refused")
        tally.note("data refused", error.diagnostics[0].code)
    for step in training.steps:
        tally.note("optimizers", step.optimizer.name)
        tally.note(
            "schedules", (step.schedule or training.schedule or step.optimizer).name if step.schedule or training.schedule else "none"
        )
    tally.note("steps in a round", str(len(training.steps)))
    for rule in training.rules:
        for name in rule.settings:
            tally.note("rules", name)


CAMPAIGNS = (
    Campaign(
        "accepted",
        "A random spec that the check accepts takes two training steps from its file: no error of a shape, a type or memory.",
        run,
        full=26_000,
        sample=48,
        seconds=300,
        goals=(
            Goal("specs that are accepted", "accepted", "cases", least=0.75),
            Goal("accepted specs whose two steps were taken to their end", "trained", "accepted", least=0.9),
        ),
    ),
)
