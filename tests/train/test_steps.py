"""Trainings of several steps, rules, accumulation, averages and starts, through the loop and its checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dslc.diagnostics import DataError
from dslc.loading import load_program
from runtime.step import Step, compile_step
from runtime.train import loop
from runtime.train.checkpoint import Checkpoint, encode, load_checkpoint
from runtime.train.loop import RunResult, train
from runtime.train.run import open_run

GAN = """dslc 1

network Generator {
  input z: [batch, 4]
  output point = z -> dense(16) -> batch_norm -> relu -> dense(2)
}

network Critic {
  input point: [batch, 2]
  output score = point -> dense(16) -> leaky_relu(0.2) -> dense(1)
}

train {
  data = npz("ring.npz", split=[0.8, 0.2, 0])
  fake = Generator(normal(shape=[batch, 4])).point

  step critic {
    trains: Critic
    times: 2
    loss real: binary_cross_entropy(Critic(data.x).score, 1)
    loss fake: binary_cross_entropy(Critic(fake).score, 0)
    optimizer: adam(1e-2, beta1=0.5)
    clip: norm(1)
  }
  step generator {
    trains: Generator
    loss: binary_cross_entropy(Critic(fake).score, 1)
    optimizer: sgd(1e-2, momentum=0.9)
    schedule: cosine()
  }
  batch_size: 16
  epochs: 4
EXTRA
}
"""
PLAIN = """dslc 1

network Net {
  input x: [batch, 2]
  output y = x -> dense(8) -> tanh -> dropout(0.2) -> dense(2)
}

