"""Readers: what they read, and the message of every kind of broken file."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dslc.diagnostics import DataError
from runtime.data.csvfile import read_csv
from runtime.data.idx import read_idx, write_idx
from runtime.data.npz import read_npy, read_npz
from runtime.data.opened import find_file, read_bytes

IMAGES = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def npz(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return stream.getvalue()


def npy_header(text: str, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


# -- what is read


def test_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x" * 10)
    tracemalloc.start()
    try:
        assert read_bytes(tmp_path / "x", "x") == b"x" * 10
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(b"x" * 10)
    whole = os.stat_result((0o100600, 0, 0, 1, 0, 0, 20, 0, 0, 0))
    monkeypatch.setattr(os, "fstat", lambda descriptor: whole)
    with pytest.raises(DataError, match="its size changed"):
        read_bytes(tmp_path / "x", "x")


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])])
def test_idx_plain_gzip_and_several_members(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "images.idx"
    path.write_bytes(pack(write_idx(IMAGES)))
    assert np.array_equal(read_idx(path, "images.idx"), IMAGES)


@pytest.mark.parametrize(("code", "dtype"), [(0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")])
def test_idx_types_come_in_native_order(tmp_path: Path, code: int, dtype: str) -> None:
    values = np.array([[1, -2], [3, 100]], dtype)
    path = tmp_path / "a"
    path.write_bytes(bytes([0, 0, code, 2]) + struct.pack(">2I", 2, 2) + values.tobytes())
    array = read_idx(path, "a")
    assert array.dtype.isnative and array.tolist() == values.tolist()


def test_npz_as_numpy_writes_it(tmp_path: Path) -> None:
    arrays = {"x": np.arange(6.0).reshape(2, 3), "y": np.array([1, 2], ">i4"), "f": np.asfortranarray(IMAGES), "s": np.array(3)}
    np.savez(tmp_path / "plain.npz", **arrays)
    np.savez_compressed(tmp_path / "packed.npz", **arrays)
    for name in ("plain.npz", "packed.npz"):
        read = read_npz(tmp_path / name, name)
        assert read.keys() == arrays.keys()
        for key, array in arrays.items():
            assert np.array_equal(read[key], array) and read[key].shape == array.shape and read[key].dtype.isnative


def test_csv_quotes_mark_blank_lines_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbfa,"b ",c\r\n1, 2.5,-3e2\r\n\r\n"4",5,6\r\n')
    read = read_csv(path, "t.csv", ["c", "a"])
    assert {name: column.tolist() for name, column in read.items()} == {"c": [-300, 6], "a": [1, 4]}


def entries(names: list[str], edit: Callable[[bytearray, int, int], None] = lambda data, local, table: None) -> bytes:
    """A zip archive of arrays with these names; `edit` changes it, given the places of the last array's header and row in the table."""
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as archive:
        warnings.simplefilter("ignore")
        for name in names:
            archive.writestr(name, npy(np.arange(2.0)))
    data = bytearray(stream.getvalue())
    edit(data, data.rfind(b"PK\x03\x04"), data.rfind(b"PK\x01\x02"))
    return bytes(data)


def encrypted(data: bytearray, local: int, table: int) -> None:
    data[local + 6] |= 1
    data[table + 8] |= 1


def packed_as_bzip2(data: bytearray, local: int, table: int) -> None:
    data[local + 8] = data[table + 10] = 12


def first_again(data: bytearray, local: int, table: int) -> None:
    """The last array of the table starts within the first one."""
    data[table + 42 : table + 46] = (5).to_bytes(4, "little")


def longer(data: bytearray, local: int, table: int) -> None:
    size = int.from_bytes(data[table + 24 : table + 28], "little") + 1
    data[table + 24 : table + 28] = size.to_bytes(4, "little")


# -- what is refused: (file name, contents, reader, what the message says)

