"""The time of every native kernel of a training step or a prediction: `python -m bench.kernels NETWORK [--batch N] [--predict]`.

One thread. Beside each kernel stand its rates, and above all what this processor reaches in the same minute.
"""

from __future__ import annotations

import argparse
import ctypes
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bench.networks import BATCHES, MOMENTUM
from dslc.passes.pipeline import optimize
from runtime.kernels.native.listing import manner
from runtime.kernels.native.machine import Library, Target, compile_object, host
from runtime.kernels.native.profile import Cost, profile
from runtime.native import NativeExecutor
from runtime.step import Step, compile_step
from tests.runtime.networks import program_of, with_momentum

CHAINS, TURNS = 12, 1_000_000  # independent sums, and how often each is added to
LINE = "{:>9} {:>6} {:>8} {:>6} {:>7}  {}"


def peak(goal: Target) -> float:
    """Products and sums a second of one thread, in registers."""
    lanes = goal.width // 4
    type = f"<{lanes} x float>"
    phis = [f"  %a{i} = phi {type} [zeroinitializer, %entry], [%b{i}, %loop]" for i in range(CHAINS)]
    sums = [f"  %b{i} = call {type} @llvm.fma.v{lanes}f32({type} %x, {type} %x, {type} %a{i})" for i in range(CHAINS)]
    stores = [f"  store volatile {type} %b{i}, ptr %out" for i in range(CHAINS)]
    lines = [
        f"declare {type} @llvm.fma.v{lanes}f32({type}, {type}, {type})",
        "define void @peak(ptr %out) {",
        "entry:",
        f"  %x = load {type}, ptr %out",
        "  br label %loop",
        "loop:",
        "  %i = phi i64 [0, %entry], [%j, %loop]",
        *phis,
        *sums,
        "  %j = add i64 %i, 1",
        f"  %more = icmp ult i64 %j, {TURNS}",
        "  br i1 %more, label %loop, label %done",
        "done:",
        *stores,
        "  ret void",
        "}",
    ]
    library = Library([compile_object("\n".join(lines), goal)], ["peak"])
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(library.addresses["peak"])
    memory = np.zeros(2 * goal.width, np.uint8)
    start = memory.ctypes.data + -memory.ctypes.data % goal.width
    return float(2 * lanes * CHAINS * TURNS) / best(lambda: call(start))


def bandwidth() -> float:
    """Bytes a second that one thread reads and writes in memory, together."""
    source, goal = np.ones(1 << 26, np.uint8), np.zeros(1 << 26, np.uint8)
    return 2 * source.nbytes / best(lambda: np.copyto(goal, source))


def best(run: Callable[[], object], times: int = 5) -> float:
    found: list[float] = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return min(found)


def random_fields(graph: Any, batch: int) -> dict[str, np.ndarray[Any, Any]]:
    """Bytes and normal numbers; labels below 10."""
    rng = np.random.default_rng(0)
    found = {}
    for item in graph.inputs:
        if item.kind in ("input", "data"):
            type = graph.types[item.id]
            shape, dtype = type.sizes(dict.fromkeys(type.names, batch)), type.dtype.numpy
            high = 256 if dtype == "uint8" and type.rank > 1 and item.name.endswith("image") else 2
            value = rng.normal(size=shape) if np.dtype(dtype).kind == "f" else rng.integers(0, high, shape)
            found[item.name] = value.astype(dtype)
    return found


def training(step: Step, batch: int) -> tuple[NativeExecutor, Callable[[], object]]:
    runner = step.only.runner
    fields = {name.removeprefix("data."): value for name, value in random_fields(runner.graph, batch).items()}
    step.rate = 1e-3
    assert isinstance(runner.executor, NativeExecutor)
    return runner.executor, lambda: step.train(**fields)


def prediction(step: Step, batch: int) -> tuple[NativeExecutor, Callable[[], object]]:
    runner = step.runner(optimize(step.network().evaluate))
    fields = random_fields(runner.graph, batch)
    assert isinstance(runner.executor, NativeExecutor)
    return runner.executor, lambda: runner.run(fields, (0, 0, 0))


def table(costs: Sequence[Cost], executor: NativeExecutor, whole: float, high: Mapping[str, float], lines: int) -> str:
    total = sum(cost.seconds for cost in costs)
    found = [
        f"{high['operations'] / 1e9:.0f} GFLOP/s and {high['bytes'] / 1e9:.1f} GB/s can be had; "
        f"whole {whole * 1e3:.2f} ms, of them {total * 1e3:.2f} ms in {len(costs)} kernels",
        LINE.format("µs", "share", "GFLOP/s", "peak", "GB/s", "kernel"),
    ]
    for cost in sorted(costs, key=lambda cost: -cost.seconds)[:lines]:
        rate = cost.operations / max(cost.seconds, 1e-9)
        how = manner(cost.job, cost.job.nest, executor.program, host())  # type: ignore[arg-type]
        numbers = (
            f"{cost.seconds * 1e6:.1f}", f"{cost.seconds / total:.1%}", f"{rate / 1e9:.1f}", f"{rate / high['operations']:.0%}",
            f"{cost.bytes / max(cost.seconds, 1e-9) / 1e9:.1f}",
        )  # fmt: skip
        found.append(LINE.format(*numbers, f"{cost.job.nest.name}: {how}"))
    return "\n".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", help="a shipped network, for example resnet20")
    parser.add_argument("--batch", type=int, help="samples (default: that of the bench, or 32)")
    parser.add_argument("--predict", action="store_true", help="the evaluation graph instead of a training step")
    parser.add_argument("--steps", type=int, default=15, help="a kernel's time is the least of so many")
    parser.add_argument("--lines", type=int, default=30, help="kernels that are shown")
    options = parser.parse_args()
    batch = options.batch or BATCHES.get(options.network, 32)
    program = with_momentum(program_of(options.network), MOMENTUM)
    step = compile_step(program, device="cpu", threads=1, batch_size=batch)
    executor, run = (prediction if options.predict else training)(step, batch)
    whole = []
    for _ in range(2 + options.steps):
        start = time.perf_counter()
        run()
        whole.append(time.perf_counter() - start)
    costs = profile(executor, run, options.steps)
    high = {"operations": peak(host()), "bytes": bandwidth()}
    print(table(costs, executor, min(whole), high, options.lines))


if __name__ == "__main__":
    main()
