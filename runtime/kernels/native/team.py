"""Threads that wait for jobs in machine code, without the interpreter's lock (`meeting.py`)."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from dslc.diagnostics import SpecError
from runtime.device import ALIGNMENT
from runtime.errors import MissingDevice
from runtime.kernels.native.cache import objects_of
from runtime.kernels.native.machine import Library, host
from runtime.kernels.native.meeting import SERVING, TEAM

if TYPE_CHECKING:
    from runtime.workers import Workers

SPINS = 1000  # looks before a thread sleeps, where each has a processor: about as long as it takes to sleep and to be woken
PATIENCE = 10.0  # seconds that the end of a team waits for its threads
NAMES = ("prepare", "call", "serve")
SIGNATURE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4, ctypes.c_int64, ctypes.c_int64)  # of what a team runs, as `Program` says


@cache
def library() -> Library:
    return Library(objects_of([SERVING], host()), NAMES)


@cache
def functions() -> dict[str, Any]:
    """What a team calls. The interpreter's lock is let go meanwhile."""
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    params = {"prepare": (pointer, number, number), "call": (pointer,) * 5, "serve": (pointer, number)}
    return {name: ctypes.CFUNCTYPE(None, *params[name])(library().addresses[name]) for name in NAMES}


class Team:
    """`count - 1` threads that wait in machine code; the caller's thread is the first of `count`.

    spins: how often a thread looks before it sleeps; places: a processor for each thread, or none.
    """

    def __init__(self, count: int, spins: int, places: Sequence[int] = ()) -> None:
        self.count = count
        self.process = os.getpid()
        self.lock = threading.Lock()
        self.memory = (ctypes.c_char * (TEAM + ALIGNMENT))()
        self.address = ctypes.addressof(self.memory) + -ctypes.addressof(self.memory) % ALIGNMENT
        functions()["prepare"](self.address, count, spins)
        self.threads: list[threading.Thread] = []
        weakref.finalize(self, stop, self.threads, self.memory, self.address, self.process)
        try:
            for number in range(1, count):
                args = (self.memory, self.address, number, {places[number]} if places else None)
                thread = threading.Thread(target=serve, args=args, daemon=True, name="dslc-native")
                thread.start()
                self.threads.append(thread)
        except RuntimeError as error:
            reason = f"the system starts only {len(self.threads) + 1:,} of {count:,} threads"
            raise SpecError(MissingDevice(device="cpu", reason=reason, action="`--threads` with a smaller number")) from error

    def call(self, function: int, arena: int, outside: int, sizes: int) -> None:
        """Run a function of a program on every thread; returns when all have ended."""
        with self.lock:
            functions()["call"](self.address, function, arena, outside, sizes)


class Function:
    """A function that every thread runs, called from here. workers: None for the caller's thread alone. It keeps the code alive."""

    def __init__(self, library: Library, name: str, workers: Workers | None) -> None:
        self.library, self.address, self.workers = library, library.addresses[name], workers
        self.alone = SIGNATURE(self.address)

    def __call__(self, arena: int, outside: int, sizes: int) -> None:
        if self.workers is None:
            self.alone(arena, outside, sizes, None, 0, 1)
        else:
            self.workers.call(self.address, arena, outside, sizes)


def serve(memory: object, address: int, number: int, place: set[int] | None) -> None:
    """One thread. It keeps the memory of its team, not the team, so that this can be collected."""
    if place is not None:
        os.sched_setaffinity(0, place)  # of this thread
    functions()["serve"](address, number)


def stop(threads: Sequence[threading.Thread], memory: object, address: int, process: int) -> None:
    """End the threads, when the team is collected and when the interpreter ends. A forked process has none of them."""
    if os.getpid() != process:
        return
    functions()["call"](address, None, None, None, None)
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join(PATIENCE)
