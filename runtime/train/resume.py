"""Continuing a run: what its checkpoints say besides tensors, and whether spec and data are still the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dslc.diagnostics import DataError
from dslc.program import Program, Training
from runtime.step import Step
from runtime.train.checkpoint import Checkpoint
from runtime.train.contents import check_tensors
from runtime.train.environment import fingerprint
from runtime.train.errors import CheckpointBroken, CheckpointOther
from runtime.train.inputs import Inputs
from runtime.train.progress import Progress
from runtime.train.resolved import program_hash
from runtime.train.run import BEST, CHECKPOINTS, LAST, read_state
from runtime.train.turns import with_total


@dataclass
class Counters:
    """What the loop counts; it goes into every checkpoint, so that a resumed run knows nothing less."""

    step: int = 0  # rounds done
    turn: int = 0  # turns done of the round after them: not 0 only where that round diverged
    losses: dict[str, float] = field(default_factory=dict)  # sums of the present epoch by name, weighted by samples
    samples: dict[str, int] = field(default_factory=dict)  # of the present epoch, for each of the losses
    metrics: dict[str, Any] = field(default_factory=dict)  # the latest evaluation
    best: float | None = None
    best_step: int = 0
    plateaus: dict[str, dict[str, Any]] = field(default_factory=dict)  # of the schedule `plateau`, by step

    def count(self, losses: Mapping[str, float], samples: int) -> None:
        """Add the losses of a batch to the epoch's sums."""
        for name, value in losses.items():
            self.losses[name] = self.losses.get(name, 0.0) + value * samples
            self.samples[name] = self.samples.get(name, 0) + samples

    def mean_losses(self) -> dict[str, float]:
        """The losses of the epoch, by name, and what they add up to; counting begins anew."""
        means = {name: self.losses[name] / self.samples[name] for name in sorted(self.losses)}  # as a checkpoint sorts them
        self.losses, self.samples = {}, {}
        return with_total(means)


def restore(step: Step, state: Checkpoint) -> Counters:
    """Load a state into a step; the counters to go on from. Raises DataError where it is not one of this training."""
    check_tensors(step.training, state.parameters, CHECKPOINTS)
    if state.meta["turn"] >= len(step.turns):
        raise DataError(CheckpointBroken(file=CHECKPOINTS, problem=f"it says turn {state.meta['turn']} of {len(step.turns)} in a round"))
    step.restore(state.parameters, state.slots)
    counters = Counters(**{name: state.meta[name] for name in asdict(Counters())})
    step.done = counters.step
    return counters


def run_facts(program: Program, training: Training, inputs: Inputs, seed: int, device: str, threads: int | None) -> dict[str, Any]:
    """What every checkpoint of a run says besides the counters."""
    spec = Path(program.path)
    return {
        "spec": spec.name if spec.is_absolute() else program.path,
        "training": training.name,
        "precision": str(program.precision),
        "seed": seed,
        "spec_hash": program_hash(program, training.name),
        "data_hash": inputs.hash,
        "environment": fingerprint(device, threads),
        "settings": {"batch_size": training.batch_size, "epochs": training.epochs, "steps": training.max_steps},
        "params": {param.name: str(param.value) for param in program.params},
    }


def resumed_state(folder: Path, progress: Progress) -> Checkpoint:
    """The state to continue from: `last`, or `best` where that is damaged. Raises DataError."""
    name, state, notes = read_state(folder, (LAST, BEST))
    for note in notes:
        progress.note(note)
    progress.note(f"{folder}: continues from `{name}`, step {state.meta['step']}")
    return state


def check_same(folder: Path | None, facts: Mapping[str, Any], meta: Mapping[str, Any], progress: Progress) -> None:
    """The same spec and the same data, or DataError; another environment is only said."""
    for key, what in (("spec_hash", "the spec"), ("data_hash", "the data")):
        if facts[key] != meta[key]:
            details = _differences(facts, meta) if key == "spec_hash" else "its SHA-256 differs"
            raise DataError(CheckpointOther(file=str(folder), what=what, details=details))
    if facts["environment"] != meta["environment"]:
        old, new = meta["environment"], facts["environment"]
        changed = ", ".join(key for key in new if new[key] != old.get(key))
        progress.note(f"the environment has changed ({changed}): the results may differ in their last bits")


def _differences(facts: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    found = [
        f"{name} is {value}, the run has {str(meta[group].get(name))[:80]}"
        for group in ("settings", "params")
        for name, value in facts[group].items()
        if meta[group].get(name) != value
    ]
    return "; ".join(found) or "its networks or its training differ"
