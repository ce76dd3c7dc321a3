"""Killed exports: no model beside the data of another, and nothing of them is left by the next export."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest

from dslc.api import load
from dslc.diagnostics import DataError
from dslc.files import DRAFT, draft_folder, write_file
from exporters.onnx.drafts import write_pair
from exporters.onnx.export import export_network
from exporters.onnx.external import storage_for
from exporters.onnx.external_read import verify_checksums

SPEC = """dslc 1

network Net {
  input x: [batch, 4]
  output y = x -> dense(3)
}
"""


def killed(act: Callable[[], object]) -> None:
    """Does this in a fork and asserts that it was killed there."""
    pid = os.fork()
    if not pid:
        try:
            act()
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def kill(*args: object, **options: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def export(folder: Path, number: float) -> None:
    """A model with a data file; all weights are this number."""
    path = folder.parent / "net.nn"
    path.write_text(SPEC)
    network = load(path).network()
    values = {name: np.full_like(array, number) for name, array in network.initial().items()}
    target = folder / "model.onnx"
    export_network(network.program, values, target, storage=storage_for(target, True), verify=False)


@pytest.mark.parametrize("at", [1, 2])
def test_killed_between_the_renames_leaves_no_model_beside_the_data_of_another(tmp_path: Path, at: int) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    export(folder, 1.0)

    def dying() -> None:
        replace, calls = Path.replace, iter(range(1, 9))

        def counted(self: Path, target: Path) -> Path:
            return kill() if next(calls) == at else replace(self, target)  # type: ignore[return-value]

        Path.replace = counted  # type: ignore[method-assign]
        export(folder, 2.0)

    killed(dying)
    assert [name for name in names(folder) if not name.startswith(".")] == ["model.onnx.data"]
    export(folder, 3.0)
    assert names(folder) == ["model.onnx", "model.onnx.data"]
    verify_checksums(onnx.load(folder / "model.onnx", load_external_data=False), folder)


@pytest.mark.parametrize("data", ["m.onnx", "model.onnx"])
def test_the_draft_of_a_killed_writer_goes_with_the_next_one_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str
) -> None:  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", kill)
        killed(lambda: write_file(tmp_path / data, b"x"))
    (left,) = names(tmp_path)
    assert left.startswith(f".{data}.") and left.endswith(DRAFT)
    write_file(tmp_path / "other", b"y")
    assert names(tmp_path) == [left, "other"]
    write_file(tmp_path / data, b"z")
    assert names(tmp_path) == [data, "other"] or names(tmp_path) == ["other", data]


def test_the_draft_of_a_living_writer_stays(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with draft_folder(target) as first, draft_folder(target) as second:
        assert first.is_dir() and second.is_dir() and first != second
        (first / "draft").write_bytes(b"1")
        write_file(target, b"2")
        assert (first / "draft").read_bytes() == b"1"
    assert names(tmp_path) == ["a"]


def test_a_link_with_the_name_of_a_draft_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_bytes(b"1")
    (tmp_path / f".a.12345678{DRAFT}").symlink_to("precious")
    write_file(tmp_path / "a", b"2")
    assert (tmp_path / "precious" / "file").read_bytes() == b"1"


@pytest.mark.parametrize("failing", ["link", "rename", "replace", "fsync"])
def test_of_a_pair_both_are_new_or_both_are_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    model, other = tmp_path / "m.onnx", tmp_path / "m.npz"

    def write(text: str) -> None:
        write_pair(model, f"model {text}".encode(), other, lambda path: ignore(path.write_text(f"other {text}")))

    real, calls = getattr(os, failing), iter(range(9))

    def fail(*args: object, **options: object) -> object:
        if next(calls) == 0:
            raise OSError(5, "Input/output error")
        return real(*args, **options)

    write("1")
    write("2")
    assert (model.read_text(), other.read_text()) == ("model 2", "other 2")
    with monkeypatch.context() as patch:
        patch.setattr(os, failing, fail)
        with suppress(DataError):
            write("3")
    assert (model.read_text(), other.read_text()) == (("model 3", "other 3") if failing == "link" else ("model 2", "other 2"))
    assert names(tmp_path) == ["m.npz", "m.onnx"]


def ignore(result: object) -> None: ...
