"""Threads that wait in machine code: every round runs on each of them, however many there are, and they end when their team does."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from dslc.diagnostics import SpecError
from dslc.interpret import interpret
from dslc.ir.types import tensor
from dslc.ops.value import Builder, F
from dslc.passes.pipeline import optimize
from runtime.device import get_device
from runtime.kernels.native.cache import objects_of
from runtime.kernels.native.machine import Library, host
from runtime.kernels.native.meeting import MEETING
from runtime.kernels.native.team import Team
from runtime.loops.nest import Foreign
from runtime.native import NativeExecutor
from runtime.workers import Workers
from tests.threads import all_end, only_two

# Each thread stores the number of the round in its own place, meets the others and compares theirs with its own, `rounds` times.
# What differs is counted in a third row of the arena, thread by thread.
ROUNDS = f"""{MEETING}
define void @rounds(ptr %arena, ptr %outside, ptr %sizes, ptr %meeting, i64 %thread, i64 %threads) {{
entry:
  %rounds = load i64, ptr %sizes
  %mine = getelementptr i64, ptr %arena, i64 %thread
  %faults = getelementptr i64, ptr %mine, i64 %threads
  br label %round
round:
  %number = phi i64 [0, %entry], [%following, %next]
  %more = icmp ult i64 %number, %rounds
  br i1 %more, label %write, label %done
write:
  %following = add i64 %number, 1
  store i64 %following, ptr %mine
  call void @meet(ptr %meeting, i64 %threads)
  br label %compare
compare:
  %other = phi i64 [0, %write], [%later, %compare]
  %there = getelementptr i64, ptr %arena, i64 %other
  %seen = load i64, ptr %there
  %wrong = icmp ne i64 %seen, %following
  %fault = zext i1 %wrong to i64
  %before = load i64, ptr %faults
  %after = add i64 %before, %fault
  store i64 %after, ptr %faults
  %later = add i64 %other, 1
  %again = icmp ult i64 %later, %threads
  br i1 %again, label %compare, label %next
next:
  call void @meet(ptr %meeting, i64 %threads)
  br label %round
done:
  ret void
}}
"""
ROOT = Path(__file__).parents[2]
CALLS = 10_000


@cache
def library() -> Library:
    return Library(objects_of([ROUNDS], host()), ["rounds"])


def play(team: Team | Workers, rounds: int) -> list[int]:
    """What stands in the arena behind the rounds: for each thread its last round, then its faults."""
    arena, sizes = np.zeros(2 * team.count, np.int64), ctypes.c_int64(rounds)
    team.call(library().addresses["rounds"], arena.ctypes.data, 0, ctypes.addressof(sizes))
    return arena.tolist()


def native_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "dslc-native"]


@pytest.mark.parametrize("spins", [0, 3, 200])
@pytest.mark.parametrize("threads", [2, 3, 8])
def test_no_thread_passes_a_meeting_before_all_have_come(threads: int, spins: int) -> None:
    """Also where threads sleep at once, and where they have just begun to."""
    assert play(Team(threads, spins), 300) == [300] * threads + [0] * threads


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_every_call_runs_on_every_thread_and_has_ended_when_it_returns(threads: int) -> None:
    workers = Workers(threads)
    for rounds in (1, 2, 0, 5):
        assert play(workers, rounds) == [rounds] * threads + [0] * threads


@pytest.mark.parametrize("spins", [0, 200])
def test_many_calls(spins: int) -> None:
    """Nothing is lost between the end of a call and the beginning of the next."""
    team = Team(2, spins)
    arena = np.zeros(4, np.int64)
    rounds = ctypes.c_int64(1)
    for number in range(CALLS):
        arena[:] = 0
        team.call(library().addresses["rounds"], arena.ctypes.data, 0, ctypes.addressof(rounds))
        assert arena.tolist() == [1, 1, 0, 0], number


def test_calls_from_several_threads_come_one_after_the_other() -> None:
    team = Team(2, 50)
    found: list[list[int]] = []
    callers = [threading.Thread(target=lambda: found.extend(play(team, 3) for _ in range(50))) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert found == [[3, 3, 0, 0]] * 150


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_what_has_no_native_form_runs_between_two_functions(threads: int) -> None:
    b = Builder("area")
    x = b.input("data", "x", tensor("f32", "batch", 4))
    truth = b.input("data", "truth", tensor("i64", "batch", 4))
    b.output("area", F.roc_auc(x * x - x, truth) * 2.0 + F.mean(x))
    graph = optimize(b.build())
    rng = np.random.default_rng(1)
    given = {"x": rng.integers(-50, 50, (60, 4)).astype(np.float32), "truth": rng.integers(0, 2, (60, 4))}
    native = NativeExecutor(graph, get_device("cpu"), {"batch": 60}, workers=Workers(threads))
    assert [isinstance(turn, Foreign) for turn in native.program.turns] == [False, True, False]
    for _ in range(5):
        np.testing.assert_allclose(native.run(given)["area"], interpret(graph, np, given)["area"], rtol=1e-5)


def test_threads_end_with_their_team() -> None:
    gc.collect()
    before = set(native_threads())
    for _ in range(20):
        workers = Workers(3)
        play(workers, 1)
        assert workers.team is not None
        assert len(set(native_threads()) - before) == 2
        del workers
        gc.collect()
    assert set(native_threads()) <= before


def test_threads_that_never_had_a_job_end() -> None:
    gc.collect()
    before = set(native_threads())
    team = Team(3, 0)
    assert len(set(native_threads()) - before) == 2
    del team
    gc.collect()
    assert set(native_threads()) <= before


def test_a_thread_that_cannot_be_started_is_an_error_of_the_user_and_the_others_end(monkeypatch: pytest.MonkeyPatch) -> None:
    play(Team(2, 0), 1)  # what is compiled at first is compiled
    started = only_two(monkeypatch)
    with pytest.raises(SpecError, match="only 3 of 9 threads"):
        Team(9, 0)
    gc.collect()
    assert all_end(started)


BEGIN = """
import os, signal, sys, threading
from runtime.workers import Workers
from tests.loops.test_workers import play
workers = Workers(3)
assert play(workers, 2) == [2, 2, 2, 0, 0, 0]
"""
FORK = """
child = os.fork()
if child == 0:
    assert play(workers, 4) == [4, 4, 4, 0, 0, 0]
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert play(workers, 3) == [3, 3, 3, 0, 0, 0]
"""
INTERRUPT = """
def end(number, frame):
    raise KeyboardInterrupt
