"""Schedules against PyTorch's and against their formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from dslc.ops.infer import literal
from dslc.program import Call
from dslc.vocabulary import SCHEDULES as WORDS
from runtime.train.plateau import advance, begin, factor_of
from runtime.train.schedules import SCHEDULES, rate_factor

TOTAL, EPOCH = 100, 20


def call(name: str, **given: Any) -> Call:
    """The schedule with its defaults filled in, as a spec has it."""
    parms = WORDS[name].signature.parms
    args = {parm.name.id: literal(parm.default) for parm in parms if parm.default is not None}
    assert given.keys() <= {parm.name.id for parm in parms}
    return Call(name=name, args={**args, **given})


def factors(name: str, **given: Any) -> list[float]:
    return [rate_factor(call(name, **given), step, TOTAL, EPOCH) for step in range(TOTAL)]


def test_no_schedule_is_constant() -> None:
    assert [rate_factor(None, step, TOTAL, EPOCH) for step in range(TOTAL)] == factors("constant") == [1.0] * TOTAL


# ---- formulas ----------------------------------------------------------------------------------------------------------------------

FORMULAS: list[tuple[str, dict[str, Any], Callable[[int], float]]] = [  # in steps from 0; an epoch has 20 steps, the training 100
    ("step", {"every": 2, "factor": 0.1}, lambda t: 0.1 ** (t // 40)),
    ("step", {"every": 0.15, "factor": 0.5}, lambda t: 0.5 ** (t // 3)),
    ("step", {"every": 7, "unit": "step"}, lambda t: 0.1 ** (t // 7)),
    ("multistep", {"at": (1.0, 2.5, 4.0), "factor": 0.5}, lambda t: 0.5 ** ((t >= 20) + (t >= 50) + (t >= 80))),
    ("multistep", {"at": (3, 50), "unit": "step"}, lambda t: 0.1 ** ((t >= 3) + (t >= 50))),
    ("exponential", {"decay": 0.5}, lambda t: 0.5 ** (t / 20)),
    ("natural_exponential", {"k": 0.3}, lambda t: math.exp(-0.3 * t / 20)),
    ("natural_exponential", {"k": 0.01, "unit": "step"}, lambda t: math.exp(-0.01 * t)),
    ("inverse_time", {"k": 0.5}, lambda t: 1 / (1 + 0.5 * t / 20)),
    ("inverse_time", {"k": 1e-4, "power": 0.75, "unit": "step"}, lambda t: (1 + 1e-4 * t) ** -0.75),
    ("polynomial", {"power": 2.0, "final": 0.1}, lambda t: 0.1 + 0.9 * (1 - t / 100) ** 2),
    ("sigmoid", {"k": 3.0, "middle": 2.5}, lambda t: 1 / (1 + math.exp(3 * (t / 20 - 2.5)))),
    ("sigmoid", {"k": 0.1, "middle": 50.0, "unit": "step"}, lambda t: 1 / (1 + math.exp(0.1 * (t - 50)))),
    ("cosine", {"final": 0.2}, lambda t: 0.2 + 0.8 * (1 + math.cos(math.pi * t / 100)) / 2),
    ("cosine_restarts", {"period": 0.35}, lambda t: (1 + math.cos(math.pi * (t % 7) / 7)) / 2),
]


@pytest.mark.parametrize(("name", "given", "formula"), FORMULAS)
def test_equals_its_formula(name: str, given: dict[str, Any], formula: Callable[[int], float]) -> None:
    assert factors(name, **given) == pytest.approx([formula(t) for t in range(TOTAL)], rel=1e-13)


# ---- PyTorch -----------------------------------------------------------------------------------------------------------------------

TORCH: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("step", {"every": 30, "factor": 0.3, "unit": "step"}, "StepLR", {"step_size": 30, "gamma": 0.3}),
    ("multistep", {"at": (10, 35, 80), "factor": 0.5, "unit": "step"}, "MultiStepLR", {"milestones": [10, 35, 80], "gamma": 0.5}),
    ("exponential", {"decay": 0.97, "unit": "step"}, "ExponentialLR", {"gamma": 0.97}),
    ("polynomial", {}, "PolynomialLR", {"total_iters": TOTAL, "power": 1.0}),
    ("polynomial", {"power": 0.9}, "PolynomialLR", {"total_iters": TOTAL, "power": 0.9}),
    ("cosine", {"final": 0.1}, "CosineAnnealingLR", {"T_max": TOTAL, "eta_min": 0.1}),
    ("cosine_restarts", {"period": 17, "unit": "step"}, "CosineAnnealingWarmRestarts", {"T_0": 17}),
    (
        "cosine_restarts",
        {"period": 11, "mult": 2.0, "final": 0.05, "unit": "step"},
        "CosineAnnealingWarmRestarts",
        {"T_0": 11, "T_mult": 2, "eta_min": 0.05},
    ),
    ("one_cycle", {}, "OneCycleLR", {"max_lr": 1.0, "total_steps": TOTAL}),
    (
        "one_cycle",
        {"rise": 0.25, "start": 0.1, "final": 0.01, "linear": True},
        "OneCycleLR",
        {"max_lr": 1.0, "total_steps": TOTAL, "pct_start": 0.25, "div_factor": 10, "final_div_factor": 10, "anneal_strategy": "linear"},
    ),
]


@pytest.mark.filterwarnings("ignore")  # of PyTorch: its scheduler without steps of its optimizer
@pytest.mark.parametrize(("name", "given", "kind", "settings"), TORCH)
def test_equals_pytorch(name: str, given: dict[str, Any], kind: str, settings: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: schedules are compared with their formulas only")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = getattr(torch.optim.lr_scheduler, kind)(optimizer, **settings)
    wanted = []
    for _ in range(TOTAL):
        wanted.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(wanted) < TOTAL:
            theirs.step()
    assert factors(name, **given) == pytest.approx(wanted, rel=1e-11, abs=1e-15)


def test_every_schedule_is_compared() -> None:
    assert {row[0] for row in (*FORMULAS, *TORCH)} | {"constant"} == set(SCHEDULES) == set(WORDS) - {"plateau"}


# ---- warm-up -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("warmup", "steps"), [(0.05, 5), (5.0, 5), (0.041, 5), (1.0, 1), (12, 12)])
def test_warmup_is_linear_and_ends_at_one(warmup: float, steps: int) -> None:
    found = factors("constant", warmup=warmup)
    assert found[:steps] == [(t + 1) / steps for t in range(steps)] and set(found[steps:]) == {1.0}


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("cosine", {}),
        ("polynomial", {}),
        ("exponential", {"decay": 0.5}),
        ("natural_exponential", {"k": 0.1}),
        ("inverse_time", {"k": 0.1}),
        ("cosine_restarts", {"period": 2.0}),
    ],
)
def test_smooth_schedules_begin_after_the_warmup(name: str, given: dict[str, Any]) -> None:
    found = factors(name, warmup=10, **given)
    assert found[:11] == [(t + 1) / 10 for t in range(10)] + [1.0]
    if name not in ("cosine", "polynomial"):  # those two end with the training
        assert found[10:] == factors(name, **given)[:90]


@pytest.mark.parametrize(
    ("name", "given"), [("step", {"every": 0.25}), ("multistep", {"at": (0.2,)}), ("sigmoid", {"k": 2.0, "middle": 1.0})]
)
def test_schedules_of_given_times_are_multiplied_by_the_warmup(name: str, given: dict[str, Any]) -> None:
    plain, found = factors(name, **given), factors(name, warmup=10, **given)
    assert found == [factor * (t + 1) / 10 if t < 10 else factor for t, factor in enumerate(plain)]


def test_warmup_longer_than_training_never_leaves_it() -> None:
    assert factors("cosine", warmup=1000)[-1] == 0.1


def test_every_factor_of_a_very_short_training_is_finite() -> None:
    given: dict[str, dict[str, Any]] = {
        "step": {"every": 1e-3},
        "multistep": {"at": (1e-3, 5.0)},
        "exponential": {"decay": 1e-3},
        "natural_exponential": {"k": 1e5},
        "inverse_time": {"k": 1e5},
        "sigmoid": {"k": 1e5, "middle": 0.0},
        "cosine_restarts": {"period": 1e-3, "mult": 1.5},
    }
    for name in SCHEDULES:
        for total in (1, 2, 3):
            found = [rate_factor(call(name, **given.get(name, {})), step, total, 0.5) for step in range(total)]
            assert all(0 <= factor <= 1 for factor in found), name


# ---- plateau -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("threshold", [0.0, 0.05])
@pytest.mark.parametrize("name", ["loss", "accuracy"])
def test_plateau_equals_pytorch(name: str, threshold: float) -> None:
    """PyTorch waits for one evaluation more than `patience`."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    mode = "min" if name == "loss" else "max"
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode, factor=0.5, patience=2, threshold=threshold, min_lr=0.1, eps=0)
    values = [1 + 0.5 * math.sin(7 * t) / (1 + t / 4) for t in range(60)]
    schedule, state = call("plateau", factor=0.5, patience=3, threshold=threshold, min=0.1), begin()
    for value in values:
        state = advance(state, schedule.args, name, value)
        theirs.step(value)
        assert factor_of(schedule, state, 50, TOTAL, EPOCH) == optimizer.param_groups[0]["lr"]
    assert state["factor"] == 0.1


def test_plateau_state_is_plain_json() -> None:
    import json

    state = advance(begin(), call("plateau").args, "loss", 0.5)
    assert json.loads(json.dumps(state)) == state


def test_plateau_counts_nan_as_no_better_value() -> None:
    args, state = call("plateau", patience=2).args, begin()
    for value in (math.nan, math.nan):
        state = advance(state, args, "loss", value)
    assert state["factor"] == pytest.approx(0.1)
