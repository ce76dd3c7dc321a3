"""Where a training may begin and go on: starts that were killed, trainers that meet, disks that fail, and what is flushed when."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from dslc.diagnostics import DataError
from runtime.train import atomic, loop
from runtime.train.metrics import MetricsLog, read_history
from runtime.train.places import begin, new_folder
from runtime.train.progress import Progress
from runtime.train.run import open_run
from tests.reliability.crash.disk import failing
from tests.train.example import contents, run, write_example


def killed_start(spec: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that is killed just before its first save."""
    pid = os.fork()
    if not pid:
        try:
            monkeypatch.setattr(loop, "_save", lambda session: os.kill(os.getpid(), signal.SIGKILL))
            run(spec, out=out)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def test_a_start_that_was_killed_before_it_saved_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "straight")
    killed_start(spec, tmp_path / "run", monkeypatch)
    (tmp_path / "run" / "start.json").write_text("of another start")
    with pytest.raises(DataError, match="a training began here and ended before it saved anything"):
        run(spec, resume=tmp_path / "run")
    run(spec, out=tmp_path / "run")
    assert contents(tmp_path / "run") == contents(tmp_path / "straight")
    assert not (tmp_path / "run" / "start.json").exists() and not (tmp_path / "run" / "lock").exists()


@pytest.mark.parametrize("kept", ["mine.txt", "spec.nn", "checkpoints/mine", "metrics.jsonl"])
def test_a_folder_with_something_else_is_not_taken(tmp_path: Path, kept: str) -> None:
    (tmp_path / kept).parent.mkdir(exist_ok=True)
    (tmp_path / kept).write_text("precious")
    with pytest.raises(DataError, match="is not empty"):
        new_folder(tmp_path, Path("net.nn"))
    assert (tmp_path / kept).read_text() == "precious"


def test_a_run_that_another_trainer_saved_meanwhile_is_not_begun_again(tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    folder = new_folder(tmp_path / "run", spec)
    run(spec, out=tmp_path / "run", max_steps=3)
    before = contents(folder)
    with pytest.raises(DataError, match="is not empty"):
        begin(folder)
    assert contents(folder) == before


def test_a_run_is_locked_before_its_state_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "run", max_steps=1)
    seen: list[bool] = []
    read = loop.resumed_state

    def reading(folder: Path, progress: Progress) -> Any:
        seen.append((folder / "lock").exists())
        return read(folder, progress)

    monkeypatch.setattr(loop, "resumed_state", reading)
    run(spec, resume=tmp_path / "run")
    assert seen == [True]


def test_the_lines_of_metrics_are_on_the_disk_before_a_checkpoint_that_counts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write_example(tmp_path)
    log: list[str] = []
    write, flush, add = loop.write_atomic, MetricsLog.flush, MetricsLog.add
    monkeypatch.setattr(loop, "write_atomic", lambda folder, name, data: (log.append(name), write(folder, name, data)))
    monkeypatch.setattr(MetricsLog, "flush", lambda self: (log.append("flush"), flush(self)))
    monkeypatch.setattr(MetricsLog, "add", lambda self, kind, step, **facts: (log.append(kind), add(self, kind, step, **facts)))
    run(spec, out=tmp_path / "run")
    saves = [place for place, name in enumerate(log) if name.endswith(".safetensors")]
    lines = [place for place, name in enumerate(log) if name == "epoch"]
    assert saves and lines
    for save in saves:
        flushed = max(place for place in range(save) if log[place] == "flush")
        assert not any(flushed < line < save for line in lines)


def test_lines_before_a_torn_one_are_kept(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 1}\n{"step": 2}\n\xff\xfe\x00')
    assert [row["step"] for row in read_history(tmp_path)] == [1, 2]


@pytest.mark.parametrize("at", [3, 9, 20, 40, 60])
def test_a_disk_that_fails_is_no_fault_of_dslc(tmp_path: Path, at: int) -> None:
    spec = write_example(tmp_path)
    with failing(tmp_path.resolve() / "run", "EIO", at).watched(), pytest.raises(DataError) as caught:
        run(spec, out=tmp_path.resolve() / "run")
    assert caught.value.exit_code == 3 and "input/output error" in str(caught.value).lower()


def test_an_interrupted_save_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write_atomic(tmp_path, "last.safetensors", b"new")
    assert not list(tmp_path.iterdir())


def test_names_of_new_folders_are_flushed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of a new folder stands in the folder above."""
    flushed: list[Path] = []
    monkeypatch.setattr(atomic, "sync_folder", flushed.append)
    atomic.make_folder(tmp_path / "a" / "b")
    assert flushed == [tmp_path, tmp_path / "a"]


def test_a_run_whose_data_stay_opens_after_an_error(tmp_path: Path) -> None:
    """A save that fails leaves the state of the one before."""
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "run", max_steps=4)

    def full(*args: object) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    with pytest.MonkeyPatch.context() as patch, pytest.raises(DataError, match=r"(?i)quota exceeded"):
        patch.setattr(atomic.os, "write", full)
        run(spec, resume=tmp_path / "run")
    assert open_run(tmp_path / "run", "last").meta["step"] == 4
