"""Files below a folder: none of the parts is a link, no pipe is waited for; gzip in pieces."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path, PurePosixPath

import pytest

from dslc.below import Below, open_file
from dslc.gzipped import unpacked


def read(path: Path | Below) -> bytes:
    with os.fdopen(open_file(path), "rb") as file:
        return file.read()


def test_a_file_is_opened_part_by_part(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.txt.gz").write_bytes(b"x")
    place = Below(tmp_path, PurePosixPath("a/b/x.txt.gz"))
    assert read(place) == read(tmp_path / "a" / "b" / "x.txt.gz") == b"x" and place.suffix == ".gz"


REFUSED = {
    "l/x": "a link or no folder",
    "d/l": "a link or no folder",
    "d/x/y": "a link or no folder",
    "d/none": "No such file",
    "d": "a folder, no regular file",
    "p": "pipe or socket",
}


@pytest.mark.parametrize(("name", "words"), REFUSED.items())
def test_links_folders_and_pipes_are_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x").write_bytes(b"x")
    (tmp_path / "l").symlink_to("d")
    (tmp_path / "d" / "l").symlink_to("x")
    os.mkfifo(tmp_path / "p")
    before = len(list(Path("/dev/fd").iterdir()))
    with pytest.raises(OSError, match=words):
        open_file(Below(tmp_path, PurePosixPath(name)))
    assert len(list(Path("/dev/fd").iterdir())) == before  # nothing stays open


def test_gzip_of_many_members_in_pieces() -> None:
    data = gzip.compress(b"") * 3000 + gzip.compress(b"abc" * 10**6) + gzip.compress(b"d")
    assert b"".join(unpacked(data)) == b"abc" * 10**6 + b"d"
    assert list(unpacked(b"")) == []


def test_gzip_that_is_cut_or_broken() -> None:
    data = gzip.compress(bytes(range(256)) * 40)
    with pytest.raises(EOFError):
        list(unpacked(data[:-1]))
    with pytest.raises(zlib.error):
        list(unpacked(data[:-8] + bytes(8)))
