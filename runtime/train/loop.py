"""Training, as a script: load, compile, then batch by batch forward, backward, check, update; evaluate and save after each epoch.

Everything is a pure function of (spec, data, seed, step), so a run that was interrupted continues bit for bit: the order of samples
comes from (seed, epoch, index), randomness from (seed, step, address), and a checkpoint holds the rest.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from dslc.diagnostics import DataError, DivergedError, SpecError
from dslc.parts import choose
from dslc.program import Program, Training
from runtime.errors import CannotRun, Diverged
from runtime.step import Step, compile_step
from runtime.train.atomic import remove_drafts, write_atomic
from runtime.train.checkpoint import Checkpoint, encode
from runtime.train.environment import environment
from runtime.train.errors import DiskSpace
from runtime.train.initializers import initialize
from runtime.train.inputs import Inputs, Order, load_inputs
from runtime.train.lock import locked
from runtime.train.metrics import MetricsLog, is_better, judged, plain_names
from runtime.train.progress import Moment, Progress
from runtime.train.resume import Counters, check_same, restore, resumed_state, run_facts
from runtime.train.run import BEST, CHECKPOINTS, LAST, fill_folder, new_folder, read_state
from runtime.train.schedules import rate_factor
from runtime.train.signals import Interrupts
from runtime.workers import default_threads

LOG_EVERY = 50  # steps between two lines of metrics.jsonl
SAVE_SECONDS = 300.0  # between two saves inside an epoch
REST_SECONDS = 1.0  # between two saves at ends of epochs, where epochs are shorter
FILES = 3  # last, best and the one being written


@dataclass(frozen=True)
class RunResult:
    """How a training ended. `metrics`: the last evaluation by split; `history`: the lines of metrics.jsonl; `exit_code`: 0, 130 or 143."""

    folder: Path
    metrics: dict[str, dict[str, float]]
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
    epochs: int = field(init=False)
    total: int = field(init=False)
    seen: int = 0  # samples, by this process
    saved_at: float = 0.0
    waiting: dict[str, bytes] = field(default_factory=dict)  # checkpoints that are to be written

    def __post_init__(self) -> None:
        self.order = Order(self.inputs.count("train"), self.training.batch_size, self.seed)
        epochs, limit = self.training.epochs, self.training.max_steps
        per_epoch = self.order.steps
        self.total = min((n for n in (epochs and epochs * per_epoch, limit) if n), default=per_epoch)
        self.epochs = -(-self.total // per_epoch)


def train(
    program: Program,
    *,
    training: str | None = None,
    spec_path: Path,
    out: Path | None = None,
    device: str = "numpy",
    threads: int | None = None,
    seed: int = 0,
    data_dir: Path | None = None,
    resume: Path | None = None,
    progress: Progress | None = None,
    max_steps: int | None = None,
) -> RunResult:
    """Train one `train` body of a program into a run folder; `spec_path` is the file of the spec.

    resume: a run folder to be continued (its seed counts). max_steps: pause after so many steps in all, which `resume` continues; the
    setting `steps` of the spec ends a training instead.
    Raises SpecError, DataError, DivergedError (the state before the bad step is then in `last`).
    """
    chosen = choose(program, "train", training)
    _refuse(chosen)
    progress = progress or Progress()
    threads = threads or default_threads()
    state = resumed_state(resume, progress) if resume is not None else None
    seed = state.meta["seed"] if state is not None else seed
    inputs = load_inputs(chosen, spec_path.parent, data_dir, seed)
    for note in inputs.notes:
        progress.note(note)
    facts = run_facts(program, chosen, inputs, seed, device, threads)
    if state is not None:
        check_same(resume, facts, state.meta, progress)
        facts["spec"] = state.meta["spec"]  # as it was called at first
    step = compile_step(program, training=chosen.name, device=device, batch_size=chosen.batch_size, seed=seed, threads=threads)
    folder = resume if resume is not None else new_folder(out, spec_path)
    with locked(folder, str(folder)) as stale, Interrupts() as interrupts:
        if stale:
            progress.note(f"{folder}: the lock of a trainer that is gone was taken over")
        if state is None:
            fill_folder(folder, program, chosen.name, spec_path, environment(device, threads))
        remove_drafts(folder / CHECKPOINTS)
        remove_drafts(folder)
        counters = restore(step, state) if state is not None else Counters()
        log = MetricsLog(folder, counters.step)
        session = Session(program, chosen, inputs, step, folder, progress, facts, seed, counters, log)
        try:
            return _run(session, interrupts, max_steps)
        finally:
            progress.close()
            log.close()


def _run(session: Session, interrupts: Interrupts, max_steps: int | None) -> RunResult:
    counters = session.counters
    if counters.step == 0:
        _check_disk(session)
        _save(session)
    session.progress.start(session.program.path, counters.step, session.total)
    end = session.total if max_steps is None else min(session.total, max_steps)
    session.saved_at = time.monotonic()
    while counters.step < end and not interrupts.asked:
        _one_step(session)
        epoch_ends = counters.step % session.order.steps == 0 or counters.step == session.total
        if epoch_ends:
            _end_epoch(session)
        is_last = interrupts.asked or counters.step == end
        if is_last or time.monotonic() - session.saved_at > (REST_SECONDS if epoch_ends else SAVE_SECONDS):
            _save(session)
    finished = counters.step >= session.total
    metrics = {session.inputs.evaluated(): counters.metrics}
    if finished:
        metrics |= _final(session)
    status = "done" if finished else "interrupted" if interrupts.asked else "paused"
    result = RunResult(session.folder, metrics, session.log.history, interrupts.exit_code, counters.step, finished)
    shown = next((metrics[split] for split in ("test", session.inputs.evaluated()) if split in metrics), {})
    session.progress.finish({"status": status, "folder": str(session.folder), "metrics": shown, "step": counters.step})
    return result


def _one_step(session: Session) -> None:
    """One batch: forward, backward, the finite check, then the update."""
    counters, step = session.counters, session.step
    rows = session.order.batch(counters.step)
    fields = session.inputs.take("train", rows)
    status = step.backward(fields, seed=session.seed, step=counters.step, first_sample=0)
    if not (status.finite and isfinite(status.loss)):
        _diverged(session, fields, status.loss, status.grad_norm)
    rate = _rate(session)
    clip = session.training.clip
    step.apply(rate, float(clip.args["limit"]) if clip is not None else None)  # type: ignore[arg-type]
    counters.loss_sum += status.loss * len(rows)
    counters.samples += len(rows)
    counters.step += 1
    session.seen += len(rows)
    if counters.step % LOG_EVERY == 0:
        facts = {"epoch": _epoch(session), "loss": status.loss, "rate": rate, "grad_norm": status.grad_norm}
        losses = {f"loss.{name}": value for name, value in status.losses.items() if name}
        session.log.add("step", counters.step, **facts, **losses)
    session.progress.step(_moment(session, status.loss, rate))


def _rate(session: Session) -> float:
    """The optimizer's rate times the schedule's factor at this step."""
    base = session.training.steps[0].optimizer.args["rate"]
    factor = rate_factor(session.training.schedule, session.counters.step, session.total, session.order.steps)
    return float(base) * factor  # type: ignore[arg-type]


def _epoch(session: Session) -> int:
    """The epoch of the last step, from 1."""
    return -(-session.counters.step // session.order.steps)


def _moment(session: Session, loss: float, rate: float) -> Moment:
    counters = session.counters
    done = counters.step // session.order.steps if counters.step < session.total else session.epochs
    return Moment(counters.step, session.total, done, session.epochs, loss, rate, session.seen, counters.metrics)


def _end_epoch(session: Session) -> None:
    """Evaluate, and keep the state if it is the best so far."""
    counters = session.counters
    session.step.load({item.address: initialize(item, session.seed) for item in session.training.states if item.scope == "train"})  # R14
    split = session.inputs.evaluated()
    counters.metrics = evaluate(session.step, session.inputs, split, session.training.batch_size)
    loss = counters.loss_sum / counters.samples
    counters.loss_sum, counters.samples = 0.0, 0
    name = judged(session.training.metrics)
    better = is_better(name, counters.metrics[name], counters.best)
    if better:
        counters.best, counters.best_step = counters.metrics[name], counters.step
    rate = _rate(session)
    session.log.add("epoch", counters.step, epoch=_epoch(session), train_loss=loss, split=split, metrics=counters.metrics)
    if better:
        session.waiting[BEST] = _encode(session)
    session.progress.epoch(_moment(session, loss, rate))


def _final(session: Session) -> dict[str, dict[str, float]]:
    """The test split, where there is one, with the best state; it is what `dslc eval` says of this run."""
    if "test" not in session.inputs.splits or session.inputs.evaluated() == "test":
        return {}
    _, state, notes = read_state(session.folder, (BEST, LAST))
    for note in notes:
        session.progress.note(note)
    session.step.load(state.parameters)
    metrics = evaluate(session.step, session.inputs, "test", session.training.batch_size)
    session.log.add("end", session.counters.step, split="test", metrics=metrics)
    return {"test": metrics}


def evaluate(step: Step, inputs: Inputs, split: str, size: int) -> dict[str, float]:
    """Loss and metrics of a whole split by the names that people read. Raises DataError if there is no such split."""
    inputs.require(split)
    return plain_names(step.evaluate(inputs.ordered(split, size)))


# -- checkpoints


def _save(session: Session) -> None:
    """Write the present state as `last`; before it a `best` that waits, so that `last` never speaks of a `best` that is not there."""
    session.waiting[LAST] = _encode(session)
    for name in (BEST, LAST):
        if name in session.waiting:
            write_atomic(session.folder / CHECKPOINTS, f"{name}.safetensors", session.waiting.pop(name))
    session.saved_at = time.monotonic()


def _encode(session: Session) -> bytes:
    meta = {**session.facts, **asdict(session.counters)}
    return encode(Checkpoint(session.step.parameters(), session.step.optimizer_state(), meta))


# -- before and after


def _refuse(training: Training) -> None:
    """Raise SpecError for a training that draws nothing from any data; the step refuses the rest of what cannot run yet."""
    if not training.data:
        raise SpecError(CannotRun(what="a `train` without data", where=training.place))


def _check_disk(session: Session) -> None:
    needed, free = FILES * len(_encode(session)), shutil.disk_usage(session.folder).free
    if free < needed:
        raise DataError(DiskSpace(folder=str(session.folder), needed=needed, free=free))


def _diverged(session: Session, fields: dict[str, Any], loss: float, grad_norm: float) -> None:
    """Save the state before this step, name the first node that is not finite, and stop."""
    counters = session.counters
    first = session.step.first_bad(fields, seed=session.seed, step=counters.step, first_sample=0)
    _save(session)
    what = f"the loss ({loss:g})" if not isfinite(loss) else f"the gradient (norm {grad_norm:g})"
    raise DivergedError(Diverged(what=f"step {counters.step + 1}: {what}", first=first))
