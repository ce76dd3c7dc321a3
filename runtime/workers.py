"""Threads that run prebound calls beside the main thread.

NumPy lets go of the interpreter's lock inside its loops and inside BLAS, so lists of calls on different pieces of arrays do run side
by side. BLAS itself stays on one thread meanwhile (`single_blas`): cutting whole steps is coarser, and covers copies and
elementwise loops, which BLAS threads never do. Handing work over and waiting for it costs about 20 µs. Machine code has threads of its own
(`kernels/native/team.py`), which need no interpreter.

Where there are as many threads as processors, each worker has its own: a scheduler that sees threads sleep and wake every 100 µs may
leave them all on one processor (seen on a virtual machine: half the speed).
"""

from __future__ import annotations

import _thread
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from dslc.diagnostics import SpecError
from runtime.device import Device
from runtime.errors import MissingDevice

if TYPE_CHECKING:
    from runtime.kernels.native.team import Team

Step = Callable[[], object]
BUFFER = 2048  # elements of the buffers that ufuncs make for short inner loops (NumPy: 8192); as fast, and a quarter of the memory


class Workers:
    """`count - 1` threads that wait for lists of calls; the caller's thread is the first of `count`."""

    def __init__(self, count: int) -> None:
        self.count = count
        known = processors()
        self.places = known if 1 < count == len(known) else []
        self.lanes: list[Lane] = []
        self.team: Team | None = None
        weakref.finalize(self, stop, self.lanes)
        try:
            for place in (self.places or [None] * count)[1:]:
                self.lanes.append(Lane({place} if place is not None else None))
        except RuntimeError as error:
            reason = f"the system starts only {len(self.lanes) + 1:,} of {count:,} threads"
            raise SpecError(MissingDevice(device="numpy", reason=reason, action="`--threads` with a smaller number")) from error

    @contextmanager
    def placed(self) -> Iterator[None]:
        """The calling thread stays on the processor that the others leave to it: one that they wake would be moved to theirs."""
        if not self.places:
            yield
            return
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self.places[0]})
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)

    def run(self, parts: Sequence[Sequence[Step]]) -> None:
        """Run `parts[0]` here and the others on the workers; returns when all are done. The first error is raised here."""
        for lane, part in zip(self.lanes, parts[1:], strict=False):
            lane.start(part)
        try:
            for step in parts[0]:
                step()
        finally:
            for lane, _ in zip(self.lanes, parts[1:], strict=False):
                lane.wait()
        for lane, _ in zip(self.lanes, parts[1:], strict=False):
            lane.raise_error()

    def call(self, function: int, arena: int, outside: int, sizes: int) -> None:
        """Run machine code, a function of a program, on as many threads; returns when all have ended. A forked process starts its own."""
        if self.team is None or self.team.process != os.getpid():
            from runtime.kernels.native.team import SPINS, Team

            available = len(processors()) or os.cpu_count() or 1
            self.team = Team(self.count, SPINS if self.count <= available else 0, self.places)
        self.team.call(function, arena, outside, sizes)


class Lane:
    """One waiting thread. It holds no reference to its `Workers`, so that those can be collected."""

    def __init__(self, place: set[int] | None) -> None:
        self.place = place
        self.go = _thread.allocate_lock()
        self.done = _thread.allocate_lock()
        self.go.acquire()
        self.done.acquire()
        self.steps: Sequence[Step] | None = ()
        self.error: BaseException | None = None
        threading.Thread(target=self.loop, daemon=True, name="dslc-worker").start()

    def loop(self) -> None:
        import numpy as np

        if self.place is not None:
            os.sched_setaffinity(0, self.place)  # of this thread
        np.seterr(all="ignore")  # these settings belong to the thread
        np.setbufsize(BUFFER)
        while True:
            self.go.acquire()
            if self.steps is None:
                return
            try:
                for step in self.steps:
                    step()
            except BaseException as error:
                self.error = error
            self.done.release()

    def start(self, steps: Sequence[Step]) -> None:
        self.steps = steps
        self.go.release()

    def wait(self) -> None:
        self.done.acquire()

    def raise_error(self) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error


def stop(lanes: Sequence[Lane]) -> None:
    for lane in lanes:
        lane.steps = None
        lane.go.release()


def processors() -> list[int]:
    """The numbers of the processors that this process may use; none where the system does not say."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def default_threads() -> int:
    """As many as processors."""
    return len(processors()) or os.cpu_count() or 1


@cache
def blas_libraries() -> Any:
    """The BLAS libraries that NumPy brought, found once (looking for them costs milliseconds)."""
    import numpy  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas").lib_controllers


@contextmanager
def calculating(device: Device, workers: Workers | None = None) -> Iterator[None]:
    """Settings of the calling thread while calls run: inf and nan come without warnings, small buffers, BLAS on this thread alone.

    Inside of another one it does nothing: a whole step is in one.
    """
    if not device.threaded or settled(workers):
        yield
        return
    outer = SETTINGS.workers
    with device.xp.errstate(all="ignore"), single_blas(), workers.placed() if workers is not None else nullcontext():
        before = device.xp.setbufsize(BUFFER)
        SETTINGS.workers = (workers,)
        try:
            yield
        finally:
            SETTINGS.workers = outer
            device.xp.setbufsize(before)


class Settings(threading.local):
    """workers: those of the `calculating` that this thread is in; none outside of any."""

    workers: tuple[Workers | None, ...] = ()


SETTINGS = Settings()


def settled(workers: Workers | None) -> bool:
    """Whether the calling thread has the settings, and the place that these workers leave to it."""
    return workers in SETTINGS.workers or (workers is None and SETTINGS.workers != ())


@contextmanager
def single_blas() -> Iterator[None]:
    """BLAS calls use the calling thread alone."""
    libraries = blas_libraries()
    before = [library.get_num_threads() for library in libraries]
    for library in libraries:
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, count in zip(libraries, before, strict=True):
            library.set_num_threads(count)
