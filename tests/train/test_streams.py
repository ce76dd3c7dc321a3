"""Nobody reads what a training says, or it cannot be said: the training is the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.train.example import contents, run, write_example


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    folder = tmp_path_factory.mktemp("straight")
    spec = write_example(folder)
    run(spec, out=folder / "run")
    return spec, contents(folder / "run")


def shell(script: str, spec: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = f'train() {{ "{sys.executable}" -m dslc train "{spec}" --out "{out}" --threads 1 "$@"; }}; {script}'
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    "script",
    [
        "train --json | head -n 1; exit ${PIPESTATUS[0]}",
        "train 2>&1 | head -n 1; exit ${PIPESTATUS[0]}",
        "train <&- >&- 2>&-",
        "train --json <&- >&-",
        "train 2>/dev/full",
    ],
)
def test_a_reader_that_is_gone(tmp_path: Path, straight: tuple[Path, dict[str, bytes]], script: str) -> None:
    if "/dev/full" in script and not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    done = shell(script, straight[0], tmp_path / "run")
    assert done.returncode == 0 and "Traceback" not in done.stderr and "Exception" not in done.stderr
    assert contents(tmp_path / "run") == straight[1]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_results_that_cannot_be_written_are_an_error(tmp_path: Path, straight: tuple[Path, dict[str, bytes]]) -> None:
    done = shell("train --json >/dev/full", straight[0], tmp_path / "run")
    assert done.returncode == 3 and "cannot write standard output: no space left on device" in done.stderr
    run(straight[0], resume=tmp_path / "run")
    assert contents(tmp_path / "run") == straight[1]
