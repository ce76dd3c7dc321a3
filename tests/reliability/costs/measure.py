"""Processor time and peak memory of `dslc check` in a process of its own."""

from __future__ import annotations

import atexit
import os
import resource
import shutil
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROGRAM = """
import os, sys
from dslc.cli.main import main
try:
    code = main(["check", sys.argv[1]])
finally:
    lines = open("/proc/self/status").read().splitlines()
    open("peak", "w").write(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
sys.exit(code)
"""
ADDRESSES = 1 << 30  # of memory that may be reserved
SECONDS = 60


@dataclass(frozen=True)
class Cost:
    """`seconds` of processor time with the start of Python, `bytes` of memory at the peak, and the beginning of what was said."""

    code: int
    seconds: float
    bytes: int
    said: str


@cache
def folder() -> Path:
    """A scratch folder; compiled modules are kept in it, as they are for an installed package."""
    path = Path(tempfile.mkdtemp(prefix="cost"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    (path / "first.nn").write_text("dslc 1\n")
    checked(path, "first.nn")
    return path


def measure(text: str) -> Cost:
    path = folder()
    (path / "spec.nn").write_text(text)
    return checked(path, "spec.nn")


def checked(path: Path, name: str) -> Cost:
    (path / "peak").unlink(missing_ok=True)
    with (path / "said").open("wb") as said:
        child = os.fork()
        if child == 0:
            check(path, name, said.fileno())
        _, status, usage = os.wait4(child, 0)
    text = (path / "said").read_bytes()[:2000].decode(errors="replace")
    peak = path / "peak"
    memory = int(peak.read_text()) << 10 if peak.exists() else 0
    return Cost(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, memory, text)


def check(path: Path, name: str, said: int) -> None:
    """Become the process that checks; does not return."""
    try:
        os.chdir(path)
        for number in (1, 2):
            os.dup2(said, number)
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("DSLC_", "PYTHON"))}
        home = str(Path(__file__).parents[3])
        environment = {**kept, "PYTHONPATH": home, "PYTHONPYCACHEPREFIX": str(path / "compiled")}
        os.execve(sys.executable, [sys.executable, "-c", PROGRAM, name], environment)
    finally:
        os._exit(99)
