"""Compiling beside this process: the same objects whoever makes them, and nothing lost or left where a process dies or is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from runtime.kernels.native import cache, helpers, machine
from runtime.kernels.native.machine import host
from runtime.kernels.native.watch import watched
from tests.terminal import heed_signals

ROOT = Path(__file__).parents[2]
TEXT = "define i64 @answer{0}(i64 %x) {{\nentry:\n  %y = mul i64 %x, {0}\n  ret i64 %y\n}}\n"
TEXTS = [TEXT.format(number) for number in range(1, 13)]
EAGER = "from runtime.kernels.native import cache, helpers\nhelpers.WORTH, helpers.processors = 1, lambda: [0, 1, 2]\n"


@pytest.fixture
def eager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Helpers are started for the least work, as if there were three processors; those that are started. The cache is a new folder."""
    monkeypatch.setenv("DSLC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(helpers, "WORTH", 1)
    monkeypatch.setattr(helpers, "processors", lambda: [0, 1, 2])
    started: list[Any] = []
    start = subprocess.Popen

    def popen(*args: Any, **named: Any) -> Any:
        started.append(start(*args, **named))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)
    return started


def compiled(threads: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    helpers.compile_all(TEXTS, host(), threads, found)
    return found


def ended(started: list[Any]) -> bool:
    return all(process.poll() is not None for process in started)


def test_a_helper_makes_the_objects_that_this_process_makes(eager: list[Any]) -> None:
    here = compiled(1)
    assert not eager and list(here) == sorted(TEXTS, key=lambda text: (-len(text), text))
    found: dict[str, bytes] = {}
    with helpers.helper(deque(TEXTS), host(), found) as thread:
        thread.join()
    assert found == here and ended(eager)


def test_as_many_helpers_as_asked_for(eager: list[Any]) -> None:
    assert compiled(3) == compiled(1)
    assert len(eager) == 2 and ended(eager)


@pytest.mark.parametrize(
    ("threads", "processors", "texts", "count"),
    [(1, 8, 4, 0), (2, 8, 4, 1), (3, 2, 4, 1), (8, 8, 4, 3), (8, 8, 1, 0), (8, 0, 4, 0), (8, 8, 0, 0)],
)
def test_helpers_have_enough_to_do(threads: int, processors: int, texts: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helpers, "processors", lambda: list(range(processors)))
    assert helpers.helper_count([" " * helpers.WORTH] * texts, threads) == count
    assert helpers.helper_count(["short"] * texts, threads) == 0
    monkeypatch.setattr(sys, "executable", None)
    assert helpers.helper_count([" " * helpers.WORTH] * texts, threads) == 0


@pytest.mark.parametrize(
    "body", ["exit 3", "head -c 250 > /dev/null", "echo a greeting that is no object", "exec no-such-program", "exec sleep 600"]
)
def test_what_a_dead_helper_had_is_compiled_here(eager: list[Any], body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(helpers, "PATIENCE", 0.1)
    assert compiled(3) == compiled(1)
    assert len(eager) == 2 and ended(eager)


def test_no_helper_can_be_started(eager: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    assert compiled(3) == compiled(1)
    assert not eager


def test_a_module_that_is_wrong_says_so_here(eager: list[Any]) -> None:
    with pytest.raises(RuntimeError, match="expected"):
        helpers.compile_all([*TEXTS, "define nothing"], host(), 3, {})
    assert ended(eager)


def test_a_second_start_compiles_nothing(eager: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    first = cache.objects_of(TEXTS, host(), 3)
    count = len(eager)
    monkeypatch.setattr(machine, "compile_object", lambda *args: pytest.fail("it was compiled again"))
    assert cache.objects_of(TEXTS, host(), 3) == first
    assert cache.objects_of(TEXTS[::-1], host(), 3) == first[::-1]
    assert len(eager) == count


def test_what_was_compiled_before_an_interrupt_is_kept(eager: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    compile_object = machine.compile_object
    done: list[str] = []

    def interrupted(text: str, goal: machine.Target) -> bytes:
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(text)
        return compile_object(text, goal)

    monkeypatch.setattr(machine, "compile_object", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache.objects_of(TEXTS, host(), 1)
    assert len(cache.entries()) == 5
    again: list[str] = []
    monkeypatch.setattr(machine, "compile_object", lambda text, goal: again.append(text) or compile_object(text, goal))
    cache.objects_of(TEXTS, host(), 1)
    assert sorted(done + again) == sorted(TEXTS)


def test_progress_is_told(eager: list[Any]) -> None:
    told: list[tuple[int, int]] = []
    with watched(lambda done, total: told.append((done, total))):
        compiled(1)
    compiled(1)
    assert told == [(done, len(TEXTS)) for done in range(len(TEXTS) + 1)]


def script(code: str, folder: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"DSLC_CACHE": str(folder)}
    command = [sys.executable, "-c", EAGER + code]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, env=environment, cwd=ROOT, start_new_session=True, preexec_fn=heed_signals
    )


def test_two_processes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import hashlib\nfrom runtime.kernels.native.machine import host\nfrom tests.loops.test_helpers import TEXTS\n"
        "print(hashlib.sha256(b''.join(cache.objects_of(TEXTS, host(), 2))).hexdigest())"
    )
    both = [script(code, tmp_path) for _ in range(2)]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert said[0] == said[1] and len(said[0][0]) == 65
    monkeypatch.setenv("DSLC_CACHE", str(tmp_path))
    assert len(cache.entries()) == len(TEXTS) == len(list(cache.folder().iterdir()))
    assert all(cache.read(entry.path) for entry in cache.entries())


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    """As a terminal sends it: to this process and its helpers at once."""
    code = (
        "import itertools\nfrom runtime.kernels.native.machine import host\nfrom runtime.kernels.native.watch import watched\n"
        "from tests.loops.test_helpers import TEXT\n"
        "texts = [TEXT.format(number) for number in range(10_000)]\n"
        "with watched(lambda done, total: print(done, flush=True) if done == 5 else None):\n"
        "    cache.objects_of(texts, host(), 3)"
    )
    process = script(code, tmp_path)
    assert process.stdout is not None and process.stdout.readline() == "5\n", process.communicate()
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGINT, said
    assert "KeyboardInterrupt" in said
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert not [path for path in (tmp_path / "native").iterdir() if path.suffix != cache.SUFFIX]
