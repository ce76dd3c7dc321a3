"""The run folder: what is in it, how it is opened, how training ends."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dslc.diagnostics import DataError, DivergedError, SpecError
from dslc.loading import Override, load_program
from dslc.program import value_text
from runtime.train import atomic, loop
from runtime.train.checkpoint import load_checkpoint
from runtime.train.inputs import Inputs, Order
from runtime.train.loop import train
from runtime.train.metrics import MetricsLog, is_better, judged, read_history, smaller_is_better
from runtime.train.resolved import program_hash
from runtime.train.run import data_folder, open_run
from runtime.train.uses import bounds_of
from tests.train.example import program_of, run, write_example

XOR = Path(__file__).parents[2] / "specs" / "xor.nn"


def test_everything_is_there_and_names_no_place(tmp_path: Path) -> None:
    spec = write_example(tmp_path / "work")
    result = run(spec, out=tmp_path / "run")
    files = {str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").rglob("*") if path.is_file()}
    wanted = {"spec.nn", "spec.resolved.nn", "env.json", "metrics.jsonl", "schema/data.npz"}
    assert files == wanted | {"checkpoints/last.safetensors", "checkpoints/best.safetensors"}
    assert (result.folder / "spec.nn").read_bytes() == spec.read_bytes()
    for name in files:
        data = (tmp_path / "run" / name).read_bytes()
        assert str(tmp_path).encode() not in data and str(Path.home()).encode() not in data
    assert json.loads((tmp_path / "run" / "env.json").read_text())["packages"]["numpy"] == np.__version__


def test_numbered_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write_example(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert [str(run(spec, max_steps=0).folder) for _ in range(2)] == ["runs/net/0001", "runs/net/0002"]
    (tmp_path / "runs" / "net" / "0041").mkdir()
    assert str(run(spec, max_steps=0).folder) == "runs/net/0042"


def test_a_folder_that_is_used_is_not_written_over(tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "run", max_steps=0)
    with pytest.raises(DataError, match="is not empty") as caught:
        run(spec, out=tmp_path / "run")
    assert "--resume" in caught.value.diagnostics[0].help
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(DataError, match="is a link"):
        run(spec, out=tmp_path / "link")
    with pytest.raises(DataError, match="is not a run folder"):
        run(spec, resume=tmp_path)


def test_resolved_spec_has_every_value_and_means_the_same(tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    settings: dict[str, object] = {"lr": 0.02, "width": 5, "train__epochs": 2, "train__steps": 3}
    result = run(spec, out=tmp_path / "run", settings=settings)
    text = (result.folder / "spec.resolved.nn").read_text()
    assert "param width: int = 5\n" in text and "param lr: float = 0.02 in 1e-4..1 log\n" in text
    assert "epochs:     2   # 42 samples" in text and "\n  steps: 3\n" in text
    given, again = program_of(spec, **settings), open_run(tmp_path / "run").program
    assert program_hash(again, "train") == program_hash(given, "train") != program_hash(program_of(spec), "train")
    assert result.steps == 3


def test_a_resolved_spec_has_the_words_that_were_set_from_outside(tmp_path: Path) -> None:
    """`lr` is read by the optimizer alone: where another takes its place, it goes."""
    spec = write_example(tmp_path)
    settings: dict[str, object] = {
        "train__optimizer": "sgd(0.1, momentum=0.5)", "train__clip": None, "train__schedule": "step(2, unit=\"step\")",
        "train__accumulate": 2, "train__ema": 0.75, "train__epochs": 1,
    }  # fmt: skip
    result = run(spec, out=tmp_path / "run", settings=settings)
    text = (result.folder / "spec.resolved.nn").read_text()
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert {"optimizer: sgd(0.1, momentum=0.5)", 'schedule: step(2, unit="step")', "accumulate: 2", "ema: 0.75"} <= set(lines)
    assert "clip" not in text and "lr" not in text
    saved = open_run(tmp_path / "run")
    assert program_hash(saved.program, "train") == program_hash(program_of(spec, **settings), "train")
    assert set(saved.state.slots) and result.steps == 2  # 3 batches, 2 for a step


def test_a_resolved_spec_has_an_initialiser_that_was_set_from_outside(tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    text = (
        spec.read_text().replace("param width", "param start: init = he\nparam width").replace("dense(width)", "dense(width, init=start)")
    )
    spec.write_text(text)
    run(spec, out=tmp_path / "run", settings={"start": "normal(std=0.5)", "train__epochs": 1})
    assert "param start: init = normal(mean=0.0, std=0.5)\n" in (tmp_path / "run" / "spec.resolved.nn").read_text()
    assert np.std(open_run(tmp_path / "run").state.parameters["Net.dense0.w"]) > 0.3


def test_a_resolved_spec_has_the_settings_of_its_steps(tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    spec.write_text(
        spec.read_text().replace(
            "  loss:       cross_entropy(net.logits, data.label)\n", "  step a { loss: cross_entropy(net.logits, data.label) }\n"
        )
    )
    settings: dict[str, object] = {"train__a__optimizer": "lion(0.01)", "train__a__times": 2, "train__epochs": 1}
    run(spec, out=tmp_path / "run", settings=settings)
    (step,) = open_run(tmp_path / "run").program.trainings["train"].steps
    assert (step.optimizer.name, step.times) == ("lion", 2)


@pytest.mark.parametrize(
    ("value", "text"), [(1, "1"), (1e-05, "1e-05"), (-2.5, "-2.5"), (True, "true"), ('a"\n', '"a\\"\\n"'), ((1, (2.0,)), "[1, [2.0]]")]
)
def test_values_as_text(value: Any, text: str) -> None:
    assert value_text(value) == text


def test_run_opens_anywhere_with_its_imports(tmp_path: Path) -> None:
    work = tmp_path / "work"
    spec = write_example(work)
    (work / "lib").mkdir()
    (work / "lib" / "blocks.nn").write_text("dslc 1\nblock scaled(x: [batch, n], by: float) {\n  return x * by\n}\n")
    text = spec.read_text().replace("x -> dense(width)", "x -> scaled(2.0) -> dense(width)")
    spec.write_text(text.replace("dslc 1\n", 'dslc 1\n\nimport scaled from "lib/blocks.nn"\n', 1))
    result = run(spec, out=work / "run")
    shutil.move(work / "run", tmp_path / "moved")
    shutil.rmtree(work)
    saved = open_run(tmp_path / "moved")
    assert saved.checkpoint == "best" and saved.training == "train" and saved.notes == ()
    assert saved.history == result.history
    assert saved.parameters.keys() == {
        item.address for item in (*saved.program.networks["Net"].weights, *saved.program.networks["Net"].states)
    }


def test_open_run_falls_back_and_refuses_what_is_no_run(tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "best.safetensors").write_bytes(b"x" * 100)
    saved = open_run(tmp_path / "run")
    assert saved.checkpoint == "last" and "best.safetensors" in saved.notes[0]
    with pytest.raises(DataError, match="is not a run folder"):
        open_run(tmp_path)
    resolved = tmp_path / "run" / "spec.resolved.nn"
    resolved.write_text(resolved.read_text().replace("dropout(0.3)", "dropout(0.2)"))
    with pytest.raises(DataError, match=r"spec.resolved.nn is not the spec that the checkpoint was made with"):
        open_run(tmp_path / "run")


def test_data_of_a_shipped_spec_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = load_program("xor")[0]
    train(program, spec_path=XOR, out=tmp_path / "run", max_steps=1, threads=1)
    monkeypatch.chdir(tmp_path)
    assert (data_folder(open_run(tmp_path / "run")) / "xor.csv").is_file()


# -- how it goes


def test_metrics_are_what_they_say(tmp_path: Path) -> None:
    program = load_program("xor", overrides=[Override("train.epochs", 200, "argument")])[0]
    result = train(program, spec_path=XOR, out=tmp_path / "run", threads=1)
    rows = read_history(result.folder)
    assert result.history == rows and result.metrics["train"]["accuracy"] == 1.0
    assert [row["step"] for row in rows if row["kind"] == "step"] == list(range(50, 201, 50))
    epochs = [row for row in rows if row["kind"] == "epoch"]
    assert [row["epoch"] for row in epochs] == list(range(1, 201)) and {row["split"] for row in epochs} == {"train"}
    assert epochs[-1]["train_loss"] < 0.05 and epochs[-1]["metrics"] == result.metrics["train"]
    best = max(epochs, key=lambda row: row["metrics"]["accuracy"])
    assert load_checkpoint(result.folder / "checkpoints" / "best.safetensors", "best").meta["step"] == best["step"]


def test_divergence_stops_before_the_update(tmp_path: Path) -> None:
    spec = write_example(tmp_path, "sgd(1e36 * lr)")
    spec.write_text(
        spec.read_text().replace("  clip:       norm(1.0)\n", "").replace("cosine(warmup=0.2)", "constant()").replace("-> batch_norm ", "")
    )
    with pytest.raises(DivergedError, match=r"step \d: the (loss|gradient)") as caught:
        run(spec, out=tmp_path / "run")
    assert caught.value.exit_code == 4 and "Net." in str(caught.value) and "net.nn:" in str(caught.value)
    state = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.safetensors", "last")
    assert all(np.isfinite(array).all() for array in state.parameters.values()) and state.meta["step"] >= 1
    assert f"step {state.meta['step'] + 1}: " in str(caught.value)


def test_broken_data_stops_before_a_folder_is_made(tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    np.savez(tmp_path / "data.npz", x=np.ones((60, 6), np.float32), label=np.full(60, 3, np.uint8))
    with pytest.raises(DataError, match=r"`label` of sample 0 \(from 0\) is 3, but there are 3 classes: 0 to 2"):
        run(spec, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_full_disk_is_found_before_the_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write_example(tmp_path)
    monkeypatch.setattr(loop.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 0))  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="the checkpoints need") as caught:
        run(spec, out=tmp_path / "run")
    assert caught.value.exit_code == 3


def test_full_disk_in_the_middle_keeps_the_last_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "run", max_steps=4)
    before = (tmp_path / "run" / "checkpoints" / "last.safetensors").read_bytes()

    class Full:
        def __getattr__(self, name: str) -> Any:
            return self.write if name == "write" else getattr(os, name)

        def write(self, descriptor: int, data: bytes) -> int:
            if len(data) > 3000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return os.write(descriptor, data)

    monkeypatch.setattr(atomic, "os", Full())
    with pytest.raises(DataError, match="No space left on device"):
        run(spec, resume=tmp_path / "run")
    assert (tmp_path / "run" / "checkpoints" / "last.safetensors").read_bytes() == before


def test_what_cannot_be_trained_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "n.nn"
    path.write_text("dslc 1\nnetwork N {\n  input x: [batch, 2]\n  output y = x * 2\n}\n")
    with pytest.raises(SpecError, match="has no `train`"):
        train(load_program(path)[0], spec_path=path, out=tmp_path / "run")


def test_labels_are_bounded_by_the_classes_of_the_network() -> None:
    bounds = bounds_of(load_program("lenet")[0].trainings["train"])
    assert {name: {(bound.low, bound.high) for bound in each} for name, each in bounds.items()} == {"data.label": {(0, 9)}}


def test_order_of_a_step_is_pure() -> None:
    inputs = Inputs({"train": {"data.x": np.arange(10)}}, frozenset(), (), "")
    order = Order(inputs, 4, seed=3)
    rows = [order.batch(step).tolist() for step in range(6)]
    assert [len(batch) for batch in rows] == [4, 4, 2, 4, 4, 2]
    assert sorted(sum(rows[:3], [])) == sorted(sum(rows[3:], [])) == list(range(10)) and rows[:3] != rows[3:]  # noqa: RUF017
    assert Order(inputs, 4, seed=3).batch(4).tolist() == rows[4]


def test_which_metric_chooses_the_best(tmp_path: Path) -> None:
    metrics = "metric confusion: confusion_matrix(net.logits, data.label)\n  metric: perplexity(net.logits, data.label)"
    for text, wanted in (("metric: accuracy(net.logits, data.label)", "accuracy"), (metrics, "perplexity"), ("", "loss")):
        spec = write_example(tmp_path)
        spec.write_text(spec.read_text().replace("metric:     accuracy(net.logits, data.label)", text))
        assert judged(program_of(spec).trainings["train"]) == wanted
    assert [name for name in ("accuracy", "loss", "word_error", "perplexity", "f1", "mse") if smaller_is_better(name)] == [
        "loss",
        "word_error",
        "perplexity",
        "mse",
    ]
    assert is_better("loss", 1.0, None) and is_better("loss", 0.9, 1.0) and not is_better("loss", 1.0, 1.0)
    assert is_better("accuracy", 0.6, 0.5) and not is_better("accuracy", float("nan"), 0.5)
    assert not is_better("loss", float("nan"), None)


def test_numbers_that_are_not_finite_are_null_in_json(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, 0)
    log.add("epoch", 3, metrics={"precision": float("nan"), "loss": float("inf"), "recall": 0.5})
    log.close()
    assert (
        read_history(tmp_path) == log.history == [{"kind": "epoch", "step": 3, "metrics": {"precision": None, "loss": None, "recall": 0.5}}]
    )


def test_history_ends_at_a_torn_line(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"kind": "step", "step": 1}\n{"kind": "step", "step": 2}\n{"kind": "st')
    assert [row["step"] for row in read_history(tmp_path)] == [1, 2]
