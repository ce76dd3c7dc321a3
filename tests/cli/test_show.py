"""`check`, `show`, `config` and `train` on specs with little in them, with open sizes, or without their data."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command

NETWORK = "network N {\n  input x: [batch, 4]\n  output y = x -> dense(3)\n}\n"
TRAIN = 'train {\n  data = npz("gone.npz")\n  net = N(data.x)\n  loss: mean(net.y)\n  optimizer: sgd(0.1)\n  ema: 0.9\n}\n'
SPECS = {
    "blocks": "block f(x: [batch, n]) {\n  return x\n}\n",
    "large": "network N {\n  input x: [batch, 4]\n  weight w: [4, 100000, 10000] = 0\n  output y = x @ reshape(w, [4, 1000000000])\n}\n",
    "scan": "network N {\n  input x: [batch, time, 4]\n  h = scan a in x over time {\n    carry s: [batch, 4] = 0\n"
    "    s = dense(s + a, 4)\n    yield s\n  }\n  output h\n}\n",
    "gone": NETWORK + TRAIN,
    "lists": 'param k: list[int] = [1, 2]\nparam w: string = "a\\"b"\n' + NETWORK.replace("dense(3)", "dense(3) -> f")
    + "block f(x: [batch, n]) {\n  if w == \"a\" {\n    return x\n  }\n  return x * k[0]\n}\n",
    "matrix": NETWORK + 'train {\n  data = dataset("digits")\n  net = N(data.image[:, :4] / 16)\n'
    "  loss: cross_entropy(net.y, data.label % 3)\n"
    "  metric both: mean(net.y[:, :, _] * net.y[:, _, :], axis=0)\n  optimizer: sgd(0.1)\n  epochs: 1\n}\n",
}  # fmt: skip


@pytest.fixture
def specs(tmp_path: Path) -> None:
    for name, text in SPECS.items():
        (tmp_path / f"{name}.nn").write_text(f"dslc 1\n\n{text}")


SPECS["copy"] = (
    "network N {\n  input x: [batch, time, 3]\n  output y = x -> dense(3)\n}\n"
    'train {\n  data = dataset("copy", length=[1, 4], bits=3)\n  net = N(data.input)\n  loss: mse(net.y, data.target)\n'
    "  optimizer: sgd(0.1)\n}\n"
)
SHOWN = {
    "check blocks.nn": "blocks.nn: ok\n",
    "check gan": "specs/gan.nn: ok (Generator 234,177 parameters, Critic 36,513 parameters)\n",
    "check gone.nn": "gone.nn: ok (15 parameters)\n",
    "check gone.nn --strict": "gone.nn: ok (15 parameters)\n",
    "show large.nn": "\nw         weight   [4, 100000, 10000]   4,000,000,000\n",
    "show large.nn ": " 18.6 GiB\n",
    "show scan.nn": "20        16*time  32*time + 32 B\n",
    "show gan": "A training step at batch size 64: ",
    "show copy.nn": "The memory of a training step depends on sizes that are not fixed: time.\n",
    "config gone.nn --set train.steps=5": "train.steps       = 5\n",
    "config gone.nn": "train.ema         = 0.9\n",
    "config lists.nn": 'k  = [1, 2]\nw  = "a\\"b"\n',
}


@pytest.mark.parametrize("words", SHOWN)
def test_shown(words: str, specs: None, dslc: Command) -> None:
    done = dslc(*words.split())
    assert (done.code, SHOWN[words] in done.out) == (0, True), done.out + done.err


SPECS["both"] = SPECS["gone"] + "param k: int = 3\n"
REFUSED = {
    "check both.nn --strict": (2, "the param `k` is never used"),
    "show blocks.nn": (2, "blocks.nn has no `network`"),
    "show blocks.nn --plan": (2, "blocks.nn has no `network`"),
    "show blocks.nn --time-passes": (2, "blocks.nn has no `network`"),
    "show scan.nn --plan": (2, "a plan needs fixed sizes, and these are open: time"),
    "train blocks.nn": (2, "blocks.nn has no `train`"),
    "train gone.nn": (3, "gone.nn: the fields of `data` in `train` are not known, as its file is not there"),
    "train gone.nn --train train": (3, "the fields of `data` in `train` are not known"),
    "train gone.nn --train other": (2, "`other`"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_refused(words: str, specs: None, dslc: Command) -> None:
    code, message = REFUSED[words]
    done = dslc(*words.split())
    assert (done.code, message in done.err) == (code, True), done.err


def test_a_matrix_that_is_no_confusion_is_printed_without_counts(specs: None, dslc: Command) -> None:
    assert dslc("train", "matrix.nn", "--out", "run", "--quiet").code == 0
    lines = dslc("eval", "run").out.splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.startswith("both"))
    assert lines[at] == "both" and lines[at + 1].split() == ["0", "1", "2"] and len(lines[at + 2].split()) == 4
