"""A run that is interrupted anywhere, by anything, and resumed has the bytes of one that was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dslc.diagnostics import DataError
from runtime.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from runtime.train.inputs import Inputs, Order
from runtime.train.progress import Progress
from tests.train.example import PER_EPOCH, STEPS, contents, run, write_example


class Notes(Progress):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """The spec, and the bytes of a run without interruption."""
    folder = tmp_path_factory.mktemp("straight")
    spec = write_example(folder)
    result = run(spec, out=folder / "run")
    assert result.finished and result.exit_code == 0 and result.steps == STEPS
    return spec, contents(folder / "run")


@pytest.mark.parametrize("stops", [(0,), (1,), (2,), (3,), (5,), (8,), (1, 2, 3, 4, 5, 6, 7, 8), (9,)])
def test_paused_and_resumed_is_the_same_run(tmp_path: Path, straight: tuple[Path, dict[str, bytes]], stops: tuple[int, ...]) -> None:
    spec, wanted = straight
    for number, stop in enumerate(stops):
        result = run(spec, max_steps=stop, **({"resume": tmp_path / "run"} if number else {"out": tmp_path / "run"}))
        assert result.steps == stop and result.finished == (stop == STEPS)
    run(spec, resume=tmp_path / "run")
    assert contents(tmp_path / "run") == wanted


@pytest.mark.parametrize("optimizer", ["sgd(lr)", "sgd(lr, momentum=0.9, weight_decay=1e-3)", "adam(lr, weight_decay=1e-3)"])
def test_every_optimizer_resumes(tmp_path: Path, optimizer: str) -> None:
    spec = write_example(tmp_path, optimizer)
    run(spec, out=tmp_path / "a", seed=7)
    run(spec, out=tmp_path / "b", seed=7, max_steps=4)
    run(spec, resume=tmp_path / "b")  # the seed is the run's own
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


PAIRS = """dslc 1

network Embed {
  input image: [batch, 1, 28, 28]
  output code = image -> avg_pool(4) -> flatten -> dense(4)
}

train {
  data = pairs(dataset("fashion-mnist"))
  a    = Embed(data.left / 255).code
  b    = Embed(data.right / 255).code

  loss:       contrastive(a, b, data.same)
  optimizer:  sgd(0.1)
  batch_size: 4500
  epochs:     3
}
"""


def test_pairs_of_each_epoch_are_drawn_again_after_a_pause(tmp_path: Path) -> None:
    """Stops within an epoch and between two; the third epoch's pairs are not those of the first."""
    path = tmp_path / "pairs.nn"
    path.write_text(PAIRS)
    slice = Path(__file__).parents[2] / "runtime" / "data" / "shipped"
    whole = run(path, out=tmp_path / "a", data_dir=slice)
    for number, stop in enumerate((1, whole.steps // 3, whole.steps - 1)):
        run(path, max_steps=stop, data_dir=slice, **({"resume": tmp_path / "b"} if number else {"out": tmp_path / "b"}))
    run(path, resume=tmp_path / "b", data_dir=slice)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_training_sees_the_pairs_of_its_epoch_and_evaluation_those_of_the_first() -> None:
    drawn = Inputs({"train": {"d.right": np.zeros(6), "e.x": np.arange(6)}, "test": {"d.right": np.ones(2)}}, frozenset(), (), "", (fresh,))
    order = Order(drawn, 4, seed=0)
    seen = [set(order.take(order.batch(step))["d.right"]) for step in range(6)]
    assert seen == [{0}, {0}, {10}, {10}, {20}, {20}]
    assert drawn.take("test", slice(0, 2))["d.right"].tolist() == [1, 1] and drawn.take("train", slice(0, 1))["d.right"] == 0


def fresh(epoch: int) -> dict[str, np.ndarray]:
    return {"d.right": np.full(6, 10 * epoch)}


def test_other_seed_is_another_run(tmp_path: Path, straight: tuple[Path, dict[str, bytes]]) -> None:
    run(straight[0], out=tmp_path / "run", seed=1)
    assert contents(tmp_path / "run")["checkpoints/last.safetensors"] != straight[1]["checkpoints/last.safetensors"]


# -- what is refused, and what is survived


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "run", max_steps=2)
    with pytest.raises(DataError) as caught:
        run(spec, resume=tmp_path / "run", settings={"train__epochs": 5, "lr": 0.5})
    assert "the spec is not the one of this run: epochs is 5, the run has 3; lr is 0.5, the run has 0.05" in str(caught.value)


def test_other_data_is_refused(tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "run", max_steps=2)
    write_example(tmp_path, seed=1)
    with pytest.raises(DataError, match="the data is not the one of this run"):
        run(spec, resume=tmp_path / "run")


def test_comments_and_layout_may_change(tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "straight")
    run(spec, out=tmp_path / "run", max_steps=2)
    spec.write_text("# a comment\n" + spec.read_text().replace("  metric: ", "\n  metric:"))
    run(spec, resume=tmp_path / "run")
    assert contents(tmp_path / "run") == contents(tmp_path / "straight")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-9] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [flip, Path.unlink, lambda path: os.truncate(path, 100)])
