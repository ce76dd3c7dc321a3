"""Checkpoints: what goes in comes out; damage is found; a save that fails anywhere leaves the last good state."""

from __future__ import annotations

import errno
import hashlib
import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from dslc.diagnostics import DataError
from runtime.train import atomic
from runtime.train.checkpoint import Checkpoint, decode, encode, load_checkpoint, read_tensors, save_checkpoint

OLD = Checkpoint(
    {"N.a.w": np.arange(6, dtype=np.float32).reshape(2, 3), "N.m": np.array(0.5)}, {"velocity": np.zeros(4)}, {"step": 1, "best": 0.1}
)
NEW = Checkpoint({"N.a.w": np.ones((2, 3), np.float32), "N.m": np.array(1.5)}, {"velocity": np.ones(4)}, {"step": 2, "best": None})


def same(a: Checkpoint, b: Checkpoint) -> bool:
    return encode(a) == encode(b)


def test_round_trip_keeps_every_bit(tmp_path: Path) -> None:
    odd = Checkpoint(
        {
            "i": np.array([1, -2], np.int64),
            "b": np.array([True, False]),
            "f": np.array([np.pi, 1e-310]),
            "t": np.ones((3, 2)).T,
            "u": np.zeros((), np.uint8),
        },
        {},
        {"sum": 0.1 + 0.2, "text": "é\n"},
    )
    save_checkpoint(tmp_path, "last", odd)
    read = load_checkpoint(tmp_path / "last.safetensors", "last")
    assert read.meta == odd.meta and read.parameters.keys() == odd.parameters.keys()
    for name, array in odd.parameters.items():
        assert read.parameters[name].tobytes() == array.tobytes() and read.parameters[name].shape == array.shape
    assert [path.name for path in tmp_path.iterdir()] == ["last.safetensors"]


def test_bytes_depend_on_contents_only() -> None:
    turned = Checkpoint(dict(reversed(OLD.parameters.items())), OLD.slots, dict(reversed(OLD.meta.items())))
    assert encode(OLD) == encode(turned) != encode(NEW)


def test_the_bytes_are_those_of_the_library(tmp_path: Path) -> None:
    odd = {
        "a": np.zeros((0, 3), np.float32),
        "b": np.array(True),
        "c": np.arange(6, dtype=np.int64).reshape(2, 3)[:, ::2],
        "d": np.float64(2),
    }
    data = encode(Checkpoint({name: np.asarray(array) for name, array in odd.items()}, {"m": np.ones(5, np.float16)}, {"step": 1}))
    (tmp_path / "file").write_bytes(data)
    with safetensors.safe_open(tmp_path / "file", "np") as opened:
        metadata, tensors = opened.metadata(), {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    assert safetensors.numpy.save(tensors, metadata) == data


def test_other_programs_read_the_weights(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "best", OLD)
    tensors = safetensors.numpy.load_file(tmp_path / "best.safetensors")
    assert tensors.keys() == {"N.a.w", "N.m", "optimizer/velocity"} and np.array_equal(tensors["N.a.w"], OLD.parameters["N.a.w"])


def test_every_flipped_bit_is_found() -> None:
    whole = encode(OLD)
    for place in range(len(whole)):
        bit = 1 << random.Random(place).randrange(8)
        damaged = whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :]
        with pytest.raises(DataError):
            decode(damaged, "x")


def test_every_truncation_and_appended_bytes_are_found() -> None:
    whole = encode(OLD)
    for length in [*range(len(whole)), None]:
        with pytest.raises(DataError) as caught:
            decode(whole[:length] if length is not None else whole + b"\0", "x")
        assert caught.value.diagnostics[0].code == "checkpoint-broken"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is no safetensors file, or it is truncated"),
        (b"\x80\x04\x95cos\nsystem\n(S'true'\ntR.", "it is a pickle, no safetensors file"),
        (b"\xff" * 8 + b"{}", "it is no safetensors file, or it is truncated"),
        ((400000).to_bytes(8, "little") + b"[" * 400000, "it has no sound header of a safetensors file"),
        (safetensors.numpy.save({"x": np.ones(2)}), "has no header of a dslc checkpoint"),
        (safetensors.numpy.save({"x": np.ones(2)}, {"dslc": "[1]"}), "has no header of a dslc checkpoint"),
        (safetensors.numpy.save({"x": np.ones(2)}, {"dslc": '{"format": 2}'}), "has no header of a dslc checkpoint"),
        (safetensors.numpy.save({"x": np.ones(2)}, {"dslc": '{"format": 2, "meta": []}'}), "has no header of a dslc checkpoint"),
        (safetensors.numpy.save({"x": np.ones(2)}, {"dslc": '{"format": 99, "meta": {}}'}), "is of format 99, this version reads format 2"),
    ],
)
def test_foreign_files_are_named(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        decode(data, "x")


def test_tensors_of_any_program_are_read_and_ours_verified(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    arrays = {"flags": np.array([True, False]), "none": np.zeros(0, bool), "many": np.array([0, 1, 2, 255], np.uint8), "w": np.ones(3)}
    path.write_bytes(safetensors.numpy.save(arrays))
    digest, found = read_tensors(path, "x")
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert {name: array.tolist() for name, array in found.items()} == {name: array.tolist() for name, array in arrays.items()}
    path.write_bytes(encode(OLD))
    assert read_tensors(path, "x")[1].keys() == OLD.parameters.keys()
    path.write_bytes(encode(OLD)[:-1] + b"\x01")
    with pytest.raises(DataError, match="it is damaged"):
        read_tensors(path, "x")


@pytest.mark.parametrize("byte", [2, 255])
def test_truth_values_are_0_or_1(tmp_path: Path, byte: int) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors.numpy.save({"flags": np.array([True, False])})[:-2] + bytes([1, byte]))
    with pytest.raises(DataError, match="`flags` has truth values that are neither 0 nor 1"):
        read_tensors(path, "x")


def test_a_link_is_neither_read_nor_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "last.safetensors").symlink_to("victim")
    (tmp_path / ".last.safetensors.tmp").symlink_to("victim")
    with pytest.raises(DataError):
        load_checkpoint(tmp_path / "last.safetensors", "last")
    save_checkpoint(tmp_path, "last", NEW)
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert same(load_checkpoint(tmp_path / "last.safetensors", "last"), NEW)


