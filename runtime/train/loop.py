"""Training, as a script: load, compile, then batch by batch forward, backward, check, update; evaluate and save after each epoch.

Everything is a pure function of (spec, data, seed, step), so a run that was interrupted continues bit for bit: the order of samples
comes from (seed, epoch, index), randomness from (seed, step, address), and a checkpoint holds the rest.
"""

from __future__ import annotations

import json
import shutil
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from dslc.diagnostics import DataError, DivergedError, SpecError
from dslc.parts import choose
from dslc.pieces import is_finite
from dslc.program import Program, Training
from runtime.device import training_device
from runtime.errors import CannotRun, Diverged
from runtime.kernels.native.watch import watched
from runtime.memory import give_back, whole
from runtime.onestep import OneStep, Status
from runtime.step import Step, compile_step
from runtime.train.atomic import disk_errors, remove_drafts, write_atomic
from runtime.train.checkpoint import Checkpoint, encode, encoded_size
from runtime.train.environment import environment
from runtime.train.errors import DiskSpace
from runtime.train.initializers import initialize
from runtime.train.inputs import Inputs, load_inputs
from runtime.train.lock import locked
from runtime.train.metrics import MetricsLog, is_better, judged, plain_names
from runtime.train.places import begin, new_folder, require_run
from runtime.train.plateau import advance, factor_of
from runtime.train.plateau import begin as begin_plateau
from runtime.train.progress import Moment, Progress
from runtime.train.resume import Counters, check_same, restore, resumed_state, run_facts
from runtime.train.run import BEST, CHECKPOINTS, LAST, STARTED, fill_folder, read_state
from runtime.train.session import RunResult, Session
from runtime.train.signals import Interrupts
from runtime.train.transfer import Start, start_of
from runtime.train.turns import Turn, loss_values, mean_losses, step_facts
from runtime.workers import calculating, default_threads

LOG_EVERY = 50  # steps between two lines of metrics.jsonl
SAVE_SECONDS = 300.0  # between two saves inside an epoch
REST_SECONDS = 1.0  # between two saves at ends of epochs, where epochs are shorter
FILES = 3  # last, best and the one being written


def train(
    program: Program,
    *,
    training: str | None = None,
    spec_path: Path,
    out: Path | None = None,
    device: str | None = None,
    threads: int | None = None,
    seed: int = 0,
    data_dir: Path | None = None,
    resume: Path | None = None,
    progress: Progress | None = None,
    max_steps: int | None = None,
) -> RunResult:
    """Train one `train` body of a program into a run folder; `spec_path` is the file of the spec.

    device: None is the cpu device, NumPy where that cannot be had, and for a run that is continued its own; see `training_device`.
    resume: a run folder to be continued (its seed counts). max_steps: pause after so many steps in all, which `resume` continues; the
    setting `steps` of the spec ends a training instead.
    Raises SpecError, DataError, DivergedError (the state before the bad step is then in `last`).
    """
    chosen = choose(program, "train", training)
    _refuse(chosen)
    progress = progress or Progress()
    threads = threads or default_threads()
    with disk_errors(resume or out or Path()), watched(progress.compiling), ExitStack() as held:
        state = None
        if resume is not None:
            require_run(resume)
            _hold(held, resume, progress)  # first, so that nobody goes on while the state is read
            state = resumed_state(resume, progress)
        seed = state.meta["seed"] if state is not None else seed
        device, note = training_device(device, state.meta["environment"].get("device") if state is not None else None)
        if note:
            progress.note(note)
        inputs = load_inputs(chosen, spec_path.parent, data_dir, seed)
        for note in inputs.notes:
            progress.note(note)
        facts = run_facts(program, chosen, inputs, seed, device, threads)
        if state is not None:
            check_same(resume, facts, state.meta, progress)
            facts["spec"] = state.meta["spec"]  # as it was called at first
        give_back()
        batch = min(chosen.batch_size, inputs.count("train"))
        step = compile_step(program, training=chosen.name, device=device, batch_size=batch, seed=seed, threads=threads)
        step.bind_evaluation(inputs.most_evaluated())
        give_back()
        if step.device.threaded:
            whole(step, inputs).check()
        start = start_of(chosen, chosen.start, spec_path.parent) if state is None and chosen.start is not None else None
        folder = resume if resume is not None else new_folder(out, spec_path)
        if state is None:
            _hold(held, folder, progress)
            begin(folder)
        with Interrupts() as interrupts:
            if state is None:
                fill_folder(folder, program, chosen.name, spec_path, environment(device, threads))
            if start is not None:
                _begin_from(step, start, folder, progress)
            counters = restore(step, state) if state is not None else Counters()
            del state, start  # the arrays are those of the step by now
            log = MetricsLog(folder, counters.step)
            session = Session(program, chosen, inputs, step, folder, progress, facts, seed, counters, log)
            try:
                return _run(session, interrupts, max_steps)
            finally:
                progress.close()
                log.close()


