"""A training takes the memory that was estimated before its first step: each in a process of its own, whose peak the system keeps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.reliability.campaign import Campaign, Goal, Tally

WITHIN = 0.05
SAMPLE = (("lenet5", 256), ("unet", 8), 7, 5, 13, 9)  # looked at first; the others follow in order
MEMORY = Path("/dev/shm")
GENERATED = 60
DEVICES = ("numpy", "cpu")


@cache
def cases() -> tuple[Any, ...]:
    """Shipped specs with their batch sizes, and numbers of generated networks, one after the other."""
    from tests.reliability.memory.networks import SHIPPED

    return (*SAMPLE, *(item for item in (*SHIPPED, *range(GENERATED)) if item not in SAMPLE))


def run(case: int, tally: Tally) -> None:
    """All on NumPy, then all on the cpu device."""
    device, number = DEVICES[case // len(cases())], case % len(cases())
    found, kind = trained(cases()[number], device)
    parts = found["parts"]
    arena = parts["gradients"] + parts["values of a training step"] - found["accumulated"]
    assert arena == found["arena"], f"the arena has {found['arena']:,} bytes, {arena:,} were planned"
    assert parts["values of an evaluation"] == found["evaluation arena"], "the arena of the evaluation is not as planned"
    tally.count("arenas equal")
    estimate = max(sum(parts.values()), found["before"])
    error = abs(estimate - found["peak"]) / found["peak"]
    above = found["peak"] - base(device)
    tally.note("networks", kind)
    tally.count(f"on {device}")
    tally.measure("error of the estimate, percent of the peak of the process", round(100 * error, 2))
    if above > base(device):
        tally.count("above the base as much again or more")
        tally.measure(
            "the same, percent of what is above the base, where that is as much again", round(100 * error * found["peak"] / above, 2)
        )
    tally.measure("peak, MB", round(found["peak"] / 1e6))
    assert error <= WITHIN, f"{estimate / 1e6:.1f} MB estimated, {found['peak'] / 1e6:.1f} MB taken: {100 * error:.1f} %; {parts}"
    tally.count("within 5 %")


@cache
def base(device: str) -> int:
    """The peak of a process that trains the smallest shipped network: Python, the libraries, the compiler."""
    found, _ = trained(("xor", 4), device)
    return int(found["peak"])


def trained(item: tuple[str, int] | int, device: str) -> tuple[dict[str, Any], str]:
    """What a process says of its training, and the kind of the network."""
    from tests.reliability.memory.networks import write_network

    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        folder = Path(name)
        if isinstance(item, int):
            kind, spec = write_network(item, folder)
            arguments = [str(spec)]
        else:
            kind, arguments = f"shipped: {item[0]}", [item[0], "--batch", str(item[1])]
        command = [sys.executable, "-m", "tests.reliability.memory.child", *arguments, "--out", str(folder / "run")]
        environment = {**os.environ, "DSLC_DEVICE": device, "DSLC_CACHE": str(folder / "cache")}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr[-2000:]
        facts: dict[str, Any] = json.loads(done.stdout)
        return facts, kind


CAMPAIGNS = (
    Campaign(
        "memory",
        "The memory that is estimated before the first step is within 5 % of the peak of the process, and of the arenas equal.",
        run,
        full=182,
        sample=6,
        seconds=300,
        goals=(
            Goal("arenas of the planned size", "arenas equal", "cases", least=1.0),
            Goal("peaks within 5 % of the estimate", "within 5 %", "cases", least=1.0),
        ),
    ),
)
