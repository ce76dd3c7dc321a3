"""A system that starts no more threads."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest


def only_two(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Two more threads start, a third is refused. The list holds those that did."""
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def refuse(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    return started


def all_end(threads: Sequence[threading.Thread]) -> bool:
    """Whether each ends within ten seconds."""
    for thread in threads:
        thread.join(10)
    return not any(thread.is_alive() for thread in threads)
