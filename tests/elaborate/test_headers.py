"""What `check` says about data files by their headers alone: each file below with the fields it gives, or the message."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from pathlib import Path

import pytest

from tests.elaborate.check import check

TRAIN = """
network N {{
  input x: [batch, 2]
  output y = x -> dense(1)
}}

train {{
  data = {source}
  net  = N(data.{field})
  loss: mean(net.y)
  optimizer: sgd(0.1)
}}
"""


def outcome(folder: Path, source: str, field: str) -> list[str]:
    """The fields of the data with their types, or the messages."""
    program, found = check(TRAIN.format(source=source, field=field), folder)
    if program is None or not program.trainings:
        return [item.message for item in found]
    return [f"{name}: {type}" for name, type in program.trainings["train"].data[0].fields.items()]


def npy(header: str, version: int = 1) -> bytes:
    width = 2 if version == 1 else 4
    return b"\x93NUMPY" + bytes([version, 0]) + len(header).to_bytes(width, "little") + header.encode()


def array(descr: str = "'<f4'", shape: str = "(5, 2)", version: int = 1) -> bytes:
    return npy(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n", version)


def npz(*arrays: bytes, **named: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in {**{f"a{at}": data for at, data in enumerate(arrays)}, **named}.items():
            archive.writestr(f"{name}.npy", data)
    return stream.getvalue()


def idx(*sizes: int, type: int = 8) -> bytes:
    return bytes([0, 0, type, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)


# ---- NumPy archives ---------------------------------------------------------------------------------------------------------------

END = b"PK\x05\x06" + bytes(8) + (2**21).to_bytes(4, "little") + bytes(6)
WIDE = b"PK\x06\x06" + bytes(36) + (2**21).to_bytes(8, "little") + bytes(8)

ARCHIVES = {
    "sound": (npz(x=array()), ["x: f32[batch, 2]"]),
    "long header": (npz(x=array(version=2)), ["x: f32[batch, 2]"]),
    "kinds": (npz(x=array(), k=array("'<i2'", "(5,)"), b=array("'|b1'", "(5,)")), ["x: f32[batch, 2]", "k: i32[batch]", "b: bool[batch]"]),
    "no field": (npz(x=array(), one=array(shape="()"), none=array(shape="(5, 0)")), ["x: f32[batch, 2]"]),
    "objects": (npz(array("'|O'")), "an array in it has Python objects, which are never loaded"),
    "complex": (npz(array("'<c8'")), "an array in it has a type that is not read: <c8"),
    "a record": (npz(array("[('a', '<f4')]")), "an array in it has a type that is not read: [('a', '<f4')]"),
    "negative": (npz(array(shape="(5, -2)")), "an array in it has a shape that cannot be"),
    "huge": (npz(array(shape=f"(5, {2**48})")), "an array in it has a shape that cannot be"),
    "no shape": (npz(array(shape="5")), "an array in it has a shape that cannot be"),
    "malformed": (npz(npy("{'descr': open('x')}")), "the header of an array is malformed"),
    "no dictionary": (npz(npy("[1, 2]")), "the header of an array is malformed"),
    "text": (npz(b"an array of numbers"), "an array in it has no NumPy header"),
    "short": (npz(b"\x93NUMPY"), "an array in it has no NumPy header"),
    "long": (npz(npy(" " * 70_000, 2)), "the header of an array is too long"),
    "many": (npz(*[array()] * 257), "it holds more than 256 arrays"),
    "table": (b"PK\x03\x04" + END, "its table of contents is larger than that of an archive of arrays"),
    "wide table": (b"PK\x03\x04" + WIDE, "its table of contents is larger than that of an archive of arrays"),
    "another kind": (b"GIF89a", "it is a GIF picture, no NumPy archive (.npz)"),
    "nothing": (b"no archive", "it is no sound NumPy archive (.npz): File is not a zip file"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives(tmp_path: Path, name: str) -> None:
    data, wanted = ARCHIVES[name]
    (tmp_path / "d.npz").write_bytes(data)
    assert outcome(tmp_path, 'npz("d.npz")', "x") == ([f"d.npz: {wanted}"] if isinstance(wanted, str) else wanted)


# ---- IDX --------------------------------------------------------------------------------------------------------------------------

IMAGES = {
    "sound": (idx(5, 1, 2), ["image: u8[batch, 1, 1, 2]", "label: u8[batch]"]),
    "with channels": (idx(5, 3, 1, 2), ["image: u8[batch, 3, 1, 2]", "label: u8[batch]"]),
    "cut": (idx(5, 1, 2)[:-3], "its header is cut off"),
    "no type": (idx(5, 1, 2, type=7), "it is no IDX file"),
    "no rank": (bytes([0, 0, 8, 0]), "it is no IDX file"),
    "short": (b"\0\0\x08", "it is no IDX file"),
    "another kind": (b"\x89PNG\r\n\x1a\n", "it is a PNG picture, no IDX file"),
    "empty": (b"", "it is empty"),
    "other samples": (idx(4, 1, 2), "images and labels are no images and labels of the same samples"),
    "no pictures": (idx(5), "images and labels are no images and labels of the same samples"),
}


@pytest.mark.parametrize("name", IMAGES)
def test_idx(tmp_path: Path, name: str) -> None:
    data, wanted = IMAGES[name]
    (tmp_path / "images").write_bytes(data)
    (tmp_path / "labels").write_bytes(idx(5))
    found = outcome(tmp_path, 'idx("images", "labels")', "image[:, 0, 0] / 255")
    assert found == ([f"images: {wanted}"] if isinstance(wanted, str) else wanted)


def test_idx_of_which_one_file_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(idx(5, 1, 2))
    (message,) = outcome(tmp_path, 'idx("images", "labels")', "image")
    assert "labels" in message and "there is no such file" in message


# ---- gzip and CSV -----------------------------------------------------------------------------------------------------------------

LINE = b"a,b,y\n1,2,3\n"
NOISE = bytes(range(256)) * 64
TABLES = {
    "sound": (gzip.compress(LINE), ["input: f32[batch, 2]", "target: f32[batch]"]),
    "members": (gzip.compress(LINE[:3]) + gzip.compress(LINE[3:]), ["input: f32[batch, 2]", "target: f32[batch]"]),
    "cut": (gzip.compress(LINE + os.urandom(4096).hex().encode())[:600], ["input: f32[batch, 2]", "target: f32[batch]"]),
    "long": (gzip.compress(LINE + bytes(2**23)), ["input: f32[batch, 2]", "target: f32[batch]"]),
    "plain": (LINE, "it is called .gz but is not gzip"),
    "broken": (b"\x1f\x8b" + NOISE, "it is no sound gzip file"),
    "empty": (b"", "it is empty"),
    "nothing in it": (gzip.compress(b""), "it is empty"),
    "a tar archive": (gzip.compress(bytes(257) + b"ustar" + bytes(300)), "it is a tar archive, no CSV"),
    "XML": (gzip.compress(b"<?xml version='1.0'?>\n"), "it is XML, no CSV"),
}


@pytest.mark.parametrize("name", TABLES)
def test_gzip(tmp_path: Path, name: str) -> None:
    data, wanted = TABLES[name]
    (tmp_path / "d.csv.gz").write_bytes(data)
    found = outcome(tmp_path, 'csv("d.csv.gz", inputs=["a", "b"], target="y")', "input")
    assert found == ([f"d.csv.gz: {wanted}"] if isinstance(wanted, str) else wanted)


THREE_PARTS = "three parts, train, validation and test, that sum to 1"
NO_PAIRS = "the first value of `pairs` must be a data source with `image` and `label`, not this"
SOURCES = {
    'csv("d.csv", inputs=[])': "`inputs` of `csv` must be a list of column names, not an empty list",
    'csv("d.csv", inputs=["a", "b"], split=[0.5, 0.5])': f"`split` of `csv` must be {THREE_PARTS}, not [0.5, 0.5]",
    'csv("d.csv", inputs=["a", "b"], split=[0, 0.5, 0.5])': f"`split` of `csv` must be {THREE_PARTS}, not [0, 0.5, 0.5]",
    'dataset("digits", split=[1, 1, 1])': f"`split` of `dataset` must be {THREE_PARTS}, not [1, 1, 1]",
    'dataset("digit")': "there is no data set `digit`: did you mean `digits`?",
    "pairs()": NO_PAIRS,
    "pairs(3)": NO_PAIRS,
    'pairs(csv("d.csv", inputs=["a", "b"]))': NO_PAIRS,
    'pairs(npz("d.npz"))': NO_PAIRS,
    'pairs(csv("d.csv", inputs=["a", "c"]))': "`d.csv` has no `c`",
    'pairs(dataset("digits"), same=2)': "`same` of `pairs` must be at least 0 and at most 1, not 2.0",
}


@pytest.mark.parametrize("source", SOURCES)
def test_sources_that_are_refused(tmp_path: Path, source: str) -> None:
    (tmp_path / "d.csv").write_bytes(LINE)
    (tmp_path / "d.npz").write_bytes(npz(image=array()))
    assert outcome(tmp_path, source, "input") == [SOURCES[source]]


def test_places_that_are_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.npz").mkdir()
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "link.npz").symlink_to(tmp_path / "d.npz")
    (tmp_path / "d.npz").write_bytes(ARCHIVES["sound"][0])
    found = {name: outcome(tmp_path, f'npz("{name}.npz")', "x") for name in ("folder", "pipe", "link")}
    assert found == {
        "folder": ["folder.npz: it is a folder"],
        "pipe": ["pipe.npz: it is a device, pipe or socket"],
        "link": ["link.npz: the path goes through a link"],
    }
