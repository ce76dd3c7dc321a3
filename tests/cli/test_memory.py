"""Models that do not fit into the memory: a diagnostic with what they need, before anything is allocated."""

from __future__ import annotations

import weakref
from pathlib import Path

import numpy as np
import pytest

import dslc as package
from dslc.cli.main import main
from dslc.cli.output import fault
from runtime.train.environment import _free_in_groups
from tests.cli.conftest import Command

HUGE = """dslc 1
network N {
  input x: [batch, 200000]
  output y = x -> dense(200000) -> dense(200000)
}
train {
  data = npz("d.npz", split=[1, 0, 0])
  net = N(data.x)
  loss: mse(net.y, data.x)
  optimizer: adam(0.1)
  batch_size: 2
  epochs: 1
}
"""


@pytest.fixture
def huge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    np.savez(tmp_path / "d.npz", x=np.zeros((2, 200000), np.float32))
    (tmp_path / "n.nn").write_text(HUGE)
    monkeypatch.setattr("runtime.memory.free_memory", lambda: 16 * 2**30)
    return tmp_path / "n.nn"


def test_training_says_what_is_needed(huge: Path, dslc: Command) -> None:
    done = dslc("train", huge, "--max-steps", "1")
    assert done.code == 3
    assert "error[memory-space]: a training needs 1,192.1 GiB of memory, 16.0 GiB are free" in done.err
    assert "weights and states 298.0 GiB, optimizer state 596.0 GiB, gradients 298.0 GiB, values of a training step 4.6 MiB" in done.err
    assert not (huge.parent / "runs").exists()


def test_compiling_says_what_is_needed(huge: Path) -> None:
    with pytest.raises(package.DataError, match=r"needs 1,192\.1 GiB"):
        package.load(huge).compile()


def test_show_needs_no_memory_for_it(huge: Path, dslc: Command) -> None:
    assert dslc("show", huge).code == 0


def test_show_lists_what_a_training_takes(dslc: Command) -> None:
    done = dslc("show", "lenet", "--memory", "--batch-size", "64")
    assert done.code == 0
    head, *rows = done.out.splitlines()
    assert head.startswith("Memory of `train` at batch size 64 on the device numpy with ")
    sizes = {name: (number, unit) for name, number, unit in (row.rsplit(None, 2) for row in rows)}
    assert sizes["weights and states"] == sizes["optimizer state"] == sizes["gradients"] == ("1.6", "MiB")
    assert {"values of a training step", "values of an evaluation", "scratch", "bound calls", "data", "in all"} < sizes.keys()
    mebibytes = {name: float(number) / (1024 if unit == "KiB" else 1) for name, (number, unit) in sizes.items()}
    assert mebibytes["in all"] == pytest.approx(sum(mebibytes.values()) - mebibytes["in all"], abs=0.5)


def test_show_counts_no_data_that_is_not_there(dslc: Command) -> None:
    done = dslc("show", "mobilenet1", "--memory", "--batch-size", "1")
    assert done.code == 0
    *_, data, _, _, _, note = done.out.splitlines()
    assert data.split() == ["data", "0", "B"] and note.startswith("Without its data: imagenet: there is no such file")


def test_a_spec_without_a_training_has_no_such_table(dslc: Command) -> None:
    done = dslc("show", "resnet20", "--memory")
    assert done.code == 2 and "train" in done.err


def test_what_does_not_fit_when_it_is_bound_is_refused(tmp_path: Path, dslc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.memory.free_memory", lambda: 40 * 2**20)
    done = dslc("train", "lenet", "--batch-size", "256", "--out", tmp_path / "other", "--max-steps", "1")
    assert done.code == 3 and "error[memory-space]: a training needs " in done.err
    assert "scratch" in done.err and "copies of a batch and for a save" in done.err
    assert not (tmp_path / "other").exists()


def test_a_limit_of_a_control_group_counts(tmp_path: Path) -> None:
    inner = tmp_path / "groups/outer/inner"
    inner.mkdir(parents=True)
    (tmp_path / "own").write_text("0::/outer/inner\n")
    (inner / "memory.max").write_text("max\n")
    for name, text in (("max", "1000\n"), ("current", "700\n"), ("stat", "anon 300\ninactive_file 250\nactive_file 50\n")):
        (inner.parent / f"memory.{name}").write_text(text)
    assert list(_free_in_groups(tmp_path / "own", tmp_path / "groups")) == [600]
    assert list(_free_in_groups(tmp_path / "none", tmp_path / "groups")) == []


def test_a_refused_allocation_is_no_fault_of_dslc(dslc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def allocate(*_: object) -> None:
        raise MemoryError("Unable to allocate 149. GiB")

    monkeypatch.setattr("dslc.cli.ops.catalogue", allocate)
    done = dslc("ops")
    assert (done.code, done.err.splitlines()[0]) == (3, "error[memory-space]: there is not enough memory: unable to allocate 149. GiB")
    monkeypatch.setattr("runtime.train.initializers.initialize", allocate)
    with pytest.raises(package.DataError, match="there is not enough memory"):
        package.load("mlp").network().initial()


def test_a_batch_that_does_not_fit_is_a_diagnostic(monkeypatch: pytest.MonkeyPatch) -> None:
    step = package.load("gates").compile(batch_size=2)
    step.forward(x=np.zeros((2, 2)))

    def allocate(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(step.device, "empty", allocate)
    with pytest.raises(package.DataError, match="not enough memory: the system gives no more"):
        step.forward(x=np.zeros((9, 2)))


class PanicException(BaseException):
    """As pydantic's core raises it."""


@pytest.mark.parametrize(
    "error", [MemoryError(), SystemError("error return without exception set"), PanicException("PyObject pointer is null")]
)
def test_what_is_said_instead_of_a_memory_error_is_one(error: BaseException) -> None:
    held: list[int] = []

    def fill() -> None:
        large = Large()
        weakref.finalize(large, held.append, 1)
        raise error

    with pytest.raises(type(error)) as caught:
        fill()
    found = fault(caught.value)
    assert found.exit_code == 3 and [item.code for item in found.diagnostics] == ["memory-space"]
    assert held, "what the function held is freed before the message is made"


class Large:
    """What a function holds when it fails."""


def test_another_system_error_is_a_fault() -> None:
    assert fault(SystemError("other")).exit_code == 1


def test_without_memory_for_the_message_there_is_a_short_one(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def starved(*_: object) -> int:
        raise MemoryError

    for name in ("dispatch", "fault"):
        monkeypatch.setattr(f"dslc.cli.main.{name}", starved)
    assert main(["check", "lenet"]) == 3
    assert capfd.readouterr().err == "error[memory-space]: there is not enough memory, not even for all of this message\n"
