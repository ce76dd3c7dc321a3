"""A compiled network of a spec without `train`: a step that runs forward and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from dslc.diagnostics import SpecError
from dslc.ir.errors import NotRunnable
from dslc.parts import NONE
from dslc.program import Network, Program
from dslc.usage import NothingOfKind
from runtime.device import get_device
from runtime.memory import enough_memory
from runtime.parameters import Parameters
from runtime.runner import Runner
from runtime.step import Fields, Step, signature_only
from runtime.workers import Workers, default_threads

BATCH = 32  # samples that are planned for unless told otherwise


def compile_forward(
    program: Program, network: Network, *, device: str = "numpy", batch_size: int | None = None, seed: int = 0, threads: int | None = None
) -> Forward:
    """Compile the evaluation phase of a network, its parameters initialised from `seed`. Raises SpecError for what cannot run yet."""
    faults = [NotRunnable(operator=name, place=place) for name, place in signature_only([network.evaluate]).items()]
    if faults:
        raise SpecError(faults)
    with enough_memory():
        return Forward(program, network, device=device, batch_size=batch_size or BATCH, seed=seed, threads=threads)


class Forward(Step):
    """`forward`, `parameters` and `load` of a step; what needs a training is a SpecError."""

    def __init__(self, program: Program, network: Network, *, device: str, batch_size: int, seed: int, threads: int | None) -> None:
        self.program, self.chosen = program, network
        self.device = get_device(device)
        self.seed, self.batch_size, self.keep_grads = seed, batch_size, False
        self.workers = Workers(threads or default_threads()) if self.device.threaded else None
        self.memory = Parameters(self.device, network.weights, network.states, (), seed)
        self.plan_for = {"batch": batch_size}
        self.runners: dict[str, Runner] = {}

    def network(self) -> Network:
        return self.chosen

    def train(self, **data_fields: Any) -> NoReturn:
        self.refuse()

    def backward(self, fields: Fields, *, seed: int, step: int, first_sample: int) -> NoReturn:
        self.refuse()

    def apply(self, rate: float, clip: float | None) -> NoReturn:
        self.refuse()

    def grads(self) -> NoReturn:
        self.refuse()

    def predict(self, fields: Fields) -> NoReturn:
        self.refuse()

    def evaluate(self, batches: Iterable[Fields]) -> NoReturn:
        self.refuse()

    def refuse(self) -> NoReturn:
        if self.program.trainings:
            path, advice = f"the step of the network `{self.chosen.name}`", "compile without `network`"
        else:
            path, advice = self.program.path, NONE["train"]
        raise SpecError(NothingOfKind(path=path, kind="train", advice=advice))
