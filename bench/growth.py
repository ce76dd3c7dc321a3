"""How time and memory of the compiler grow with the size of a network: 1,000, 10,000 and 100,000 nodes.

    python -m bench.growth [--write] [NODES ...]

Each size runs in a process of its own: parse, check (which parses again), differentiate, optimise, plan, export (lowering, without the
checks). Seconds are processor time of one run; memory is the growth of the peak of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from bench.page import write
from dslc.limits import VARIABLE

SIZES = (1_000, 10_000, 100_000)
PHASES = ("parse", "check", "differentiate", "optimise", "plan", "lower to ONNX")
NODES_A_LINE = 5
TURNS = 2


def spec(nodes: int) -> str:
    """A network of about so many nodes (a little below, as 100,000 is the limit of one graph): many lines of text, expanded twice.

    It has one weight, whose gradient has one summand for each product.
    """
    lines = "\n".join("    x = tanh(x @ w) * 0.5 + x / 2" for _ in range(nodes // NODES_A_LINE // TURNS - 1))
    return f"""dslc 1

network Deep {{
  input x: [batch, 8]
  weight w: [8, 8] = xavier
  for turn in 0..{TURNS} {{
{lines}
  }}
  output loss = mean(x)
}}
"""


def measure(nodes: int) -> dict[str, tuple[float, float]]:
    """Seconds and MiB of each phase."""
    import numpy as np

    from dslc.diagnostics import Sink
    from dslc.loading import check_source
    from dslc.passes.differentiate import differentiate
    from dslc.passes.pipeline import optimize
    from dslc.plan import make_plan
    from dslc.source import Source
    from dslc.syntax.parse import parse
    from exporters.onnx.export import make_subject

    found: dict[str, tuple[float, float]] = {}

    def timed(phase: str, work: Callable[[], Any]) -> Any:
        before, start = peak(), time.process_time()
        result = work()
        found[phase] = (time.process_time() - start, peak() - before)
        return result

    timed("start", lambda: check_source(Source("small.nn", spec(10))))  # loads what is loaded once
    source = Source("deep.nn", spec(nodes))
    timed("parse", lambda: parse(source, Sink()))
    program, errors = timed("check", lambda: check_source(source))
    if program is None:
        raise SystemExit("\n".join(str(error) for error in errors[:3]))
    network = program.networks["Deep"]
    derived = timed("differentiate", lambda: differentiate(network.train, "loss", ("Deep.w",)))
    small = timed("optimise", lambda: optimize(derived))
    timed("plan", lambda: make_plan(small, {"batch": 4}))
    timed("lower to ONNX", lambda: make_subject(network, {"Deep.w": np.eye(8, dtype=np.float32)}))
    return found


def peak() -> float:
    """Peak memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_process(nodes: int) -> dict[str, tuple[float, float]]:
    command = [sys.executable, "-m", "bench.growth", "--one", str(nodes)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, VARIABLE: "5"})
    if done.returncode:
        raise SystemExit(done.stderr or done.stdout)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def table(results: dict[int, dict[str, tuple[float, float]]]) -> str:
    """Markdown: seconds and MiB by phase and size, and microseconds for each node of the largest."""
    sizes = list(results)
    last = sizes[-1]
    rows = ["| phase | " + " | ".join(f"{n:,} nodes" for n in sizes) + " | µs a node |", "|---" * (len(sizes) + 2) + "|"]
    for phase in PHASES:
        cells = [f"{results[n][phase][0]:.2f} s, {results[n][phase][1]:.0f} MiB" for n in sizes]
        rows.append(f"| {phase} | " + " | ".join(cells) + f" | {results[last][phase][0] / last * 1e6:.0f} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nodes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    args = parser.parse_args()
    if args.one is not None:
        print(json.dumps(measure(args.one)))
        return
    results = {}
    for nodes in args.nodes:
        print(f"{nodes:,} nodes …", file=sys.stderr, flush=True)
        results[nodes] = in_process(nodes)
    text = table(results)
    print(text)
    if args.write:
        write("growth", text)


if __name__ == "__main__":
    main()
