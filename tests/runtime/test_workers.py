"""Threads that the system does not start."""

from __future__ import annotations

import threading

import pytest

from dslc.diagnostics import SpecError
from runtime.workers import Workers


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
