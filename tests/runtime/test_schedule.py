"""Binding a deep network takes time in proportion to its depth; the bytes around pieces only shorten the comparison with each."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from runtime import schedule
from runtime.schedule import Piece, Schedule, among, conflict, spans


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("key", [None, "batch"])
def test_each_step_is_compared_with_a_bounded_number_of_others(threads: int, key: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    compared, conflict = 0, schedule.conflict

    def counted(first: Piece, second: Piece) -> bool:
        nonlocal compared
        compared += 1
        return conflict(first, second)

    monkeypatch.setattr(schedule, "conflict", counted)
    done: list[tuple[int, int]] = []

    def piece(step: int, lane: int) -> Piece:
        at = 10 * (threads * step + lane)
        return Piece([lambda: done.append((step, lane))], [(at, at + 1)], [(at + 1, at + 2)])

    for name in ("MOST_RUN", "MOST_SECTION", "MOST_WAITING"):
        monkeypatch.setattr(schedule, name, 8)
    steps = 400
    plan = Schedule(threads)
    for step in range(steps):
        plan.add([[piece(step, lane)] for lane in range(threads)], key, closing=[piece(steps + step, 0)])
    for section in plan.finish():
        for calls in section:
            for call in calls:
                call()
    assert compared < steps * threads**2 * 24
    for lane in range(threads):
        assert [step for step, found in done if found == lane and step < steps] == list(range(steps))
    assert {step for step, _ in done} == set(range(2 * steps))


def test_the_bytes_around_pieces_change_no_answer() -> None:
    random = np.random.default_rng(3)

    def interval() -> tuple[int, int]:
        low = int(random.integers(0, 60))
        return low, low + int(random.integers(0, 6))

    answers = set()
    for _ in range(300):
        pieces = [Piece([], [interval()], [interval(), interval()]) for _ in range(int(random.integers(0, 6)))]
        around = spans(pieces)
        for first, _ in product(range(len(pieces) + 1), range(3)):
            piece = Piece([], [interval()], [interval()])
            wanted = any(conflict(earlier, piece) for earlier in pieces[first:])
            assert among(pieces, around, first, piece) == wanted
            answers.add(wanted)
    assert answers == {True, False}
