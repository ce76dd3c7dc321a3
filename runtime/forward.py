"""A compiled network of a spec without `train`: a step that runs forward and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from dslc.diagnostics import SpecError
from dslc.ir.errors import NotRunnable
from dslc.parts import NONE
from dslc.program import Network, Program
from dslc.usage import NothingOfKind
from runtime.compiled import Compiled, Fields, signature_only, workers_of
from runtime.device import get_device
from runtime.memory import enough_memory
from runtime.parameters import Parameters
from runtime.step import Step

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
        parameters = Parameters(get_device(device), network.weights, network.states, (), seed)
        workers = workers_of(device, threads)
        Compiled.__init__(self, program, parameters, network, batch_size=batch_size, seed=seed, workers=workers)

    def train(self, **data_fields: Any) -> NoReturn:
        self.refuse()

    def backward(self, fields: Fields, *, seed: int, step: int, first_sample: int) -> NoReturn:
        self.refuse()

    def apply(self, rate: float) -> NoReturn:
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
