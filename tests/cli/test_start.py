"""`start: checkpoint(…)` with files of weights that fit and that do not: what the table says, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from runtime.train.checkpoint import load_checkpoint
from tests.cli.conftest import Command

SPEC = """dslc 1

network N {{
  input x: [batch, 2]
  output y = x -> dense(1)
}}

train {{
  data = csv("d.csv", inputs=["a", "b"], target="y", split=[1, 0, 0])
  net  = N(data.input)
  start: checkpoint("w.safetensors"{more})
  loss: mse(net.y, data.target[:, _])
  optimizer: sgd(0.0)
  steps: 1
}}
"""
W, B = np.array([[1.0], [2.0]], np.float32), np.array([3.0], np.float32)
GOOD = {"N.dense0.w": W, "N.dense0.b": B}
Tensors = dict[str, np.ndarray]


def started(dslc: Command, folder: Path, tensors: Tensors, more: str) -> tuple[int, str]:
    (folder / "n.nn").write_text(SPEC.format(more=more))
    (folder / "d.csv").write_text("a,b,y\n" + "3,4,1\n" * 8)
    save_file(tensors, folder / "w.safetensors")
    done = dslc("train", "n.nn", "--out", "run")
    return done.code, re.sub(" +", " ", done.err)


TAKEN: dict[str, tuple[Tensors, str, str]] = {
    "as they are": (GOOD, "", "start from w.safetensors: 2 matched"),
    "of another precision": ({"N.dense0.w": W.astype(np.float64), "N.dense0.b": B.astype(np.float16)}, "", "2 matched"),
    "renamed": ({"old.w": W, "old.b": B}, ', rename=["old.*", "N.dense0.*"]', "renamed N.dense0.w <- old.w"),
    "reshaped": (GOOD | {"N.dense0.w": W.reshape(2)}, ", reshape=true", "reshaped N.dense0.w <- N.dense0.w [2] to [2, 1]"),
    "with others that are skipped": (GOOD | {"head.w": W}, ', skip="head.*"', "unused head.w"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_taken(name: str, dslc: Command, tmp_path: Path) -> None:
    """The learning rate is 0: the weights at the end are those of the file."""
    tensors, more, line = TAKEN[name]
    code, said = started(dslc, tmp_path, tensors, more)
    assert (code, line in said) == (0, True), said
    found = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.safetensors", "last").parameters
    np.testing.assert_array_equal(found["N.dense0.w"], W)
    np.testing.assert_array_equal(found["N.dense0.b"], B)


REFUSED: dict[str, tuple[Tensors, str, str]] = {
    "one is missing": ({"N.dense0.w": W}, "", "N.dense0.b: missing (f32[1]) is not in the file"),
    "one too many": (GOOD | {"head.w": W}, "", "head.w: unknown is in the file, not in the training"),
    "another shape": (GOOD | {"N.dense0.w": W.reshape(2)}, "", "[2], [2, 1] is needed; with reshape=true it is taken"),
    "another size": (GOOD | {"N.dense0.w": np.ones((3, 1), np.float32)}, ", reshape=true", "another shape [3, 1], [2, 1] is needed"),
    "whole numbers": (GOOD | {"N.dense0.b": np.ones(1, np.int32)}, "", "N.dense0.b: another type int32, f32[1] is needed"),
    "NaN": (GOOD | {"N.dense0.b": np.full(1, np.nan, np.float32)}, "", "N.dense0.b: another type it holds values that are not finite"),
    "half a pair": (GOOD, ', rename=["old.*"]', "rename needs pairs of patterns: [from, to, …]"),
    "a rule for nothing": (GOOD, ', rename=["old.*", "N.dense0.*"]', "rename `old.*` matches nothing in the file"),
    "two of one name": (GOOD | {"old.w": W}, ', rename=["old.*", "N.dense0.*"]', "`N.dense0.w` and `old.w` both become `N.dense0.w`"),
    "a pattern for nothing": (GOOD, ', skip="head.*"', "skip `head.*` matches nothing"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, dslc: Command, tmp_path: Path) -> None:
    tensors, more, message = REFUSED[name]
    code, said = started(dslc, tmp_path, tensors, more)
    assert (code, message in said) == (3, True), said


def test_places_that_hold_no_weights(dslc: Command, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b,y\n" + "3,4,1\n" * 8)
    outside = tmp_path.parent / f"{tmp_path.name}.safetensors"
    save_file(GOOD, outside)
    found = {}
    for name, make in {
        "is not there": lambda path: None,
        "is a pickle": lambda path: path.write_bytes(b"\x80\x04\x95"),
        "leads out": lambda path: path.symlink_to(outside),
    }.items():
        (tmp_path / "w.safetensors").unlink(missing_ok=True)
        (tmp_path / "w.pt").unlink(missing_ok=True)
        path = tmp_path / ("w.pt" if name == "is a pickle" else "w.safetensors")
        make(path)
        (tmp_path / "n.nn").write_text(SPEC.format(more="").replace("w.safetensors", path.name))
        done = dslc("train", "n.nn", "--out", "run")
        assert done.code == 3
        found[name] = done.err
    outside.unlink()
    assert "there is no run and no .safetensors file of this name" in found["is not there"]
    assert "it looks like a pickle; weights are read from a run folder or a .safetensors file" in found["is a pickle"]
    assert "a link on the way leads out of its folder" in found["leads out"]