# -- the n-th call of a save fails, for n = 1, 2, … until none is left


class Faulty:
    """`os` with its n-th call failing."""

    NAMES = ("open", "write", "fsync", "lseek", "read", "close", "replace", "unlink")

    def __init__(self, fail_at: int, fault: Callable[[str, tuple[Any, ...]], Any]) -> None:
        self.calls, self.fail_at, self.fault = 0, fail_at, fault

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in self.NAMES:
            return real

        def call(*args: Any) -> Any:
            self.calls += 1
            return self.fault(name, args) if self.calls == self.fail_at else real(*args)

        return call


def raising(number: int) -> Callable[[str, tuple[Any, ...]], Any]:
    def fault(name: str, args: tuple[Any, ...]) -> Any:
        if name == "close":
            os.close(*args)  # what fails to close is closed all the same
        raise OSError(number, os.strerror(number))

    return fault


def short(name: str, args: tuple[Any, ...]) -> Any:
    """Half of the bytes are written, and that is said; other calls go through."""
    if name == "write":
        return os.write(args[0], args[1][: len(args[1]) // 2])
    return getattr(os, name)(*args)


def lying(name: str, args: tuple[Any, ...]) -> Any:
    """All bytes are said to be written, but the last is not what it should be."""
    if name == "write":
        return os.write(args[0], bytes(args[1])[:-1] + b"!")
    return getattr(os, name)(*args)


FAULTS = {"EIO": raising(errno.EIO), "ENOSPC": raising(errno.ENOSPC), "EINTR": raising(errno.EINTR), "short": short, "lying": lying}


@pytest.mark.parametrize("kind", FAULTS)
def test_failing_at_any_call_leaves_a_good_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    outcomes = set()
    for n in range(1, 100):
        save_checkpoint(tmp_path, "last", OLD)
        faulty = Faulty(n, FAULTS[kind])
        monkeypatch.setattr(atomic, "os", faulty)
        failed = False
        try:
            save_checkpoint(tmp_path, "last", NEW)
        except DataError as error:
            failed = True
            assert error.diagnostics[0].code == "save-failed"
        monkeypatch.undo()
        found = load_checkpoint(tmp_path / "last.safetensors", "last")
        assert same(found, NEW) if not failed else same(found, OLD) or same(found, NEW)
        outcomes.add(failed)
        save_checkpoint(tmp_path, "last", NEW)  # and the next save works
        if faulty.calls < n:
            break
    assert n > 9, "a save makes about ten calls"
    assert outcomes == ({False} if kind == "short" else {True, False})
    assert [path.name for path in tmp_path.iterdir()] == ["last.safetensors"]


def test_being_killed_between_calls_leaves_a_good_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def kill(name: str, args: tuple[Any, ...]) -> Any:
        raise Killed

    for n in range(1, 100):
        save_checkpoint(tmp_path, "last", OLD)
        faulty = Faulty(n, kill)
        monkeypatch.setattr(atomic, "os", faulty)
        with suppress(Killed):
            save_checkpoint(tmp_path, "last", NEW)
        monkeypatch.undo()
        found = load_checkpoint(tmp_path / "last.safetensors", "last")
        assert same(found, OLD) or same(found, NEW)
        atomic.remove_drafts(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["last.safetensors"]
        if faulty.calls < n:
            return
    pytest.fail("the save never came to its end")


def test_a_cut_of_power_finds_no_unsynced_bytes_under_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rename comes after the fsync of all bytes, and the folder is synced after it."""
    log: list[str] = []

    class Logged:
        def __getattr__(self, name: str) -> Any:
            real = getattr(os, name)
            if name not in Faulty.NAMES:
                return real

            def call(*args: Any) -> Any:
                log.append(name)
                return real(*args)

            return call

    monkeypatch.setattr(atomic, "os", Logged())
    save_checkpoint(tmp_path, "last", NEW)
    order = [name for name in log if name in ("write", "fsync", "replace")]
    assert order == ["write", "fsync", "replace", "fsync"]
