"""What a checkpoint says and holds is checked before it is used; hashes alone do not tell who wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dslc.diagnostics import DataError
from runtime.train.contents import check_meta, check_tensors, listed
from tests.train.example import program_of, write_example

META: dict[str, Any] = {
    "step": 3, "turn": 0, "losses": {"loss": 1.5}, "samples": {"loss": 16}, "metrics": {"loss": 0.5, "confusion": [[1, 0], [0, 1]]},
    "best": None, "best_step": 0, "plateaus": {"train": {"factor": 1.0, "best": 0.5, "waited": 1}}, "spec": "net.nn", "training": "train",
    "precision": "f32", "seed": 0, "spec_hash": "0", "data_hash": "1", "environment": {}, "settings": {"steps": None},
    "params": {"lr": "0.1"},
}  # fmt: skip


def test_what_a_training_writes_is_sound() -> None:
    check_meta(META, "last")
    check_meta({**META, "best": float("inf"), "later": 1}, "last")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"step": -1}, "`step`: input should be greater than or equal to 0"),
        ({"step": 2**63}, "`step`: input should be less"),
        ({"step": "3"}, "`step`: input should be a valid integer"),
        ({"seed": 2**63}, "`seed`"),
        ({"spec": "x" * 5000}, "`spec`"),
        ({"precision": "f16"}, "`precision`"),
        ({"samples": {"loss": 0}}, r"`samples\.loss`"),
        ({"samples": {}}, "`samples`: it counts for other losses"),
        ({"plateaus": {"train": {"factor": 1.0}}}, r"`plateaus\.train\.best`: field required"),
    ],
)
def test_what_no_training_writes_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(DataError, match=f"last: its metadata is malformed: {problem}"):
        check_meta({**META, **change}, "last")


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [("step", 0, 2**53), ("turn", 0, 2**53), ("best_step", 0, 2**53), ("seed", 0, 2**63 - 1), ("samples.loss", 1, 2**53),
     ("plateaus.train.waited", 0, 2**53)],
)  # fmt: skip
def test_counts_have_bounds(key: str, low: int, high: int) -> None:
    for value in (low, high):
        check_meta(changed(key, value), "last")
    for value in (low - 1, high + 1):
        with pytest.raises(DataError, match=f"`{key}`"):
            check_meta(changed(key, value), "last")


@pytest.mark.parametrize("key", ["spec", "training", "spec_hash", "data_hash"])
def test_texts_have_bounds(key: str) -> None:
    check_meta({**META, key: "x" * 4096}, "last")
    with pytest.raises(DataError, match=f"`{key}`"):
        check_meta({**META, key: "x" * 4097}, "last")


def changed(key: str, value: int) -> dict[str, Any]:
    """The metadata with one of its counts, which may lie deeper, changed."""
    outer, *inner = key.split(".")
    for name in reversed(inner[1:]):
        value = {**META[outer][inner[0]], name: value}  # type: ignore[assignment]
    return {**META, outer: {inner[0]: value} if inner else value}


def test_few_names_are_all_listed_and_long_ones_cut() -> None:
    names = [f"N.{number}" for number in range(8)]
    assert listed("it lacks", names) == "it lacks " + ", ".join(f"`{name}`" for name in names)
    assert listed("it lacks", [*names, "N.8", "N.9"]).endswith("`N.7` and 2 others")
    assert listed("it lacks", ["x" * 81]) == f"it lacks `{'x' * 80}`" and listed("it lacks", []) == ""


@pytest.mark.parametrize("key", META)
def test_everything_has_to_be_there(key: str) -> None:
    with pytest.raises(DataError, match=f"`{key}`: field required"):
        check_meta({name: value for name, value in META.items() if name != key}, "last")


def test_the_tensors_are_those_of_the_training(tmp_path: Path) -> None:
    training = program_of(write_example(tmp_path)).trainings["train"]
    items = (*training.weights, *training.states)
    whole = {item.address: np.zeros(item.type.sizes({}), item.type.dtype.numpy) for item in items}
    check_tensors(training, whole, "last")
    first, second, *_ = whole
    with pytest.raises(DataError) as caught:
        odd = {**whole, second: np.zeros(7), **{f"N.more{number}": np.zeros(1) for number in range(9)}}
        del odd[first]
        check_tensors(training, odd, "last")
    message = caught.value.diagnostics[0].message
    assert f"last: it lacks `{first}`; the spec has no `N.more0`" in message and "`N.more7` and 1 others" in message
    assert f"`{second}` is float64[7], float32[" in message
