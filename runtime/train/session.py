"""What a training works with while it runs, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dslc.program import Program, Training
from runtime.step import Step
from runtime.train.inputs import Inputs, Order
from runtime.train.metrics import MetricsLog
from runtime.train.progress import Progress
from runtime.train.resume import Counters
from runtime.train.rounds import Rounds, rounds_of
from runtime.train.turns import Turn


@dataclass(frozen=True)
class RunResult:
    """How a training ended. `metrics`: the last evaluation; `history`: the lines of metrics.jsonl; `exit_code`: 0 or a signal's."""

    folder: Path
    metrics: dict[str, dict[str, Any]]
    history: list[dict[str, Any]]
    exit_code: int
    steps: int
    finished: bool


@dataclass
class Session:
    """One training in progress."""

    program: Program
    training: Training
    inputs: Inputs
    step: Step
    folder: Path
    progress: Progress
    facts: dict[str, Any]  # what every checkpoint says besides the counters
    seed: int
    counters: Counters
    log: MetricsLog
    order: Order = field(init=False)
    rounds: Rounds = field(init=False)
    seen: int = 0  # samples, by this process
    saved_at: float = 0.0
    waiting: dict[str, bytearray] = field(default_factory=dict)  # checkpoints that are to be written
    turns: list[Turn] = field(default_factory=list)  # of the present round

    def __post_init__(self) -> None:
        size = self.training.batch_size * self.training.accumulate
        self.order = Order(self.inputs, size, self.seed)
        self.rounds = rounds_of(self.training, self.order.steps)
