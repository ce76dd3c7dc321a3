"""Schedules: pure functions of the step, giving the factor of the optimizer's rate. `plateau`, which needs evaluations, is in `plateau.py`.

The warm-up multiplies by (step + 1) / W over its W steps. Schedules that go on smoothly from 1, and those that end with the training, begin
after it; those that fall at given times count from the first step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, cos, exp, floor, pi
from typing import Any

from dslc.program import Argument, Call

Args = Mapping[str, Any]
SLACK = 1e-9  # periods: a product of a period and an epoch may be a rounding above a whole number of steps


@dataclass(frozen=True)
class Span:
    """Where a schedule stands. `step`: from 0; `after`: from the end of the warm-up; `left`: all steps without the warm-up."""

    step: int
    after: int
    left: int
    epoch: float  # steps in one epoch

    @property
    def part(self) -> float:
        """How much of the way is done, 0 … 1."""
        return min(1.0, self.after / max(1, self.left))

    def time(self, steps: int, args: Args) -> float:
        """A number of steps in the schedule's unit, "epoch" or "step"."""
        return steps / self.epoch if args["unit"] == "epoch" else float(steps)


def constant(s: Span, a: Args) -> float:
    """1"""
    return 1.0


def step(s: Span, a: Args) -> float:
    """factorᵏ with k = ⌊t / every⌋, t from the first step

    Krizhevsky et al. 2012; Caffe's `step`.
    """
    return float(a["factor"] ** floor(s.time(s.step, a) / a["every"] + SLACK))


def multistep(s: Span, a: Args) -> float:
    """factorᵏ, k the number of times in `at` that have come, t from the first step

    He et al. 2016; Caffe's `multistep`.
    """
    now = s.time(s.step, a) * (1 + SLACK)
    return float(a["factor"] ** sum(time <= now for time in a["at"]))


def exponential(s: Span, a: Args) -> float:
    """decayᵗ, by parts of an epoch too

    Caffe's `exp` with unit "step".
    """
    return float(a["decay"] ** s.time(s.after, a))


def natural_exponential(s: Span, a: Args) -> float:
    """e^(-k·t)"""
    return exp(-a["k"] * s.time(s.after, a))


def inverse_time(s: Span, a: Args) -> float:
    """(1 + k·t)^-power

    Robbins & Monro 1951 for power 1; Caffe's `inv`.
    """
    return float((1 + a["k"] * s.time(s.after, a)) ** -a["power"])


def polynomial(s: Span, a: Args) -> float:
    """final + (1 - final)·(1 - p)^power, p the part of all steps that is done

    Caffe's `poly`; with power 1 a straight line.
    """
    return float(a["final"] + (1 - a["final"]) * (1 - s.part) ** a["power"])


def sigmoid(s: Span, a: Args) -> float:
    """1 / (1 + e^(k·(t - middle))), t from the first step

    Caffe's `sigmoid` with gamma = -k, stepsize = middle.
    """
    power = a["k"] * (s.time(s.step, a) - a["middle"])
    return 1 / (1 + exp(power)) if power < 700 else 0.0  # e⁷⁰⁹ is the end of float64


def cosine(s: Span, a: Args) -> float:
    """final + (1 - final)·(1 + cos(π·p)) / 2, p the part of all steps that is done

    Loshchilov & Hutter 2017, equation 5 with one period.
    """
    return float(a["final"] + (1 - a["final"]) * (1 + cos(pi * s.part)) / 2)


def cosine_restarts(s: Span, a: Args) -> float:
    """final + (1 - final)·(1 + cos(π·t / T)) / 2, t from the last restart; the first T is `period`, each next one `mult` times as long

    Loshchilov & Hutter 2017, equation 5.
    """
    time, period = s.time(s.after, a), float(a["period"])
    if a["mult"] == 1:
        time -= period * floor(time / period + SLACK)
    while time >= period * (1 - SLACK) and a["mult"] > 1:
        time, period = time - period, period * a["mult"]
    return float(a["final"] + (1 - a["final"]) * (1 + cos(pi * max(0.0, time) / period)) / 2)


def one_cycle(s: Span, a: Args) -> float:
    """from `start` to 1 at the part `rise` of all steps, then to `final` at the last one; each way half a cosine, with `linear` straight

    Smith & Topin 2018, in two phases as in PyTorch; the rate alone, not the momentum.
    """
    top, last = a["rise"] * s.left - 1, s.left - 1
    if s.after <= top:
        return between(a["start"], 1.0, s.after / top if top > 0 else 1.0, a["linear"])
    return between(1.0, a["final"], min(1.0, (s.after - top) / (last - top)), a["linear"])


def between(start: float, stop: float, part: float, linear: bool) -> float:
    """From start to stop."""
    return start + (stop - start) * (part if linear else (1 - cos(pi * part)) / 2)


SCHEDULES: dict[str, Callable[[Span, Args], float]] = {
    function.__name__: function
    for function in (
        constant,
        step,
        multistep,
        exponential,
        natural_exponential,
        inverse_time,
        polynomial,
        sigmoid,
        cosine,
        cosine_restarts,
        one_cycle,
    )
}


def steps_of(amount: float, total: int) -> int:
    """A number of steps: below 1 a part of all steps (rounded up), from 1 on the number itself.

    >>> steps_of(0.05, 507), steps_of(20, 507)
    (26, 20)
    """
    return ceil(amount * total) if amount < 1 else int(amount)


def rate_factor(schedule: Call | None, step: int, total: int, epoch: float) -> float:
    """The factor of the rate at `step` (from 0) of `total` steps, `epoch` of them in an epoch; no schedule is `constant()`."""
    if schedule is None:
        return 1.0
    warmup = steps_of(number(schedule.args.get("warmup", 0.0)), total)
    factor = SCHEDULES[schedule.name](Span(step, max(0, step - warmup), total - warmup, epoch), schedule.args)
    return factor if step >= warmup else factor * (step + 1) / warmup


def number(value: Argument) -> float:
    assert isinstance(value, int | float)
    return float(value)
