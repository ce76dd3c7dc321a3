"""Signals that ask a training to end, and those that the process was started to ignore."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from runtime.train.progress import Moment, Progress
from runtime.train.signals import Interrupts
from tests.train.example import contents, run, write_example


class Asking(Progress):
    """Sends signals to this process after a step."""

    def __init__(self, step: int, number: int, times: int = 1) -> None:
        super().__init__()
        self.at, self.number, self.times = step, number, times

    def step(self, moment: Moment) -> None:
        if moment.step == self.at:
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_first_one_ends_after_the_step(tmp_path: Path, number: int, code: int) -> None:
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "straight")
    before = signal.getsignal(number)
    result = run(spec, out=tmp_path / "run", progress=Asking(4, number))
    assert (result.exit_code, result.steps, result.finished) == (code, 4, False) and signal.getsignal(number) is before
    run(spec, resume=tmp_path / "run")
    assert contents(tmp_path / "run") == contents(tmp_path / "straight")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_second_one_ends_at_once(tmp_path: Path, number: int, code: int) -> None:
    spec = write_example(tmp_path)
    with pytest.raises(SystemExit) as ended:
        run(spec, out=tmp_path / "run", progress=Asking(4, number, times=2))
    assert ended.value.code == code and not (tmp_path / "run" / "lock").exists()


def test_two_different_ones_end_at_once_too(tmp_path: Path) -> None:
    spec = write_example(tmp_path)

    class Both(Asking):
        def step(self, moment: Moment) -> None:
            super().step(moment)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(spec, out=tmp_path / "run", progress=Both(1, signal.SIGTERM))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_one_that_was_to_be_ignored_stays_ignored(tmp_path: Path, number: int) -> None:
    """As `nohup dslc train …` and, in a script, `dslc train … &` start it."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        result = run(write_example(tmp_path), out=tmp_path / "run", progress=Asking(2, number, times=3))
        assert result.finished and result.exit_code == 0
        with Interrupts():
            assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
