"""One trainer for each run folder."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dslc.diagnostics import DataError
from runtime.train.lock import locked, start_time

HOLD = """
import sys, time
from pathlib import Path
from runtime.train.lock import locked
with locked(Path(sys.argv[1]), "run"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_second_trainer_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    with locked(tmp_path, "runs/a") as stale:
        assert not stale
        with pytest.raises(DataError, match=rf"runs/a: the process {os.getpid()} is training in this folder"), locked(tmp_path, "runs/a"):
            pass
    assert not list(tmp_path.iterdir())
    with locked(tmp_path, "runs/a") as stale:
        assert not stale


@pytest.mark.parametrize("said", ["1", "0", "-7", "2147483648", "1.5", "true"])
def test_a_lock_that_says_no_number_of_a_process(tmp_path: Path, said: str) -> None:
    holder = "the process 1" if said == "1" else "another process"
    with locked(tmp_path, "run"):
        (tmp_path / "lock").write_text(f'{{"pid": {said}}}')
        with pytest.raises(DataError, match=f"run: {holder} is training"), locked(tmp_path, "run"):
            pass


def test_lock_of_a_killed_trainer_is_stale(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(HOLD), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    with pytest.raises(DataError, match=f"the process {child.pid} is training"), locked(tmp_path, "run"):
        pass
    child.kill()
    child.communicate()
    assert (tmp_path / "lock").exists()
    with locked(tmp_path, "run") as stale:
        assert stale


def test_nothing_stays_of_a_longer_text_in_a_stale_lock(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("x" * 1000)
    with locked(tmp_path, "run") as stale:
        assert stale
        assert json.loads((tmp_path / "lock").read_text()) == {"pid": os.getpid(), "start": start_time(os.getpid())}


def test_lock_is_not_taken_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "lock").symlink_to("victim")
    with pytest.raises(DataError), locked(tmp_path, "run"):
        pass
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_lock_that_its_holder_removes_meanwhile_is_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And that of the file that is gone is let go."""
    flock, tries = fcntl.flock, []

    def removed(descriptor: int, how: int) -> None:
        flock(descriptor, how)
        tries.append(descriptor)
        if len(tries) < 3:
            (tmp_path / "lock").unlink()
        if len(tries) == 2:
            (tmp_path / "lock").touch()
        assert len(tries) < 9, "it goes on for ever"

    monkeypatch.setattr(fcntl, "flock", removed)
    with locked(tmp_path, "run"):
        assert len(tries) == 3 and len(set(tries)) == 1, "each descriptor is closed before the next is opened"
        assert str(os.getpid()) in (tmp_path / "lock").read_text()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="start times are read from /proc")
def test_start_time_tells_processes_apart() -> None:
    assert start_time(os.getpid()).isdigit() and start_time(2**22 + 1) == ""


@pytest.mark.skipif(not Path("/proc/uptime").exists(), reason="the time since boot is read from /proc")
@pytest.mark.parametrize("name", ["usual", "a) b (", ") ) )"])
def test_start_time_is_when_the_process_started(name: str) -> None:
    """Also of a process whose name looks like what is around it."""
    before = uptime()
    script = "import sys; open('/proc/self/comm', 'w').write(sys.argv[1]); print('named', flush=True); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", script, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "named\n"
    found = int(start_time(child.pid)) / os.sysconf("SC_CLK_TCK")
    child.communicate()
    assert before - 0.1 <= found <= uptime() + 0.1  # both are counted in hundredths


def uptime() -> float:
    return float(Path("/proc/uptime").read_text().split()[0])


def test_a_lock_that_cannot_be_taken_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("os.fstat", fail)
        with pytest.raises(DataError, match="Input/output error"), locked(tmp_path, "run"):
            pass
    with locked(tmp_path, "run"):
        pass


def test_a_lock_that_cannot_be_removed_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch, pytest.raises(MemoryError), locked(tmp_path, "run"):
        patch.setattr(Path, "unlink", fail)
    with locked(tmp_path, "run") as stale:
        assert stale
