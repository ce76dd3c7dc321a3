"""Whatever writes or reads in a run folder: what it leaves behind, who may write there, and in whose words it fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dslc.diagnostics import DataError
from runtime.train import atomic
from runtime.train.atomic import sync_folder, write_atomic, write_below
from runtime.train.checkpoint import load_checkpoint, map_checkpoint
from runtime.train.lock import locked
from runtime.train.metrics import MetricsLog, read_history
from runtime.train.resume import Counters


class Taking:
    """`os` whose `write` takes at most so many bytes at a time."""

    def __init__(self, most: int) -> None:
        self.most, self.calls = most, 0

    def __getattr__(self, name: str) -> Any:
        return self.some if name == "write" else getattr(os, name)

    def some(self, descriptor: int, data: bytes) -> int:
        self.calls += 1
        assert self.calls < 100, "it goes on for ever"
        return os.write(descriptor, data[: self.most])


@pytest.mark.parametrize("most", [1, 2, 3, 10, 11])
def test_a_disk_that_takes_little_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(atomic, "os", Taking(most))
    write_atomic(tmp_path, "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_a_disk_that_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "os", Taking(0))
    with pytest.raises(DataError, match="nothing more could be written"):
        write_atomic(tmp_path, "a", b"0123456789")


def test_all_may_read_and_only_the_owner_write(tmp_path: Path) -> None:
    """Whatever the umask."""
    before = os.umask(0)
    try:
        write_below(tmp_path, "x/y/name", b"text")
        MetricsLog(tmp_path / "x", 0).close()
        with locked(tmp_path, "run"):
            modes = {path.relative_to(tmp_path).as_posix(): path.stat().st_mode & 0o7777 for path in tmp_path.rglob("*")}
    finally:
        os.umask(before)
    assert modes == {"x": 0o755, "x/y": 0o755, "x/y/name": 0o644, "x/metrics.jsonl": 0o644, "lock": 0o644}


def test_only_a_folder_is_flushed_as_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        sync_folder(tmp_path / "file")


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="open descriptors are counted in /dev/fd")
def test_no_descriptor_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what ends well and of what fails."""
    before = opened()
    for _ in range(3):
        write_below(tmp_path, "x/name", b"text")
        with locked(tmp_path, "run"), pytest.raises(DataError), locked(tmp_path, "run"):
            pass
        log = MetricsLog(tmp_path, 0)
        log.add("step", 1)
        log.close()
        with monkeypatch.context() as patch, pytest.raises(DataError):
            patch.setattr(atomic, "_digest", lambda descriptor: b"")
            write_atomic(tmp_path, "name", b"other")
    assert opened() == before


def opened() -> int:
    return len(list(Path("/dev/fd").iterdir()))


# what fails: the call of the system, and what calls it
FAILING: dict[str, tuple[str, Callable[[Path], Callable[[], object]]]] = {
    "write": ("fsync", lambda folder: partial(write_atomic, folder, "a", b"x")),
    "make the folder": ("mkdir", lambda folder: partial(write_below, folder, "x/a", b"x")),
    "open the lock": ("open", lambda folder: locked(folder, "run").__enter__),
    "look at the lock": ("fstat", lambda folder: locked(folder, "run").__enter__),
    "sign the lock": ("pwrite", lambda folder: locked(folder, "run").__enter__),
    "add a line": ("write", lambda folder: partial(MetricsLog(folder, 0).add, "step", 1)),
    "flush the lines": ("fsync", lambda folder: MetricsLog(folder, 0).flush),
    "read the lines": ("open", lambda folder: partial(read_history, folder)),
    "read a checkpoint": ("open", lambda folder: partial(load_checkpoint, folder / "a", "a")),
    "map a checkpoint": ("open", lambda folder: partial(map_checkpoint, folder / "a", "a")),
}


@pytest.mark.parametrize("what", FAILING)
@pytest.mark.parametrize(
    ("error", "words"),
    [(OSError(28, "No space left on device", "/home/somebody/a"), "no space left on device"), (OSError("something odd"), "something odd")],
    ids=["with a number", "without"],
)
def test_an_error_is_said_in_the_words_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, error: OSError, words: str
) -> None:
    """Without its number, and without the paths of the machine."""

    def fail(*args: object, **options: object) -> None:
        raise error

    call, prepare = FAILING[what]
    act = prepare(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(DataError) as caught:
        patch.setattr(os, call, fail)
        act()
    (found,) = caught.value.diagnostics
    assert words in found.message.lower() and "28" not in found.message and "somebody" not in found.message


# ---- metrics.jsonl and what is counted ---------------------------------------------------------------------------------------------


def test_lines_of_a_run_that_went_further_are_dropped(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, 0)
    for kind, step in (("step", 1), ("epoch", 2), ("end", 2), ("step", 3)):
        log.add(kind, step)
    log.close()
    assert len(read_history(tmp_path)) == 4
    again = MetricsLog(tmp_path, 2)
    assert [(row["kind"], row["step"]) for row in again.history] == [("step", 1), ("epoch", 2)]
    assert read_history(tmp_path) == again.history
    again.add("end", 2)
    again.close()
    assert read_history(tmp_path) == again.history and len(again.history) == 3


def test_a_line_that_is_written_in_part_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = MetricsLog(tmp_path, 0)
    with monkeypatch.context() as patch, pytest.raises(DataError, match="the line was written in part"):
        patch.setattr(os, "write", lambda descriptor, data: len(data) - 1)
        log.add("step", 1)
    log.close()
    assert log.history == []


@pytest.mark.parametrize("line", ["[1]", '{"kind": "step"}', '{"step": "2"}', '{"step": 2', "[" * 100_000])
def test_the_history_ends_at_a_line_that_no_training_wrote(tmp_path: Path, line: str) -> None:
    (tmp_path / "metrics.jsonl").write_text(f'{{"step": 1}}\n{line}\n{{"step": 3}}\n')
    assert read_history(tmp_path) == [{"step": 1}]


def test_the_loss_of_an_epoch_is_the_mean_over_its_samples() -> None:
    counters = Counters()
    for _ in range(2):
        counters.count({"loss": 1.0, "loss.part": 3.0}, 2)
        counters.count({"loss": 4.0, "loss.part": 0.0}, 4)
        assert counters.mean_losses() == {"loss": 3.0, "loss.part": 1.0}


def test_a_run_begins_with_nothing_counted() -> None:
    found = Counters()
    assert (found.step, found.turn, found.best_step, found.best) == (0, 0, 0, None)
