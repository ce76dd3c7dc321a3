"""Threads that the system does not start, and the processor of the calling thread."""

from __future__ import annotations

import os
import threading

import pytest

from dslc.diagnostics import SpecError
from runtime.device import NumpyDevice
from runtime.workers import Workers, calculating


def test_a_thread_that_cannot_be_started_is_an_error_of_the_user_and_the_others_end(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def refuse(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(SpecError, match="only 3 of 9 threads"):
        Workers(9)
    for thread in started:
        thread.join(10)
        assert not thread.is_alive()


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
