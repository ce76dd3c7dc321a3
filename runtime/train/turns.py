"""What the turns of one round found, by the names of the logs: `loss`, `loss.NAME`; with several steps `loss.STEP`, `loss.STEP.NAME`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.onestep import OneStep, Status


@dataclass(frozen=True)
class Turn:
    """One update: of which step, what its backward pass found, at what rate."""

    half: OneStep
    status: Status
    rate: float


def own_name(half: OneStep) -> str:
    """`loss` of the only step, `loss.STEP` of one of several."""
    return "loss" if len(half.training.steps) == 1 else f"loss.{half.name}"


def loss_values(half: OneStep, status: Status) -> dict[str, float]:
    """The step's loss and its named parts."""
    name = own_name(half)
    return {name: status.loss, **{f"{name}.{part}": value for part, value in status.losses.items() if part}}


def mean_losses(turns: Iterable[Turn]) -> dict[str, float]:
    """The losses of a round: each step's mean over its turns, and `loss`, their sum."""
    values: dict[str, list[float]] = {}
    for turn in turns:
        for name, value in loss_values(turn.half, turn.status).items():
            values.setdefault(name, []).append(value)
    return with_total({name: sum(found) / len(found) for name, found in values.items()})


def with_total(losses: Mapping[str, float]) -> dict[str, float]:
    """With `loss`, the sum over the steps, in front; the only step's own loss is it.

    >>> with_total({"loss.critic": 1.0, "loss.critic.real": 0.25, "loss.generator": 2.0})
    {'loss': 3.0, 'loss.critic': 1.0, 'loss.critic.real': 0.25, 'loss.generator': 2.0}
    """
    if "loss" in losses:
        return dict(losses)
    return {"loss": sum(value for name, value in losses.items() if name.count(".") == 1), **losses}


def step_facts(losses: Mapping[str, float], last: Mapping[str, Turn]) -> dict[str, Any]:
    """What a line of metrics.jsonl says of a round; rate and gradient norm are those of each step's last turn."""
    if len(last) == 1:
        (turn,) = last.values()
        named = {name: value for name, value in losses.items() if name != "loss"}
        return {"loss": losses["loss"], "rate": turn.rate, "grad_norm": turn.status.grad_norm, **named}
    rates = {f"rate.{name}": turn.rate for name, turn in last.items()}
    return {**losses, **rates, **{f"grad_norm.{name}": turn.status.grad_norm for name, turn in last.items()}}
