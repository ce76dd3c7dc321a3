"""Scratch: measured before it is taken, shared by what never runs at the same time; and calls that are counted before they are bound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runtime.arena import Pool, Scratch
from runtime.device import NumpyDevice
from runtime.executor import Bound
from runtime.kernels.numpy import random
from runtime.kernels.registry import Call
from runtime.step import compile_step
from tests.runtime.networks import program_of


def bound_of(step: Any) -> Bound:
    (half,) = step.steps.values()
    (bound,) = half.runner.executor.bound.values()
    assert isinstance(bound, Bound)
    return bound


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(("name", "batch"), [("lenet5", 96), ("vae", 7), ("unet", 2), ("mlp", 500), ("resnet20", 3)])
def test_one_piece_of_each_kind_tells_what_all_take(name: str, batch: int, threads: int) -> None:
    bound = bound_of(compile_step(program_of(name), batch_size=batch, threads=threads))
    owner = bound.owner
    nodes = [owner.graph.nodes[step.node] for step in owner.plan.steps]
    measured, taken = ([Scratch(owner.device) for _ in range(threads + 1)] for _ in range(2))
    count = bound.binder(measured, {}).measure(nodes)
    sections = bound.binder(taken, {}).bind(nodes)
    assert count == sum(len(calls) for section in sections for calls in section)
    assert [scratch.peak for scratch in measured] == [scratch.peak for scratch in taken]


def test_sizes_and_evaluation_share_the_scratch_of_a_step() -> None:
    step = compile_step(program_of("lenet5"), batch_size=64, threads=1)
    (half,) = step.steps.values()
    before = step.pool.bytes
    assert before == sum(block.size for block in step.pool.blocks) > 0
    half.runner.executor.prepare({"batch": 11})
    evaluation = step.cached("evaluate", step.parts.batch).executor
    assert evaluation.bound and evaluation.pool is step.pool
    assert step.pool.bytes == before


def test_a_block_that_is_too_small_is_replaced() -> None:
    pool = Pool(NumpyDevice())
    first = pool.take([64, 128])
    second = pool.take([640, 128])
    third = pool.take([100, 0, 64])
    assert pool.bytes == 64 + 128 + 640 + 64
    assert first[0].block is not second[0].block is third[0].block
    assert first[1].block is second[1].block is third[1].block


def test_a_block_of_draws_is_a_few_calls() -> None:
    words = 16 * 2048 // 4
    target, key = np.empty((16, 2048), np.float32), np.array([1, 2, 3], np.int64)
    scratch = Scratch(NumpyDevice())
    steps = random.bernoulli(Call("bernoulli", (key,), (target,), {"stream": 1, "p": 0.5}, scratch.take, np))
    assert len(steps) <= 20 * words // random.BLOCK
