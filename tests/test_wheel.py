"""A wheel, unpacked alone in a folder, holds all that `dslc` needs: specs, parse table, pages, data."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="building a wheel needs hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def dslc(site: Path, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command out of the unpacked wheel, started in `folder`."""
    environment = os.environ | {"PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "dslc", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_the_wheel_is_complete(installed: Path) -> None:
    names = {path.relative_to(installed).as_posix() for path in installed.rglob("*")}
    shipped = {path.relative_to(ROOT).as_posix() for path in (ROOT / "specs").rglob("*.*")}
    assert {f"dslc/shipped/{name}" for name in shipped} <= names
    for package in ("dslc", "runtime", "exporters"):
        for path in (ROOT / package).rglob("*.*"):
            if "__pycache__" not in path.parts:
                assert path.relative_to(ROOT).as_posix() in names


def test_it_trains_a_shipped_spec_from_any_folder(installed: Path, tmp_path: Path) -> None:
    where = "import dslc, runtime, exporters; print(dslc.__file__, runtime.__file__, exporters.__file__)"
    environment = os.environ | {"PYTHONPATH": str(installed)}
    found = subprocess.run([sys.executable, "-c", where], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert found.stdout.count(str(installed)) == 3
    done = dslc(installed, "train", "lenet", "--max-steps", "5", "--quiet", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "runs" / "lenet" / "0001" / "checkpoints" / "last.safetensors").is_file()
    assert dslc(installed, "explain", "unknown-name", folder=tmp_path).returncode == 0
    exported = dslc(installed, "export", "runs/lenet/0001", "--output", "m.onnx", folder=tmp_path)
    assert exported.returncode == 0, exported.stderr