def _hold(held: ExitStack, folder: Path, progress: Progress) -> None:
    """Lock the folder; what a trainer that was killed left there goes."""
    if held.enter_context(locked(folder, str(folder))):
        progress.note(f"{folder}: the lock of a trainer that is gone was taken over")
    remove_drafts(folder / CHECKPOINTS)
    remove_drafts(folder)


def _begin_from(step: Step, start: Start, folder: Path, progress: Progress) -> None:
    """Load the weights of another run; the table is said, and stays in the run folder."""
    step.load(start.arrays)
    for line in start.lines():
        progress.note(line)
    write_atomic(folder, STARTED, (json.dumps(start.record(), indent=2) + "\n").encode())


def _run(session: Session, interrupts: Interrupts, max_steps: int | None) -> RunResult:
    counters, rounds = session.counters, session.rounds
    if counters.step == counters.turn == 0:
        _check_disk(session)
        _save(session)
    session.progress.start(session.program.path, counters.step, rounds.total)
    end = rounds.total if max_steps is None else min(rounds.total, max_steps)
    session.saved_at = time.monotonic()
    while counters.step < end and not interrupts.asked:
        _one_round(session)
        epoch_ends = rounds.ends_epoch(counters.step)
        if epoch_ends:
            _end_epoch(session)
        is_last = interrupts.asked or counters.step == end
        if is_last or time.monotonic() - session.saved_at > (REST_SECONDS if epoch_ends else SAVE_SECONDS):
            _save(session)
    finished = counters.step >= rounds.total
    metrics = {session.inputs.evaluated(): counters.metrics}
    if finished:
        metrics |= _final(session)
        session.log.flush()
    status = "done" if finished else "interrupted" if interrupts.asked else "paused"
    result = RunResult(session.folder, metrics, session.log.history, interrupts.exit_code, counters.step, finished)
    shown = next((metrics[split] for split in ("test", session.inputs.evaluated()) if split in metrics), {})
    session.progress.finish({"status": status, "folder": str(session.folder), "metrics": shown, "step": counters.step})
    return result


def _one_round(session: Session) -> None:
    """Every step in order, as often as its `times` says, each turn on the next batch."""
    counters = session.counters
    while counters.turn < len(session.step.turns):
        session.turns.append(_one_turn(session, session.step.turns[counters.turn]))
        counters.turn += 1
    means = mean_losses(session.turns)
    last = {turn.half.name: turn for turn in session.turns}
    session.turns = []
    counters.step, counters.turn = counters.step + 1, 0
    if counters.step % LOG_EVERY == 0:
        session.log.add("step", counters.step, epoch=session.rounds.epoch(counters.step), **step_facts(means, last))
    session.progress.step(_moment(session, means, next(iter(last.values())).rate))


def _one_turn(session: Session, half: OneStep) -> Turn:
    """One batch: forward, backward, the finite check, then the update."""
    counters = session.counters
    turn = counters.step * len(session.step.turns) + counters.turn
    rows = session.order.batch(turn)
    size = session.training.batch_size
    parts = [(session.order.take(rows[at : at + size]), len(rows[at : at + size])) for at in range(0, len(rows), size)]
    rate = _rate(session, half)
    with calculating(session.step.device, session.step.workers):
        status = half.backward_parts(parts, seed=session.seed, step=turn)
        if status.finite:
            half.apply(rate)
    if not status.finite:
        fields, _ = parts[status.bad]
        _diverged(session, half, half.first_bad(fields, seed=session.seed, step=turn, first_sample=status.bad * size), status)
    counters.count(loss_values(half, status), len(rows))
    session.seen += len(rows)
    return Turn(half, status, rate)


