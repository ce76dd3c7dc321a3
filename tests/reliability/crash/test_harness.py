"""The harness sees what it is there for: a writer with one flush left out, in another order, or not atomic, does not pass."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from dslc.diagnostics import DataError
from runtime.train import atomic, loop, places, run
from runtime.train.metrics import MetricsLog
from tests.reliability.campaign import Tally
from tests.reliability.crash import cuts, faults, matrix
from tests.reliability.crash.disk import KINDS
from tests.reliability.crash.power import Machine
from tests.reliability.crash.scratch import scratch
from tests.reliability.crash.trace import can_trace, killed_at
from tests.reliability.crash.training import cheap, contents

Change = Callable[[], AbstractContextManager[object]]


class Forgetful:
    """`os` that flushes no files, or no folders."""

    def __init__(self, folders: bool) -> None:
        self.folders = folders

    def __getattr__(self, name: str) -> Any:
        return self.flush if name == "fsync" else getattr(os, name)

    def flush(self, descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) != self.folders:
            os.fsync(descriptor)


def unflushed_folders() -> AbstractContextManager[object]:
    def make(path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)

    stack = ExitStack()
    stack.enter_context(mock.patch.object(places, "make_folder", make))
    stack.enter_context(mock.patch.object(run, "make_folder", make))
    return stack


def early_rename() -> AbstractContextManager[object]:
    """The name first, the bytes after it."""

    def write(folder: Path, name: str, data: bytes) -> None:
        atomic._draft(folder / f".{name}.tmp", b"")
        (folder / f".{name}.tmp").replace(folder / name)
        with (folder / name).open("r+b") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        atomic.sync_folder(folder)

    return mock.patch.object(loop, "write_atomic", write)


FAULTS: dict[str, Change] = {
    "files are not flushed": lambda: mock.patch.object(atomic, "os", Forgetful(False)),
    "names are not flushed": lambda: mock.patch.object(atomic, "os", Forgetful(True)),
    "names of new folders are not flushed": unflushed_folders,
    "lines of metrics are not flushed": lambda: mock.patch.object(MetricsLog, "flush", lambda self: None),
    "renamed before it is written": early_rename,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_cut_of_power_shows_each_missing_flush(fault: str) -> None:
    with pytest.raises((AssertionError, DataError)):
        cuts.trained(0, Tally(), FAULTS[fault])


@pytest.mark.parametrize("folders", [False, True])
@pytest.mark.parametrize("case", [7, 15, 31])
def test_a_cut_of_power_shows_an_export_that_does_not_flush(case: int, folders: bool) -> None:
    """One file, a model with its data, a step with its first values."""
    forgetful = Forgetful(folders)
    with (
        mock.patch("dslc.files.os", forgetful),
        mock.patch("exporters.onnx.external.os", forgetful),
        pytest.raises(AssertionError, match="had been promised"),
    ):
        cuts.case(case, Tally())


def test_a_writer_that_is_not_atomic_does_not_survive_kills() -> None:
    def write(folder: Path, name: str, data: bytes) -> None:
        (folder / name).write_bytes(data)

    writer = next(writer for writer in faults.WRITERS if writer.name == "a resumed training")
    with cheap(), mock.patch.object(loop, "write_atomic", write), scratch() as folder, pytest.raises((AssertionError, DataError)):
        (folder / "straight").mkdir()
        writer.prepare(faults.home(), folder / "straight")
        before = faults.visible(folder / "straight")
        writer.act(faults.home(), folder / "straight")
        for at in range(40, 200, 3):  # between opening a file and writing it there are more calls than three
            if not faults.meets(writer, "kill", at, folder / f"{at}", before, contents(folder / "straight"), Tally()):
                break


def test_a_counter_that_is_not_restored_shows() -> None:
    restore = loop.restore

    def forgetting(*args: Any) -> Any:
        counters = restore(*args)
        counters.losses = {}
        return counters

    cell = matrix.CELLS.index(("at the end of an epoch", "first", "SIGTERM"))
    middle = matrix.CELLS.index(("in a batch", "any", "SIGINT"))
    with mock.patch.object(loop, "restore", forgetting), pytest.raises(AssertionError, match="differs in the end"):
        for configuration in range(3):
            for which in (middle, cell):
                matrix.case(configuration * len(matrix.CELLS) + which, Tally())


# ---- the disk that forgets --------------------------------------------------------------------------------------------------------


def replay(*log: tuple[Any, ...]) -> Machine:
    machine = Machine(Path("/r"))
    for entry in log:
        machine.do(entry)
    return machine


def test_what_was_flushed_is_there() -> None:
    kept = [("create", "/r/a"), ("write", "/r/a", 0, b"old"), ("flush", "/r/a"), ("flush", "/r")]
    machine = replay(*kept, ("write", "/r/a", 0, b"new!"), ("unlink", "/r/a"))
    assert machine.state(random.Random(0), "none") == {"a": b"old"}
    assert machine.state(random.Random(0), "all") == {}
    seen = {machine.state(random.Random(seed), "random").get("a") for seed in range(200)}
    assert {b"old", None, b"new!"} < seen  # and torn ones


def test_a_name_may_arrive_before_its_bytes() -> None:
    machine = replay(("create", "/r/t"), ("write", "/r/t", 0, b"data"), ("rename", "/r/t", "/r/a"))
    seen = [machine.state(random.Random(seed), "random") for seed in range(300)]
    assert {"a": b""} in seen and {"a": b"data"} in seen and {"t": b"data"} in seen and {} in seen


# ---- processes that are stopped at their calls ------------------------------------------------------------------------------------


@pytest.mark.skipif(not can_trace(), reason="this system lets no process trace its fork")
def test_a_process_is_killed_at_the_call_that_is_named(tmp_path: Path) -> None:
    def act() -> None:
        for name in "abc":
            (tmp_path / name).mkdir()

    code, moments, _ = killed_at(10**9, act)
    assert code == 0 and moments >= 6 and sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]
    left = set()
    for call in range(1, moments):
        for path in tmp_path.iterdir():
            path.rmdir()
        code, at, name = killed_at(call, act)
        assert code == -9 and at == call and name
        left.add("".join(sorted(path.name for path in tmp_path.iterdir())))
    assert left == {"", "a", "ab", "abc"}


def test_every_kind_of_fault_is_injected() -> None:
    assert set(KINDS) == {"EIO", "ENOSPC", "EDQUOT", "EINTR", "MemoryError", "kill", "short write"}
