"""Trainings of the shipped networks for tests and benches: those without a `train` of their own get a cross-entropy over their logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from dslc.ir.types import DType, tensor
from dslc.loading import load_program
from dslc.ops.value import Builder, F, Val
from dslc.passes.rewrite import resume
from dslc.program import Call, Program, StepProgram, Training


def program_of(name: str, precision: DType = DType.f32) -> Program:
    """A shipped spec with one training."""
    program, _ = load_program(name, precision=precision)
    return program if program.trainings else program.model_copy(update={"trainings": {"train": training_of(program)}})


def with_momentum(program: Program, momentum: float) -> Program:
    """The same training with plain SGD and momentum, without weight decay."""
    (training,) = program.trainings.values()
    (step,) = training.steps
    optimizer = Call(name="sgd", args={"rate": 0.05, "momentum": momentum, "weight_decay": 0.0})
    changed = training.model_copy(update={"steps": (step.model_copy(update={"optimizer": optimizer}),)})
    return program.model_copy(update={"trainings": {training.name: changed}})


def training_of(program: Program) -> Training:
    """loss: cross_entropy(net.logits, label); optimizer: sgd(0.05, momentum=0.9)."""
    (network,) = program.networks.values()
    train, evaluate = with_loss(network.train), with_loss(network.evaluate)
    weights = tuple(weight.address for weight in network.weights)
    optimizer = Call(name="sgd", args={"rate": 0.05, "momentum": 0.9, "weight_decay": 0.0})
    return Training(
        name="train",
        networks=(network.name,),
        data=(),
        steps=(StepProgram(name="step", graph=train, trains=weights, losses=("",), optimizer=optimizer),),
        evaluate=evaluate,
        predict=network.evaluate,
        contract={},
        metrics=(),
        weights=network.weights,
        states=network.states,
        schedule=None,
        clip=None,
        batch_size=32,
        epochs=1,
        max_steps=None,
    )


def with_loss(graph: Any) -> Any:
    builder: Builder = resume(graph)
    logits = Val(builder, graph.output("logits"))
    label = builder.input("data", "label", tensor("i64", "batch"))
    builder.outputs = []
    builder.output("loss", F.cross_entropy(logits, label))
    return builder.build()


def batch_of(name: str, count: int, seed: int = 0, precision: DType = DType.f32) -> dict[str, np.ndarray[Any, Any]]:
    """Random images and labels as the network's training takes them."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 10, count)
    if name in ("lenet", "mlp"):
        return {"image": rng.integers(0, 256, (count, 1, 28, 28)).astype(np.uint8), "label": label.astype(np.uint8)}
    return {"image": rng.normal(size=(count, 3, 32, 32)).astype(precision.numpy), "label": label}
