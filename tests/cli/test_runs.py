"""Verbs that make and use runs: train, eval, predict, export."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dslc.api import Run
from tests.cli.conftest import SLICE, Command


@pytest.fixture
def digits() -> np.ndarray:
    from runtime.data.idx import read_idx

    return read_idx(SLICE / "digits" / "digits-images.idx.gz", "digits")[:300].reshape(300, 64)


def test_train_makes_a_numbered_run(dslc: Command, tmp_path: Path) -> None:
    for number in ("0001", "0002"):
        done = dslc("train", "softmax", "--max-steps", "3")
        assert (done.code, done.out) == (0, "")
        assert (tmp_path / "runs" / "softmax" / number / "checkpoints" / "last.safetensors").is_file()
        assert done.err.splitlines()[-1].startswith(f"paused: runs/softmax/{number}")


def test_flags_are_shorthands_of_settings(dslc: Command) -> None:
    assert dslc("train", "softmax", "--epochs", "1", "--batch-size", "50", "--set", "train.epochs=2", "--out", "run", "--quiet").code == 0
    run = Run.open("run")
    assert (run.training.epochs, run.training.batch_size) == (2, 50)


def test_train_as_json_lines(dslc: Command) -> None:
    done = dslc("train", "softmax", "--epochs", "1", "--json")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert {event["event"] for event in events} >= {"start", "epoch", "finish"}
    assert events[-1]["status"] == "done"


def test_quiet_says_nothing(dslc: Command) -> None:
    done = dslc("train", "softmax", "--max-steps", "2", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_train_refuses_a_folder_that_is_used(dslc: Command, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    done = dslc("train", "softmax", "--out", "full")
    assert done.code == 3
    assert sorted(path.name for path in (tmp_path / "full").iterdir()) == ["thesis.txt"]


def test_a_pause_and_resume_give_the_bits_of_one_run(dslc: Command) -> None:
    dslc("train", "softmax", "--epochs", "2", "--out", "whole", "--quiet")
    dslc("train", "softmax", "--epochs", "2", "--out", "parts", "--max-steps", "30", "--quiet")
    assert dslc("train", "softmax", "--epochs", "2", "--resume", "parts", "--quiet").code == 0
    whole, parts = (Run.open(name, checkpoint="last").parameters for name in ("whole", "parts"))
    for address, array in whole.items():
        np.testing.assert_array_equal(array, parts[address])


def write_regression(folder: Path, body: str, settings: str, rows: str = "3,4,1\n" * 8) -> None:
    """`n.nn`, a network of two inputs with this body and its training on `d.csv`."""
    spec = f"dslc 1\nnetwork N {{\n  input x: [batch, 2]\n  {body}\n}}\ntrain {{\n"
    spec += '  data = csv("d.csv", inputs=["a", "b"], target="y", split=[1, 0, 0])\n  net = N(data.input)\n'
    spec += f"  loss: mse(net.y, data.target[:, _])\n  {settings}\n}}\n"
    (folder / "n.nn").write_text(spec)
    (folder / "d.csv").write_text(f"a,b,y\n{rows}")


def test_a_diverging_run_exits_with_4(dslc: Command, tmp_path: Path) -> None:
    write_regression(tmp_path, "output y = exp(exp(x -> dense(1)))", "optimizer: sgd(1e6)\n  epochs: 50")
    done = dslc("train", "n.nn", "--out", "run")
    assert done.code == 4
    assert "error[diverged]" in done.err
    assert np.isfinite(Run.open("run", checkpoint="last").parameters["N.dense0.w"]).all()


@pytest.mark.parametrize("steps", [["--max-steps", "1"], []])
def test_weights_that_an_update_makes_infinite_are_never_saved(dslc: Command, tmp_path: Path, steps: list[str]) -> None:
    """The gradient is finite, and its product with the rate is not. The run can be resumed: from the state before that step."""
    write_regression(tmp_path, "output y = x -> dense(1)", "optimizer: sgd(3e38)\n  batch_size: 2\n  epochs: 4", rows="3,4,100\n" * 2)
    for where in (("--out", "r"), ("--resume", "r")):
        done = dslc("train", "n.nn", *where, "--quiet", *steps)
        assert done.code == 4, done.err
        assert "error[diverged]: after step 1: `N.dense0." in done.err and "from an update whose gradient was finite" in done.err
        found = Run.open("r", checkpoint="last")
        assert found.saved.meta["step"] == 0 and all(np.isfinite(array).all() for array in found.parameters.values())


def test_a_state_that_diverges_exits_with_4_and_the_last_good_one_is_kept(dslc: Command, tmp_path: Path) -> None:
    """The loss and its gradient stay finite. The run can be resumed: the state of its checkpoint is the one before that step."""
    body = "state s: [2] = 1\n  update s = 1e15 * s\n  output y = x -> dense(1)"
    write_regression(tmp_path, body, "optimizer: sgd(0.01)\n  epochs: 4")
    for words in (("--out", "run"), ("--resume", "run")):
        done = dslc("train", "n.nn", *words)
        assert done.code == 4, done.err
        assert "error[diverged]: step 3: the new value of the state `N.s` is not finite" in done.err
        found = Run.open("run", checkpoint="last")
        assert found.saved.meta["step"] == 2
        np.testing.assert_allclose(found.parameters["N.s"], 1e30, rtol=1e-6)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_finish_the_step_and_save(number: signal.Signals, code: int, tmp_path: Path) -> None:
    words = ["train", "lenet", "--data-dir", str(SLICE), "--out", "run", "--json"]
    with subprocess.Popen([sys.executable, "-m", "dslc", *words], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any('"start"' in line for line in process.stdout)
        time.sleep(0.3)
        process.send_signal(number)
        process.stdout.read()
        assert process.wait(timeout=60) == code
    assert Run.open(tmp_path / "run", checkpoint="last").saved.meta["step"] >= 1


def test_eval(trained: Path, dslc: Command) -> None:
    done = dslc("eval", trained)
    assert (done.code, [line.split()[0] for line in done.out.splitlines()]) == (0, ["loss", "accuracy"])
    document = json.loads(dslc("eval", trained, "--split", "train", "--json").out)
    assert (document["version"], document["split"]) == (1, "train")
    assert document["values"]["accuracy"] > 0.9
    assert "it has train, validation, test" in dslc("eval", trained, "--split", "tests").err


def test_predict_takes_data_as_the_spec_does(trained: Path, dslc: Command, digits: np.ndarray) -> None:
    np.save("x.npy", digits)
    np.savez("x.npz", image=digits)
    assert dslc("predict", trained, "--input", "x.npy", "--output", "y.npy").out == "y.npy: logits float32[300, 10]\n"
    assert dslc("predict", trained, "--input", "x.npz", "--output", "y.npz").code == 0
    np.testing.assert_array_equal(np.load("y.npy"), np.load("y.npz")["logits"])
    weights = Run.open(trained).parameters
    expected = digits / 16 @ weights["Softmax.dense0.w"] + weights["Softmax.dense0.b"]
    np.testing.assert_allclose(np.load("y.npy"), expected, rtol=1e-4, atol=1e-4)
    np.save("x.npy", (digits / 16).astype(np.float32))
    assert dslc("predict", trained, "--input", "x.npy", "--output", "z.npy", "--direct").code == 0
    np.testing.assert_allclose(np.load("z.npy"), np.load("y.npy"), rtol=1e-5, atol=1e-5)


BAD = {
    "missing": (None, 3),
    "shape": (np.zeros((3, 8), np.uint8), 3),
    "values": (np.full((3, 64), 0.5), 3),
    "not finite": (np.full((3, 64), np.nan), 3),
    "objects": (np.array([{}], dtype=object), 3),
    "no samples": (np.zeros((0, 64), np.uint8), 3),
}


@pytest.mark.parametrize("case", BAD)
def test_predict_refuses_what_does_not_fit(case: str, trained: Path, dslc: Command, tmp_path: Path) -> None:
    array, code = BAD[case]
    if array is not None:
        np.save("x.npy", array, allow_pickle=True)
    done = dslc("predict", trained, "--input", "x.npy", "--output", "y.npy")
    assert done.code == code
    assert done.err.startswith("error[data-")
    assert not (tmp_path / "y.npy").exists()


def test_predict_names_inputs_and_outputs(trained: Path, dslc: Command, digits: np.ndarray) -> None:
    np.savez("x.npz", imag=digits)
    assert "did you mean `image`?" in dslc("predict", trained, "--input", "x.npz", "--output", "y.npy").err
    np.save("x.npy", digits)
    assert "did you mean `logits`?" in dslc("predict", trained, "--input", "x.npy", "--output", "y.npy", "--name", "logit").err
    assert dslc("predict", trained, "--input", "x.npy", "--output", "y.txt").code == 2
    assert dslc("predict", trained, "--input", "x.npy", "--output", "y.nn").code == 2


def test_export_writes_model_and_report(trained: Path, dslc: Command, tmp_path: Path) -> None:
    done = dslc("export", trained, "--output", "m.onnx", "--report", "r.json")
    assert done.code == 0
    assert done.out.startswith("m.onnx: Softmax, opset 21")
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["bytes"] == (tmp_path / "m.onnx").stat().st_size
    assert json.loads(report["metadata"]["dslc.input_contract"]) == {"image": "data.image / 16"}


def test_export_never_writes_over_a_spec(trained: Path, dslc: Command, tmp_path: Path) -> None:
    (tmp_path / "m.nn").write_text("mine")
    assert dslc("export", trained, "--output", "m.nn").code == 2
    assert (tmp_path / "m.nn").read_text() == "mine"


def test_a_damaged_run_is_named(trained: Path, dslc: Command, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(trained, tmp_path / "run")
    for path in (tmp_path / "run" / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:-5])
    done = dslc("eval", "run")
    assert (done.code, done.err.split("]")[0]) == (3, "error[checkpoint-broken")


@pytest.mark.parametrize("text", [b"network {", b"\xff", b""])
def test_a_damaged_spec_of_a_run_is_a_fault_of_the_folder(text: bytes, trained: Path, dslc: Command, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / "spec.resolved.nn").write_bytes(text)
    done = dslc("eval", "run")
    assert (done.code, done.err.split("]")[0]) == (3, "error[run-folder")
