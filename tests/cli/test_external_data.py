"""`dslc export --external-data`: the weights of a run in a file of their own, or in its checkpoint."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import onnx
import pytest
import safetensors.numpy

from dslc.api import Run
from dslc.cli.arguments import size
from dslc.loading import find_spec
from runtime.train.checkpoint import read_tensors
from tests.cli.conftest import Command

X = np.random.default_rng(0).random((5, 64), dtype=np.float32)


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def locations(path: Path) -> set[str]:
    model = onnx.load(path, load_external_data=False)
    return {entry.value for item in model.graph.initializer for entry in item.external_data if entry.key == "location"}


def outputs(path: Path) -> np.ndarray:
    ort = pytest.importorskip("onnxruntime")
    return np.asarray(ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"image": X})[0])


@pytest.mark.parametrize(
    ("options", "file"),
    [
        (["--external-data"], "m.onnx.data"),
        (["--external-data", "w.safetensors"], "w.safetensors"),
        (["--external-data", "w.bin"], "w.bin"),
        (["--external-data-above", "1kB"], "m.onnx.data"),
        (["--external-data-above", "2599"], "m.onnx.data"),
    ],
)
def test_the_weights_stand_beside_the_model(run: Path, dslc: Command, tmp_path: Path, options: list[str], file: str) -> None:
    (tmp_path / "out").mkdir()
    done = dslc("export", "run", "--output", "out/m.onnx", "--report", "r.json", *options)
    assert done.code == 0 and f"2,600 bytes in 2 tensors stand in {file}\n" in done.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(["m.onnx", file])
    assert locations(tmp_path / "out" / "m.onnx") == {file}
    external = json.loads((tmp_path / "r.json").read_text())["external"]
    data = (tmp_path / "out" / file).read_bytes()
    assert external == {"file": file, "bytes": 2600, "tensors": 2, "sha256": hashlib.sha256(data).hexdigest(), "written": True}
    dslc("export", "run", "--output", "one.onnx")
    assert np.array_equal(outputs(tmp_path / "out" / "m.onnx"), outputs(tmp_path / "one.onnx"))


@pytest.mark.parametrize("options", [[], ["--external-data-above", "2600"], ["--external-data-above", "1MB"]])
def test_the_weights_stand_in_the_model(run: Path, dslc: Command, tmp_path: Path, options: list[str]) -> None:
    assert dslc("export", "run", "--output", "m.onnx", *options).code == 0
    assert locations(tmp_path / "m.onnx") == set() and not (tmp_path / "m.onnx.data").exists()


def test_the_model_shares_the_checkpoint(run: Path, dslc: Command, tmp_path: Path) -> None:
    """The same file for both: it is not written, and holds what the run has."""
    before = {path: path.read_bytes() for path in (run / "checkpoints").iterdir()}
    done = dslc("export", "run", "--output", "run/m.onnx", "--external-data", "checkpoints/best.safetensors")
    assert done.code == 0 and "stand in checkpoints/best.safetensors, which was there before" in done.out
    assert {path: path.read_bytes() for path in (run / "checkpoints").iterdir()} == before
    assert locations(run / "m.onnx") == {"checkpoints/best.safetensors"}
    assert not [path.name for path in run.iterdir() if path.name.startswith(".m.onnx")]
    dslc("export", "run", "--output", "one.onnx")
    assert np.array_equal(outputs(run / "m.onnx"), outputs(tmp_path / "one.onnx"))
    onnx.checker.check_model(str(run / "m.onnx"), full_check=True)
    tensors = safetensors.numpy.load_file(run / "checkpoints" / "best.safetensors")
    for item in onnx.load(run / "m.onnx").graph.initializer:
        assert np.array_equal(onnx.numpy_helper.to_array(item), tensors[item.name])


def test_no_other_checkpoint_is_written_or_shared(run: Path, dslc: Command, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in (run / "checkpoints").iterdir()}
    done = dslc("export", "run", "--output", "run/m.onnx", "--external-data", "checkpoints/last.safetensors")
    assert done.code == 2 and "only best.safetensors holds the weights" in done.err
    shutil.copytree(run, tmp_path / "other")
    done = dslc("export", "run", "--output", "other/m.onnx", "--external-data", "checkpoints/last.safetensors")
    assert done.code == 3 and "error[onnx-external]" in done.err and "is not overwritten" in done.err
    assert {path: path.read_bytes() for path in (run / "checkpoints").iterdir()} == before
    assert (tmp_path / "other" / "checkpoints" / "last.safetensors").read_bytes() == before[run / "checkpoints" / "last.safetensors"]


def test_a_checkpoint_in_another_precision_is_not_shared(run: Path, dslc: Command) -> None:
    done = dslc("export", "run", "--output", "run/m.onnx", "--external-data", "checkpoints/best.safetensors", "--dtype", "f16")
    assert done.code == 3 and "is float16[64, 10] in the model and float32[64, 10] in the file" in done.err
    assert not (run / "m.onnx").exists()


def test_folded_weights_are_not_shared(dslc: Command, tmp_path: Path) -> None:
    """A name, a type and sizes that fit, other numbers."""
    spec = (find_spec("softmax")[0]).read_text().replace("-> dense(10)", "-> dense(10) -> batch_norm")
    (tmp_path / "mine.nn").write_text(spec)
    assert dslc("train", "mine.nn", "--out", "run", "--epochs", "1", "--quiet").code == 0
    words = ("export", "run", "--output", "run/m.onnx", "--external-data", "checkpoints/best.safetensors")
    done = dslc(*words, "--fold-batch-norm")
    assert done.code == 3 and "has other numbers in it than in the model" in done.err
    assert dslc(*words).code == 0


def test_a_shared_checkpoint_with_a_second_name_is_refused(run: Path, dslc: Command) -> None:
    (run / "same").hardlink_to(run / "checkpoints" / "best.safetensors")
    done = dslc("export", "run", "--output", "run/m.onnx", "--external-data", "checkpoints/best.safetensors")
    assert done.code == 3 and "hard links" in done.err


def test_the_file_begins_another_training(run: Path, dslc: Command, tmp_path: Path) -> None:
    """A data file in safetensors form is a file of weights like any other (`start` in a `train`)."""
    dslc("export", "run", "--output", "m.onnx", "--external-data", "w.safetensors")
    _, tensors = read_tensors(tmp_path / "w.safetensors", "w.safetensors")
    assert all(np.array_equal(tensors[name], array) for name, array in Run.open(run).parameters.items())


def test_a_terminated_export_leaves_no_draft(run: Path, dslc: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(*args: object) -> list[str]:
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".m.onnx.")]
        os.kill(os.getpid(), signal.SIGTERM)
        return ["still running"]

    monkeypatch.setattr("exporters.onnx.check.lint", end)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        dslc("export", "run", "--output", "m.onnx", "--external-data")
    assert ended.value.code == 143 and signal.getsignal(signal.SIGTERM) is before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_mapped_run_is_the_run(run: Path) -> None:
    mapped, read = Run.open(run, mapped=True), Run.open(run)
    assert all(np.array_equal(mapped.parameters[name], array) for name, array in read.parameters.items())
    assert np.array_equal(mapped.forward(image=X)["logits"], read.forward(image=X)["logits"])


@pytest.mark.parametrize(
    ("text", "bytes"),
    [
        ("0", 0),
        ("1500000000", 1500000000),
        ("500MB", 500_000_000),
        ("1.5GiB", 1610612736),
        ("1.5 gib", 1610612736),
        ("2kib", 2048),
        ("7B", 7),
    ],
)
def test_sizes_in_words(text: str, bytes: int) -> None:
    assert size(text) == bytes


@pytest.mark.parametrize("text", ["", "GB", "-1", "1e9", "1.GB", ".5GB", "1  GB", "1TB", "٣MB", "1" * 40])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="a number of bytes is needed"):
        size(text)