def _rate(session: Session, half: OneStep) -> float:
    """The optimizer's rate times the schedule's factor at this step."""
    counters, rounds = session.counters, session.rounds
    state = counters.plateaus.get(half.name)
    return half.rate * factor_of(half.schedule, state, counters.step, rounds.total, rounds.per_epoch)


def _moment(session: Session, losses: dict[str, float], rate: float) -> Moment:
    counters, rounds = session.counters, session.rounds
    done = rounds.done(counters.step)
    return Moment(counters.step, rounds.total, done, rounds.all_epochs, losses, rate, session.seen, counters.metrics)


def _end_epoch(session: Session) -> None:
    """Evaluate, and keep the state if it is the best so far."""
    counters, training = session.counters, session.training
    session.step.load({item.address: initialize(item, session.seed) for item in training.states if item.scope == "train"})  # R14
    split = session.inputs.evaluated()
    with session.step.averaged():
        counters.metrics = evaluate(session.step, session.inputs, split, training.batch_size)
    losses = counters.mean_losses()
    name = judged(training)
    better = is_better(name, counters.metrics[name], counters.best)
    if better:
        counters.best, counters.best_step = counters.metrics[name], counters.step
    for half in session.step.steps.values():
        if half.schedule is not None and half.schedule.name == "plateau":
            state = counters.plateaus.get(half.name) or begin_plateau()
            counters.plateaus[half.name] = advance(state, half.schedule.args, name, counters.metrics[name])
    facts = {"train_loss": losses["loss"], **({"train_losses": losses} if len(losses) > 1 else {})}
    session.log.add("epoch", counters.step, epoch=session.rounds.epoch(counters.step), **facts, split=split, metrics=counters.metrics)
    if better:
        session.waiting.pop(BEST, None)  # first, so that one state is held beside the one that is made
        session.waiting[BEST] = encode(_state(session))
    session.progress.epoch(_moment(session, losses, _rate(session, session.step.turns[0])))


def _final(session: Session) -> dict[str, dict[str, Any]]:
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


def evaluate(step: Step, inputs: Inputs, split: str, size: int) -> dict[str, Any]:
    """Loss and metrics of a whole split by the names that people read. Raises DataError if there is no such split."""
    inputs.require(split)
    return plain_names(step.evaluate(inputs.ordered(split, size)))


# -- checkpoints


def _save(session: Session) -> None:
    """Write the present state as `last`; before it a `best` that waits, so that `last` never speaks of a `best` that is not there.

    One state is held at a time, beside the one that is made.
    """
    counters, folder = session.counters, session.folder / CHECKPOINTS
    session.log.flush()
    data = session.waiting.pop(BEST, bytearray())
    if data:
        write_atomic(folder, f"{BEST}.safetensors", data)
    if not data or (counters.step, counters.turn) != (counters.best_step, 0):
        data = bytearray()  # given back before the next is made
        data = encode(_state(session))
    write_atomic(folder, f"{LAST}.safetensors", data)
    session.saved_at = time.monotonic()


def _state(session: Session) -> Checkpoint:
    """The present state. Raises DivergedError where an update has left a weight or the optimizer's state not finite: it is never saved."""
    parameters, slots = session.step.shown()
    for name, array in (*parameters.items(), *slots.items()):
        if not is_finite(array):
            what = f"after step {session.counters.step}: `{name}`"
            advice = "the last save stands: try a smaller rate, or `clip: norm(1)`"
            raise DivergedError(Diverged(what=what, first="an update whose gradient was finite", advice=advice))
    return Checkpoint(parameters, slots, {**session.facts, **asdict(session.counters)})


# -- before and after


def _refuse(training: Training) -> None:
    """Raise SpecError for a training that draws nothing from any data; the step refuses the rest of what cannot run yet."""
    if not training.data:
        raise SpecError(CannotRun(what="a `train` without data", where=training.place))


def _check_disk(session: Session) -> None:
    needed, free = FILES * encoded_size(_state(session)), shutil.disk_usage(session.folder).free
    if free < needed:
        raise DataError(DiskSpace(folder=str(session.folder), needed=needed, free=free))


def _diverged(session: Session, half: OneStep, first: str, status: Status) -> NoReturn:
    """Save the state before this update, name the first node that is not finite, and stop."""
    _save(session)
    where = f"step {session.counters.step + 1}" + (f", `{half.name}`" if len(session.step.steps) > 1 else "")
    raise DivergedError(Diverged(what=f"{where}: {status.what}", first=first))
