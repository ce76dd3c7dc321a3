"""Who is told how far a compilation is: set around a command, read where modules are compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Watch = Callable[[int, int], None]
watching: ContextVar[Watch | None] = ContextVar("watching", default=None)


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Meanwhile `watch(done, total)` is told how many of how many modules are compiled: 0 first, then after each that was made here."""
    token = watching.set(watch)
    try:
        yield
    finally:
        watching.reset(token)
