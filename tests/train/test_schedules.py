"""Schedules against their formulas."""

from __future__ import annotations

import math

import pytest

from dslc.program import Call
from runtime.train.schedules import rate_factor

TOTAL, EPOCH = 100, 20


def factors(name: str, **args: float) -> list[float]:
    call = Call(name=name, args={"warmup": 0.0, **args})
    return [rate_factor(call, step, TOTAL, EPOCH) for step in range(TOTAL)]


def test_no_schedule_is_constant() -> None:
    assert [rate_factor(None, step, TOTAL, EPOCH) for step in range(TOTAL)] == factors("constant") == [1.0] * TOTAL


@pytest.mark.parametrize(("warmup", "steps"), [(0.05, 5), (5.0, 5), (0.041, 5), (1.0, 1), (12, 12)])
def test_warmup_is_linear_and_ends_at_one(warmup: float, steps: int) -> None:
    found = factors("constant", warmup=warmup)
    assert found[:steps] == [(t + 1) / steps for t in range(steps)] and set(found[steps:]) == {1.0}


def test_step_falls_after_every_epochs() -> None:
    found = factors("step", every=2, factor=0.1)
    assert found == [0.1 ** (t // 40) for t in range(TOTAL)]
    assert factors("step", every=0.5, factor=0.5)[9:11] == [1.0, 0.5]


def test_cosine_goes_from_one_to_final() -> None:
    found = factors("cosine", warmup=10, final=0.2)
    wanted = [0.2 + 0.8 * 0.5 * (1 + math.cos(math.pi * t / 90)) for t in range(90)]
    assert found[10:] == pytest.approx(wanted, rel=1e-15)
    assert found[10] == 1.0 and found == sorted(found[:10]) + sorted(found[10:], reverse=True)


def test_warmup_longer_than_training_never_leaves_it() -> None:
    assert factors("cosine", warmup=1000, final=0.0)[-1] == 0.1
