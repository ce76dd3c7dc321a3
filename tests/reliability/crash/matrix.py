"""Trainings of every kind, interrupted at every kind of place and resumed: the bytes of the straight run."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from dslc.ir.types import DType
from dslc.loading import load_program
from tests.reliability.campaign import Tally
from tests.reliability.crash import training
from tests.reliability.crash.kills import home
from tests.reliability.crash.scratch import scratch
from tests.reliability.crash.training import cheap, contents, forked, go_on, outcome, write_spec

OPTIMIZERS = (
    "sgd(0.05)", "sgd(0.05, momentum=0.9)", "sgd(0.05, momentum=0.9, nesterov=true, weight_decay=1e-3)", "caffe_sgd(0.05)", "adagrad(0.05)",
    "rmsprop(0.01, momentum=0.9, centered=true)", "adadelta()", "adam(0.02)", "adamw(0.02)", "amsgrad(0.02)", "nadam(0.02)", "radam(0.02)",
    "adamax(0.02)", "lion(0.01)", "lamb(0.02)",
)  # fmt: skip
SCHEDULES = (
    "constant(warmup=2)", "step(every=1)", "multistep(at=[1])", "exponential(0.9)", "natural_exponential(0.1)", "inverse_time(0.1)",
    "polynomial()", "sigmoid(k=1, middle=1)", "cosine(warmup=0.2)", "cosine_restarts(period=1)", "one_cycle()", "plateau(patience=1)",
)  # fmt: skip
AXES: dict[str, tuple[str, ...]] = {
    "dropout": ("", "dropout"),
    "normalisation": ("", "batch norm"),
    "accumulation": ("", "2 batches", "3 batches"),
    "average": ("", "ema"),
    "augmentation": ("", "flip", "shift"),
    "clip": ("", "norm"),
    "precision": ("f32", "f64"),
    "saves": ("step", "epoch", "clock"),
}
AUGMENTED = {"": "", "flip": " -> random_flip", "shift": " -> random_flip -> random_shift(1)"}
CONFIGURATIONS = 60  # every pair of an optimizer and a schedule that meet in lcm(15, 12) steps

SPEC = """dslc 1

network Net {
  input image: [batch, 1, 6, 6]
  output logits = image{augmented} -> conv(2, kernel=3) {normalised}-> relu -> flatten {dropped}-> dense(3)
}

