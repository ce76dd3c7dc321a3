"""From the start of Python to the end of the first training step on the cpu device: `python -m bench.first_step [--threads N] [--write]`.

Cold: nothing was compiled before. Warm: all modules are in the cache. The evaluation is compiled too, as `dslc train` does. Every start is
a process with a cache of its own; the median of several.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.networks import BATCHES, MOMENTUM, batch_of
from bench.page import write

TURNS = 3
SAMPLES = 1000  # of the evaluation


def first_step(name: str, threads: int) -> None:
    """What a process does that is measured."""
    from runtime.step import compile_step
    from tests.runtime.networks import program_of, with_momentum

    step = compile_step(with_momentum(program_of(name), MOMENTUM), device="cpu", threads=threads, batch_size=BATCHES[name])
    step.bind_evaluation(SAMPLES)
    step.train(**batch_of(name))


def start(name: str, threads: int, cache: Path) -> float:
    """Seconds of one process."""
    before = time.perf_counter()
    command = [sys.executable, "-m", "bench.first_step", "--one", name, "--threads", str(threads)]
    subprocess.run(command, check=True, env=os.environ | {"DSLC_CACHE": str(cache)})
    return time.perf_counter() - before


def row(name: str, threads: int) -> str:
    cold, warm = [], []
    for _ in range(TURNS):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(start(name, threads, Path(folder)))
            kept = [path.stat().st_size for path in (Path(folder) / "native").iterdir()]
            warm.append(start(name, threads, Path(folder)))
    size = f"{sum(kept) / 1024:.0f} KiB"
    return f"| {name} | {len(kept)} | {size} | {statistics.median(cold):.1f} s | {statistics.median(warm):.1f} s |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    parser.add_argument("--one", choices=sorted(BATCHES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        first_step(options.one, options.threads)
        return
    table = "\n".join(
        [
            f"| network, {options.threads} threads | modules | machine code | cold | warm |",
            "|---|---|---|---|---|",
            *(row(name, options.threads) for name in BATCHES),
        ]
    )
    print(table)
    if options.write:
        write("first step", table)


if __name__ == "__main__":
    main()
