"""Many starts at once, full and read-only disks, numbers that are not finite, and the same bytes from every run."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dslc.diagnostics import DataError, DivergedError
from runtime.train import environment, loop
from runtime.train.checkpoint import load_checkpoint
from runtime.train.inputs import Order
from runtime.train.lock import locked
from runtime.train.progress import Progress
from runtime.train.run import open_run
from tests.train.example import contents, program_of, run, write_example

LAST = "checkpoints/last.safetensors"
WON, LOCKED, OTHER = 0, 7, 9


def forked(act: Callable[[], int]) -> int:
    pid = os.fork()
    if not pid:
        code = OTHER
        try:
            code = act()
        finally:
            os._exit(code)
    return pid


def ends(pids: list[int]) -> Counter[int]:
    return Counter(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids)


# ---- 50 at once -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stale", [False, True])
def test_of_fifty_processes_one_has_the_lock(tmp_path: Path, stale: bool) -> None:
    if stale:
        (tmp_path / "lock").write_text('{"pid": 4000000, "start": ""}')
    gate, opened = os.pipe()
    done, finished = os.pipe()

    def start() -> int:
        os.close(opened)
        os.close(finished)
        os.read(gate, 1)  # all begin when the other end is closed
        try:
            with locked(tmp_path, "run"):
                os.read(done, 1)  # it is held until all others have tried
            return WON
        except DataError as error:
            return LOCKED if error.diagnostics[0].code == "run-locked" else OTHER

    pids = [forked(start) for _ in range(50)]
    os.close(opened)
    codes = Counter(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(49))
    os.close(finished)
    codes += Counter([os.waitstatus_to_exitcode(os.wait()[1])])
    assert codes == {WON: 1, LOCKED: 49} and len(pids) == 50
    assert not (tmp_path / "lock").exists()


def test_of_fifty_starts_in_one_folder_one_trains(tmp_path: Path) -> None:
    """The others are told that it is locked, or, if they are late, that there is a run: it stays as it is."""
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "straight")
    program = program_of(spec)
    gate, opened = os.pipe()

    def start() -> int:
        os.close(opened)
        os.read(gate, 1)
        try:
            loop.train(program, spec_path=spec, threads=1, out=tmp_path / "run")
            return WON
        except DataError as error:
            return LOCKED if error.diagnostics[0].code in ("run-locked", "run-folder") else OTHER

    pids = [forked(start) for _ in range(50)]
    os.close(opened)
    assert ends(pids) == {WON: 1, LOCKED: 49}
    assert contents(tmp_path / "run") == contents(tmp_path / "straight")


def test_fifty_starts_without_a_name_get_fifty_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from runtime.train.places import new_folder

    monkeypatch.chdir(tmp_path)
    pids = [forked(lambda: WON if new_folder(None, Path("net.nn")).is_dir() else OTHER) for _ in range(50)]
    assert ends(pids) == {WON: 50}
    assert sorted(path.name for path in Path("runs/net").iterdir()) == [f"{number:04}" for number in range(1, 51)]


# ---- disks ------------------------------------------------------------------------------------------------------------------------


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    """As a full disk: the write is cut short, then refused. What was saved before stays; with room the run goes on."""
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "straight")
    run(spec, out=tmp_path / "run", max_steps=4)

    def limited() -> int:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            run(spec, resume=tmp_path / "run")
        except DataError as error:
            found = error.diagnostics[0]
            return LOCKED if found.code == "save-failed" and "File too large" in found.message and error.exit_code == 3 else OTHER
        return WON

    assert ends([forked(limited)]) == {LOCKED: 1}
    assert load_checkpoint(tmp_path / "run" / LAST, "last").meta["step"] == 4
    run(spec, resume=tmp_path / "run")
    assert contents(tmp_path / "run") == contents(tmp_path / "straight")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_disk_that_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "straight")
    run(spec, out=tmp_path / "run", max_steps=4)

    class Full:
        def __getattr__(self, name: str) -> Any:
            return self.refuse if name in ("write", "open") else getattr(os, name)

        def refuse(self, *args: Any) -> None:
            raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch, pytest.raises(DataError, match=os.strerror(number)) as caught:
        patch.setattr("runtime.train.atomic.os", Full())
        run(spec, resume=tmp_path / "run")
    assert caught.value.exit_code == 3
    assert load_checkpoint(tmp_path / "run" / LAST, "last").meta["step"] == 4
    run(spec, resume=tmp_path / "run")
    assert contents(tmp_path / "run") == contents(tmp_path / "straight")


def read_only(folder: Path) -> None:
    """Takes the right to write away; for root, in a namespace of mounts of its own, by mounting it read-only."""
    if os.getuid():
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        return
    import ctypes

    library, private, bind, remount = ctypes.CDLL(None, use_errno=True), 1 << 18 | 1 << 14, 4096, 1 | 32 | 4096
    os_error = OSError("no namespace of mounts")
    if library.unshare(0x20000) or library.mount(b"none", b"/", None, private, None):
        raise os_error
    name = os.fsencode(folder)
    if library.mount(name, name, None, bind, None) or library.mount(name, name, None, remount, None):
        raise os_error


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "run", max_steps=4)
    before = contents_of(tmp_path / "run")

    def refused() -> int:
        try:
            read_only(tmp_path / "run")
        except OSError:
            return 77
        try:
            run(spec, resume=tmp_path / "run")
        except DataError as error:
            return LOCKED if error.exit_code == 3 and error.diagnostics[0].code == "save-failed" else OTHER
        return WON

    code = ends([forked(refused)])
    for path in (tmp_path / "run", *(tmp_path / "run").rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    if code == {77: 1}:
        pytest.skip("root, and no namespace of mounts")
    assert code == {LOCKED: 1}
    assert contents_of(tmp_path / "run") == before and open_run(tmp_path / "run", "last").meta["step"] == 4


def contents_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- numbers that are not finite --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_stops_before_the_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float, accumulate: int
) -> None:  # fmt: skip
    """It comes into the 10th batch. The first node is named, nothing of the step is kept; without it the run goes on as if it never was."""
    spec = write_example(tmp_path)
    spec.write_text(spec.read_text().replace("batch_size: 16", f"batch_size: 6\n  accumulate: {accumulate}"))
    run(spec, out=tmp_path / "straight")
    take, batches = Order.take, iter(range(1, 99))

    def poisoned(self: Order, rows: np.ndarray) -> dict[str, np.ndarray]:
        fields = {name: array.copy() for name, array in take(self, rows).items()}
        if next(batches) == 10:
            fields["data.x"][-1, 2] = value
        return fields

    with monkeypatch.context() as patch, pytest.raises(DivergedError) as caught:
        patch.setattr(Order, "take", poisoned)
        run(spec, out=tmp_path / "run")
    assert caught.value.exit_code == 4 and f"step {10 if accumulate == 1 else 6}: " in str(caught.value)
    assert "data.x" in str(caught.value) or "Net.dense0" in str(caught.value)
    state = load_checkpoint(tmp_path / "run" / LAST, "last")
    assert state.meta["step"] == (9 if accumulate == 1 else 5)
    assert all(np.isfinite(array).all() for array in (*state.parameters.values(), *state.slots.values()))
    run(spec, resume=tmp_path / "run")
    assert contents(tmp_path / "run") == contents(tmp_path / "straight")


# ---- determinism ------------------------------------------------------------------------------------------------------------------


def test_twenty_of_twenty_runs_of_a_seed_are_the_same(tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    found = set()
    for number in range(20):
        run(spec, out=tmp_path / f"{number}", seed=5)
        found.add(tuple(contents(tmp_path / f"{number}").items()))
    assert len(found) == 1


def test_another_process_gives_the_same_bytes(tmp_path: Path) -> None:
    """With another hash seed, which orders sets of texts in another way."""
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "here")
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "tests.train.child", str(spec), str(tmp_path / seed)]
        done = subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed}, cwd=Path(__file__).parents[2], capture_output=True)
        assert done.returncode == 0
        assert contents(tmp_path / seed) == contents(tmp_path / "here")


def test_another_environment_is_said_when_a_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Notes(Progress):
        texts: list[str] = []

        def note(self, text: str) -> None:
            self.texts.append(text)

    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "run", max_steps=4)
    run(spec, resume=tmp_path / "run", max_steps=5, progress=Notes())
    assert not any("environment has changed" in text for text in Notes.texts)
    monkeypatch.setattr(environment, "_processor", lambda: "another one")
    run(spec, resume=tmp_path / "run", progress=Notes())
    assert any("the environment has changed (processor)" in text for text in Notes.texts)
