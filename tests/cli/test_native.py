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
