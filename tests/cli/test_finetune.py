"""Fine-tuning from the command line: a run of LeNet, then trainings that start from it, each with its table of weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dslc.cli.main import main
from runtime.data.idx import read_idx
from runtime.train.checkpoint import load_checkpoint
from tests.cli.conftest import SLICE, Command

ROOT = Path(__file__).parents[2]
GARMENTS = {"pullover": 2, "coat": 4, "shirt": 6, "bag": 8, "boot": 9}
RESHAPED = """dslc 1

network Net {
  input image: [batch, 1, 28, 28]
  weight w: [50, 4, 4, 500] = xavier
  weight b: [500] = zeros
  features = image -> conv(20, kernel=5) as low -> max_pool(2) -> conv(50, kernel=5) as high -> max_pool(2) -> flatten
  output logits = features @ reshape(w, [800, 500]) + b -> relu -> dense(5)
}

train {
  data = images("bags/", size=28, channels=1)
  net  = Net(data.image / 255)

  start: checkpoint("runs/lenet/0007", rename=["LeNet.conv0.*", "Net.low.*", "LeNet.conv1.*", "Net.high.*", "LeNet.dense0.*", "Net.*"],
    skip=["LeNet.dense1.*", "Net.dense0"], reshape=RESHAPE)
  rule "low"  { frozen: true }
  rule "high" { frozen: true }
  rule "w"    { frozen: true }
  loss:      cross_entropy(net.logits, data.label)
  optimizer: sgd(0.01)
}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of LeNet of three steps, and pictures of five kinds of garment."""
    folder = tmp_path_factory.mktemp("finetune")
    for spec in (ROOT / "specs" / "lenet.nn", ROOT / "tests" / "targets" / "finetune.nn"):
        (folder / spec.name).write_text(spec.read_text(encoding="utf-8"), encoding="utf-8")
    out = folder / "runs" / "lenet" / "0007"
    assert main(["train", str(folder / "lenet.nn"), "--max-steps", "3", "--quiet", "--out", str(out)]) == 0
    pixels = read_idx(SLICE / "fashion-mnist" / "test-images.idx.gz", "images")
    labels = read_idx(SLICE / "fashion-mnist" / "test-labels.idx.gz", "labels")
    for name, label in GARMENTS.items():
        (folder / "bags" / name).mkdir(parents=True)
        for number, picture in enumerate(pixels[labels == label][:8]):
            (folder / "bags" / name / f"{number}.pgm").write_bytes(b"P5\n28 28\n255\n" + picture.tobytes())
    return folder


def weights(run: Path) -> dict[str, np.ndarray]:
    return load_checkpoint(run / "checkpoints" / "last.safetensors", "last").parameters


def table(err: str) -> list[str]:
    """The lines of the table, blanks made one."""
    return [" ".join(line.removeprefix("note:").split()) for line in err.splitlines() if line.startswith("note:")]


def test_the_target_starts_from_a_run(dslc: Command, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    done = dslc("train", "finetune.nn", "--epochs", "1", "--out", "runs/finetune/0001")
    assert done.code == 0, done.err
    assert table(done.err)[1:] == [
        "start from runs/lenet/0007/last.safetensors: 6 matched, 2 new, 2 unused",
        "new LeNet.dense1.w f32[500, 5], xavier",
        "new LeNet.dense1.b f32[5], zeros",
        "unused LeNet.dense1.b",
        "unused LeNet.dense1.w",
    ]
    recorded = json.loads((place / "runs" / "finetune" / "0001" / "start.json").read_text())
    assert [row["kind"] for row in recorded["rows"]] == ["matched"] * 6 + ["new"] * 2 + ["unused"] * 2
    before, after = weights(place / "runs" / "lenet" / "0007"), weights(place / "runs" / "finetune" / "0001")
    for name in ("LeNet.conv0.w", "LeNet.conv1.b"):  # frozen
        np.testing.assert_array_equal(after[name], before[name])
    moved = np.abs(after["LeNet.dense0.w"] - before["LeNet.dense0.w"]).max()
    assert 0 < moved < 1e-3  # a tenth of the rate, and 2 steps
    assert after["LeNet.dense1.w"].shape == (500, 5)


def test_weights_are_renamed_and_reshaped(dslc: Command, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    Path("reshaped.nn").write_text(RESHAPED.replace("RESHAPE)", "true)"), encoding="utf-8")
    done = dslc("train", "reshaped.nn", "--epochs", "1", "--out", "runs/reshaped/0001")
    assert done.code == 0, done.err
    lines = table(done.err)[1:]
    assert lines[0] == "start from runs/lenet/0007/last.safetensors: 1 reshaped, 5 renamed, 2 new, 2 unused"
    assert {
        "reshaped Net.w <- LeNet.dense0.w [800, 500] to [50, 4, 4, 500]",
        "renamed Net.b <- LeNet.dense0.b",
        "renamed Net.low.w <- LeNet.conv0.w",
        "renamed Net.high.b <- LeNet.conv1.b",
        "new Net.dense0.w f32[500, 5], xavier",
        "unused LeNet.dense1.w",
    } <= set(lines)
    before, after = weights(place / "runs" / "lenet" / "0007"), weights(place / "runs" / "reshaped" / "0001")
    np.testing.assert_array_equal(after["Net.w"], before["LeNet.dense0.w"].reshape(50, 4, 4, 500))
    np.testing.assert_array_equal(after["Net.low.w"], before["LeNet.conv0.w"])


def test_another_shape_is_refused(dslc: Command, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    Path("refused.nn").write_text(RESHAPED.replace("RESHAPE)", "false)"), encoding="utf-8")
    done = dslc("train", "refused.nn", "--out", "runs/refused/0001")
    assert done.code == 3 and not Path("runs/refused/0001").exists()
    assert "error[start-mismatch]: runs/lenet/0007/last.safetensors: " in done.err
    assert "Net.w: another shape [800, 500], [50, 4, 4, 500] is needed; with reshape=true it is taken" in done.err


def test_the_start_can_be_given_from_outside(dslc: Command, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--set train.start=…`: another skip, and none at all."""
    monkeypatch.chdir(place)
    given = 'train.start=checkpoint("runs/lenet/0007", skip=["dense0.*", "dense1.*"])'
    done = dslc("train", "finetune.nn", "--epochs", "1", "--out", "runs/finetune/0002", "--set", given)
    assert done.code == 0 and "4 matched, 4 new, 4 unused" in done.err
    done = dslc("train", "finetune.nn", "--epochs", "1", "--out", "runs/finetune/0003", "--set", "train.start=none")
    assert done.code == 0 and "start from" not in done.err and not Path("runs/finetune/0003/start.json").exists()