signal.signal(signal.SIGINT, end)
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    while True:
        assert play(workers, 50) == [50, 50, 50, 0, 0, 0]
except KeyboardInterrupt:
    pass
assert play(workers, 5) == [5, 5, 5, 0, 0, 0]
sys.exit(130)
"""
ENDS = {
    "end": ("", 0),
    "exit": ("sys.exit(5)", 5),
    "exception": ("raise ValueError('on purpose')", 1),
    "at once": ("os._exit(6)", 6),
    "fork": (FORK, 0),
    "interrupt": (INTERRUPT, 130),
    "two teams": ("other = Workers(2); play(other, 1); del workers", 0),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_process_ends_while_threads_wait(name: str) -> None:
    lines, code = ENDS[name]
    command = [sys.executable, "-X", "faulthandler", "-c", BEGIN + lines]
    found = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": "."}, capture_output=True, text=True, timeout=120)
    assert found.returncode == code, found.stderr
    assert ("ValueError: on purpose" in found.stderr) == (name == "exception")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not place threads")
def test_more_threads_than_processors_beside_other_work() -> None:
    """8 threads on 2 processors that another process keeps busy come to an end."""
    lines = """
import os
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
from runtime.workers import Workers
from tests.loops.test_workers import play
assert play(Workers(8), 2000) == [2000] * 8 + [0] * 8
"""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        subprocess.run([sys.executable, "-c", lines], cwd=ROOT, env=os.environ | {"PYTHONPATH": "."}, check=True, timeout=300)
    finally:
        busy.kill()
        busy.wait()
