"""One `step` of a training, compiled: forward, backward, the finite check and the update of the weights that it trains (R19).

    backward → Status (loss, gradient norm, finite?) → apply (update of weights and states)

The status comes before the update, so that a step that is not finite changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import isfinite
from typing import Any

import numpy as np

from dslc.diagnostics import DataError, DivergedError, SpecError
from dslc.ir.graph import Graph
from dslc.passes.differentiate import differentiate
from dslc.passes.drop_dead import losses_only
from dslc.passes.pipeline import optimize
from dslc.program import StepProgram
from dslc.usage import BadArgument
from runtime.compiled import Arrays, Compiled, Fields, field_names
from runtime.errors import BadField, BadParameter, Diverged
from runtime.firstbad import bad, find, located
from runtime.parameters import Flat, elements
from runtime.runner import refuse_unknown
from runtime.update import Group, Update, gradient_norm
from runtime.workers import calculating


@dataclass(frozen=True)
class Status:
    """What a backward pass found. losses: by name, "" is the unnamed one; grad_norm: of all gradients together.

    bad: the number of the micro-batch whose loss is not finite, or after which `state`, the address of a state, would not be.
    """

    loss: float
    losses: dict[str, float]
    grad_norm: float
    finite: bool
    bad: int = 0
    state: str = ""

    @property
    def what(self) -> str:
        """What is not finite, in words."""
        if not isfinite(self.loss):
            return f"the loss ({self.loss:g})"
        return f"the new value of the state `{self.state}`" if self.state else f"the gradient (norm {self.grad_norm:g})"


class OneStep:
    """The compiled half of one step; weights, states and evaluation belong to the whole training (`whole`)."""

    def __init__(self, whole: Compiled, number: int, graphs: tuple[Graph, Graph], *, keep_grads: bool) -> None:
        self.whole, self.number, self.keep_grads = whole, number, keep_grads
        self.training = whole.training
        self.program: StepProgram = self.training.steps[number]
        self.name, self.trained = self.program.name, self.program.trains
        self.schedule = self.program.schedule or self.training.schedule
        self.rate = float(self.program.optimizer.args["rate"])  # type: ignore[arg-type]
        self.flats = [flat for flat in whole.memory.flats if number in flat.steps]
        self.differentiated, graph = graphs
        self.runner = whole.runner(graph, tuple(f"grad:{name}" for flat in self.flats for name in flat.places))
        self.accumulates = self.training.accumulate > 1
        self.updates = [self.update(flat, source) for flat, source in zip(self.flats, self.sources(), strict=True)]
        self.done = 0
        self.results: dict[str, Any] = {}
        self.status: Status | None = None

    # ---- parts ------------------------------------------------------------------------------------------------------------------

    def sources(self) -> list[Any]:
        """The gradients as the plan lays them, a vector for each flat vector of weights."""
        region = self.runner.executor.gradients
        sizes = [flat.weights.nbytes for flat in self.flats]
        edges = pairwise([0, *accumulate(sizes)])
        return [region[start:stop].view(flat.dtype.numpy) for flat, (start, stop) in zip(self.flats, edges, strict=True)]

    def update(self, flat: Flat, source: Any) -> Update:
        """The optimizer over one flat vector. The last step that trains a weight keeps its average (`ema`)."""
        gradient = self.whole.memory.vector(len(flat.weights), flat.dtype) if self.accumulates else source
        rules = self.whole.rules
        groups = [
            Group(name, at, at + elements(shape), shape, **rules.get(name, {}))
            for name, (at, shape) in flat.places.items()
        ]  # fmt: skip
        return Update(
            self.program.optimizer,
            self.program.clip,
            groups,
            self.whole.device,
            {"w": flat.weights, "g": gradient},
            self.whole.workers,
            ema=self.training.ema if self.number == max(flat.steps) else None,
        )

    def rebind(self) -> None:
        """A larger batch has a plan of its own, and so another region of gradients."""
        if not self.accumulates:
            for update, source in zip(self.updates, self.sources(), strict=True):
                update.rebind("g", source)

    # ---- the step ---------------------------------------------------------------------------------------------------------------

    def train(self, **data_fields: Any) -> float:
        """One update by a batch at the rate `rate`; the loss before it. Raises DivergedError, and then nothing was updated."""
        refuse_unknown(data_fields, field_names(self.training))
        return self.run(data_fields, self.done)

    def run(self, fields: Fields, step: int) -> float:
        """`train` with the number of the step that randomness is keyed by."""
        with calculating(self.whole.device, self.whole.workers):
            status = self.backward(fields, seed=self.whole.seed, step=step, first_sample=0)
            if status.finite:
                self.apply(self.rate)
                return status.loss
        first = self.first_bad(fields, seed=self.whole.seed, step=step, first_sample=0)
        raise DivergedError(Diverged(what=status.what, first=first))

    def backward(self, fields: Fields, *, seed: int, step: int, first_sample: int) -> Status:
        """Loss and gradients of a batch; nothing is updated."""
        return self.backward_parts([(fields, 1)], seed=seed, step=step, first_sample=first_sample)

    def backward_parts(
        self, parts: Sequence[tuple[Fields, int]], *, seed: int, step: int, first_sample: int = 0
    ) -> Status:  # fmt: skip
        """Loss and gradients of a batch that comes in micro-batches, each with the number of its samples: their mean by samples (R15).

        Every micro-batch is a forward pass of its own: the states that it updates are those that the next one reads. Where a loss or
        the new value of a state is not finite, the states are as they were before the first.
        """
        total = sum(count for _, count in parts)
        before = {name: self.whole.memory.arrays[name].copy() for name in self.moving} if len(parts) > 1 else {}
        loss, losses = 0.0, dict.fromkeys(self.program.losses, 0.0)
        for number, (fields, count) in enumerate(parts):
            if number:
                self.write_states()
            self.forward_backward(fields, (seed, step, first_sample))
            share = count / total
            for update, source in zip(self.updates, self.sources() if self.accumulates else (), strict=False):
                update.accumulate_into(source, first=number == 0, scale=share)
            found = float(self.results["loss"])
            loss = found * share if number == 0 else loss + found * share
            for name in losses:
                losses[name] += float(self.results[loss_name(name)]) * share
            state = self.bad_state()
            if state or not isfinite(found):
                self.status = self.restored(before, Status(found, losses, 0.0, False, number, state))
                return self.status
            first_sample += count
        norm = gradient_norm(self.updates)
        self.status = Status(loss, losses, norm, isfinite(loss) and isfinite(norm))
        return self.status if self.status.finite else self.restored(before, self.status)

    def forward_backward(self, fields: Fields, key: tuple[int, int, int]) -> None:
        """Results and gradients of one batch, in the plan's memory."""
        before = self.runner.planned
        self.results = self.runner.run(self.whole.data(self.runner.graph, fields), key)
        if self.runner.planned is not before:
            self.rebind()

    @property
    def moving(self) -> list[str]:
        """The states that this step updates."""
        return [output.name for output in self.program.graph.updates]

    def bad_state(self) -> str:
        """The first state whose new value is not finite, or ""."""
        return next((name for name in self.moving if bad(self.results[f"update:{name}"])), "")

    def write_states(self) -> None:
        """The states take the updates of the last forward pass."""
        for name, value in self.results.items():
            if name.startswith("update:"):
                self.whole.memory.arrays[name.removeprefix("update:")][...] = value

    def restored(self, before: Mapping[str, Any], status: Status) -> Status:
        """Put the states back."""
        for name, value in before.items():
            self.whole.memory.arrays[name][...] = value
        return status

    def apply(self, rate: float) -> None:
        """Update weights and states from the last backward pass; the step's clip limits the gradient first."""
        if self.status is None:
            raise DataError(BadField(field="apply", reason="there was no backward pass before it"))
        self.done += 1
        for update in self.updates:
            update.run(rate, self.done, self.status.grad_norm)
        self.write_states()
        self.status = None

    def first_bad(self, fields: Fields, *, seed: int, step: int, first_sample: int) -> str:
        """The address and place of the first value in execution order that is not finite, found by the plain interpreter."""
        data = self.whole.data(self.differentiated, fields)
        found = find(self.differentiated, data, self.whole.parameters(), self.training, (seed, step, first_sample))
        return found or self.unlocated()

    def unlocated(self) -> str:
        """What is said of a step in which the plain interpreter finds no value that is not finite."""
        state = self.status.state if self.status else ""
        place = next((item.place for item in self.training.states if item.address == state), "")
        return located(state, place) if state else "the norm of the gradient: every single value is finite"

    # ---- what it keeps ----------------------------------------------------------------------------------------------------------

    def grads(self) -> Arrays:
        """Copies of the gradients of the last backward pass, by address; after `apply` as they were clipped. Needs `keep_grads=True`."""
        if not self.keep_grads:
            detail = "grads() needs keep_grads=True: this step was not compiled to keep its gradients"
            raise SpecError(BadArgument(detail=detail, usage="spec.compile(keep_grads=True)"))
        if not self.results:
            raise DataError(BadField(field="grads", reason="there was no backward pass before it"))
        cut = [flat.cut(update.arrays["g"]) for flat, update in zip(self.flats, self.updates, strict=True)]
        found = {name: array for arrays in cut for name, array in arrays.items()}
        return {name: self.whole.device.to_host(found[name]) for name in self.trained}

    def slots(self) -> dict[str, Any]:
        """Views of the optimizer's vectors by "SLOT:ADDRESS"."""
        return {
            f"{slot}:{name}": array
            for flat, update in zip(self.flats, self.updates, strict=True)
            for slot, vector in update.slots.items()
            for name, array in flat.cut(vector).items()
        }

    def optimizer_state(self) -> Arrays:
        """Copies of what the optimizer keeps, by "SLOT:ADDRESS", and "steps", the number of updates."""
        slots = {name: self.whole.device.to_host(array) for name, array in self.slots().items()}
        return {"steps": np.array(self.done, np.int64)} | slots

    def load_optimizer_state(self, mapping: Mapping[str, Any]) -> None:
        """The inverse of `optimizer_state`; everything must be there. Raises DataError."""
        steps = np.zeros((), np.int64)
        given = {name: np.asarray(array) for name, array in mapping.items()}
        unknown = [name for name, array in given.items() if array.dtype.kind == "f" and np.isnan(array).any()]
        if unknown:
            raise DataError([BadParameter(address=name, reason="it holds NaN") for name in unknown])
        self.whole.memory.fill(given, self.slots() | {"steps": steps}, complete=True)
        if not 0 <= steps <= 2**53:
            raise DataError(BadParameter(address="steps", reason=f"{steps} is no number of steps"))
        self.done = int(steps)


def graphs_of(step: StepProgram) -> tuple[Graph, Graph]:
    """Forward and backward of a step: as differentiated, and optimised."""
    found = differentiate(losses_only(step.graph), "loss", step.trains)
    return found, optimize(found)


def loss_name(name: str) -> str:
    return f"loss.{name}" if name else "loss"
