"""What it costs to hand work to threads and to meet them: `python -m bench.meeting [THREADS …]`.

handover  a function that does nothing runs on every thread, and all have ended
meeting   all threads wait for each other within a function
late      what the other threads lose at a meeting to which the first comes some µs late

spins: how often a thread looks before it sleeps. `python` hands the same work over through the interpreter. Each figure is the
best of several runs, in µs. Each thread has its own processor where there are as many.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable

from runtime.kernels.native.cache import objects_of
from runtime.kernels.native.machine import Library, host
from runtime.kernels.native.meeting import MEETING
from runtime.kernels.native.team import Team
from runtime.workers import Workers, default_threads

SPINS = (0, 200, 500, 1000, 2000, 5000, 20000)
LATE = (10, 30, 100, 300)  # µs
TURNS, CALLS, ROUNDS, PRODUCTS = 30, 50, 20, 1_000_000

# `rounds` meets so many times; before each the first thread multiplies so many times.
TEXT = f"""{MEETING}
define i64 @work(i64 %products) noinline {{
entry:
  br label %look
look:
  %turn = phi i64 [0, %entry], [%turned, %multiply]
  %value = phi i64 [3, %entry], [%product, %multiply]
  %more = icmp ult i64 %turn, %products
  br i1 %more, label %multiply, label %done
multiply:
  %product = mul i64 %value, %value
  %turned = add i64 %turn, 1
  br label %look
done:
  ret i64 %value
}}

define void @rounds(ptr %arena, ptr %outside, ptr %sizes, ptr %meeting, i64 %thread, i64 %threads) {{
entry:
  %products.at = getelementptr i64, ptr %sizes, i64 1
  %rounds = load i64, ptr %sizes
  %products = load i64, ptr %products.at
  %first = icmp eq i64 %thread, 0
  %mine = select i1 %first, i64 %products, i64 0
  br label %round
round:
  %number = phi i64 [0, %entry], [%following, %meet]
  %more = icmp ult i64 %number, %rounds
  br i1 %more, label %meet, label %done
meet:
  %product = call i64 @work(i64 %mine)
  call void @meet(ptr %meeting, i64 %threads)
  %following = add i64 %number, 1
  br label %round
done:
  ret void
}}
"""


def cost(run: Callable[[], object], count: int) -> float:
    """µs of one of `count`."""
    found = []
    for _ in range(TURNS):
        start = time.perf_counter()
        run()
        found.append((time.perf_counter() - start) / count * 1e6)
    return min(found)


class Subject:
    """The functions, and what they are given."""

    def __init__(self) -> None:
        self.library = Library(objects_of([TEXT], host()), ["rounds", "work"])
        self.sizes = (ctypes.c_int64 * 2)()
        work = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(self.library.addresses["work"])
        self.product = cost(lambda: work(PRODUCTS), PRODUCTS)

    def call(self, team: Team, rounds: int, late: float, times: int = 1) -> None:
        self.sizes[:] = [rounds, round(late / self.product)]
        for _ in range(times):
            team.call(self.library.addresses["rounds"], 0, 0, ctypes.addressof(self.sizes))


def through_python(workers: Workers) -> float:
    parts = [[int]] * workers.count

    def run() -> None:
        for _ in range(CALLS):
            workers.run(parts)

    return cost(run, CALLS)


def row(subject: Subject, workers: Workers, spins: int) -> str:
    team = Team(workers.count, spins, workers.places)
    figures = [cost(lambda: subject.call(team, 0, 0, CALLS), CALLS), cost(lambda: subject.call(team, ROUNDS, 0), ROUNDS)]
    figures += [cost(lambda late=late: subject.call(team, ROUNDS, late), ROUNDS) - late for late in LATE]  # type: ignore[misc]
    return "".join([f"{workers.count:7} {spins:8}", *(f"{figure:10.1f}" for figure in figures)])


def main() -> None:
    subject = Subject()
    print("threads    spins  handover   meeting" + "".join(f"  {late:3} late" for late in LATE))
    for threads in [int(word) for word in sys.argv[1:]] or range(2, default_threads() + 1):
        workers = Workers(threads)
        with workers.placed():
            print(f"{threads:7}   python{through_python(workers):10.1f}")
            for spins in SPINS:
                print(row(subject, workers, spins), flush=True)


if __name__ == "__main__":
    main()
