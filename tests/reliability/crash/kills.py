"""Trainings and exports that are killed at random moments, several times, and gone on with."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from tests.reliability.campaign import Tally
from tests.reliability.crash import faults
from tests.reliability.crash.scratch import scratch
from tests.reliability.crash.trace import can_trace, killed_at
from tests.reliability.crash.training import cheap, contents, forked, go, go_on, outcome, spec_text, write_spec

KILLS = 4  # of one training at most
EXPORTS = 6  # one case of so many is an export
NEVER = 10**9
SAVES = ("step", "epoch", "clock")


def case(number: int, tally: Tally) -> None:
    chance = random.Random(number)
    with scratch() as folder:
        if number % EXPORTS == EXPORTS - 1:
            export(folder, chance, tally)
        else:
            training(folder, chance, tally)


def training(folder: Path, chance: random.Random, tally: Tally) -> None:
    """Killed up to four times on its way, then finished: the bytes of the run that was never interrupted."""
    saves = chance.choice(SAVES)
    with cheap(saves=saves):
        spec, wanted, seconds, moments = straight(saves)
        run = folder / "run"
        for _ in range(chance.randint(1, KILLS)):
            killed(lambda: go_on(spec, run), chance, seconds, moments, tally)
            if contents(run) == wanted:
                break
        go_on(spec, run)
        found = contents(run)
    lost = sorted(name for name in found | wanted if found.get(name) != wanted.get(name))
    assert not lost, f"saves at each {saves}: differs in the end: {lost}"
    tally.count("trainings")
    tally.note("saves", f"at each {saves}" if saves != "clock" else "at the start and the end")


def export(folder: Path, chance: random.Random, tally: Tally) -> None:
    """An export over an earlier one: killed, there is the old, the new or no model; the next one leaves the new one and nothing else."""
    writer = chance.choice([writer for writer in faults.WRITERS if "export" in writer.name])
    with cheap():
        before, after, seconds, moments = replaced(writer.name)
        out = folder / "out"
        out.mkdir()
        writer.prepare(faults.home(), out)
        killed(lambda: writer.act(faults.home(), out), chance, seconds, moments, tally)
        assert writer.allowed(out, before, after), f"{writer.name}: {sorted(faults.visible(out))} are neither old nor new"
        writer.again(faults.home(), out)
        assert contents(out) == after, f"{writer.name}: {sorted(contents(out))}"
    tally.count("exports")


def killed(act: Callable[[], object], chance: random.Random, seconds: float, moments: int, tally: Tally) -> None:
    """At a random system call, or after a random time."""
    by_call = can_trace() and chance.random() < 0.5
    if by_call:
        code, _, name = killed_at(chance.randint(1, moments), act)
    else:
        pid = forked(act)
        time.sleep(chance.uniform(0, seconds))
        code, name = ended(pid), ""
    assert code in (0, -signal.SIGKILL), f"exit code {code}"
    if code == 0:
        tally.count("ended before the kill")
        return
    tally.count("kills")
    tally.count("kills at a system call" if by_call else "kills at a time")
    if name:
        tally.note("system calls at which it was killed", name)


def ended(pid: int) -> int:
    """Kills the fork, if it is still there."""
    import os

    os.kill(pid, signal.SIGKILL)
    return outcome(pid)


# ---- without kills ----------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def home() -> Path:
    import atexit
    import tempfile

    kept = tempfile.TemporaryDirectory(prefix="dslc-")
    atexit.register(kept.cleanup)
    return Path(kept.name).resolve()


@lru_cache(maxsize=8)
def straight(saves: str) -> tuple[Path, dict[str, str], float, int]:
    """The spec, what a run leaves, how long it takes in a fork, and how many system calls it makes."""
    spec = write_spec(home() / saves, spec_text())
    go(spec, out=home() / saves / "run")
    wanted = contents(home() / saves / "run")
    return spec, wanted, *measured(lambda folder: go(spec, out=folder), lambda folder: None)


@lru_cache(maxsize=8)
def replaced(name: str) -> tuple[dict[str, str], dict[str, str], float, int]:
    writer = next(writer for writer in faults.WRITERS if writer.name == name)
    with scratch() as folder:
        writer.prepare(faults.home(), folder)
        before = faults.visible(folder)
        writer.act(faults.home(), folder)
        after = contents(folder)
    return before, after, *measured(lambda folder: writer.act(faults.home(), folder), lambda folder: writer.prepare(faults.home(), folder))


def measured(act: Callable[[Path], object], prepare: Callable[[Path], object]) -> tuple[float, int]:
    with scratch() as folder:
        prepare(folder)
        begin = time.monotonic()
        assert outcome(forked(lambda: act(folder))) == 0
        seconds = time.monotonic() - begin
    if not can_trace():
        return seconds, 0
    with scratch() as folder:
        prepare(folder)
        code, moments, _ = killed_at(NEVER, lambda: act(folder))
        assert code == 0
    return seconds, moments