SHAPE = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }"
ENTRY = npz(x=npy(np.arange(2.0)))
BAD: dict[str, tuple[str, bytes, Callable[[Path, str], object], str]] = {
    "empty": ("a.idx", b"", read_idx, "a.idx: the file is empty"),
    "idx-short": ("a.idx", b"\0\0", read_idx, "a.idx: an IDX file has a header of 4 bytes at least, this one 2"),
    "idx-magic": ("a.idx", b"\x89PNG\r\n", read_idx, "a.idx: is not IDX: it starts with the bytes 89 50 4e 47"),
    "idx-type": ("a.idx", b"\0\0\x0a\x01\0\0\0\x01\0", read_idx, "a.idx: is not IDX: it starts with the bytes 00 00 0a 01"),
    "idx-rank": ("a.idx", b"\0\0\x08\x00", read_idx, "the IDX header says rank 0; 1 to 8 is possible"),
    "idx-rank-255": ("a.idx", b"\0\0\x08\xff", read_idx, "the IDX header says rank 255"),
    "idx-header-cut": ("a.idx", b"\0\0\x08\x03\0\0\0\x01", read_idx, "the IDX header is truncated: 3 sizes are announced"),
    "idx-truncated": ("a.idx", write_idx(IMAGES)[:-1], read_idx, "is truncated: the IDX header says 4×3×2, 24 bytes, and 23 follow"),
    "idx-trailing": ("a.idx", write_idx(IMAGES) + b"xy", read_idx, "says 4×3×2, but 2 bytes too many follow"),
    "idx-no-samples": ("a.idx", b"\0\0\x08\x01\0\0\0\0", read_idx, "the IDX header says 0: there is nothing in it"),
    "idx-huge": (
        "a.idx",
        b"\0\0\x08\x03" + b"\xff" * 12,
        read_idx,
        "4294967295×4294967295×4294967295: 79,228,162,458,924,105,385,300,197,375",
    ),
    "gz-name": ("a.idx.gz", write_idx(IMAGES), read_idx, "a.idx.gz: is called .gz but is not gzip"),
    "gz-cut": ("a.idx.gz", gzip.compress(write_idx(IMAGES))[:-9], read_idx, "the gzip stream ends too early: the file is truncated"),
    "gz-checksum": ("a.idx.gz", gzip.compress(write_idx(IMAGES))[:-8] + b"abcd\x24\0\0\0", read_idx, "the gzip stream is broken"),
    "gz-trailing": ("a.idx.gz", gzip.compress(write_idx(IMAGES)) + b"junk", read_idx, "the gzip stream is broken"),
    "gz-bomb": (
        "a.idx.gz",
        gzip.compress(bytes(2**25)),
        read_idx,
        "unpacks to more than 16,777,216 bytes; the limit is 100 times its size",
    ),
    "npz-not-zip": ("a.npz", b"PK\x03\x04 nothing", read_npz, "a.npz: is not a sound NPZ (zip) file: File is not a zip file"),
    "npz-cut": ("a.npz", ENTRY[:-10], read_npz, "is not a sound NPZ (zip) file"),
    "npz-crc": ("a.npz", ENTRY.replace(ENTRY[40:44], b"\0\0\0\0", 1), read_npz, "is not a sound NPZ (zip) file"),
    "npz-objects": ("a.npz", npz(x=npy(np.array([{}, 1], object))), read_npz, "a.npz[x]: holds Python objects, which are never loaded"),
    "npz-text": (
        "a.npz",
        npz(x=npy(np.array(["a"]))),
        read_npz,
        "a.npz[x]: holds elements of type '<U1'; numbers and truth values can be read",
    ),
    "npz-record": ("a.npz", npz(x=npy(np.zeros(2, "i4,f4"))), read_npz, "holds elements of type [('f0', '<i4'), ('f1', '<f4')]"),
    "npz-complex": ("a.npz", npz(x=npy(np.zeros(2, complex))), read_npz, "holds elements of type '<c16'"),
    "npz-name": ("a.npz", npz(**{"../x": npy(IMAGES)}), read_npz, "the member `../x.npy` is not an array (NAME.npy)"),
    "npz-bomb": ("a.npz", npz(x=bytes(2**25)), read_npz, "the member `x.npy` unpacks to 33,554,432 bytes"),
    "npz-empty": ("a.npz", npz(), read_npz, "the NPZ file holds no arrays"),
    "npz-many": ("a.npz", npz(**{f"x{i}": b"" for i in range(1001)}), read_npz, "the NPZ file has 1,001 members; the limit is 1000"),
    "npz-twice": ("a.npz", entries(["x.npy", "x.npy"]), read_npz, "two arrays of the NPZ file have one name"),
    "npz-encrypted": ("a.npz", entries(["x.npy"], encrypted), read_npz, "the member `x.npy` is encrypted"),
    "npz-bzip2": ("a.npz", entries(["x.npy"], packed_as_bzip2), read_npz, "the member `x.npy` is packed in an unusual way (12)"),
    "npz-overlap": ("a.npz", entries(["x.npy", "y.npy"], first_again), read_npz, "members of the NPZ file overlap"),
    "npz-longer": ("a.npz", entries(["x.npy"], longer), read_npz, "the member `x.npy` is truncated"),
    "npy-magic": ("a.npy", b"\x80\x04\x95 a pickle ...", read_npy, "a.npy: is not NPY: it starts with the bytes 80 04 95 20 61 20"),
    "npy-version": ("a.npy", b"\x93NUMPY\x09\0\0\0\0\0", read_npy, "is NPY of the unknown version 9"),
    "npy-header-size": ("a.npy", b"\x93NUMPY\x02\0\xff\xff\xff\x7f", read_npy, "the NPY header says it has 2,147,483,647 bytes"),
    "npy-header-cut": ("a.npy", npy_header(SHAPE)[:40], read_npy, "the NPY header is truncated"),
    "npy-code": ("a.npy", npy_header("__import__('os').system('true')"), read_npy, "the NPY header is malformed: __import__('os')"),
    "npy-data-cut": ("a.npy", npy_header(SHAPE, b"\0" * 15), read_npy, "the NPY header says 2, 16 bytes, but 15 follow"),
    "npy-huge": (
        "a.npy",
        npy_header(SHAPE.replace("2,", "4294967296, 4294967296,")),
        read_npy,
        "147,573,952,589,676,412,928 bytes, but 0 follow",
    ),
    "npy-negative": ("a.npy", npy_header(SHAPE.replace("2,", "-2,"), b"\0" * 16), read_npy, "the NPY header is malformed"),
    "npy-rank": ("a.npy", npy_header(SHAPE.replace("2,", "1," * 9), b"\0" * 8), read_npy, "has an impossible shape: (1,1,1,1,1,1,1,1,1,)"),
    "csv-header-only": ("a.csv", b"a,b\n", read_csv, "a.csv: there are no rows under the header"),
    "csv-blank": ("a.csv", b"\n\n", read_csv, "a.csv: the file holds no header line"),
    "csv-ragged": ("a.csv", b"a,b\n1,2\n3\n", read_csv, "a.csv:3: 1 cells, but the header has 2 columns"),
    "csv-long-row": ("a.csv", b"a,b\n1,2,3\n", read_csv, "a.csv:2: 3 cells, but the header has 2 columns"),
    "csv-word": ("a.csv", b"a,b\n1,2\n3,four\n", read_csv, "a.csv:3: column `b`: `four` is not a number"),
    "csv-empty-cell": ("a.csv", b"a,b\n1,\n", read_csv, "a.csv:2: column `b`: `` is empty; a number is needed"),
    "csv-nan": ("a.csv", b"a\n1\nnan\n", read_csv, "a.csv:3: column `a`: `nan` is not a finite number"),
    "csv-overflow": ("a.csv", b"a\n1e400\n", read_csv, "a.csv:2: column `a`: `1e400` is not a finite number"),
    "csv-underscore": ("a.csv", b"a\n1_000\n", read_csv, "a.csv:2: column `a`: `1_000` is not a number"),
    "csv-digits": ("a.csv", "a\n٣\n".encode(), read_csv, "a.csv:2: column `a`: `٣` is not a number"),
    "csv-twice": ("a.csv", b"a,b,a\n1,2,3\n", read_csv, "a.csv:1: column `a`: two columns have this name"),
    "csv-utf8": ("a.csv", b"a\n1\n\xff\n", read_csv, "a.csv:3: the byte 0xff is not UTF-8"),
    "csv-zero-byte": ("a.csv", b"a\n1\0\n", read_csv, "a.csv:2: a zero byte: this is not a text file"),
    "csv-quote": ("a.csv", b'a\n"1\n2\n', read_csv, "is not CSV: unexpected end of data"),
    "csv-control": ("a.csv", b"a\n\x1b[31m\n", read_csv, "a.csv:2: column `a`: `\\x1b[31m` is not a number"),
    "csv-wide": ("a.csv", b",".join(b"c%d" % i for i in range(65537)), read_csv, "65,537 columns; the limit is 65,536"),
}


