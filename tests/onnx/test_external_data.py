"""Weights beside the model: what stands in both files, that others read them, and that both appear or neither."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.numpy

from dslc.api import load
from dslc.diagnostics import DataError, InternalError, SpecError
from dslc.pieces import mapped_file
from dslc.program import Network
from exporters.onnx import drafts
from exporters.onnx.export import export_network, make_subject
from exporters.onnx.external import ABOVE, Storage, storage_for
from exporters.onnx.external_read import read_external, verify_checksums
from exporters.onnx.lint import lint
from exporters.onnx.report import Report
from runtime.train.checkpoint import Checkpoint, map_checkpoint, save_checkpoint

SPEC = """dslc 1

block unit(x, size: int) {
  return x -> dense(size) -> batch_norm -> relu
}

network Net {
  input x: [batch, 100]
  output y = x -> unit(40) -> unit(40) -> dense(3)
}
"""


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> tuple[Network, dict[str, np.ndarray]]:
    path = tmp_path_factory.mktemp("spec") / "net.nn"
    path.write_text(SPEC)
    found = load(path).network()
    return found.program, found.initial()


Net = tuple[Network, dict[str, np.ndarray]]


def exported(net: Net, folder: Path, data: bool | str | None, **options: object) -> Report:
    target = folder / "model.onnx"
    return export_network(*net, target, storage=storage_for(target, data), **options)  # type: ignore[arg-type]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def entries(item: onnx.TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in item.external_data}


# ---- what stands in the files -------------------------------------------------------------------------------------------------------


def test_plain_bytes(net: Net, tmp_path: Path) -> None:
    report = exported(net, tmp_path, True)
    assert files(tmp_path) == ["model.onnx", "model.onnx.data"]
    data = (tmp_path / "model.onnx.data").read_bytes()
    model = onnx.load(tmp_path / "model.onnx", load_external_data=False)
    beside = {item.name: entries(item) for item in model.graph.initializer if item.data_location == onnx.TensorProto.EXTERNAL}
    assert beside.keys() == net[1].keys()
    for name, array in net[1].items():
        offset, length = int(beside[name]["offset"]), int(beside[name]["length"])
        assert offset % (4096 if array.nbytes >= 4096 else 64) == 0
        assert data[offset : offset + length] == array.tobytes()
        assert beside[name]["checksum"] == hashlib.sha1(data).hexdigest() and beside[name]["location"] == "model.onnx.data"
    assert report.external is not None
    assert (report.external.file, report.external.bytes) == ("model.onnx.data", sum(array.nbytes for array in net[1].values()))
    assert report.external.sha256 == hashlib.sha256(data).hexdigest() and report.external.written
    assert report.sha256 == hashlib.sha256((tmp_path / "model.onnx").read_bytes()).hexdigest()
    assert "tensors stand in model.onnx.data" in report.text()
    assert {check.name for check in report.checks} >= {
        "data file",
        "data file, with functions",
        "parity with onnx.reference, with functions",
    }


def test_a_safetensors_file(net: Net, tmp_path: Path) -> None:
    exported(net, tmp_path, "model.safetensors")
    read = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    assert read.keys() == net[1].keys()
    assert all(np.array_equal(read[name], array) and read[name].dtype == array.dtype for name, array in net[1].items())
    data = (tmp_path / "model.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    assert (8 + length) % 4096 == 0 and list(header) == sorted(net[1])
    assert header["Net.dense0.w"] == {"dtype": "F32", "shape": [40, 3], "data_offsets": header["Net.dense0.w"]["data_offsets"]}


def test_the_file_is_that_of_the_library(tmp_path: Path) -> None:
    """But for the blanks behind the header: the same order of tensors, the same words."""
    from dslc.safetensors_header import ordered, packed_header, read_header

    arrays: dict[str, np.ndarray] = {
        "b": np.arange(3.0),
        "i": np.arange(4),
        "a": np.ones((2, 2), np.float16),
        "ü": np.array(7, np.uint8),
        "c": np.array([True]),
        "d": np.zeros((0, 2)),
    }
    header, offsets = packed_header(ordered(arrays), 8)
    library = safetensors.numpy.save(arrays)
    assert library.startswith(header) and len(library) == len(header) + sum(array.nbytes for array in arrays.values())
    tensors, _ = read_header(library)
    assert {name: item.offset for name, item in tensors.items()} == offsets


@pytest.mark.parametrize("data", [True, "weights.safetensors"])
def test_other_programs_compute_the_same(net: Net, tmp_path: Path, data: bool | str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the single file, from another working folder: the checker is content, the difference is 0."""
    ort = pytest.importorskip("onnxruntime")
    (tmp_path / "one").mkdir()
    exported(net, tmp_path / "one", False)
    exported(net, tmp_path, data)
    monkeypatch.chdir("/")
    x = np.random.default_rng(0).normal(size=(7, 100)).astype(np.float32)
    found = []
    for path in (tmp_path / "one" / "model.onnx", tmp_path / "model.onnx"):
        onnx.checker.check_model(str(path), full_check=True)
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        found.append(session.run(None, {"x": x})[0])
    assert np.array_equal(*found)
    loaded, single = onnx.load(tmp_path / "model.onnx"), onnx.load(tmp_path / "one" / "model.onnx")
    for a, b in zip(loaded.graph.initializer, single.graph.initializer, strict=True):
        assert a.name == b.name and np.array_equal(onnx.numpy_helper.to_array(a), onnx.numpy_helper.to_array(b))


