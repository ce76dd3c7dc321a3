"""Schedules: pure functions of the step, giving the factor of the optimizer's rate.

The warm-up rises linearly from 1 / W to 1 over W steps; then the schedule's own function holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, cos, pi

from dslc.program import Argument, Call


@dataclass(frozen=True)
class Span:
    """Where a schedule stands. `step`: from 0; `after`: from the end of the warm-up; `left`: all steps without the warm-up."""

    step: int
    after: int
    left: int
    epoch: int  # steps in one epoch


SCHEDULES: dict[str, Callable[[Span, Mapping[str, float]], float]] = {
    "constant": lambda s, a: 1.0,
    # factorᵏ, where k counts the whole periods of `every` epochs behind us
    "step": lambda s, a: a["factor"] ** int(s.step / (a["every"] * s.epoch)),
    # final + (1 - final) · (1 + cos(π·t/T)) / 2  (Loshchilov, Hutter: SGDR, arXiv 1608.03983, one period)
    "cosine": lambda s, a: a["final"] + (1 - a["final"]) * (1 + cos(pi * min(1.0, s.after / max(1, s.left)))) / 2,
}


def steps_of(amount: float, total: int) -> int:
    """A number of steps: below 1 a part of all steps (rounded up), from 1 on the number itself.

    >>> steps_of(0.05, 507), steps_of(20, 507)
    (26, 20)
    """
    return ceil(amount * total) if amount < 1 else int(amount)


def rate_factor(schedule: Call | None, step: int, total: int, epoch: int) -> float:
    """The factor of the rate at `step` (from 0) of `total` steps, `epoch` of them in an epoch; no schedule is `constant()`."""
    if schedule is None:
        return 1.0
    args = {name: _number(value) for name, value in schedule.args.items()}
    warmup = steps_of(args["warmup"], total)
    if step < warmup:
        return (step + 1) / warmup
    return SCHEDULES[schedule.name](Span(step, step - warmup, total - warmup, epoch), args)


def _number(value: Argument) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"a schedule takes numbers, not {value!r}")
    return float(value)
