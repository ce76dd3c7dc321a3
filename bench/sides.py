"""One side of the bench in a process of its own: reads "NETWORK SECONDS" lines, answers with the times of its steps as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from bench.networks import BATCHES, MOMENTUM, RATE, batch_of, torch_network

Step = Callable[[], object]


def native(name: str, threads: int) -> Step:
    return ours(name, threads, "cpu")


def reference(name: str, threads: int) -> Step:
    return ours(name, threads, "numpy")


def ours(name: str, threads: int, device: str) -> Step:
    """SGD with momentum on one of our devices."""
    from runtime.step import compile_step
    from tests.runtime.networks import program_of, with_momentum

    step = compile_step(with_momentum(program_of(name), MOMENTUM), device=device, threads=threads, batch_size=BATCHES[name])
    step.rate = RATE
    fields = batch_of(name)
    return lambda: step.train(**fields)


def torch_step(name: str, threads: int, *, compiled: bool = False, channels_last: bool = False) -> Step:
    """The same step in PyTorch; images arrive as they do for us, as bytes where the spec divides by 255.

    channels_last: weights and images of rank 4 lie so; images are turned in the step, as they arrive otherwise.
    """
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = torch_network(name)
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE, momentum=MOMENTUM)
    forward: Any = torch.compile(network) if compiled else network
    image, label = (torch.from_numpy(array) for array in batch_of(name).values())

    def step() -> float:
        x = image.float() / 255 if image.dtype == torch.uint8 else image
        if channels_last and x.dim() == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        loss = torch.nn.functional.cross_entropy(forward(x), label.long())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


SIDES: dict[str, Callable[[str, int], Step]] = {
    "cpu": native,
    "numpy": reference,
    "eager": torch_step,
    "eager-last": partial(torch_step, channels_last=True),
    "compile": partial(torch_step, compiled=True),
    "compile-last": partial(torch_step, compiled=True, channels_last=True),
}


def serve(side: str, threads: int) -> None:
    """Answer until the input ends. The first line for a network also compiles it; its time stands under "first"."""
    steps: dict[str, Step] = {}
    for line in sys.stdin:
        name, seconds = line.split()
        begin = time.perf_counter()
        if name not in steps:
            steps[name] = SIDES[side](name, threads)
            steps[name]()
        first = time.perf_counter() - begin
        for _ in range(2):
            steps[name]()
        times = []
        end = time.perf_counter() + float(seconds)
        while time.perf_counter() < end or len(times) < 3:
            start = time.perf_counter()
            steps[name]()
            times.append(time.perf_counter() - start)
        print(json.dumps({"times": times, "first": first}), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
