"""Cuts of power at any moment of a training that saves after each step, and what is there afterwards."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

from dslc.diagnostics import DataError
from tests.reliability.campaign import Tally
from tests.reliability.crash import faults
from tests.reliability.crash.power import Log, Machine, Recorder, write_tree
from tests.reliability.crash.scratch import scratch
from tests.reliability.crash.training import cheap, contents, go, go_on, spec_text, write_spec

STATES = 250  # distinct ones of a case, each with what had been promised
RESUMED = 25  # one of so many is trained to its end
RUN = "runs/a"
EXPORTS = 8  # one case of so many cuts a writer of other files
TRIES = 1000  # a writer with few calls has few states


def recorded(spec: Path, root: Path, seed: int, change: Callable[[], AbstractContextManager[object]] = nullcontext) -> Log:
    """The log of a training with a mark behind each save and at the end; `change` puts a fault into the writer."""
    from runtime.train import loop

    recorder = Recorder(root)
    save = loop._save

    def marking(session: Any) -> None:
        save(session)
        recorder.mark(session.counters.step)

    with mock.patch.object(loop, "_save", marking), change(), recorder.recorded():
        result = go(spec, out=root / RUN, seed=seed)
        recorder.mark("end")
    assert result.finished
    return recorder.log


def states(log: Log, root: Path, chance: random.Random) -> Iterator[tuple[int | str | None, dict[str, bytes | None]]]:
    """What had been promised, and a state, each with the last call or two that was made before the cut."""
    prefixes = range(len(log) + 1)
    first = next(place for place, entry in enumerate(log) if entry[0] == "mark")
    while True:
        length = chance.choice(prefixes[first:] if chance.random() < 0.9 else prefixes)
        machine, promised = Machine(root), None
        for kind, *rest in log[:length]:
            if kind == "mark":
                promised = rest[0]
            else:
                machine.do((kind, *rest))
        for mode in ("none", "all", *("random",) * 6):
            yield promised, machine.state(chance, mode)


def case(number: int, tally: Tally) -> None:
    if number % EXPORTS == EXPORTS - 1:
        replaced(number, tally)
    else:
        trained(number, tally)


def trained(number: int, tally: Tally, change: Callable[[], AbstractContextManager[object]] = nullcontext) -> None:
    chance = random.Random(number)
    with cheap(saves="step"), scratch() as folder:
        spec = write_spec(folder, spec_text(batch=chance.choice((14, 21)), epochs=2))
        root = folder / "disk"
        root.mkdir()
        log = recorded(spec, root, number, change)
        straight = contents(root / RUN)
        rows = (root / RUN / "metrics.jsonl").read_text().splitlines()
        seen: set[str] = set()
        for promised, state in states(log, root, chance):
            digest = hashlib.sha256(repr((promised, sorted(state.items()))).encode()).hexdigest()
            if digest in seen:
                continue
            seen.add(digest)
            place = folder / "after"
            write_tree(state, place)
            look(place / RUN, promised, rows, straight, tally)
            if len(seen) % RESUMED == 0:
                train_on(spec, place / RUN, number, promised, straight, tally)
            shutil.rmtree(place)
            tally.count("states")
            tally.note("states by what had been saved", "nothing" if promised is None else f"step {promised}")
            if len(seen) == STATES:
                return


def look(run: Path, promised: int | str | None, rows: list[str], straight: dict[str, str], tally: Tally) -> None:
    """A checkpoint loads that is not older than the last one that was saved; its run opens, and its history is whole."""
    from runtime.train.run import BEST, LAST, open_run, read_state

    if promised is None:
        return
    state = read_state(run, (LAST, BEST))[1]
    step = state.meta["step"]
    assert promised == "end" or step >= promised, f"step {step} is there, step {promised} had been saved"
    opened = open_run(run, LAST)
    assert opened.state.meta["step"] == step
    wanted = [json.loads(row) for row in rows]
    wanted = [row for row in wanted if row["step"] <= step and (promised == "end" or row["kind"] != "end")]
    found = [row for row in opened.history if row["step"] <= step]
    assert found[: len(wanted)] == wanted, f"{len(found)} of {len(wanted)} lines of metrics.jsonl up to step {step} are there"
    if promised == "end":
        after = contents(run)
        lost = [name for name in straight if after.get(name) != straight[name]]
        assert not lost, f"the training had ended, and {lost} are not what they were"
    tally.count("checkpoints loaded")


def train_on(spec: Path, run: Path, seed: int, promised: int | str | None, straight: dict[str, str], tally: Tally) -> None:
    """The training goes on from there to the same bytes. Where nothing had been saved, it may be refused."""
    try:
        go_on(spec, run, seed=seed)
    except DataError as error:
        assert promised is None and error.diagnostics[0].code in ("run-folder", "checkpoint-broken"), repr(error)
        tally.count("refused before the first save")
        return
    found = contents(run)
    assert found == straight, f"differs in the end: {[name for name in found | straight if found.get(name) != straight.get(name)]}"
    tally.count("trained to the end")


# ---- other files ------------------------------------------------------------------------------------------------------------------


def replaced(number: int, tally: Tally) -> None:
    """Exports and texts over earlier ones: the old files, the new ones, or no model; the new ones once the command has ended."""
    chance = random.Random(number)
    writers = [writer for writer in faults.WRITERS if "training" not in writer.name or "export" in writer.name]
    writer = writers[number // EXPORTS % len(writers)]
    with cheap(), scratch() as folder:
        root = folder / "disk"
        root.mkdir()
        writer.prepare(faults.home(), root)
        before = {name: (root / name).read_bytes() for name in contents(root)}
        recorder = Recorder(root)
        for name, data in before.items():
            recorder.log += [("create", str(root / name)), ("write", str(root / name), 0, data), ("flush", str(root / name))]
        recorder.log.append(("flush", str(root)))
        recorder.mark("old")
        with recorder.recorded():
            writer.act(faults.home(), root)
            recorder.mark("new")
        after = {name: (root / name).read_bytes() for name in contents(root)}
        seen: set[str] = set()
        for (promised, state), _ in zip(states(recorder.log, root, chance), range(TRIES), strict=False):
            digest = hashlib.sha256(repr((promised, sorted(state.items()))).encode()).hexdigest()
            if promised is not None and digest not in seen and len(seen) < STATES:
                seen.add(digest)
                stands(state, before, after, f"{writer.name}, {promised} had been promised", promised == "new")
                tally.count("states")
                tally.note("states of other writers", writer.name)


def stands(state: dict[str, bytes | None], before: dict[str, bytes], after: dict[str, bytes], where: str, ended: bool) -> None:
    """The first of the files (the model) decides which others have to be there."""
    first = "model.onnx" if "model.onnx" in after else next(iter(after))
    found = state.get(first)
    wanted = [after] if ended else [before, after]
    assert (found is None and not ended) or any(found == files.get(first) and files.items() <= state.items() for files in wanted), (
        f"{where}: {sorted(name for name in state if not name.startswith('.'))}"
    )
    if found is None and before:
        assert len(before) > 1, f"{where}: {first} is gone"
