"""Running the command in this process, and one small run that several tests look at."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dslc.cli.main import main

SLICE = Path(__file__).parent.parent.parent / "runtime" / "data" / "shipped"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def dslc(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """`dslc("check", "lenet")` in an empty folder, of the DSLC variables of the environment with the device of tests only."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("DSLC_") and name != "DSLC_DEVICE"]:
        monkeypatch.delenv(name)

    def run(*words: object) -> Done:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of softmax regression on the digits, two epochs."""
    folder = tmp_path_factory.mktemp("runs") / "softmax"
    assert main(["train", "softmax", "--epochs", "2", "--quiet", "--out", str(folder)]) == 0
    return folder
