"""A checkpoint that stays in its file: the same tensors, the same faults found, and little memory."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from dslc.diagnostics import DataError
from dslc.pieces import gathered, is_finite, mapped_file, pieces, raw, same_bytes
from runtime.train.checkpoint import Checkpoint, encode, load_checkpoint, map_checkpoint, save_checkpoint

STATE = Checkpoint(
    {"N.a.w": np.arange(6, dtype=np.float32).reshape(2, 3), "N.m": np.array(0.5), "N.u": np.array([1, 2, 3], np.uint8)},
    {"velocity": np.zeros(4)},
    {"step": 1, "best": 0.1},
)
FILE = "last.safetensors"


def test_the_same_as_read(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "last", STATE)
    found = map_checkpoint(tmp_path / FILE, "last")
    assert encode(found) == encode(load_checkpoint(tmp_path / FILE, "last"))
    for array in (*found.parameters.values(), *found.slots.values()):
        assert mapped_file(array) is not None and not array.flags.writeable


def test_it_stays_when_another_takes_its_place(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "last", STATE)
    found = map_checkpoint(tmp_path / FILE, "last")
    save_checkpoint(tmp_path, "last", Checkpoint({"N.a.w": np.ones((2, 3), np.float32)}, {}, {"step": 2}))
    assert np.array_equal(found.parameters["N.a.w"], STATE.parameters["N.a.w"])


def refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        map_checkpoint(path, "x")
    assert caught.value.diagnostics[0].code == "checkpoint-broken"


def test_flipped_bits_are_found(tmp_path: Path) -> None:
    whole = encode(STATE)
    for place in range(0, len(whole), 5):
        bit = 1 << random.Random(place).randrange(8)
        refused(tmp_path / "x", whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])


def test_truncation_and_appended_bytes_are_found(tmp_path: Path) -> None:
    whole = encode(STATE)
    for length in range(0, len(whole), 5):
        refused(tmp_path / "x", whole[:length])
    refused(tmp_path / "x", whole + b"\0")


def test_a_link_is_not_followed_and_a_missing_file_is_named(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "last", STATE)
    (tmp_path / "link").symlink_to(FILE)
    for name in ("link", "none"):
        with pytest.raises(DataError, match="cannot be read"):
            map_checkpoint(tmp_path / name, name)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(1000.0).reshape(10, 100),
        np.arange(1000.0).reshape(10, 100).T,
        np.arange(1000.0)[::-3],
        np.broadcast_to(np.float32(3), (7, 9)),
        np.zeros((0, 3)).T,
        np.array(2.5),
        np.arange(77, dtype=np.uint8),
        np.arange(9, dtype=">i4"),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_pieces_are_the_array_in_order(array: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dslc.pieces.PIECE", 64)
    assert all(piece.nbytes <= 64 for piece in pieces(array))
    assert b"".join(bytes(raw(piece)) for piece in pieces(array)) == array.astype(array.dtype.newbyteorder("<")).tobytes()


def test_one_number_that_is_not_finite_is_found_in_any_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dslc.pieces.PIECE", 64)
    for place in range(100):
        array = np.zeros(100, np.float32)
        assert is_finite(array)
        array[place] = np.nan if place % 2 else np.inf
        assert not is_finite(array)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "u1"])
def test_one_other_bit_is_found_in_any_place(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dslc.pieces.PIECE", 40)
    array = np.zeros(37, dtype)
    assert same_bytes(array, array.copy()) and not same_bytes(array, array[:-1])
    for place in range(array.nbytes):
        other = array.copy()
        other.view(np.uint8)[place] = 0x80  # -0 where it is the sign
        assert not same_bytes(array, other)


def test_a_temporary_file_that_cannot_be_written_is_an_error_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, "last", STATE)
    array = map_checkpoint(tmp_path / FILE, "last").parameters["N.a.w"]
    assert np.array_equal(gathered([np.arange(6, dtype=np.float32)], "float32", (2, 3), array), array)

    def full(*args: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    assert np.array_equal(gathered([np.arange(6, dtype=np.float32)], "float32", (2, 3), array.copy()), array)
    with pytest.raises(DataError, match="no space left on device"):
        gathered([np.arange(6, dtype=np.float32)], "float32", (2, 3), array)