def test_the_same_network_gives_the_same_bytes(net: Net, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        exported((net[0], dict(reversed(net[1].items()))) if name == "b" else net, tmp_path / name, True, verify=False)
    for name in files(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_large_constants_stand_beside_too() -> None:
    """As plain bytes; a safetensors file holds the parameters alone."""
    arrays = {
        "constant/i64/1/3": np.zeros(1, np.int64),
        "constant/f32/256/hash": np.zeros(256, np.float32),
        "Net.b": np.zeros(2, np.float32),
    }
    found = [Storage(name, always=True).plan("Net", arrays) for name in ("m.data", "m.safetensors")]
    assert [list(file.arrays) if file else [] for file in found] == [["constant/f32/256/hash", "Net.b"], ["Net.b"]]


MAPPED = """dslc 1

network Net {
  input x: [batch, 4, 6, 6]
  h = x -> conv(8, kernel=3) -> batch_norm -> relu -> conv_transpose(6, kernel=3) -> batch_norm -> relu
  output y = h -> flatten -> dense(5) -> batch_norm
}
"""


@pytest.mark.parametrize("options", [{}, {"fold_batch_norm": True}, {"dtype": "f16"}, {"fold_batch_norm": True, "dtype": "f16"}])
def test_mapped_weights_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, object]) -> None:
    """What is made of weights that stay in their file, a few numbers at a time, is what is made of weights in memory."""
    (tmp_path / "net.nn").write_text(MAPPED)
    net = load(tmp_path / "net.nn").network()
    values = {name: array + np.float32(0.1) for name, array in net.initial().items()}
    words: dict[str, Any] = {"fold": "fold_batch_norm" in options, "half": "dtype" in options, "storage": Storage("m.data", always=True)}
    monkeypatch.setattr("dslc.pieces.PIECE", 256)
    monkeypatch.setattr("exporters.onnx.fold_batch_norm.PIECE", 256)
    save_checkpoint(tmp_path, "last", Checkpoint(values, {}, {}))
    stored = map_checkpoint(tmp_path / "last.safetensors", "last").parameters
    files = [make_subject(net.program, given, **words)[0].data_file for given in (values, stored)]
    for name, file in zip("ab", files, strict=True):
        assert file is not None
        file.write(tmp_path / name)
        assert {mapped_file(array) is not None for array in file.arrays.values() if array.size > 8} == {name == "b"}
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# ---- when -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("above", "beside"), [(0, True), (23_000, True), (30_000, False), (None, False)])
def test_above_a_limit(net: Net, above: int | None, beside: bool) -> None:
    size = sum(array.nbytes for array in net[1].values())
    assert 23_000 < size < 30_000 and ABOVE == 1.5 * 2**30
    subject, _, _ = make_subject(*net, storage=storage_for(None, None, above))
    assert (subject.data_file is not None) == beside