def test_damaged_last_falls_back_to_best_and_says_so(
    tmp_path: Path, straight: tuple[Path, dict[str, bytes]], damage: Callable[[Path], None]
) -> None:
    run(straight[0], out=tmp_path / "run", max_steps=7)
    damage(tmp_path / "run" / "checkpoints" / "last.safetensors")
    notes = Notes()
    run(straight[0], resume=tmp_path / "run", progress=notes)
    assert any("continues from `best`, step 6" in text for text in notes.texts)
    assert damage is Path.unlink or any("last.safetensors: " in text and "the other checkpoint is taken" in text for text in notes.texts)
    assert contents(tmp_path / "run") == straight[1]


def test_without_any_sound_checkpoint_both_are_named(tmp_path: Path, straight: tuple[Path, dict[str, bytes]]) -> None:
    run(straight[0], out=tmp_path / "run", max_steps=4)
    for name in ("last", "best"):
        flip(tmp_path / "run" / "checkpoints" / f"{name}.safetensors")
    with pytest.raises(DataError, match=r"no checkpoint can be read: checkpoints/last.safetensors: .*checkpoints/best.safetensors: "):
        run(straight[0], resume=tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.meta.update(turn=1), "it says turn 1 of 1 in a round"),
        (lambda state: state.parameters.pop("Net.dense0.w"), "it lacks `Net.dense0.w`"),
        (lambda state: state.parameters.update(more=np.zeros(1)), "the spec has no `more`"),
    ],
)
def test_a_sound_checkpoint_of_another_training_is_refused(tmp_path: Path, change: Callable[[Checkpoint], object], words: str) -> None:
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "run", max_steps=2)
    folder = tmp_path / "run" / "checkpoints"
    state = load_checkpoint(folder / "last.safetensors", "last")
    change(state)
    save_checkpoint(folder, "last", state)
    with pytest.raises(DataError, match=words):
        run(spec, resume=tmp_path / "run")


# -- processes


def child(spec: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.train.child", str(spec), str(out), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def wait_for(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    for found in process.stdout:
        if found.strip() == line:
            return
    raise AssertionError(f"the child ended without saying {line!r}: {process.communicate()[1]}")


def test_kill_9_at_any_moment(tmp_path: Path, straight: tuple[Path, dict[str, bytes]]) -> None:
    """Between steps, and at random system calls of saving; each time the next trainer goes on from what is there."""
    chance = random.Random(0)
    out = tmp_path / "run"
    moments = [("--delay", "0.05"), ("--die-at", str(chance.randrange(14, 37))), ("--die-at", str(chance.randrange(2, 13)))]
    for number, options in enumerate(moments):
        process = child(straight[0], out, *options, *(["--resume"] if number else []))
        if options[0] == "--delay":
            wait_for(process, f"step {PER_EPOCH + 1}")
            process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert load_checkpoint(out / "checkpoints" / "last.safetensors", "last").meta["step"] >= 0
    notes = Notes()
    run(straight[0], resume=out, progress=notes)
    assert any("the lock of a trainer that is gone was taken over" in text for text in notes.texts)
    assert contents(out) == straight[1]
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == ["best.safetensors", "last.safetensors"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_finishes_the_step_and_saves(tmp_path: Path, straight: tuple[Path, dict[str, bytes]], number: int, code: int) -> None:
    process = child(straight[0], tmp_path / "run", "--delay", "0.2")
    wait_for(process, "step 4")
    process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode == code and out == "" and err == ""
    state = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.safetensors", "last")
    assert state.meta["step"] == 4 and not (tmp_path / "run" / "lock").exists()
    run(straight[0], resume=tmp_path / "run")
    assert contents(tmp_path / "run") == straight[1]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_second_signal_stops_at_once(tmp_path: Path, straight: tuple[Path, dict[str, bytes]], number: int, code: int) -> None:
    process = child(straight[0], tmp_path / "run", "--hang")
    wait_for(process, "step 1")
    process.send_signal(number)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == code
    assert load_checkpoint(tmp_path / "run" / "checkpoints" / "last.safetensors", "last").meta["step"] == 0


def test_two_trainers_on_one_folder(tmp_path: Path, straight: tuple[Path, dict[str, bytes]]) -> None:
    process = child(straight[0], tmp_path / "run", "--hang")
    wait_for(process, "step 1")
    with pytest.raises(DataError, match=f"the process {process.pid} is training in this folder"):
        run(straight[0], resume=tmp_path / "run")
    process.kill()
    process.communicate()


def test_parameters_are_finite_and_have_moved(tmp_path: Path, straight: tuple[Path, dict[str, bytes]]) -> None:
    first = run(straight[0], out=tmp_path / "a", max_steps=0)
    before = load_checkpoint(first.folder / "checkpoints" / "last.safetensors", "last").parameters
    run(straight[0], resume=tmp_path / "a")
    after = load_checkpoint(first.folder / "checkpoints" / "last.safetensors", "last").parameters
    assert all(np.isfinite(array).all() and not np.array_equal(array, before[name]) for name, array in after.items())
