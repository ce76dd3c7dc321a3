"""What one sees while training: a live line on a terminal, plain lines elsewhere, JSON lines, or nothing.

The loop tells a `Progress` what happens; notes go the same way. Only this file knows rich.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from dslc.diagnostics import DataError
from dslc.files import reason
from dslc.render import escape
from dslc.usage import CannotWriteFile
from runtime.train.metrics import finite, scalars

INTERVAL = 5.0  # seconds between plain lines
SOON = 1.0  # seconds before something is said of a compilation
LIVE_INTERVAL = 0.1  # seconds between redrawings of the live line
EPOCH_LINES = 40  # where there are many more epochs, not every one has a line


def numbers(metrics: Mapping[str, Any]) -> str:
    """`loss 0.3067  accuracy 0.8950`, without what is a vector or matrix."""
    return "  ".join(f"{name} {value:.4f}" for name, value in scalars(metrics).items())


def named(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Without the loss, which a line about a step already says."""
    return {name: value for name, value in metrics.items() if name != "loss"}


@dataclass
class Output:
    """A stream whose reader may go, or may never have been there: what is said then is lost, and the training goes on.

    Any other failure of the standard output, which holds results, is a DataError; of the standard error it is not.
    """

    stream: TextIO | None

    def write(self, text: str) -> int:
        return self._try(lambda stream: stream.write(text))

    def flush(self) -> None:
        self._try(lambda stream: stream.flush())

    def isatty(self) -> bool:
        return self.stream is not None and self.stream.isatty()

    @property
    def encoding(self) -> str:
        return getattr(self.stream, "encoding", None) or "utf-8"

    def fileno(self) -> int:
        return -1 if self.stream is None else self.stream.fileno()

    def _try(self, act: Callable[[TextIO], int | None]) -> int:
        if self.stream is None:
            return 0
        try:
            return act(self.stream) or 0
        except OSError as error:
            if self.stream is sys.stdout and not isinstance(error, BrokenPipeError):
                raise DataError(CannotWriteFile(path="standard output", reason=reason(error))) from error
            if self.stream is sys.stderr:
                sys.stderr = None
            self.stream = None
            return 0


@dataclass(frozen=True)
class Moment:
    """Where the training stands: `step` and `epoch` count what is done, `sample` what this process has seen."""

    step: int
    steps: int
    epoch: int
    epochs: int
    losses: Mapping[str, float]  # "loss", and those that have names
    rate: float
    samples: int
    metrics: Mapping[str, Any]

    @property
    def loss(self) -> float:
        return self.losses["loss"]


@dataclass
class Progress:
    """Says nothing (`--quiet`); the base of the others."""

    clock: Callable[[], float] = time.monotonic
    started: float = field(default=0.0, init=False)
    first_step: int = field(default=0, init=False)
    last: float = field(default=0.0, init=False)

    def compiling(self, done: int, total: int) -> None:
        """So many kernels of machine code are compiled; 0 at the beginning."""

    def start(self, title: str, step: int, steps: int) -> None:
        """Training of `title` begins at `step` of `steps`."""
        self.started = self.last = self.clock()
        self.first_step = step

    def step(self, moment: Moment) -> None:
        """A step is done."""

    def epoch(self, moment: Moment) -> None:
        """An epoch is done and evaluated: `moment.metrics` are the new ones."""

    def note(self, text: str) -> None:
        """Something that is said aloud."""

    def finish(self, event: Mapping[str, Any]) -> None:
        """Training ended; `event` says how: `folder`, `status`, `metrics`."""

    def close(self) -> None:
        """Called at the end in every case, also after an error."""

    def due(self, interval: float) -> bool:
        """Whether `interval` seconds have gone since it was last true."""
        now = self.clock()
        if now - self.last < interval:
            return False
        self.last = now
        return True

    def compiling_due(self, done: int) -> bool:
        """Whether to say something of a compilation: after a second, then as often as of steps."""
        if not done:
            self.last = self.clock() - INTERVAL + SOON
        return self.due(INTERVAL)

    def speed(self, moment: Moment) -> float:
        """Samples a second since the start of this process."""
        return moment.samples / max(1e-9, self.clock() - self.started)

    def left(self, moment: Moment) -> float:
        """Seconds left at the present pace."""
        done = max(1, moment.step - self.first_step)
        return (self.clock() - self.started) / done * (moment.steps - moment.step)


