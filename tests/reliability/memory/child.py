"""One training of three steps, an evaluation and a save, with the system's count of its memory: prints one line of JSON.

python -m tests.reliability.memory.child SPEC --out FOLDER [--batch N]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any
from unittest import mock

STEPS = 3


def most() -> int:
    """The largest resident memory of this process so far, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


def main() -> None:
    from dslc import api
    from runtime.train import loop
    from runtime.train.progress import Progress
    from runtime.train.rounds import Rounds

    parser = argparse.ArgumentParser()
    parser.add_argument("spec")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--batch", type=int)
    args = parser.parse_args()
    spec = api.load(args.spec).replaced(None, epochs=None, batch_size=args.batch)
    seen: dict[str, Any] = {}
    estimate = loop.whole

    def watched(step: Any, inputs: Any) -> Any:
        found = estimate(step, inputs)
        seen.update(step=step, memory=found, before=most())
        return found

    with mock.patch.object(loop, "whole", watched), mock.patch.object(Rounds, "total", STEPS):
        loop.train(spec.program, spec_path=spec.path, out=args.out, threads=1, progress=Progress())
    step, memory = seen["step"], seen["memory"]
    halves = [half.runner.executor for half in step.steps.values()]
    evaluation = step.runners["evaluate"].executor
    facts = {
        "parts": memory.parts,
        "arena": sum(executor.arena.nbytes for executor in halves),
        "evaluation arena": evaluation.arena.nbytes,
        "accumulated": sum(flat.weights.nbytes for flat in step.memory.flats) if step.training.accumulate > 1 else 0,
        "before": seen["before"],
        "peak": most(),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
