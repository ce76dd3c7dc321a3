"""A whole training step (forward, backward, SGD with momentum) against PyTorch: `python -m bench.training_step [--compile] [--write]`.

One process a side, alternating in short turns so that what disturbs the machine disturbs all sides; medians over all steps.
`--write` puts the table into `docs/performance.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench.networks import BATCHES
from bench.page import write

WORDS = {
    "cpu": "dslc",
    "numpy": "dslc (NumPy)",
    "eager": "PyTorch eager",
    "eager-last": "eager, channels last",
    "compile": "torch.compile",
    "compile-last": "compile, channels last",
}
PEERS = ("eager", "eager-last"), ("compile", "compile-last")


@dataclass
class Side:
    """One process and what it measured: network -> seconds of its steps, seconds until the first step."""

    name: str
    process: subprocess.Popen[str]
    times: dict[str, list[float]] = field(default_factory=dict)
    first: dict[str, float] = field(default_factory=dict)

    @classmethod
    def start(cls, name: str, threads: int) -> Side:
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        command = [sys.executable, "-m", "bench.sides", name, str(threads)]
        return cls(name, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment))

    def turn(self, network: str, seconds: float) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{network} {seconds}\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        self.times.setdefault(network, []).extend(answer["times"])
        self.first.setdefault(network, answer["first"])

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def machine(threads: int) -> str:
    """Processor, threads and versions."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        model = next((line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")), model)
    parts = [f"{name} {version(name)}" for name in ("numpy", "llvmlite", "torch")]
    return f"{model}, {os.cpu_count()} processors, {threads} threads, Python {platform.python_version()}, {', '.join(parts)}"


def measure(sides: list[Side], networks: list[str], turns: int, seconds: float) -> None:
    for network in networks:
        for turn in range(turns):
            for side in sides if turn % 2 == 0 else sides[::-1]:
                side.turn(network, seconds)


def table(sides: list[Side], networks: list[str]) -> str:
    """Markdown: median milliseconds, and the ratio to ours of NumPy and of the fastest peer (above 1: ours is faster)."""
    head = ["network (batch)", *(WORDS[side.name] for side in sides), "dslc (NumPy) / dslc", "fastest PyTorch / dslc"]
    lines = [" | ".join(["", *head, ""]).strip(), "|" + "---|" * len(head)]
    for network in networks:
        times = [median(side.times[network]) * 1e3 for side in sides]
        cells = [
            f"{network} ({BATCHES[network]})",
            *(f"{time:.1f} ms" for time in times),
            f"{times[1] / times[0]:.2f}",
            f"{min(times[2:]) / times[0]:.2f}",
        ]
        lines.append(" | ".join(["", *cells, ""]).strip())
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=list(BATCHES), help="mlp lenet resnet20 vgg8")
    parser.add_argument("--compile", action="store_true", help="measure torch.compile as well (a minute more)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=4, help="turns of each side and network")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a turn")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    sides = [Side.start(name, options.threads) for name in ("cpu", "numpy", *PEERS[0], *(PEERS[1] if options.compile else ()))]
    try:
        measure(sides, options.networks, options.turns, options.seconds)
    finally:
        for side in sides:
            side.stop()
    first = ", ".join(f"{WORDS[side.name]} {sum(side.first.values()):.1f} s" for side in sides)
    text = f"{machine(options.threads)}. Time to the first steps of all networks: {first}.\n\n{table(sides, options.networks)}"
    print(text)
    if options.write:
        write("training step", text)


if __name__ == "__main__":
    main()
