"""The specs whose loss holds a gradient train: the loss falls, and every weight moves as its own step says."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dslc.interpret import interpret
from dslc.ir.types import DType
from dslc.loading import Override, load_program, specs_folder
from dslc.passes.differentiate import differentiate
from runtime.train.loop import train
from runtime.train.metrics import read_history
from tests.peers.values import draw, weight

Rows = list[dict[str, float]]


def trained(name: str, epochs: int, out: Path) -> Rows:
    """The evaluations of a few epochs of a shipped spec."""
    path = Path(specs_folder()) / f"{name}.nn"
    program, _ = load_program(path, overrides=[Override("train.epochs", str(epochs), "--set")])
    train(program, spec_path=path, out=out)
    return [row["metrics"] for row in read_history(out) if row["kind"] == "epoch"]


def test_maml_learns_to_learn_in_one_step(tmp_path: Path) -> None:
    """After some epochs one inner step makes the error less than a half."""
    rows = trained("maml", 25, tmp_path / "run")
    assert rows[-1]["mse"] < 0.5 * rows[0]["mse"]
    assert rows[-1]["mse"] < 0.5 * rows[-1]["mse_before"]


def test_the_gradient_penalty_keeps_the_critic_smooth(tmp_path: Path) -> None:
    """The penalty falls, and the generator comes nearer to the data than the critic first found it."""
    rows = trained("gradient_penalty", 12, tmp_path / "run")
    peak = max(row["critic.distance"] for row in rows[:4])
    assert rows[-1]["critic.distance"] < 0.7 * peak
    assert rows[-1]["loss.critic.penalty"] < 0.5 * max(row["loss.critic.penalty"] for row in rows[:4])


def test_the_critics_gradient_is_the_slope_of_its_loss() -> None:
    """Second derivatives through the penalty, to each weight of the critic, against differences."""
    program, _ = load_program("gradient_penalty", overrides=[Override("width", "6", "--set")], precision=DType.f64)
    step = program.trainings["train"].steps[0]
    assert step.name == "critic" and all(address.startswith("Critic") for address in step.trains)
    graph = differentiate(step.graph, "loss", step.trains)
    given = {"key": np.array([1, 0, 0], np.int64)}
    for item in graph.inputs:
        if item.kind != "key":
            type = graph.types[item.id]
            values = weight(item.name, type) if item.kind == "weight" else 16 * draw(item.name, type.sizes({"batch": 4}))
            given[item.name] = values.astype(type.dtype.numpy)
    found = interpret(graph, np, given)
    for address in step.trains:
        gradient = found[f"grad:{address}"]
        direction = np.sign(gradient)
        wanted = float((gradient * direction).sum())

        def loss(k: float, address: str = address, direction: np.ndarray = direction) -> float:
            return float(interpret(step.graph, np, {**given, address: given[address] + k * direction})["loss"])

        errors = []
        for h in (1e-4, 1e-5, 1e-6):
            slope = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)
            errors.append(abs(slope - wanted))
        assert min(errors) < 1e-7 * max(1.0, abs(wanted)), address