train {
  data = npz("ring.npz", split=[0.8, 0.2, 0])
  net = Net(data.x)
  loss: mean((net.y - data.x) ^ 2)
  optimizer: sgd(0.1, momentum=0.5, weight_decay=0.01)
  epochs: 3
EXTRA
}
"""


def write(folder: Path, text: str, *extra: str, name: str = "spec.nn") -> Path:
    """A spec with further settings beside a mixture of Gaussians on a ring, 100 points."""
    numbers = np.random.default_rng(0)
    angle = np.arange(100) % 8 * np.pi / 4
    points = 2 * np.stack([np.cos(angle), np.sin(angle)], 1) + 0.1 * numbers.normal(size=(100, 2))
    np.savez(folder / "ring.npz", x=points.astype(np.float32))
    (folder / name).write_text(text.replace("EXTRA", "\n".join(extra)))
    return folder / name


def run(spec: Path, **options: object) -> RunResult:
    return train(load_program(spec)[0], spec_path=spec, threads=1, **options)  # type: ignore[arg-type]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        name: (folder / name).read_bytes() for name in ("checkpoints/last.safetensors", "checkpoints/best.safetensors", "metrics.jsonl")
    }


@pytest.mark.parametrize("extra", [(), ("ema: 0.9",), ("accumulate: 2", "ema: 0.8", "schedule: plateau(factor=0.5, patience=1)")])
def test_rounds_resume_bit_for_bit(tmp_path: Path, extra: tuple[str, ...]) -> None:
    spec = write(tmp_path, GAN, *extra)
    straight = run(spec, out=tmp_path / "a")
    assert straight.finished
    for number, stop in enumerate((1, 3, 4)):
        run(spec, max_steps=stop, **({"resume": tmp_path / "b"} if number else {"out": tmp_path / "b"}))
    run(spec, resume=tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_rounds_draw_batches_without_a_gap_and_log_each_step(tmp_path: Path) -> None:
    result = run(write(tmp_path, GAN), out=tmp_path / "run")
    assert result.steps == 7  # 4 epochs of 5 batches, 3 to a round
    epochs = [row for row in result.history if row["kind"] == "epoch"]
    assert [row["step"] for row in epochs] == [2, 4, 5, 7]
    names = {"loss", "loss.critic", "loss.critic.real", "loss.critic.fake", "loss.generator"}
    assert set(epochs[0]["train_losses"]) == names
    assert {"loss", "loss.generator"} <= set(epochs[0]["metrics"])
    state = load_checkpoint(tmp_path / "run/checkpoints/last.safetensors", "last")
    assert state.slots["critic/steps"] == 14 and state.slots["generator/steps"] == 7
    assert {"critic/mean:Critic.dense0.w", "generator/velocity:Generator.dense0.w"} <= set(state.slots)
    assert "critic/mean:Generator.dense0.w" not in state.slots


def test_lines_of_steps_have_the_rate_and_gradient_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 3)
    result = run(write(tmp_path, GAN), out=tmp_path / "run")
    lines = [row for row in result.history if row["kind"] == "step"]
    assert [row["step"] for row in lines] == [3, 6]
    names = {f"{what}.{step}" for what in ("loss", "rate", "grad_norm") for step in ("critic", "generator")}
    assert all(names <= set(row) and row["grad_norm.critic"] > 0 for row in lines)


def test_a_step_moves_its_own_weights_and_states_alone(tmp_path: Path) -> None:
    step = compile_step(load_program(write(tmp_path, GAN))[0], threads=1)
    points = np.load(tmp_path / "ring.npz")["x"][:16]
    for name, owner in (("critic", "Critic."), ("generator", "Generator.")):
        before = step.parameters()
        step.steps[name].train(x=points)
        moved = {key for key, value in step.parameters().items() if not np.array_equal(value, before[key])}
        assert moved and all(key.startswith(owner) for key in moved), (name, moved)


def settled(folder: Path, *extra: str) -> Step:
    step = compile_step(load_program(write(folder, PLAIN, *extra))[0], threads=1)
    step.train(x=np.load(folder / "ring.npz")["x"][:16])
    return step


def test_rules_freeze_scale_decay_initialise_and_constrain(tmp_path: Path) -> None:
    rules = (
        'rule "dense0" {\n frozen: true\n }',
        'rule "dense1.w" { rate: 0.5 }',
        'rule "**.b" { init: 0.5 }',
        'rule "dense1.b" {\n weight_decay: 0\n constraint: max_norm(0.01)\n }',
    )
    start = compile_step(load_program(write(tmp_path, PLAIN))[0], threads=1).parameters()
    plain = settled(tmp_path).parameters()
    step = settled(tmp_path, 'rule "dense0" {\n frozen: true\n }', 'rule "dense1.w" { rate: 0.5 }')
    found = step.parameters()
    np.testing.assert_array_equal(found["Net.dense0.w"], start["Net.dense0.w"])
    moved, whole = found["Net.dense1.w"] - start["Net.dense1.w"], plain["Net.dense1.w"] - start["Net.dense1.w"]
    np.testing.assert_allclose(moved * 2, whole, rtol=1e-3, atol=1e-7)
    last = settled(tmp_path, *rules).parameters()
    assert (last["Net.dense0.b"] == 0.5).all()
    assert np.linalg.norm(last["Net.dense1.b"]) <= 0.01 * (1 + 1e-6)


@pytest.mark.parametrize("draws", [True, False])
def test_accumulated_batches_are_the_whole_batch(tmp_path: Path, draws: bool) -> None:
    text = PLAIN if draws else PLAIN.replace(" -> dropout(0.2)", "")
    whole = run(write(tmp_path, text, "batch_size: 32", name="whole.nn"), out=tmp_path / "whole")
    parts = run(write(tmp_path, text, "batch_size: 8", "accumulate: 4", name="parts.nn"), out=tmp_path / "parts")
    assert whole.steps == parts.steps == 9
    left, right = (open_run(tmp_path / name, "last").parameters for name in ("whole", "parts"))
    for name, value in left.items():
        np.testing.assert_allclose(value, right[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_checkpoints_hold_the_averages_and_the_weights(tmp_path: Path) -> None:
    plain, averaged = (
        run(write(tmp_path, PLAIN, *extra, name=name), out=tmp_path / name[:-3]) for extra, name in (((), "p.nn"), (("ema: 0.9",), "a.nn"))
    )
    last = load_checkpoint(averaged.folder / "checkpoints/last.safetensors", "last")
    weights = load_checkpoint(plain.folder / "checkpoints/last.safetensors", "last").parameters
    for name, value in weights.items():
        np.testing.assert_array_equal(last.slots[f"raw:{name}"], value)
        assert not np.array_equal(last.parameters[name], value)
    assert averaged.metrics["validation"] != plain.metrics["validation"]


@pytest.mark.parametrize("updates", [0, 3])
def test_a_checkpoint_shows_what_evaluation_sees(tmp_path: Path, updates: int) -> None:
    step = compile_step(load_program(write(tmp_path, GAN, "ema: 0.9"))[0], threads=1)
    step.load({name: array + 1 for name, array in step.parameters().items()})
    for number in range(updates):
        step.train(x=np.full((16, 2), number, np.float32))
    weights = step.parameters()
    with step.averaged():
        wanted = step.parameters()
    parameters, slots = step.shown()
    for name, array in wanted.items():
        np.testing.assert_array_equal(parameters[name], array)
    for half in step.steps.values():
        for name in half.trained:
            np.testing.assert_array_equal(slots[f"raw:{name}"], weights[name])
    assert all(np.array_equal(parameters[name], array) for name, array in weights.items()) == (updates == 0)


def test_a_state_that_is_best_and_last_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(checkpoint: Checkpoint) -> bytearray:
        made.append(checkpoint.meta["step"])
        return encode(checkpoint)

    monkeypatch.setattr(loop, "encode", counted)
    done = run(write(tmp_path, PLAIN), out=tmp_path / "run", max_steps=3)  # one epoch
    best, last = (load_checkpoint(done.folder / f"checkpoints/{name}.safetensors", name) for name in ("best", "last"))
    assert done.steps == last.meta["step"] == best.meta["step"] and made.count(done.steps) == 1
    assert contents(done.folder)["checkpoints/best.safetensors"] == contents(done.folder)["checkpoints/last.safetensors"]


# -- starts


def test_a_start_has_a_table_and_moves_what_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(write(tmp_path, PLAIN), out=Path("runs/first"))
    wide = PLAIN.replace("dense(2)", "dense(3)[:, 0:2]").replace("network Net", "network Wide").replace("Net(", "Wide(")
    start = 'start: checkpoint("runs/first", skip="dense1.*", rename=["Net.dense0.*", "Wide.dense0.*"], which="last")'
    spec = write(tmp_path, wide.replace("dense(3)[:, 0:2]", "dense(2) -> multiply(1)"), start, name="second.nn")
    result = run(spec, out=Path("runs/second"), max_steps=0)
    table = json.loads((result.folder / "start.json").read_text())
    kinds = {row["address"] or row["source"]: row["kind"] for row in table["rows"]}
    assert kinds == {
        "Wide.dense0.w": "renamed", "Wide.dense0.b": "renamed", "Wide.dense1.w": "new", "Wide.dense1.b": "new",
        "Net.dense1.w": "unused", "Net.dense1.b": "unused",
    }  # fmt: skip
    first = load_checkpoint(tmp_path / "runs/first/checkpoints/last.safetensors", "x").parameters
    second = load_checkpoint(tmp_path / "runs/second/checkpoints/last.safetensors", "x").parameters
    np.testing.assert_array_equal(first["Net.dense0.w"], second["Wide.dense0.w"])
    assert not np.array_equal(first["Net.dense1.w"], second["Wide.dense1.w"])


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ('checkpoint("runs/first")', "Net.dense0.w: another shape"),
        ('checkpoint("runs/first", skip=["dense*", "conv*"])', "skip `conv\\*` matches nothing"),
        ('checkpoint("runs/first", skip="dense*", rename=["A.*", "B.*"])', "rename `A.\\*` matches nothing"),
        ('checkpoint("runs/none")', "there is no run"),
        ('checkpoint("../first")', "a relative path without"),
        ('checkpoint("/etc/passwd")', "a relative path without"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    run(write(tmp_path, PLAIN), out=Path("runs/first"), max_steps=1)
    spec = write(tmp_path, PLAIN.replace("dense(8)", "dense(9)"), f"start: {start}", name="second.nn")
    with pytest.raises(DataError, match=words):
        run(spec, out=Path("runs/second"))
    assert not Path("runs/second").exists()
