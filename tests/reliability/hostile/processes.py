"""Commands as processes of their own, with other variables, streams and signals."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.reliability.hostile import harness
from tests.reliability.hostile.names import CSV, SMALL, text
from tests.reliability.hostile.row import Place, Result, Row

CHECK = ("check", "spec.nn")
LONG = SMALL.replace("epochs: 1", "epochs: 100000000")


def small(place: Place) -> None:
    """The data of the small training."""
    text("d.csv", CSV)(place)


def process(
    words: tuple[str, ...], *, safe: bool = True, env: dict[str, str | None] | None = None, **options: Any
) -> Callable[[Place], Result]:
    """The command as a process of its own, with other variables or streams; `safe`: with `-P`."""

    def run(place: Place) -> Result:
        filled = [place.fill(word) for word in words]
        command = harness.dslc_command(*filled) if safe else [sys.executable, "-m", "dslc", *filled]
        given = {"cwd": place.spec, "env": variables(place, env or {}), "stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 60}
        if "stdout" in options or "stderr" in options:
            given |= {"capture_output": False, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return harness.finished(subprocess.run(command, **{**given, **options}))

    return run


def variables(place: Place, changes: dict[str, str | None]) -> dict[str, str]:
    known = {**harness.environment(Row(0, ""), place), **{name: place.fill(text) for name, text in changes.items() if text is not None}}
    return {name: value for name, value in known.items() if changes.get(name, "") is not None}


@contextmanager
def started(place: Place, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that is running."""
    command = harness.dslc_command(*(place.fill(word) for word in words))
    child = subprocess.Popen(
        command, cwd=place.spec, env=variables(place, {}), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def ended(child: subprocess.Popen[bytes]) -> Result:
    out, err = child.communicate(timeout=60)
    return Result(child.returncode, out, err)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} does not appear"
        time.sleep(0.02)


def stopped(words: tuple[str, ...], number: int, *, seconds: float = 0.0, appears: str = "") -> Callable[[Place], Result]:
    """The signal comes after some time, or when a file of the output folder appears."""

    def run(place: Place) -> Result:
        with started(place, *words) as child:
            if appears:
                wait_for(place.out / appears)
            time.sleep(seconds)
            child.send_signal(number)
            return ended(child)

    return run