@pytest.mark.parametrize("name", BAD)
def test_broken_file_is_named_with_the_place(tmp_path: Path, name: str) -> None:
    file, data, read, message = BAD[name]
    path = tmp_path / file
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        read(path, file)
    assert message in str(caught.value)
    assert caught.value.exit_code == 3 and str(tmp_path) not in str(caught.value)
    assert str(caught.value).replace("٣", "").replace("×", "").isprintable()


def test_missing_column_offers_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("length,width\n1,2\n")
    with pytest.raises(DataError, match="no column `lenght`") as caught:
        read_csv(tmp_path / "a.csv", "a.csv", ["lenght"])
    assert caught.value.diagnostics[0].help == "the file has `length`"


def test_truncation_anywhere_is_detected(tmp_path: Path) -> None:
    whole = gzip.compress(write_idx(IMAGES))
    path = tmp_path / "a.idx.gz"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError):
            read_idx(path, "a.idx.gz")


# -- where files may stand


@pytest.mark.parametrize("name", ["/etc/passwd", "../x.csv", "a/../../x.csv", "C:\\x.csv", "file://x", "a\0b", ""])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError) as caught:
        find_file(name, [tmp_path])
    assert caught.value.diagnostics[0].code == "data-path"


def test_links_may_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    inner = tmp_path / "spec"
    inner.mkdir()
    (inner / "x.csv").symlink_to("../secret.csv")
    with pytest.raises(DataError, match="a link that leads out"):
        find_file("x.csv", [inner])


def test_missing_file_says_where_it_was_looked_for() -> None:
    with pytest.raises(DataError, match="there is no such file") as caught:
        find_file("none.csv", [Path("data"), Path()])
    assert "`data`, the working folder" in caught.value.diagnostics[0].help


def test_pipe_and_folder_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    for name in ("pipe.csv", "folder.csv"):
        with pytest.raises(DataError, match="no regular file"):
            read_csv(tmp_path / name, name)