def test_weights_above_two_gigabytes_stand_beside_by_themselves() -> None:
    array = np.broadcast_to(np.float32(0), (2**15, 2**15))
    found = Storage().plan("Net", {"Net.w": array})
    assert found is not None and found.size == 2**32
    with pytest.raises(SpecError, match="4,294,967,296 bytes of weights"):
        Storage(above=2**40).plan("Net", {"Net.w": array})


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../b", "a//b", "./a", "model.onnx", "a:b", "a\\b", "a\0", "net.nn"])
def test_names_that_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError):
        storage_for(tmp_path / "model.onnx", name)


# ---- both or neither ------------------------------------------------------------------------------------------------------------------


def old_pair(folder: Path) -> dict[str, bytes]:
    (folder / "model.onnx").write_bytes(b"old model")
    (folder / "model.onnx.data").write_bytes(b"old data")
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files(folder)}


def test_a_pair_takes_the_place_of_a_pair(net: Net, tmp_path: Path) -> None:
    old_pair(tmp_path)
    exported(net, tmp_path, True, verify=False)
    model = onnx.load(tmp_path / "model.onnx", load_external_data=False)
    verify_checksums(model, tmp_path)
    assert read_external(model, tmp_path).keys() == net[1].keys()


def fail(error: BaseException) -> Callable[..., object]:
    def raises(*args: object, **options: object) -> object:
        raise error

    return raises


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("old", [True, False])
def test_a_rename_that_fails(
    net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, at: int, old: bool
) -> None:  # fmt: skip
    """The first rename moves the data, the second the model."""
    before = old_pair(tmp_path) if old else {}
    calls: list[Path] = []
    replace = Path.replace

    def failing(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == at + 1:
            raise error
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(DataError if isinstance(error, OSError) else KeyboardInterrupt):
        exported(net, tmp_path, True, verify=False)
    assert contents(tmp_path) == before


def test_an_interruption_behind_the_last_rename_keeps_the_new_pair(net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_pair(tmp_path)
    replace = Path.replace

    def late(self: Path, target: Path) -> Path:
        replace(self, target)
        if target.name == "model.onnx":
            raise KeyboardInterrupt
        return target

    monkeypatch.setattr(Path, "replace", late)
    with pytest.raises(KeyboardInterrupt):
        exported(net, tmp_path, True, verify=False)
    verify_checksums(onnx.load(tmp_path / "model.onnx", load_external_data=False), tmp_path)


def test_a_check_that_fails_leaves_the_old_pair(net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = old_pair(tmp_path)
    monkeypatch.setattr("exporters.onnx.check.lint", lambda *args: ["a fault"])
    with pytest.raises(InternalError, match="a fault"):
        exported(net, tmp_path, True)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (None, "stands in a file that is not there"),
        (np.full(3, np.nan, np.float32), "holds a value that is not finite"),
        (np.zeros(2, np.float32), "holds 8 bytes, its shape says 12"),
    ],
)
def test_the_lint_looks_into_the_data_file(net: Net, array: np.ndarray | None, words: str) -> None:
    subject, _, _ = make_subject(*net, storage=Storage(always=True))
    name, beside = "Net.dense0.b", dict(net[1])
    assert lint(subject.model, subject.types, beside) == []
    del beside[name]
    assert lint(subject.model, subject.types, beside | ({name: array} if array is not None else {})) == [f"initializer {name} {words}"]


def test_what_is_read_back_is_compared_bit_by_bit(net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that changes one bit: the checksum is that of what was to be written."""
    made = drafts.made

    def damaged(*args: object) -> drafts.Beside:
        beside = made(*args)  # type: ignore[arg-type]
        with (beside.folder / "model.onnx.data").open("r+b") as file:
            file.seek(100)
            file.write(b"\x01")
        return beside

    monkeypatch.setattr(drafts, "made", damaged)
    with pytest.raises(InternalError, match=r"data file: .* is read back with other numbers"):
        exported(net, tmp_path, True)
    assert files(tmp_path) == []


def test_too_little_space_is_said_before_anything_is_written(net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = old_pair(tmp_path)
    free = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: free)
    with pytest.raises(DataError, match=r"cannot write model.onnx.data: [0-9,]+ bytes are needed, 1,000 are free on the disk"):
        exported(net, tmp_path, True)
    assert contents(tmp_path) == before


def test_a_file_that_the_system_cuts_off(tmp_path: Path) -> None:
    """A process whose files may have 20,000 bytes: an error with its exit code, and nothing left behind."""
    (tmp_path / "net.nn").write_text(SPEC)
    program = f"""
import resource, sys
from dslc.api import load
from dslc.diagnostics import DataError
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    load("net.nn").network().export("model.onnx", external_data=True)
except DataError as error:
    print(error)
    sys.exit({DataError.exit_code})
"""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}  # it would write, too
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (3, "")
    assert "cannot write model.onnx.data: file too large" in done.stdout and files(tmp_path) == ["net.nn"]


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("old", [True, False])
def test_a_training_step_and_its_first_values_appear_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, old: bool
) -> None:  # fmt: skip
    spec = load("xor")
    if old:
        for name in ("step.onnx", "step.npz"):
            (tmp_path / name).write_text("old")
    before = contents(tmp_path)
    calls: list[Path] = []
    replace = Path.replace

    def failing(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == at + 1:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", failing)
        with pytest.raises(DataError, match="no space left"):
            spec.export_step(tmp_path / "step.onnx", verify=False)
    assert contents(tmp_path) == before
    spec.export_step(tmp_path / "step.onnx", verify=False)
    first = contents(tmp_path)
    assert sorted(first) == ["step.npz", "step.onnx"] and set(np.load(tmp_path / "step.npz")) >= set(spec.network().parameters)
    spec.export_step(tmp_path / "step.onnx", verify=False)
    assert contents(tmp_path) == first


# ---- places ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["model.onnx", "model.onnx.data"])
@pytest.mark.parametrize("kind", ["link", "folder"])
def test_a_link_or_a_folder_is_not_replaced(net: Net, tmp_path: Path, name: str, kind: str) -> None:
    if kind == "link":
        (tmp_path / name).symlink_to(tmp_path / "far")
    else:
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="link or a folder"):
        exported(net, tmp_path, True, verify=False)
    assert files(tmp_path) == [name]


def test_a_folder_below(net: Net, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no folder"):
        exported(net, tmp_path, "weights/w.data", verify=False)
    (tmp_path / "weights").mkdir()
    exported(net, tmp_path, "weights/w.data")
    assert files(tmp_path) == ["model.onnx", "weights", "weights/w.data"]
    (tmp_path / "linked").symlink_to("weights")
    with pytest.raises(DataError, match="behind a link"):
        exported(net, tmp_path, "linked/w.data", verify=False)


def test_a_dry_run_leaves_nothing(net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    report = export_network(*net, None, storage=storage_for(None, True))
    assert report.external is not None and files(tmp_path) == []


# ---- memory ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak is read as Linux tells it")
def test_writing_needs_less_than_the_weights(tmp_path: Path) -> None:
    """76 MB of weights, of which the largest has 25 MB, from a checkpoint: less than 30 MB above what opening the run took."""
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("the peak cannot be set back here")
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import json
from pathlib import Path
import bench.export_memory as bench
bench.DENSE = bench.DENSE.replace("8192", "2500")
bench.NETWORKS["small"] = 4
bench.make_run("small", Path("run"))
print(json.dumps(bench.measure(Path("run"), "external", False)))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["export"] < 30
