"""`metrics.jsonl`, and which value of a metric is the better one."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from math import isfinite, isnan
from pathlib import Path
from typing import Any

from dslc.below import open_file
from dslc.diagnostics import DataError
from dslc.program import Training
from runtime.train.atomic import NO_LINK, write_atomic
from runtime.train.errors import RunFolderFault, SaveFailed

NAME = "metrics.jsonl"
SMALLER_WORDS = ("loss", "error", "entropy", "perplexity", "mse", "mae", "mape", "rmse", "distance", "bits")


def smaller_is_better(name: str) -> bool:
    """True for the loss and for metrics whose name says error, entropy, perplexity, distance and the like.

    >>> smaller_is_better("accuracy"), smaller_is_better("word_error")
    (False, True)
    """
    return any(word in name.lower() for word in SMALLER_WORDS)


def judged(training: Training) -> str:
    """The key of an evaluation by which `best` is chosen: the first metric that is one number, or the loss where there is none."""
    graph = training.evaluate
    ranks = {item.name: graph.types[item.id].rank for item in graph.outputs}
    return next((name for name in training.metrics if not ranks[f"metric.{name}"]), "loss")


def is_better(name: str, value: float, best: float | None) -> bool:
    """Whether `value` is strictly better than the best so far (None: there is none); NaN never is."""
    if best is None:
        return not isnan(value)
    return value < best if smaller_is_better(name) else value > best


def plain_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs of an evaluation by the names that people read, as JSON has them: `metric.accuracy` is `accuracy`, a float; what has axes is
    a list of rows."""
    return {name.removeprefix("metric."): value.tolist() if hasattr(value, "tolist") else value for name, value in values.items()}


def scalars(values: Mapping[str, Any]) -> dict[str, float]:
    """Those that are one number."""
    return {name: value for name, value in values.items() if not isinstance(value, list)}


def finite(value: Any) -> Any:
    """The value as JSON has it: numbers that are not finite become null."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


class MetricsLog:
    """Appends JSON lines. On opening, lines after `step` (of a run that went further) are dropped.

    A checkpoint says nothing of lines that could be lost: `flush` comes before each.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.path = folder / NAME
        self.history = [row for row in read_history(folder) if row["step"] <= step and row.get("kind") != "end"]
        write_atomic(folder, NAME, "".join(_line(row) for row in self.history).encode())
        self.descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | NO_LINK)

    def add(self, kind: str, step: int, **facts: Any) -> None:
        """One line: `kind` is step, epoch or end. Raises DataError where it cannot be written."""
        row = finite({"kind": kind, "step": step, **facts})
        data = _line(row).encode()
        try:
            if os.write(self.descriptor, data) != len(data):
                raise OSError("the line was written in part")
        except OSError as error:
            raise DataError(SaveFailed(file=NAME, problem=error.strerror or str(error))) from None
        self.history.append(row)

    def flush(self) -> None:
        """Flush the lines to the disk. Raises DataError."""
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            raise DataError(SaveFailed(file=NAME, problem=error.strerror or str(error))) from None

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self.descriptor)


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row) + "\n"


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The whole lines of a run's `metrics.jsonl`; a line that a crash cut short ends the reading. Raises DataError for no regular file."""
    rows: list[dict[str, Any]] = []
    try:
        with os.fdopen(open_file(folder / NAME, links=False), "rb") as stream:
            data = stream.read()
    except FileNotFoundError:
        return rows
    except OSError as error:
        problem = f"{NAME} cannot be read: {error.strerror or error}"
        raise DataError(RunFolderFault(folder=str(folder), problem=problem, advice="the folder was changed after the run")) from None
    for line in data.splitlines(keepends=True):
        try:
            row = json.loads(line.decode())
        except (ValueError, RecursionError):
            break
        if not line.endswith(b"\n") or not isinstance(row, dict) or not isinstance(row.get("step"), int):
            break
        rows.append(row)
    return rows
