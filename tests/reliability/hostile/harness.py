"""Runs a row: makes its folders and files, runs its command in a guarded process, and judges what came out.

A case holds if the exit code and the words are those of the row and

- no traceback is shown, and the output holds no control or invisible character but line ends and tabs;
- the guard refused nothing: no code but that of installed modules, no unpickling, process, socket or ctypes, no file outside the roots;
- nothing has appeared or changed outside the output folder, the temporary folder is empty again, and the secret is nowhere.
"""

from __future__ import annotations

import atexit
import dataclasses
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.reliability.hostile.row import SECRET, Place, Result, Row

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
LIGHT_VERBS = frozenset(["check", "fmt", "config", "explain", "ops", "new", "--help", "--version"])
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "DSLC_THREADS")
HASHED = 4 << 20  # larger files are compared by size and time


def check(row: Row) -> Result | None:
    """Raises AssertionError where something else comes out than the row says. None where it does not apply or cannot be tried here."""
    if row.skip or row.missing:
        return None
    with new_place() as place:
        write_inputs(row, place)
        before = snapshot(place)
        for words in row.before:
            done = run(row, place, words)
            assert done.code == 0, f"`dslc {' '.join(words)}` ended with {done.code}: {shown(done)}"
        result = row.run(place) if row.run is not None else run(row, place, row.command)
        judge(row, result)
        judge_files(row, place, before)
        if row.after is not None:
            row.after(place, result)
        return result


def write_inputs(row: Row, place: Place) -> None:
    if row.spec is not None:
        content = row.spec() if callable(row.spec) else row.spec
        (place.spec / "spec.nn").write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    if row.build is not None:
        row.build(place)


@contextmanager
def new_place() -> Iterator[Place]:
    base = Path(tempfile.mkdtemp(prefix="hostile-")).resolve()
    place = Place(base)
    try:
        for folder in (place.spec, place.out, place.secret, place.home, place.temporary):
            folder.mkdir()
        (place.secret / "passwd").write_text(f"root:{SECRET}:0:0\n")
        yield place
    finally:
        shutil.rmtree(base, ignore_errors=True)


def environment(row: Row, place: Place) -> dict[str, str]:
    """Little, and a secret that must not be shown."""
    known = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(place.home),
        "TMPDIR": str(place.temporary),
        "LANG": "C.UTF-8",
        "API_TOKEN": SECRET,
        "DSLC_DEVICE": "numpy",  # what the rows say does not hang on the device
    }
    return {**known, **dict.fromkeys(THREADS, "1"), **{name: place.fill(text) for name, text in row.env.items()}}


# ---- running ----------------------------------------------------------------------------------------------------------------------


def run(row: Row, place: Place, words: tuple[str, ...]) -> Result:
    """A command, or the row's call, in a fork of the server that has what it needs."""
    job = {
        "words": [place.fill(word) for word in words],
        "call": row.call if words is row.command else "",
        "base": str(place.base),
        "folder": str(place.spec),
        "env": environment(row, place),
        "reads": [str(place.spec), *(place.fill(root) for root in row.reads)],
        "writes": [str(place.out), str(place.temporary), *(str(place.spec / name) for name in row.changes)],
        "limits": dataclasses.asdict(row.limits),
        **{name: str(place.base / name) for name in ("stdout", "stderr", "breach")},
    }
    light = not job["call"] and (not words or words[0] in LIGHT_VERBS)
    found = server("light" if light else "full").ask(job)
    texts = [(place.base / name).read_bytes() if (place.base / name).exists() else b"" for name in ("stdout", "stderr", "breach")]
    for name in ("stdout", "stderr", "breach"):
        (place.base / name).unlink(missing_ok=True)
    return Result(found["code"], texts[0], texts[1], texts[2].decode("utf-8", "replace"), found["late"], found["cpu"], found["memory"])


class Server:
    """A fork server and its pipes; after an interrupted question it is started anew."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.process: subprocess.Popen[str] | None = None
        atexit.register(self.stop)

    def ask(self, job: dict[str, object]) -> dict[str, object]:
        command = [sys.executable, "-P", str(HERE / "server.py"), self.kind]
        if self.process is None:
            kept = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
            env = {**kept, **dict.fromkeys(THREADS, "1")}
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
            assert answer, f"the server `{self.kind}` ended: it is started as `{' '.join(command)}`"
            return json.loads(answer)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    pipe.close()
        self.process = None


@cache
def server(kind: str) -> Server:
    return Server(kind)


# ---- a process of its own -----------------------------------------------------------------------------------------------------------


def dslc_command(*words: str) -> list[str]:
    """The command as it is installed, without the folder of work on the path of modules."""
    return [sys.executable, "-P", "-m", "dslc", *words]


def finished(process: subprocess.CompletedProcess[bytes]) -> Result:
    return Result(process.returncode, process.stdout or b"", process.stderr or b"")


# ---- judging ------------------------------------------------------------------------------------------------------------------------


def shown(result: Result) -> str:
    return (result.out + result.err).decode("utf-8", "replace")[-1500:]


def judge(row: Row, result: Result) -> None:
    assert not result.breach, f"the guard refused: {result.breach}"
    assert not result.late, f"no end after {row.limits.wall} s"
    assert result.code in row.exits, f"exit code {result.code}, not {row.exits}: {shown(result)}"
    text = result.text
    assert "Traceback" not in text, shown(result)
    strange = sorted(
        {f"U+{ord(char):04X}" for char in text if char not in "\n\t" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    )
    assert not strange, f"characters that a terminal obeys: {strange}: {shown(result)!r}"
    assert SECRET not in text, "the secret is shown"
    missing = [word for word in row.says if word not in text]
    assert not missing, f"not said: {missing}: {shown(result)}"
    found = [word for word in row.never if word in text]
    assert not found, f"said: {found}: {shown(result)}"


def judge_files(row: Row, place: Place, before: dict[str, tuple[object, ...]]) -> None:
    after = snapshot(place)
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name) and not allowed(row, name))
    assert not changed, f"made, changed or removed: {changed}"
    for path in files(place.out):
        if path.is_file() and not path.is_symlink():
            assert SECRET.encode() not in path.read_bytes(), f"the secret is in {path.relative_to(place.base)}"


def allowed(row: Row, name: str) -> bool:
    return any(name == f"spec/{item}" or name.startswith(f"spec/{item}/") for item in row.changes)


def snapshot(place: Place) -> dict[str, tuple[object, ...]]:
    """What stands in the folders of a case but the output folder: name to kind, mode, size, time and content."""
    found: dict[str, tuple[object, ...]] = {}
    for path in files(place.base):
        name = path.relative_to(place.base).as_posix()
        if name == "out" or name.startswith("out/"):
            continue
        state = path.lstat()
        kind = stat.S_IFMT(state.st_mode)
        if stat.S_ISDIR(state.st_mode):
            found[name] = (kind, state.st_mode)
        elif stat.S_ISREG(state.st_mode) and state.st_size <= HASHED:
            found[name] = (kind, state.st_mode, hashlib.sha256(path.read_bytes()).hexdigest())
        else:
            found[name] = (kind, state.st_mode, state.st_size, state.st_mtime_ns)
    return found


def files(folder: Path) -> Iterator[Path]:
    """Everything below a folder; links are not followed."""
    for top, folders, names in os.walk(folder):
        yield from (Path(top) / name for name in (*folders, *names))
