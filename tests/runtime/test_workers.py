"""Threads that the system does not start, and the processor of the calling thread."""

from __future__ import annotations

import os

import pytest

from dslc.diagnostics import SpecError
from runtime.device import NumpyDevice
from runtime.workers import Workers, calculating
from tests.threads import all_end, only_two


def test_a_thread_that_cannot_be_started_is_an_error_of_the_user_and_the_others_end(monkeypatch: pytest.MonkeyPatch) -> None:
    started = only_two(monkeypatch)
    with pytest.raises(SpecError, match="only 3 of 9 threads"):
        Workers(9)
    assert all_end(started)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system does not place threads")
def test_the_caller_keeps_its_processor_while_calls_run() -> None:
    before = os.sched_getaffinity(0)
    workers = Workers(2)
    workers.places = [max(before), min(before)]
    with pytest.raises(ValueError), calculating(NumpyDevice(), workers):
        assert os.sched_getaffinity(0) == {max(before)}
        raise ValueError
    assert os.sched_getaffinity(0) == before
    workers.places = []
    with calculating(NumpyDevice(), workers):
        assert os.sched_getaffinity(0) == before


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system does not place threads")
def test_one_setting_inside_another_does_nothing() -> None:
    before = os.sched_getaffinity(0)
    workers = Workers(2)
    workers.places = [max(before), min(before)]
    with calculating(NumpyDevice()):
        with calculating(NumpyDevice(), workers):
            with calculating(NumpyDevice()), calculating(NumpyDevice(), workers):
                assert os.sched_getaffinity(0) == {max(before)}
            assert os.sched_getaffinity(0) == {max(before)}
        assert os.sched_getaffinity(0) == before
