"""`--device cpu` from the command line: training, resuming, its cache, and what is said where llvmlite is missing."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.kernels.native import machine
from tests.cli.conftest import SLICE, Command

TRAIN = ("train", "softmax", "--device", "cpu", "--threads", "2", "--quiet")


@pytest.fixture
def own_cache(tmp_path: Path, dslc: Command, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DSLC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "native"


def test_it_trains_as_numpy_does(dslc: Command, own_cache: Path) -> None:
    assert dslc(*TRAIN, "--epochs", "1", "--out", "native").code == 0
    assert dslc("train", "softmax", "--quiet", "--epochs", "1", "--out", "numpy").code == 0
    accuracies = [json.loads(dslc("eval", run, "--json").out)["values"] for run in ("native", "numpy")]
    assert accuracies[0] == pytest.approx(accuracies[1], rel=0.02)


def test_a_run_goes_on_bit_for_bit(dslc: Command, own_cache: Path) -> None:
    assert dslc(*TRAIN, "--epochs", "2", "--out", "whole").code == 0
    assert dslc(*TRAIN, "--epochs", "2", "--max-steps", "7", "--out", "paused").code == 0
    assert dslc(*TRAIN, "--epochs", "2", "--resume", "paused").code == 0
    names = {path.name for path in Path("whole").rglob("*.safetensors")}
    assert names
    for path in Path("whole").rglob("*.safetensors"):
        assert path.read_bytes() == (Path("paused") / path.relative_to("whole")).read_bytes(), path.name


def test_what_is_kept_is_shown_and_removed(dslc: Command, own_cache: Path) -> None:
    assert dslc("cache").out == f"{own_cache}: 0 modules of machine code, 0 B\n"
    assert dslc(*TRAIN, "--max-steps", "1", "--out", "run").code == 0
    kept = sorted(path.name for path in own_cache.iterdir())
    assert kept and f"{own_cache}: {len(kept)} modules of machine code" in dslc("cache").out
    assert dslc(*TRAIN, "--max-steps", "1", "--out", "again").code == 0
    assert sorted(path.name for path in own_cache.iterdir()) == kept
    assert dslc("cache", "--clear").out == f"{own_cache}: {len(kept)} modules of machine code removed\n"
    assert not list(own_cache.iterdir())


@pytest.fixture
def without_llvmlite(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "llvmlite" else find(name, *rest))


@pytest.mark.usefixtures("without_llvmlite")
def test_without_llvmlite(dslc: Command) -> None:
    done = dslc(*TRAIN)
    assert done.code == 2
    assert "error[missing-device]" in done.err and "`pip install llvmlite`" in done.err


PLAIN = ("train", "softmax", "--threads", "2", "--out", "run")


def device_of(folder: str) -> str:
    return str(json.loads((Path(folder) / "env.json").read_text())["device"])


@pytest.fixture
def no_named_device(monkeypatch: pytest.MonkeyPatch, dslc: Command) -> None:
    monkeypatch.delenv("DSLC_DEVICE")


@pytest.mark.usefixtures("no_named_device")
def test_machine_code_is_the_default(dslc: Command, own_cache: Path) -> None:
    done = dslc(*PLAIN, "--max-steps", "3")
    assert done.code == 0 and "NumPy" not in done.err
    assert device_of("run") == "cpu" and list(own_cache.iterdir())


@pytest.mark.usefixtures("no_named_device")
def test_a_run_goes_on_where_it_was_made(dslc: Command, own_cache: Path) -> None:
    """On the device of its checkpoint, unless another one is named, which is said."""
    assert dslc(*PLAIN, "--device", "numpy", "--max-steps", "2").code == 0
    assert "environment" not in dslc(*PLAIN[:-2], "--resume", "run", "--max-steps", "4").err
    assert not own_cache.exists()
    changed = dslc(*PLAIN[:-2], "--resume", "run", "--device", "cpu", "--max-steps", "6")
    assert changed.code == 0 and "the environment has changed (device)" in changed.err
    assert "environment" not in dslc(*PLAIN[:-2], "--resume", "run", "--max-steps", "8").err


@pytest.mark.usefixtures("no_named_device", "without_llvmlite")
def test_numpy_takes_over_and_says_so_once(dslc: Command) -> None:
    done = dslc(*PLAIN, "--max-steps", "3")
    assert done.code == 0 and device_of("run") == "numpy"
    assert done.err.count("training runs on NumPy: llvmlite is not installed; `pip install llvmlite` makes it several times as fast") == 1
    assert done.err.count("llvmlite") == 2
    lines = dslc(*PLAIN[:-1], "other", "--max-steps", "1", "--json").out.splitlines()
    assert [line for line in map(json.loads, lines) if "llvmlite" in line.get("text", "")]
    assert "llvmlite" not in dslc(*PLAIN[:-1], "third", "--max-steps", "1", "--device", "numpy").err


@pytest.mark.usefixtures("no_named_device")
def test_numpy_takes_over_on_a_processor_that_does_not_fuse(dslc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "fuses", lambda: False)
    done = dslc(*PLAIN, "--max-steps", "1")
    assert done.code == 0 and device_of("run") == "numpy" and "has no fused multiply-add" in done.err


@pytest.mark.usefixtures("no_named_device")
@pytest.mark.parametrize("error", [OSError("libLLVM.so: cannot open"), RuntimeError("no such target")])
def test_numpy_takes_over_where_llvm_does_not_load(dslc: Command, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(machine, "llvm", fail)
    done = dslc(*PLAIN, "--max-steps", "1")
    assert done.code == 0 and device_of("run") == "numpy" and f"llvmlite cannot be loaded ({error})" in done.err


def test_where_nothing_can_be_kept(dslc: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").write_text("a file")
    for name in ("DSLC_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert dslc(*TRAIN, "--max-steps", "2", "--out", "run").code == 0
    assert (tmp_path / "home").read_text() == "a file"


def test_the_environment_names_a_device(dslc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSLC_DEVICE", "abacus")
    done = dslc(*PLAIN)
    assert done.code == 2 and "there is no device `abacus`" in done.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_training_after_the_step(dslc: Command, own_cache: Path, number: signal.Signals, code: int) -> None:
    """Also while threads wait in machine code: nothing hangs, and the run goes on where it ended."""
    words = [sys.executable, "-m", "dslc", "train", "lenet", "--data-dir", str(SLICE), "--device", "cpu", "--threads", "3", "--out", "run"]
    with subprocess.Popen([*words, "--json", "--max-steps", "100000"], stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        assert any('"step"' in line for line in process.stdout)
        process.send_signal(number)
        process.stdout.read()
        assert process.wait(timeout=60) == code
    assert dslc("train", "lenet", "--data-dir", str(SLICE), "--device", "cpu", "--resume", "run", "--max-steps", "1", "--quiet").code == 0


FOREIGN = """dslc 1

network N {
  input x: [batch, 5000]
  a = tanh(x * 2)
  s, _ = op.sort(a)
  output y = s + 1
}
"""


def test_the_plan_says_what_runs_as_machine_code_and_what_does_not(dslc: Command) -> None:
    """Kernels with what is joined into them, in order; between two functions what has no native form, and why."""
    Path("s.nn").write_text(FOREIGN)
    lines = dslc("show", "s.nn", "--plan", "--device", "cpu", "--batch-size", "3").out.splitlines()
    assert lines[0].startswith("native plan for batch=3, ")
    assert lines[2] == "2 kernels, 2 of them different, in 2 native functions; 1 step without a native form"
    assert [line for line in lines[3:] if not line.startswith(" ")] == [
        "function 0",
        "foreign sort: the order along a long axis",
        "function 1",
    ]
    assert "multiply" in lines[5] and "tanh" in lines[5]
    assert lines[6].endswith("reads 60,000, writes 60,000 bytes")


def test_every_step_of_lenet_is_machine_code(dslc: Command) -> None:
    text = dslc("show", "lenet", "--plan", "--device", "cpu").out
    assert "every step has a native form" in text and "foreign" not in text
    assert "conv(%12, %1); %15 = add(%13, %14)\n      tile of " in text
