"""The cache of machine code: found again, never trusted blindly, never in the way."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime.kernels.native import cache, machine
from runtime.kernels.native.machine import host

TEXT = "define i64 @answer() {{\nentry:\n  ret i64 {}\n}}\n"


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were compiled; the cache is a new folder."""
    monkeypatch.setenv("DSLC_CACHE", str(tmp_path / "cache"))
    texts: list[str] = []

    def compile_object(text: str, goal: object) -> bytes:
        texts.append(text)
        return f"object of {text}".encode()

    monkeypatch.setattr(machine, "compile_object", compile_object)
    return texts


def object_of(text: str, goal: machine.Target) -> bytes:
    return cache.objects_of([text], goal)[0]


def only() -> Path:
    (entry,) = cache.entries()
    return entry.path


def test_a_module_is_compiled_once(compiled: list[str]) -> None:
    first = object_of(TEXT.format(1), host())
    assert object_of(TEXT.format(1), host()) == first
    assert object_of(TEXT.format(2), host()) != first
    assert len(compiled) == 2
    assert only_private(cache.folder()) and all(only_private(entry.path) for entry in cache.entries())


def only_private(path: Path) -> bool:
    return path.stat().st_mode & 0o077 == 0


def test_another_machine_has_other_code(compiled: list[str]) -> None:
    from dataclasses import replace

    object_of(TEXT.format(1), host())
    object_of(TEXT.format(1), replace(host(), cpu="generic"))
    assert len(compiled) == 2


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "longer"])
def test_a_damaged_file_is_compiled_again(compiled: list[str], damage: str) -> None:
    good = object_of(TEXT.format(1), host())
    data = bytearray(only().read_bytes())
    if damage == "flipped":
        data[-3] ^= 1
    only().write_bytes({"flipped": bytes(data), "cut": bytes(data[:-1]), "empty": b"", "longer": bytes(data) + b"x"}[damage])
    assert object_of(TEXT.format(1), host()) == good
    assert len(compiled) == 2
    assert object_of(TEXT.format(1), host()) == good
    assert len(compiled) == 2


def test_what_others_may_write_does_not_count(compiled: list[str]) -> None:
    object_of(TEXT.format(1), host())
    only().chmod(0o666)
    object_of(TEXT.format(1), host())
    assert len(compiled) == 2
    cache.folder().chmod(0o777)
    object_of(TEXT.format(1), host())
    assert len(compiled) == 3


def test_a_link_does_not_count(compiled: list[str], tmp_path: Path) -> None:
    object_of(TEXT.format(1), host())
    other = tmp_path / "other"
    only().rename(other)
    (cache.folder() / f"{cache.key(TEXT.format(1), host())}{cache.SUFFIX}").symlink_to(other)
    object_of(TEXT.format(1), host())
    assert len(compiled) == 2


def test_a_folder_that_cannot_be_made(compiled: list[str], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    assert object_of(TEXT.format(1), host()) == object_of(TEXT.format(1), host())
    assert len(compiled) == 2


def test_many_writers(compiled: list[str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda number: object_of(TEXT.format(number % 2), host()), range(64)))
    assert len(found) == 2
    assert len(cache.entries()) == 2
    assert not [path for path in cache.folder().iterdir() if path.suffix != cache.SUFFIX]


def test_the_oldest_go_first(compiled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        object_of(TEXT.format(number), host())
        for age, entry in enumerate(reversed(cache.entries())):
            os.utime(entry.path, (1000 - age, 1000 - age))
    newest = cache.entries()[-1].path
    monkeypatch.setattr(cache, "LARGEST", 2 * cache.entries()[0].bytes)
    cache.shrink()
    assert len(cache.entries()) == 2 and newest in [entry.path for entry in cache.entries()]
    assert cache.clear() == 2 and not cache.entries()
