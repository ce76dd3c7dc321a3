"""The schedule `plateau`: lowers the rate where the value that `best` is chosen by stops improving. Its state is in the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dslc.program import Call
from runtime.train.metrics import is_better, smaller_is_better
from runtime.train.schedules import rate_factor

State = dict[str, Any]  # factor; best: the best value so far; waited: evaluations without a better one


def begin() -> State:
    return {"factor": 1.0, "best": None, "waited": 0}


def advance(state: State, args: Mapping[str, Any], name: str, value: float) -> State:
    """The state after an evaluation: `patience` of them in a row without a better value multiply the factor, down to `min`; then counting
    begins anew. Better: by more than the part `threshold` of the best value.

    As Keras' ReduceLROnPlateau counts (PyTorch waits for one evaluation more), with PyTorch's relative threshold.

    >>> state = begin()
    >>> for value in (0.5, 0.5, 0.4):
    ...     state = advance(state, {"factor": 0.1, "patience": 2, "threshold": 0.0, "min": 0.0}, "accuracy", value)
    >>> state
    {'factor': 0.1, 'best': 0.5, 'waited': 0}
    """
    if is_better(name, value, bar(name, state["best"], float(args["threshold"]))):
        return {**state, "best": value, "waited": 0}
    waited = state["waited"] + 1
    if waited < int(args["patience"]):
        return {**state, "waited": waited}
    factor = max(float(args["min"]), state["factor"] * float(args["factor"]))
    return {**state, "factor": min(state["factor"], factor), "waited": 0}


def bar(name: str, best: float | None, threshold: float) -> float | None:
    """What a value must beat: the best so far and the part `threshold` of its size."""
    if best is None:
        return None
    return best - abs(best) * threshold if smaller_is_better(name) else best + abs(best) * threshold


def factor_of(schedule: Call | None, state: State | None, step: int, total: int, epoch: float) -> float:
    """The factor of the rate at `step`, as `rate_factor` gives it for the schedules that need no evaluation."""
    if schedule is None or schedule.name != "plateau":
        return rate_factor(schedule, step, total, epoch)
    warm = rate_factor(Call(name="constant", args={"warmup": schedule.args["warmup"]}), step, total, epoch)
    return warm * (state["factor"] if state is not None else 1.0)
