"""What rows call in the guarded process where the command alone does not do."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from dslc.api import load
from dslc.cli.main import main
from dslc.cli.output import report
from dslc.diagnostics import DslcError
from dslc.ir.graph import Graph
from exporters.onnx import external
from exporters.onnx.check import Subject, static_checks
from exporters.onnx.external_read import read_external as read_weights
from runtime.data import opened
from runtime.train.progress import Progress
from tests.reliability.hostile.inside import models


def without_umask(base: Path) -> None:
    """Training, export and a picture by a user who hides nothing from others."""
    os.umask(0)
    out = base / "out"
    assert main(["train", "spec.nn", "--quiet", "--out", f"{out}/run"]) == 0
    assert main(["export", f"{out}/run", "--output", f"{out}/model.onnx", "--external-data"]) == 0
    assert main(["show", "spec.nn", "--graph", f"{out}/net.svg"]) == 0


def truncated_checkpoints(base: Path) -> None:
    """`best` is cut at every 128 bytes: `last` is taken, and that is said; then `last` is cut too."""
    run = base / "out" / "run"
    best, last = (run / "checkpoints" / f"{name}.safetensors" for name in ("best", "last"))
    whole = best.read_bytes()
    for length in range(0, len(whole), 128):
        best.write_bytes(whole[:length])
        assert main(["eval", f"{run}", "--split", "train"]) == 0, f"cut at {length}"
    last.write_bytes(whole[: len(whole) // 2])
    assert main(["eval", f"{run}", "--split", "train"]) == 3


def case_of(base: Path) -> Any:
    return json.loads((base / "spec" / "case.json").read_text())


def read_external(base: Path) -> NoReturn:
    """Reads the weights beside a model as an export does."""
    model = models.elsewhere(case_of(base))
    try:
        print(read_weights(model, base / "spec"))
    except DslcError as error:
        sys.exit(report(error))
    sys.exit(0)


def check_model(base: Path) -> NoReturn:
    """The static checks of an export."""
    model, types = models.make(case_of(base))
    graph = Graph(name="N", types=(), inputs=(), nodes=(), outputs=())
    subject = Subject(model=model, definition=graph, graph=graph, names={}, types=types, parameters={})
    try:
        static_checks(subject)
    except DslcError as error:
        sys.exit(report(error))
    sys.exit(0)


def export_as_if_large(base: Path) -> NoReturn:
    """An export where protobuf would end at 16 bytes."""
    external.LARGEST, external.ABOVE = 16, 8
    out, run = base / "out", base / "out" / "run"
    assert main(["export", f"{run}", "--output", f"{out}/model.onnx"]) == 0
    assert (out / "model.onnx.data").stat().st_size >= 24
    sys.exit(main(["export", f"{run}", "--output", f"{out}/other.onnx", "--external-data-above", "1GB"]))


# ---- data that changes ----------------------------------------------------------------------------------------------------------------


class CutsData(Progress):
    """Cuts the data off as soon as training has begun."""

    def start(self, title: str, step: int, steps: int) -> None:
        os.truncate("d.csv", 3)


def data_changes(base: Path) -> None:
    """A training whose data is cut off in the meantime ends as one whose data stays."""
    spec = load("spec.nn")
    for name, progress in (("one", Progress()), ("other", CutsData())):
        spec.start(training=None, data_dir=None, out=base / "out" / name, resume=None, progress=progress, threads=1)
    one, other = ((base / "out" / name / "checkpoints" / "last.safetensors").read_bytes() for name in ("one", "other"))
    assert one == other


def data_grows(base: Path) -> NoReturn:
    """Bytes are added between the look at the size and the reading."""
    before = os.fdopen

    def grown(descriptor: int, *more: str) -> Any:
        stream = before(descriptor, *more)
        size = os.fstat(descriptor)
        with open("d.csv", "a") as file:  # noqa: PTH123
            file.write("1,1,0\n")
        opened.os.fstat = lambda number: size
        return stream

    opened.os.fdopen, fstat = grown, os.fstat
    try:
        opened.read_bytes(Path("d.csv"), "d.csv")
    except DslcError as error:
        opened.os.fdopen, opened.os.fstat = before, fstat
        sys.exit(report(error))
