"""What rows of `environment.py` call in the guarded process."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

from dslc.cli.main import main


def train(base: Path, name: str = "run") -> int:
    return main(["train", "spec.nn", "--quiet", "--out", f"{base / 'out' / name}"])


def clock_backwards(base: Path) -> None:
    """Every look at the clock gives an earlier time."""
    now = 2e9

    def earlier() -> float:
        nonlocal now
        now -= 1000.0
        return now

    time.time = earlier
    assert train(base) == 0
    assert main(["eval", f"{base}/out/run", "--split", "train"]) == 0


def clock_at_the_end(base: Path) -> None:
    """The last second that 32 bits count, and one beyond what a date can hold."""
    for number, now in enumerate((2**31 - 0.5, 1e15)):
        time.time = lambda now=now: now
        assert train(base, f"run{number}") == 0


def export_with_small_files(base: Path) -> None:
    """The limit comes after the training; no part of a model is left."""
    assert train(base) == 0
    before = sorted((base / "out").iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (400, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    assert main(["export", f"{base}/out/run", "--output", f"{base}/out/model.onnx"]) == 3
    assert sorted((base / "out").iterdir()) == before


def as_another_user(base: Path) -> None:
    """The superuser trains first; another user does the same in the same folders and meets nothing of it."""
    assert train(base, "first") == 0
    os.setgid(65534)
    os.setuid(65534)
    assert main(["check", "spec.nn"]) == 0
    assert train(base, "second") == 0
    assert main(["eval", f"{base}/out/second", "--split", "train"]) == 0
    assert main(["train", "spec.nn", "--quiet", "--resume", f"{base}/out/first"]) == 3
