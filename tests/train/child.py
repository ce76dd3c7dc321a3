"""A training in a process of its own, for tests that kill and signal it.

    python -m tests.train.child SPEC OUT [--resume] [--delay SECONDS] [--hang] [--die-at N]

Says `step N` after each step. --delay: after each step; --hang: after a signal it stays in the step; --die-at: SIGKILL at the N-th
system call of saving.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from dslc.loading import load_program
from runtime.train import atomic
from runtime.train.loop import train
from runtime.train.progress import Moment, Progress


class Slow(Progress):
    delay = 0.0
    hang = False

    def step(self, moment: Moment) -> None:
        print("step", moment.step, flush=True)
        time.sleep(self.delay)
        if self.hang:
            time.sleep(60)


class Deadly:
    """`os` that kills the process at the n-th call of a save."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in ("open", "write", "fsync", "lseek", "read", "close", "replace", "unlink"):
            return real

        def call(*args: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args)

        return call


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("spec", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--hang", action="store_true")
    parser.add_argument("--die-at", type=int, default=0)
    args = parser.parse_args()
    if args.die_at:
        atomic.os = Deadly(args.die_at)
    progress = Slow()
    progress.delay, progress.hang = args.delay, args.hang
    where = {"resume": args.out} if args.resume else {"out": args.out}
    try:
        return train(load_program(args.spec)[0], spec_path=args.spec, threads=1, progress=progress, **where).exit_code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
