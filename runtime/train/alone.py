"""The update of each weight of a step as a graph of its own, for an export: what `runtime/update.py` runs on flat vectors."""

from __future__ import annotations

from dslc.program import StepProgram, Training, WeightUpdate
from runtime.step import rules_of
from runtime.train.optimizers import OPTIMIZERS, update_graph


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
