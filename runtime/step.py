"""A compiled training: its steps (`runtime/onestep.py`) and evaluation (`runtime/compiled.py`) over one set of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from dslc.diagnostics import Diagnostic, SpecError
from dslc.ir.errors import NotRunnable
from dslc.parts import choose
from dslc.program import Program, Training
from dslc.usage import BadArgument
from runtime.compiled import Arrays, Compiled, Fields, field_names, signature_only, workers_of
from runtime.device import get_device
from runtime.errors import CannotRun
from runtime.memory import enough_memory, planned
from runtime.onestep import OneStep, Status, graphs_of
from runtime.parameters import Parameters
from runtime.runner import refuse_unknown
from runtime.train.limits import CLIPS
from runtime.train.optimizers import OPTIMIZERS
from runtime.train.schedules import SCHEDULES

RAW = "raw:"  # a weight as training goes on with it, where its address has the average
AVERAGE = "average:"
GROUP_SETTINGS = ("rate", "weight_decay", "constraint")  # of rules; `init` and `frozen` are in the program already


def compile_step(
    program: Program,
    *,
    training: str | None = None,
    device: str = "numpy",
    batch_size: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    keep_grads: bool = False,
) -> Step:
    """Compile one training of a program for a device, its parameters initialised from `seed`.

    training: its name, not needed where there is one. batch_size: what is planned for (default: the spec's); larger batches plan anew.
    threads: of the numpy device, default all processors. keep_grads: `grads()` may be called after a backward pass.
    Raises SpecError for what can be checked but not run.
    """
    chosen = choose(program, "train", training)
    check_runnable(program, chosen)
    with enough_memory():
        return Step(program, chosen, device=device, batch_size=batch_size, seed=seed, threads=threads, keep_grads=keep_grads)


def check_runnable(program: Program, training: Training) -> None:
    """SpecError for what stands in the language but does not run yet."""
    where = training.place or program.path
    faults: list[Diagnostic] = [CannotRun(what=what, where=where) for what in words_that_do_not_run(training)]
    faults += [CannotRun(what=f"a state of the shape {item.type}", where=item.place) for item in training.states if item.type.names]
    graphs = (*(step.graph for step in training.steps), training.evaluate, training.predict)
    faults += [NotRunnable(operator=name, place=place) for name, place in signature_only(graphs).items()]
    if faults:
        raise SpecError(faults)


def words_that_do_not_run(training: Training) -> list[str]:
    """Optimizers, clips and schedules of the vocabulary that the runtime does not have."""
    tables = {"optimizer": {*OPTIMIZERS}, "clip": {*CLIPS, "norm"}, "schedule": {*SCHEDULES, "plateau"}}
    found = [
        f"the {kind} `{call.name}`"
        for step in training.steps
        for kind, call in (("optimizer", step.optimizer), ("clip", step.clip), ("schedule", step.schedule or training.schedule))
        if call is not None and call.name not in tables[kind]
    ]
    return list(dict.fromkeys(found))


class Step(Compiled):
    """One training, compiled. `steps`: its steps by name, in order; `turns`: the steps of one round, each as often as its `times` says.

    Where there is one step, `backward`, `apply`, `grads`, `rate` and `status` are its own.
    """

    def __init__(
        self,
        program: Program,
        training: Training,
        *,
        device: str,
        batch_size: int | None,
        seed: int,
        threads: int | None,
        keep_grads: bool,
    ) -> None:
        trained = [step.trains for step in training.steps]
        graphs = [graphs_of(step) for step in training.steps]
        size = batch_size or training.batch_size
        self.planned = planned(training, [optimized for _, optimized in graphs], {"batch": size})
        if get_device(device).threaded:
            self.planned.check()
        parameters = Parameters(get_device(device), training.weights, training.states, trained, seed)
        super().__init__(
            program,
            parameters,
            program.networks[training.networks[0]],
            batch_size=size,
            seed=seed,
            workers=workers_of(device, threads),
        )
        self.training = training
        self.rules = rules_of(training)
        halves = [OneStep(self, number, graphs[number], keep_grads=keep_grads) for number in range(len(training.steps))]
        self.steps = {half.name: half for half in halves}
        self.turns = tuple(half for half in halves for _ in range(half.program.times))
        self.done = 0  # rounds

    # ---- rounds -----------------------------------------------------------------------------------------------------------------

    def train(self, **data_fields: Any) -> float:
        """One round on a batch: every step in order, as often as its `times` says. Returns the loss before the update.

        With several steps: the sum over the steps of their mean losses; every repetition has draws of its own, all see this batch
        (`steps["critic"].train(…)` runs one of them). Raises DivergedError; what diverged was not updated.
        """
        refuse_unknown(data_fields, field_names(self.training))
        first = self.done * len(self.turns)
        total = 0.0
        for number, half in enumerate(self.turns):
            total += half.run(data_fields, first + number) / half.program.times
        self.done += 1
        return total

    @property
    def only(self) -> OneStep:
        """The only step; SpecError where there are several."""
        if len(self.steps) != 1:
            names = ", ".join(self.steps)
            detail = f"the training `{self.training.name}` has several steps: {names}"
            raise SpecError(BadArgument(detail=detail, usage=f'step.steps["{next(iter(self.steps))}"]'))
        return next(iter(self.steps.values()))

    @property
    def rate(self) -> float:
        return self.only.rate

    @rate.setter
    def rate(self, value: float) -> None:
        self.only.rate = value

    @property
    def status(self) -> Status | None:
        return self.only.status

    @property
    def results(self) -> dict[str, Any]:
        return self.only.results

    def backward(self, fields: Fields, *, seed: int, step: int, first_sample: int) -> Status:
        """Loss and gradients of a batch; nothing is updated."""
        return self.only.backward(fields, seed=seed, step=step, first_sample=first_sample)

    def apply(self, rate: float) -> None:
        """Update weights and states from the last backward pass."""
        self.only.apply(rate)
        self.done += 1

    def first_bad(self, fields: Fields, *, seed: int, step: int, first_sample: int) -> str:
        """The address and place of the first value in execution order that is not finite."""
        return self.only.first_bad(fields, seed=seed, step=step, first_sample=first_sample)

    def grads(self) -> Arrays:
        """Copies of the gradients of the last backward pass, by address; after `apply` as they were clipped. Needs `keep_grads=True`."""
        return self.only.grads()

    # ---- what a checkpoint holds ------------------------------------------------------------------------------------------------

    def optimizer_state(self) -> Arrays:
        """The vectors that the optimizers keep, by "SLOT:ADDRESS", and "steps", the number of updates; of several: "STEP/…"."""
        return {self.prefix(half) + name: array for half in self.steps.values() for name, array in half.optimizer_state().items()}

    def load_optimizer_state(self, mapping: Mapping[str, Any]) -> None:
        """The inverse of `optimizer_state`; everything must be there. Raises DataError."""
        for half in self.steps.values():
            prefix = self.prefix(half)
            half.load_optimizer_state({name.removeprefix(prefix): array for name, array in mapping.items() if name.startswith(prefix)})
        self.done = next(iter(self.steps.values())).done // self.turns[0].program.times

    def prefix(self, half: OneStep) -> str:
        return f"{half.name}/" if len(self.steps) > 1 else ""

    def state(self) -> tuple[Arrays, Arrays]:
        """Copies of `shown`."""
        parameters, slots = ({name: np.array(array) for name, array in arrays.items()} for arrays in self.shown())
        return parameters, slots

    def shown(self) -> tuple[Arrays, Arrays]:
        """Parameters and slots as a checkpoint holds them: with `ema` addresses have the averages, and `raw:ADDRESS` the weights.

        They are the memory of this step where the device computes in it: valid until the next update.
        """
        view = self.device.as_host
        weights = {name: view(array) for name, array in self.memory.arrays.items()}
        slots: Arrays = {}
        averages: Arrays = {}
        for half in self.steps.values():
            slots[f"{self.prefix(half)}steps"] = np.array(half.done, np.int64)
            for name, array in half.slots().items():
                if not name.startswith(AVERAGE):
                    slots[self.prefix(half) + name] = view(array)
                elif half.done:
                    averages[name.removeprefix(AVERAGE)] = view(array)
        if self.training.ema is None:
            return weights, slots
        trained = dict.fromkeys(name for half in self.steps.values() for name in half.trained)
        return weights | averages, slots | {RAW + name: weights[name] for name in trained}

    def restore(self, parameters: Mapping[str, Any], slots: Mapping[str, Any]) -> None:
        """The inverse of `state`. Raises DataError."""
        raw = {name.removeprefix(RAW): array for name, array in slots.items() if name.startswith(RAW)}
        averages = {
            f"{self.prefix(half)}{slot}": parameters[slot.removeprefix(AVERAGE)]
            for half in self.steps.values()
            for slot in half.slots()
            if slot.startswith(AVERAGE)
        }
        self.load({**parameters, **raw})
        self.load_optimizer_state({name: array for name, array in slots.items() if not name.startswith(RAW)} | averages)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """With `ema` the averaged weights stand in place of the weights meanwhile."""
        with ExitStack() as stack:
            for half in self.steps.values():
                for update in half.updates:
                    stack.enter_context(update.averaged(half.done))
            yield


def rules_of(training: Training) -> dict[str, dict[str, Any]]:
    """What rules say of the update of each weight; later rules win setting by setting (R20)."""
    found: dict[str, dict[str, Any]] = {}
    for rule in training.rules:
        settings = {name: rule.settings[name] for name in GROUP_SETTINGS if name in rule.settings}
        for address in rule.matches if settings else ():
            found.setdefault(address, {}).update(settings)
    return found
