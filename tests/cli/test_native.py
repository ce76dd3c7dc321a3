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


def test_without_llvmlite(dslc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "llvmlite" else find(name, *rest))
    done = dslc(*TRAIN)
    assert done.code == 2
    assert "error[missing-device]" in done.err and 'pip install "dslc[native]"' in done.err


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
