"""Weights beside a model are read from plain places only: each rule broken once, in the model's words or on the disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from dslc.diagnostics import DataError
from exporters.onnx.external_read import read_external, verify_checksums

W = np.arange(6, dtype=np.float32).reshape(2, 3)
NAME = "m.data"


def model(**entries: object) -> onnx.ModelProto:
    """A model with one initializer `w` of 2 × 3 at byte 8 of `m.data`; entries take the place of these, None leaves one out."""
    made = onnx.ModelProto()
    item = made.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, dims=W.shape, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": NAME, "offset": 8, "length": 24, **entries}.items():
        if value is not None:
            item.external_data.add(key=key, value=str(value))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "model"
    place.mkdir()
    (place / NAME).write_bytes(bytes(8) + W.tobytes())
    return place


def refused(made: onnx.ModelProto, folder: Path) -> str:
    with pytest.raises(DataError) as found:
        read_external(made, folder)
    (diagnostic,) = found.value.diagnostics
    assert diagnostic.code == "onnx-external"
    return diagnostic.message


def test_what_stands_there_is_read(folder: Path) -> None:
    read = read_external(model(), folder)["w"]
    assert np.array_equal(read, W) and read.dtype == W.dtype and not read.flags.writeable
    assert np.array_equal(read_external(model(length=None), folder)["w"], W)


def test_it_is_read_below_the_folder(folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    (folder / NAME).rename(folder / "a" / "b" / NAME)
    assert np.array_equal(read_external(model(location=f"a/b/{NAME}"), folder)["w"], W)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"basepath": "/"}, "key 'basepath'"),
        ({"location": None}, "`location` is needed"),
        ({"location": ""}, "no name of a file"),
        ({"location": "/etc/passwd"}, "not a plain path"),
        ({"location": "../m.data"}, "not a plain path"),
        ({"location": "a/../m.data"}, "not a plain path"),
        ({"location": "./m.data"}, "not a plain path"),
        ({"location": "a//m.data"}, "not a plain path"),
        ({"location": "m.data\0.png"}, "no name of a file"),
        ({"location": "C:m.data"}, "no name of a file"),
        ({"location": "a\\..\\m.data"}, "no name of a file"),
        ({"location": "x" * 5000}, "no name of a file"),
        ({"offset": -8}, "offset is no whole number"),
        ({"offset": "8.0"}, "offset is no whole number"),
        ({"offset": "9" * 30}, "offset is no whole number"),
        ({"offset": "٨"}, "offset is no whole number"),
        ({"offset": 9}, "ends at byte 33, m.data at 32"),
        ({"offset": 10**17}, "ends at byte"),
        ({"length": 20}, "has 20 bytes, its type says 24"),
        ({"length": 28}, "has 28 bytes, its type says 24"),
        ({"checksum": "xyz"}, "not 40 hexadecimal digits"),
        ({"location": "none.data"}, "no such file"),
    ],
)
def test_words_that_are_refused(folder: Path, entries: dict[str, object], words: str) -> None:
    assert words in refused(model(**entries), folder)


def test_a_key_stands_once(folder: Path) -> None:
    made = model()
    made.graph.initializer[0].external_data.add(key="location", value=NAME)
    assert "each key stands once" in refused(made, folder)


def test_bytes_in_the_model_too(folder: Path) -> None:
    made = model()
    made.graph.initializer[0].raw_data = W.tobytes()
    assert "bytes in the model too" in refused(made, folder)


@pytest.mark.parametrize("dims", [(-2, 3), (2**40, 2**40), (2**62, 4)])
def test_sizes_that_are_negative_or_huge(folder: Path, dims: tuple[int, ...]) -> None:
    made = model(length=None)
    made.graph.initializer[0].dims[:] = dims
    assert ("negative size" if min(dims) < 0 else "ends at byte") in refused(made, folder)


@pytest.mark.parametrize("kind", [TensorProto.STRING, TensorProto.UNDEFINED, TensorProto.INT4, TensorProto.COMPLEX64, 999])
def test_element_types_that_are_not_numbers_of_whole_bytes(folder: Path, kind: int) -> None:
    made = model()
    made.graph.initializer[0].data_type = kind
    assert f"element type {kind}" in refused(made, folder)


def linked_file(folder: Path) -> None:
    (folder / NAME).rename(folder.parent / "far.data")
    (folder / NAME).symlink_to(folder.parent / "far.data")


def linked_beside(folder: Path) -> None:
    (folder / NAME).rename(folder / "near.data")
    (folder / NAME).symlink_to("near.data")


def second_name(folder: Path) -> None:
    os.link(folder / NAME, folder.parent / "far.data")


def a_folder(folder: Path) -> None:
    (folder / NAME).unlink()
    (folder / NAME).mkdir()


def a_pipe(folder: Path) -> None:
    (folder / NAME).unlink()
    os.mkfifo(folder / NAME)


def empty(folder: Path) -> None:
    (folder / NAME).write_bytes(b"")


def cut_off(folder: Path) -> None:
    (folder / NAME).write_bytes((folder / NAME).read_bytes()[:-1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (linked_file, "link"),
        (linked_beside, "link"),
        (second_name, "hard links"),
        (a_folder, "no regular file"),
        (a_pipe, "no regular file"),
        (empty, "empty"),
        (cut_off, "ends at byte 32, m.data at 31"),
    ],
)
def test_files_that_are_refused(folder: Path, change: Callable[[Path], None], words: str) -> None:
    change(folder)
    assert words in refused(model(), folder)


def test_a_link_on_the_way_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (folder / NAME).rename(tmp_path / "far" / NAME)
    (folder / "a").symlink_to(tmp_path / "far")
    assert "link or no folder" in refused(model(location=f"a/{NAME}"), folder)


def test_the_checksum_is_that_of_the_file(folder: Path) -> None:
    digest = hashlib.sha1((folder / NAME).read_bytes()).hexdigest()
    verify_checksums(model(checksum=digest), folder)
    verify_checksums(model(), folder)
    with pytest.raises(DataError, match="SHA-1"):
        verify_checksums(model(checksum="0" * 40), folder)
    (folder / NAME).write_bytes(bytes(7) + b"\1" + W.tobytes())  # outside of the tensor
    with pytest.raises(DataError, match="SHA-1"):
        verify_checksums(model(checksum=digest), folder)
