"""Relations of runs of shipped specs: stopped anywhere and resumed, saved and loaded, exported again."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import dslc
from dslc.api import Run
from dslc.loading import Override, load_program, specs_folder
from runtime.train.checkpoint import encode, load_checkpoint
from runtime.train.loop import RunResult, train
from tests.train.example import contents

SLICE = Path(__file__).parents[2] / "runtime" / "data" / "shipped"
STEPS = 6
SMALL: dict[str, Mapping[str, Any]] = {  # a table, noise, a schedule, steps in turn, a gradient within the loss, draws of pairs
    "xor": {},
    "regression": {},
    "wide_deep": {},
    "softmax": {},
    "lenet": {"train.batch_size": 4},
    "vae": {"train.batch_size": 8, "length": 4},
    "gan": {"train.batch_size": 4, "width": 2, "code": 4},
    "maml": {"train.batch_size": 4},
    "siamese": {"train.batch_size": 4},
}  # fmt: skip


def run(name: str, **options: Any) -> RunResult:
    """The shipped spec for STEPS steps on the data that are shipped with it."""
    settings = {**SMALL[name], "train.steps": STEPS}
    overrides = [Override(key, value, "argument") for key, value in settings.items()]
    program = load_program(name, overrides=overrides)[0]
    return train(program, spec_path=specs_folder() / f"{name}.nn", data_dir=SLICE, threads=1, **options)


@pytest.mark.parametrize("name", SMALL)
def test_stopped_at_every_step_and_resumed_is_the_straight_run(name: str, tmp_path: Path) -> None:
    assert run(name, out=tmp_path / "straight").finished
    for stop in range(STEPS + 1):
        run(name, max_steps=stop, **({"resume": tmp_path / "run"} if stop else {"out": tmp_path / "run"}))
    run(name, resume=tmp_path / "run")
    assert contents(tmp_path / "run") == contents(tmp_path / "straight")
    for path in (tmp_path / "run" / "checkpoints").iterdir():
        assert encode(load_checkpoint(path, path.name)) == path.read_bytes(), "saved, loaded and saved it has other bytes"


@pytest.mark.parametrize("name", ["xor", "lenet"])
def test_exports_of_what_was_loaded_are_the_same_file(name: str, tmp_path: Path) -> None:
    """Of a run that is opened twice, also with mapped weights; of a spec that is loaded twice; with the weights in a file beside."""
    run(name, out=tmp_path / "run")
    opened = [partial(Run.open, tmp_path / "run"), partial(Run.open, tmp_path / "run", mapped=True)]
    made = [lambda: dslc.load(name).network()]
    for ways, options in ((opened, {}), (opened, {"external_data": "weights.safetensors"}), (made * 2, {}), (made * 2, {"flat": True})):
        files = []
        for at, way in enumerate(ways):
            folder = tmp_path / f"{len(options)}{at}"
            folder.mkdir(exist_ok=True)
            way().export(folder / "net.onnx", verify=False, **options)
            files.append({path.name: path.read_bytes() for path in folder.iterdir()})
        assert files[0] == files[1]