train {
  data = npz("data.npz", split=[0.7, 0.2, 0.1])
  net  = Net(data.image)

  loss:       cross_entropy(net.logits, data.label)
  metric:     accuracy(net.logits, data.label)
  optimizer:  {optimizer}
  schedule:   {schedule}
{settings}  batch_size: 8
  epochs:     2
}
"""

Kind = dict[str, str]


def kind_of(number: int) -> Kind:
    chance = random.Random(number)
    found = {name: chance.choice(values) for name, values in AXES.items()}
    return found | {"optimizer": OPTIMIZERS[number % len(OPTIMIZERS)], "schedule": SCHEDULES[number % len(SCHEDULES)]}


def text_of(kind: Kind) -> str:
    settings = {
        "accumulate": kind["accumulation"][:1],
        "ema": "0.9" if kind["average"] else "",
        "clip": "norm(1.0)" if kind["clip"] else "",
    }
    return (
        SPEC.replace(
            "{augmented}", {"": "", "flip": " -> random_flip", "shift": " -> random_flip -> random_shift(1)"}[kind["augmentation"]]
        )
        .replace("{normalised}", "-> batch_norm " if kind["normalisation"] else "")
        .replace("{dropped}", "-> dropout(0.3) " if kind["dropout"] else "")
        .replace("{optimizer}", kind["optimizer"])
        .replace("{schedule}", kind["schedule"])
        .replace("{settings}", "".join(f"  {name}: {value}\n" for name, value in settings.items() if value))
    )


@lru_cache(maxsize=4)
def straight(number: int) -> tuple[Path, dict[str, str], dict[str, int]]:
    """The spec, what its run leaves, and how often it comes by each place."""
    from runtime.train.loop import train

    kind = kind_of(number)
    numbers = np.random.default_rng(number)
    label = (np.arange(60) % 3).astype(np.uint8)
    image = (numbers.normal(size=(60, 1, 6, 6)) + label[:, None, None, None]).astype(np.float32)
    folder = home() / "matrix" / str(number)
    spec = write_spec(folder, text_of(kind), {"image": image, "label": label})
    program = load_program(spec, precision=DType(kind["precision"]))[0]
    training.PROGRAMS[spec] = program
    passed: dict[str, int] = {}
    with cheap(saves=kind["saves"]), ExitStack() as stack:
        for where in PLACES:
            stack.enter_context(watched(where, lambda count, where=where: passed.update({where: count})))
        train(program, spec_path=spec, threads=1, out=folder / "run")
    return spec, contents(folder / "run"), passed


# ---- places -----------------------------------------------------------------------------------------------------------------------


def watched(where: str, reached: Callable[[int], object]) -> Any:
    """Calls `reached` with 1, 2, … whenever a training comes by this place."""
    owner, name, late = PLACES[where]()
    real = getattr(owner, name)
    count = 0

    def arrive() -> None:
        nonlocal count
        count += 1
        reached(count)

    def passing(*args: Any, **options: Any) -> Any:
        if name == "ordered":
            return arriving(real(*args, **options), arrive)
        if not late:
            arrive()
        result = real(*args, **options)
        if late:
            arrive()
        return result

    return mock.patch.object(owner, name, passing)


def arriving(batches: Iterator[Any], arrive: Callable[[], None]) -> Iterator[Any]:
    for batch in batches:
        arrive()
        yield batch


def in_batch() -> tuple[Any, str, bool]:
    from runtime.onestep import OneStep

    return OneStep, "forward_backward", True


def before_update() -> tuple[Any, str, bool]:
    from runtime.onestep import OneStep

    return OneStep, "apply", False


def in_evaluation() -> tuple[Any, str, bool]:
    from runtime.train.inputs import Inputs

    return Inputs, "ordered", False


def after_epoch() -> tuple[Any, str, bool]:
    from runtime.train import loop

    return loop, "_end_epoch", True


def in_save() -> tuple[Any, str, bool]:
    from runtime.train import atomic

    return atomic, "_digest", False


def behind_rename() -> tuple[Any, str, bool]:
    from runtime.train import atomic

    return atomic, "sync_folder", False


def before_end() -> tuple[Any, str, bool]:
    from runtime.train import loop

    return loop, "_final", False


PLACES: dict[str, Callable[[], tuple[Any, str, bool]]] = {
    "in a batch": in_batch,
    "before an update": before_update,
    "in an evaluation": in_evaluation,
    "at the end of an epoch": after_epoch,
    "in a save": in_save,
    "behind the rename of a save": behind_rename,
    "before the last evaluation": before_end,
}


# ---- cells ------------------------------------------------------------------------------------------------------------------------

CELLS = [
    ("in a batch", "first", "kill"),
    ("in a batch", "first", "SIGINT"),
    ("in a batch", "last", "kill"),
    ("in a batch", "last", "SIGTERM"),
    ("in a batch", "any", "kill"),
    ("in a batch", "any", "SIGINT"),
    ("before an update", "any", "kill"),
    ("before an update", "any", "SIGTERM"),
    ("in an evaluation", "any", "kill"),
    ("in an evaluation", "any", "SIGINT"),
    ("at the end of an epoch", "first", "kill"),
    ("at the end of an epoch", "last", "kill"),
    ("at the end of an epoch", "first", "SIGTERM"),
    ("in a save", "any", "kill"),
    ("in a save", "any", "SIGINT"),
    ("behind the rename of a save", "any", "kill"),
    ("before the last evaluation", "last", "kill"),
]
CASES = CONFIGURATIONS * len(CELLS)
EXITS = {"kill": (-signal.SIGKILL,), "SIGINT": (0,), "SIGTERM": (0,)}
NUMBERS = {"kill": signal.SIGKILL, "SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM}


def case(number: int, tally: Tally) -> None:
    configuration, which = divmod(number, len(CELLS))
    where, moment, how = CELLS[which]
    kind = kind_of(configuration)
    spec, wanted, passed = straight(configuration)
    times = passed[where]
    at = {"first": 1, "last": times, "any": random.Random(number).randint(1, times)}[moment]

    def interrupt(count: int) -> None:
        if count == at:
            os.kill(os.getpid(), NUMBERS[how])

    def interrupted(run: Path) -> None:
        with watched(where, interrupt):
            go_on(spec, run)

    with cheap(saves=kind["saves"]), scratch() as folder:
        run = folder / "run"
        code = outcome(forked(lambda: interrupted(run)))
        assert code in EXITS[how], f"{kind}: {how} {where}, {at} of {times}: exit code {code}"
        go_on(spec, run)
        found = contents(run)
        lost = sorted(name for name in found | wanted if found.get(name) != wanted.get(name))
        assert not lost, f"{kind}: {how} {where}, {at} of {times}: differs in the end: {lost}"
    tally.count("cells")
    tally.note("interrupted", f"{how} {where}")
    for name, value in kind.items():
        tally.note(name, value.partition("(")[0] or "none")
