"""The update of each weight of a step as a graph of its own, for an export: what `runtime/update.py` runs on flat vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dslc.program import StepProgram, Training, WeightUpdate
from runtime.step import AVERAGE, RAW, rules_of
from runtime.train.checkpoint import Checkpoint
from runtime.train.optimizers import OPTIMIZERS, update_graph


@dataclass(frozen=True)
class Standing:
    """Where a run stands in one of its steps.

    parameters: weights as training goes on with them (with `ema` not their averages) and states, by address; slots: what the optimizer
    keeps, by ADDRESS.SLOT, averages among it; done: updates so far.
    """

    parameters: dict[str, np.ndarray]
    slots: dict[str, np.ndarray]
    done: int


def standing(training: Training, number: int, state: Checkpoint) -> Standing:
    """What a checkpoint holds of the step with this number; the inverse of `Step.state`, with the names of an exported step."""
    step = training.steps[number]
    prefix = f"{step.name}/" if len(training.steps) > 1 else ""
    raw = {name.removeprefix(RAW): array for name, array in state.slots.items() if name.startswith(RAW)}
    own = {name.removeprefix(prefix): array for name, array in state.slots.items() if name.startswith(prefix) and not name.startswith(RAW)}
    done = int(own.pop("steps"))
    slots = {f"{address}.{slot}": array for key, array in own.items() for slot, _, address in [key.partition(":")]}
    if training.ema is not None:
        slots |= {f"{name}.{AVERAGE.removesuffix(':')}": state.parameters[name] for name in raw}
    return Standing(state.parameters | raw, slots, done)


def weight_updates(training: Training, number: int) -> dict[str, WeightUpdate]:
    """By address, for the step with this number: the optimizer's graph under the weight's rules.

    With `ema` the last step that trains a weight keeps its average. `clip: norm` needs all gradients and is not in these graphs.
    """
    step, rules = training.steps[number], rules_of(training)
    types = {weight.address: weight.type for weight in training.weights}
    later = {name for other in training.steps[number + 1 :] for name in other.trains}
    slots = OPTIMIZERS[step.optimizer.name].slots
    found = {}
    for name in step.trains:
        rule, type = rules.get(name, {}), types[name]
        args = dict(step.optimizer.args)
        if rule.get("weight_decay") is not None:
            args["weight_decay"] = rule["weight_decay"]
        averaged = training.ema is not None and name not in later
        graph = update_graph(
            step.optimizer.name,
            args,
            type.sizes({}),
            type.dtype,
            clip=step.clip,
            constraint=rule.get("constraint"),
            averaged=averaged,
        )
        found[name] = WeightUpdate(graph=graph, rate=float(rule.get("rate", 1.0)), slots=dict(slots(args)))
    return found


def turn_of(step: StepProgram, training: Training) -> tuple[int, int]:
    """The length of a round, and the number within it of the step's first turn (R19)."""
    before = 0
    for other in training.steps:
        if other.name == step.name:
            break
        before += other.times
    return sum(other.times for other in training.steps), before