@dataclass
class PlainProgress(Progress):
    """A line each few seconds and one for each epoch, for logs and pipes."""

    stream: TextIO | Output = field(default_factory=lambda: Output(sys.stderr))

    def compiling(self, done: int, total: int) -> None:
        if self.compiling_due(done):
            self._say(f"compiling: {done} of {total} kernels")

    def start(self, title: str, step: int, steps: int) -> None:
        super().start(title, step, steps)
        self._say(f"training {title}: {steps:,} steps" + (f", from step {step:,}" if step else ""))

    def step(self, moment: Moment) -> None:
        if self.due(INTERVAL):
            self._say(self.line(moment))

    def epoch(self, moment: Moment) -> None:
        if moment.epoch % max(1, moment.epochs // EPOCH_LINES) == 0 or moment.epoch == moment.epochs:
            self._say(f"epoch {moment.epoch}/{moment.epochs}  train {numbers(moment.losses)}  {numbers(moment.metrics)}")

    def note(self, text: str) -> None:
        self._say(f"note: {text}")

    def finish(self, event: Mapping[str, Any]) -> None:
        self._say(f"{event['status']}: {event['folder']}  {numbers(event['metrics'])}".rstrip())

    def line(self, moment: Moment) -> str:
        """`step 120/507  epoch 1/3  loss 0.6931  2,310 samples/s  0:42 left  accuracy 0.8308`; the metrics are the last known."""
        seconds = int(self.left(moment))
        counted = f"step {moment.step}/{moment.steps}  epoch {min(moment.epoch + 1, moment.epochs)}/{moment.epochs}"
        pace = f"{self.speed(moment):,.0f} samples/s  {seconds // 60}:{seconds % 60:02} left"
        return f"{counted}  {numbers(moment.losses)}  {pace}  {numbers(named(moment.metrics))}".rstrip()

    def _say(self, text: str) -> None:
        print(escape(text), file=self.stream, flush=True)


@dataclass
class JsonProgress(Progress):
    """One JSON object on each line: `event` is compile, start, step, epoch, note or finish."""

    stream: TextIO | Output = field(default_factory=lambda: Output(sys.stdout))

    def compiling(self, done: int, total: int) -> None:
        if self.compiling_due(done):
            self._say("compile", done=done, total=total)

    def start(self, title: str, step: int, steps: int) -> None:
        super().start(title, step, steps)
        self._say("start", spec=title, step=step, steps=steps)

    def step(self, moment: Moment) -> None:
        if self.due(INTERVAL):
            self._say("step", **self._numbers(moment))

    def epoch(self, moment: Moment) -> None:
        self._say("epoch", **self._numbers(moment), metrics=dict(moment.metrics))

    def note(self, text: str) -> None:
        self._say("note", text=text)

    def finish(self, event: Mapping[str, Any]) -> None:
        self._say("finish", **event)

    def _numbers(self, moment: Moment) -> dict[str, Any]:
        speed, left = round(self.speed(moment), 1), round(self.left(moment), 1)
        counted = {"step": moment.step, "steps": moment.steps, "epoch": moment.epoch, "epochs": moment.epochs}
        return {**counted, **moment.losses, "rate": moment.rate, "samples_per_second": speed, "seconds_left": left}

    def _say(self, event: str, **facts: Any) -> None:
        print(json.dumps(finite({"event": event, **facts})), file=self.stream, flush=True)


@dataclass
class LiveProgress(PlainProgress):
    """A line that redraws itself (rich), and the plain lines of epochs and notes above it."""

    def start(self, title: str, step: int, steps: int) -> None:
        from rich.console import Console
        from rich.live import Live

        self.console = Console(file=self.stream, highlight=False, no_color=bool(os.environ.get("NO_COLOR")) or None)
        self.live = Live(console=self.console, auto_refresh=False, transient=True)
        super().start(title, step, steps)
        self.live.start()

    def step(self, moment: Moment) -> None:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        if not self.due(LIVE_INTERVAL):
            return
        row = Table.grid(padding=(0, 1))
        row.add_row(ProgressBar(total=moment.steps, completed=moment.step, width=20), self.line(moment))
        self.live.update(row, refresh=True)

    def finish(self, event: Mapping[str, Any]) -> None:
        self.close()
        super().finish(event)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if hasattr(self, "live"):
            self.live.stop()

    def _say(self, text: str) -> None:
        if hasattr(self, "console"):
            self.console.print(escape(text), markup=False, soft_wrap=True)
        else:
            super()._say(text)


def make_progress(*, quiet: bool = False, as_json: bool = False, stream: TextIO | None = None) -> Progress:
    """JSON lines go to the standard output, everything else to the standard error; live only on a terminal."""
    if as_json:
        return JsonProgress(stream=Output(stream or sys.stdout))
    if quiet:
        return Progress()
    output = Output(stream or sys.stderr)
    return LiveProgress(stream=output) if output.isatty() and os.environ.get("TERM") != "dumb" else PlainProgress(stream=output)
