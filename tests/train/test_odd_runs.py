"""Run folders with something odd in them, specs whose resolved text needs more than new values, and trainings in threads."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from math import cos, pi
from pathlib import Path

import numpy as np
import pytest

from dslc.diagnostics import DataError, DslcError, SpecError
from dslc.program import Call
from runtime.train import metrics
from runtime.train.atomic import remove_drafts, write_atomic
from runtime.train.checkpoint import encode, load_checkpoint, read_tensors
from runtime.train.lock import NAME
from runtime.train.metrics import MetricsLog, read_history
from runtime.train.run import open_run
from runtime.train.schedules import rate_factor
from tests.train.example import PER_EPOCH, contents, run, write_example

# ---- what lies in the folder


def turned(folder: Path) -> None:
    path = folder / "checkpoints" / "last.safetensors"
    state = load_checkpoint(path, "last")
    path.write_bytes(encode(replace(state, meta={**state.meta, "turn": 5})))


def linked(folder: Path) -> None:
    (folder / "checkpoints").rename(folder / "moved")
    (folder / "checkpoints").symlink_to("moved")


def piped(folder: Path) -> None:
    (folder / NAME).unlink(missing_ok=True)
    os.mkfifo(folder / NAME)


ODD: dict[str, tuple[Callable[[Path], None], str]] = {
    "a turn that no round has": (turned, "it says turn 5 of 1 in a round"),
    "a link for checkpoints": (linked, "is a link"),
    "a pipe for the lock": (piped, "it is not a regular file"),
}


@pytest.mark.parametrize("name", ODD)
def test_a_run_is_not_gone_on_with(name: str, tmp_path: Path) -> None:
    make, message = ODD[name]
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "run", max_steps=PER_EPOCH)
    make(tmp_path / "run")
    with pytest.raises(DataError) as caught:
        run(spec, resume=tmp_path / "run")
    assert message in str(caught.value)


def test_a_link_to_a_run_is_not_gone_on_with(tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "run", max_steps=PER_EPOCH)
    (tmp_path / "link").symlink_to("run")
    with pytest.raises(DataError, match="link"):
        run(spec, resume=tmp_path / "link")
    (tmp_path / "run" / "checkpoints").rename(tmp_path / "run" / "moved")
    (tmp_path / "run" / "checkpoints").symlink_to("moved")
    with pytest.raises(DataError, match="checkpoints is a link; a run has no links in it"):
        open_run(tmp_path / "run")


def test_drafts_of_a_killed_writer_are_removed(tmp_path: Path) -> None:
    for name in (".last.safetensors.tmp", ".best.safetensors.tmp", "last.safetensors", "notes.tmp"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / ".a folder.tmp").mkdir()
    remove_drafts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a folder.tmp", "last.safetensors", "notes.tmp"]


def test_a_disk_that_takes_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomic(tmp_path, "a", b"old")
    log = MetricsLog(tmp_path, [])
    monkeypatch.setattr(os, "write", lambda descriptor, data: 0)
    with pytest.raises(DataError, match="nothing more could be written"):
        write_atomic(tmp_path, "a", b"new")
    with pytest.raises(DataError, match="the line was written in part"):
        log.add("step", 1, loss=1.0)
    log.close()
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize("line", ['{"kind": "step"}\n', "[1, 2]\n", '{"step": "2"}\n', '{"step": 2}', "3\n"])
def test_a_line_that_is_no_record_ends_the_history(line: str, tmp_path: Path) -> None:
    (tmp_path / metrics.NAME).write_text('{"kind": "step", "step": 1}\n' + line)
    assert [row["step"] for row in read_history(tmp_path)] == [1]


def test_truth_values_of_other_programs_are_0_or_1(tmp_path: Path) -> None:
    header = json.dumps({"m": {"dtype": "BOOL", "shape": [2], "data_offsets": [0, 2]}}).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\1")
    assert read_tensors(path, "w")[1]["m"].tolist() == [False, True]
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\2")
    with pytest.raises(DataError, match="`m` has truth values that are neither"):
        read_tensors(path, "w")


HEADERS: dict[str, tuple[str, str]] = {
    "metadata that is no text": ('{"__metadata__": {"a": 1}}', "its metadata is not text"),
    "a name twice": ('{"a": {}, "a": {}}', "`a` stands twice in it"),
    "a hole": ('{"a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}}', "its tensors overlap or have holes between them"),
    "bytes at the end": ('{"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}', "its tensors end at byte"),
    "a size below 0": ('{"a": {"dtype": "U8", "shape": [-1], "data_offsets": [0, 1]}}', "`a` has sizes or offsets that cannot be"),
    "too many axes": ('{"a": {"dtype": "U8", "shape": [1' + ", 1" * 98 + '], "data_offsets": [0, 1]}}', "sizes or offsets"),
    "a truth value for a size": ('{"a": {"dtype": "U8", "shape": [true], "data_offsets": [0, 1]}}', "sizes or offsets that cannot be"),
    "another size": ('{"a": {"dtype": "U8", "shape": [3], "data_offsets": [0, 2]}}', "`a` has 2 bytes, its type and shape need 3"),
    "no shape": ('{"a": {"dtype": "U8", "data_offsets": [0, 2]}}', "`a` has no type, shape and offsets"),
    "another type": ('{"a": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}', "which is not read"),
    "no object": ("[1]", "it has no sound header"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_of_safetensors_that_are_refused(name: str, tmp_path: Path) -> None:
    header, message = HEADERS[name]
    (tmp_path / "w.safetensors").write_bytes(len(header).to_bytes(8, "little") + header.encode() + b"\0\0")
    with pytest.raises(DataError) as caught:
        read_tensors(tmp_path / "w.safetensors", "w")
    assert message in str(caught.value)


# ---- specs


def test_a_param_without_a_value_has_it_in_the_resolved_text(tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    spec.write_text(spec.read_text().replace("param width: int = 8", "param width: int"))
    run(spec, out=tmp_path / "run", max_steps=0, settings={"width": 5})
    assert "param width: int = 5\n" in (tmp_path / "run" / "spec.resolved.nn").read_text()
    assert open_run(tmp_path / "run").state.parameters["Net.dense0.w"].shape == (6, 5)


def test_settings_that_are_none_are_not_in_the_resolved_text(tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "run", max_steps=0, settings={"train__clip": "none", "train__start": "none"})
    text = (tmp_path / "run" / "spec.resolved.nn").read_text()
    assert "clip" not in text and "start" not in text
    assert open_run(tmp_path / "run").program.trainings["train"].clip is None


def test_two_imports_of_one_file_are_one_file_of_the_run(tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.nn").write_text('dslc 1\n\nimport two from "b.nn"\n\nblock one(x: [*s, n]) {\n  return x -> two\n}\n')
    (tmp_path / "parts" / "b.nn").write_text("dslc 1\n\nblock two(x: [*s, n]) {\n  return x * 2\n}\n")
    text = spec.read_text().replace("dslc 1\n", 'dslc 1\n\nimport one from "parts/a.nn"\nimport two from "parts/b.nn"\n', 1)
    spec.write_text(text.replace("x -> dense(width)", "x -> one -> two -> dense(width)"))
    run(spec, out=tmp_path / "run", max_steps=0)
    assert {path.name for path in (tmp_path / "run" / "parts").iterdir()} == {"a.nn", "b.nn"}
    assert open_run(tmp_path / "run").program.networks["Net"].weights


@pytest.mark.parametrize("name", ["checkpoints/a.nn", "schema/a.nn"])
def test_an_import_may_not_stand_where_the_run_writes(name: str, tmp_path: Path) -> None:
    spec = write_example(tmp_path)
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text("dslc 1\n\nblock one(x: [*s, n]) {\n  return x\n}\n")
    text = spec.read_text().replace("dslc 1\n", f'dslc 1\n\nimport one from "{name}"\n', 1)
    spec.write_text(text.replace("x -> dense(width)", "x -> one -> dense(width)"))
    with pytest.raises(DataError, match=f"an imported file is called `{name}`, which the run needs"):
        run(spec, out=tmp_path / "run")


def test_a_training_without_data_is_refused(tmp_path: Path) -> None:
    spec = tmp_path / "n.nn"
    spec.write_text(
        "dslc 1\n\nnetwork N {\n  input z: [batch, 2]\n  output y = z -> dense(1)\n}\n\n"
        "train {\n  net = N(normal(shape=[8, 2]))\n  loss: mean(net.y ^ 2)\n  optimizer: sgd(0.1)\n}\n"
    )
    with pytest.raises(DslcError) as caught:
        run(spec, out=tmp_path / "run")
    assert isinstance(caught.value, SpecError) and "a `train` without data" in str(caught.value)
    assert not (tmp_path / "run").exists()


# ---- how it runs


def test_a_training_in_a_thread_gives_the_same_bytes(tmp_path: Path) -> None:
    """Signals are taken by the main thread alone."""
    spec = write_example(tmp_path)
    run(spec, out=tmp_path / "whole")
    thread = threading.Thread(target=run, args=(spec,), kwargs={"out": tmp_path / "threaded"})
    thread.start()
    thread.join()
    assert contents(tmp_path / "threaded") == contents(tmp_path / "whole")


def test_one_cycle_rises_and_falls_by_half_a_cosine() -> None:
    call = Call(name="one_cycle", args={"rise": 0.3, "start": 0.04, "final": 4e-6, "linear": False, "warmup": 0.0})
    found = [rate_factor(call, step, 10, 5) for step in range(10)]

    def half(low: float, high: float, part: float) -> float:
        return low + (high - low) * (1 - cos(pi * part)) / 2

    wanted = [half(0.04, 1, step / 2) for step in range(3)] + [half(1, 4e-6, (step - 2) / 7) for step in range(3, 10)]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    straight = Call(name="one_cycle", args={**call.args, "linear": True})
    np.testing.assert_allclose([rate_factor(straight, step, 10, 5) for step in range(3)], [0.04, 0.52, 1.0], rtol=1e-12)
