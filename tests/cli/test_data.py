"""Trainings whose data files do not hold what the spec says, and runs that are opened without their data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dslc.api import Run
from runtime.data.idx import write_idx
from tests.cli.conftest import Command

SPEC = """dslc 1

network N {{
  input x: [batch, 4]
  output y = x -> dense(2)
}}

train {{
  data = {source}
  net  = N({field})
  loss: mean(net.y ^ 2)
  optimizer: sgd(0.1)
  epochs: 1
}}
"""


def write(folder: Path, source: str, field: str) -> None:
    (folder / "n.nn").write_text(SPEC.format(source=source, field=field))


def test_a_run_of_idx_files_is_opened_without_them(dslc: Command, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "i.idx").write_bytes(write_idx(rng.integers(0, 255, (40, 2, 2), np.uint8)))
    (tmp_path / "l.idx").write_bytes(write_idx(np.arange(40, dtype=np.uint8) % 2))
    write(tmp_path, 'idx("i.idx", "l.idx")', "flatten(data.image / 255)")
    assert dslc("train", "n.nn", "--out", "run", "--quiet").code == 0
    first = dslc("eval", "run").out
    for name in ("i.idx", "l.idx"):
        (tmp_path / name).rename(tmp_path / f"gone.{name}")
    image = np.full((3, 1, 2, 2), 255, np.uint8)
    weights = Run.open("run").parameters
    np.testing.assert_allclose(
        Run.open("run").predict(image=image)["y"], np.ones((3, 4)) @ weights["N.dense0.w"] + weights["N.dense0.b"], rtol=1e-5
    )
    done = dslc("eval", "run")
    assert (done.code, "there is no such file" in done.err) == (3, True)
    for name in ("i.idx", "l.idx"):
        (tmp_path / f"gone.{name}").rename(tmp_path / name)
    assert dslc("eval", "run").out == first


ARRAYS = {"x": np.ones((40, 4), np.float32), "k": np.ones((40, 4), np.float32)}
OTHERS: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "an array is missing": ({"x": ARRAYS["x"]}, "there is no field `k`"),
    "another shape": (ARRAYS | {"x": np.ones((40, 5), np.float32)}, "`x`"),
    "fewer rows": (ARRAYS | {"k": np.ones((39, 4), np.float32)}, "39"),
    "no rows": ({name: array[:0] for name, array in ARRAYS.items()}, "holds no samples"),
    "no numbers": (ARRAYS | {"x": np.full((40, 4), np.nan, np.float32)}, "not finite"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_file_than_that_of_the_check(name: str, dslc: Command, tmp_path: Path) -> None:
    """`check` reads the file beside the spec, `--data-dir` names the folder of the data."""
    arrays, message = OTHERS[name]
    np.savez(tmp_path / "d.npz", **ARRAYS)
    (tmp_path / "other").mkdir()
    np.savez(tmp_path / "other" / "d.npz", **arrays)
    write(tmp_path, 'npz("d.npz")', "data.x + data.k")
    done = dslc("train", "n.nn", "--out", "run", "--data-dir", "other")
    assert (done.code, message in done.err) == (3, True), done.err


def test_data_of_which_nothing_has_a_batch(dslc: Command, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.ones((40, 4), np.float32))
    write(tmp_path, 'npz("d.npz", whole=["x"])', "data.x")
    text = (tmp_path / "n.nn").read_text().replace("input x: [batch, 4]", "input x: [40, 4]")
    (tmp_path / "n.nn").write_text(text)
    done = dslc("train", "n.nn", "--out", "run")
    assert (done.code, "no field has a batch axis: every one is named in `whole`" in done.err) == (3, True), done.err


def test_two_sources_of_different_lengths(dslc: Command, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.ones((40, 4), np.float32))
    np.savez(tmp_path / "e.npz", x=np.ones((41, 4), np.float32))
    write(tmp_path, 'npz("d.npz")\n  more = npz("e.npz")', "data.x + more.x")
    done = dslc("train", "n.nn", "--out", "run")
    assert (done.code, "32" in done.err and "33" in done.err) == (3, True), done.err
