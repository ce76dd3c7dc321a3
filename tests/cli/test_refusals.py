"""What the verbs that read a run refuse, and what they say aloud about a run whose `best` is damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from dslc.api import load
from dslc.diagnostics import SpecError
from tests.cli.conftest import Command

REFUSED = {
    "a seed of a run's step": (
        ["export", "RUN", "--train-step", "--seed", "1", "--output", "m.onnx"],
        "--seed and --train have no meaning",
    ),
    "a training of a run's step": (["export", "RUN", "--train-step", "--train", "x", "--output", "m.onnx"], "have no meaning with a run"),
    "a network beside a step": (["export", "RUN", "--train-step", "--network", "N", "--output", "m.onnx"], "--network has no meaning"),
    "a seed of a network": (["export", "RUN", "--seed", "1", "--output", "m.onnx"], "--train and --seed belong to --train-step"),
    "no such step": (
        ["export", "xor", "--train-step", "two", "--output", "m.onnx"],
        "there is no step `two`; the training `train` has one step",
    ),
    "a picture of another kind": (["sample", "RUN", "--out", "a.jpg"], "a file name that ends in .png is needed, not 'a.jpg'"),
    "no pictures": (["sample", "RUN", "--from", "test", "--out", "a.png"], "pictures are [batch, 1 or 3, height, width]"),
    "an array of another kind": (
        ["predict", "RUN", "--input", "x.npy", "--output", "y.csv"],
        "ends in .npy or .npz is needed, not 'y.csv'",
    ),
    "no such output": (["predict", "RUN", "--input", "x.npy", "--output", "y.npy", "--name", "logit"], "did you mean `logits`?"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, trained: Path, dslc: Command, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 64), np.uint8))
    words, message = REFUSED[case]
    done = dslc(*(trained if word == "RUN" else word for word in words))
    assert (done.code, message in done.err) == (2, True), done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npy"]


def test_one_array_for_two_inputs(dslc: Command, tmp_path: Path) -> None:
    spec = "dslc 1\n\nnetwork N {\n  input a: [batch, 1]\n  input b: [batch, 1]\n  output y = dense(a + b, 1)\n}\n"
    spec += '\ntrain {\n  data = csv("d.csv", inputs=["a"], target=["b"])\n  net = N(data.input, data.target)\n'
    (tmp_path / "two.nn").write_text(spec + "  loss: mean(net.y ^ 2)\n  optimizer: sgd(0.1)\n}\n")
    (tmp_path / "d.csv").write_text("a,b\n" + "1,2\n" * 20)
    assert dslc("train", "two.nn", "--out", "run", "--quiet").code == 0
    np.save(tmp_path / "x.npy", np.zeros((2, 1), np.float32))
    done = dslc("predict", "run", "--input", "x.npy", "--output", "y.npy")
    assert (done.code, "x.npy holds one array, and 2 are needed: input, target" in done.err) == (3, True), done.err
    assert not (tmp_path / "y.npy").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["eval", "run"],
        ["predict", "run", "--input", "x.npy", "--output", "y.npy"],
        ["export", "run", "--output", "m.onnx"],
        ["sample", "run", "--from", "test", "--count", "3", "--out", "a.png"],
    ],
    ids=lambda words: words[0],
)
def test_a_damaged_best_is_said_aloud(words: list[str], trained: Path, dslc: Command, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "run")
    np.save(tmp_path / "x.npy", np.zeros((2, 64), np.uint8))
    best = tmp_path / "run" / "checkpoints" / "best.safetensors"
    best.write_bytes(best.read_bytes()[:-1])
    done = dslc(*words)
    (line,) = [line for line in done.err.splitlines() if line.startswith("note: ")]
    assert line.startswith("note: checkpoints/best.safetensors") and line.endswith("the other checkpoint is taken")
    assert done.code == (2 if words[0] == "sample" else 0)  # the outputs of this network are no pictures


def test_an_option_of_an_export_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="export option: 'opset' is needed, not 'opste'"):
        load("softmax").export_step(tmp_path / "m.onnx", opste=17)


def test_a_picture_of_one_value_is_black(dslc: Command, tmp_path: Path) -> None:
    value = "reshape(dense(image, 64) * 0, [batch, 1, 8, 8])"
    spec = f"dslc 1\n\nnetwork Flat {{\n  input image: [batch, 64]\n  output y = {value}\n}}\n"
    spec += (
        '\ntrain {\n  data = dataset("digits")\n  net = Flat(data.image / 16)\n  loss: mean(net.y)\n  optimizer: sgd(0.1)\n  steps: 1\n}\n'
    )
    (tmp_path / "flat.nn").write_text(spec)
    assert dslc("train", "flat.nn", "--out", "run", "--quiet").code == 0
    done = dslc("sample", "run", "--from", "test", "--count", "2", "--out", "a.png")
    assert (done.code, done.out) == (0, "a.png: 2 pictures of `y`, 1×8×8, black 0, white 1\n")


def test_a_picture_is_not_written_through_a_link(dslc: Command, tmp_path: Path) -> None:
    (tmp_path / "real.svg").write_text("mine")
    (tmp_path / "link.svg").symlink_to("real.svg")
    done = dslc("show", "lenet", "--graph", "link.svg")
    assert (done.code, "it is a link, which is not written through" in done.err) == (3, True)
    assert (tmp_path / "real.svg").read_text() == "mine"
