"""Relations of whole trainings, by every optimizer: rate 0, frozen weights, accumulation."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from dslc.ir.types import DType
from dslc.loading import load_program
from dslc.vocabulary import OPTIMIZERS
from runtime.train.checkpoint import Checkpoint, load_checkpoint
from runtime.train.loop import train
from tests.relations.faults import unequal_parts
from tests.relations.numeric import agree, values
from tests.relations.of_values import step_graph
from tests.relations.subject import SEED, Arrays, Subject, initial

SPEC = """dslc 1

network Net {
  input x: [batch, 6]
  y = x -> dense(5) as first -> batch_norm as norm -> tanh -> dense(4) as second -> relu
  output score = y -> dense(3) as last
}

train {
  data = npz("data.npz", split=[0.8, 0.2, 0])
  net  = Net(data.x)

  loss:       cross_entropy(net.score, data.label)
  optimizer:  OPTIMIZER
  clip:       norm(0.5)
  batch_size: 8
  epochs:     2
  MORE
}
"""
FROZEN = """ema: 0.5
  rule "**" {
    weight_decay: 0.1
    constraint: max_norm(0.5)
  }
  rule "first.**" {
    frozen: true
  }
  rule "norm.**" {
    frozen: true
  }
  rule "last.b" {
    frozen: true
  }"""
STILL = ("Net.first.w", "Net.first.b", "Net.norm.gamma", "Net.norm.beta", "Net.norm.mean", "Net.norm.var", "Net.last.b")


def optimizer(name: str, rate: float) -> str:
    """The optimizer with both regularisers, and momentum where it has one."""
    momentum = "momentum=0.9, " if "momentum" in OPTIMIZERS[name].text else ""
    return f"{name}({rate}, {momentum}weight_decay=0.1, l1=0.01)"


def data() -> Arrays:
    numbers = np.random.default_rng(0)
    return {"x": numbers.normal(size=(30, 6)), "label": np.arange(30) % 3}


def run(
    folder: Path, optimizer: str, more: str = "", text: str = SPEC, precision: DType = DType.f32
) -> tuple[Checkpoint, Checkpoint]:  # fmt: skip
    """The checkpoints before and after a training."""
    folder.mkdir(exist_ok=True)
    np.savez(folder / "data.npz", **data())
    path = folder / "net.nn"
    path.write_text(text.replace("OPTIMIZER", optimizer).replace("MORE", more), encoding="utf-8")
    program = load_program(path, precision=precision)[0]
    last = folder / "run" / "checkpoints" / "last.safetensors"
    train(program, spec_path=path, threads=1, out=folder / "run", max_steps=0)
    first = load_checkpoint(last, "last")
    train(program, spec_path=path, threads=1, resume=folder / "run")
    return first, load_checkpoint(last, "last")


def moved(before: Checkpoint, after: Checkpoint) -> set[str]:
    return {name for name, array in before.parameters.items() if array.tobytes() != after.parameters[name].tobytes()}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_rate_of_0_moves_no_weight(name: str, tmp_path: Path) -> None:
    assert moved(*run(tmp_path, optimizer(name, 0))) == {"Net.norm.mean", "Net.norm.var"}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_frozen_weights_and_states_keep_every_bit(name: str, tmp_path: Path) -> None:
    """With weight decay, a constraint that they do not meet, and averages; all others move."""
    before, after = run(tmp_path, optimizer(name, 0.1), FROZEN)
    assert moved(before, after) == before.parameters.keys() - set(STILL)
    assert np.linalg.norm(before.parameters["Net.first.w"], axis=0).max() > 0.5
    raw = {name: array for name, array in after.slots.items() if name.startswith("raw:") and name.removeprefix("raw:") in STILL}
    assert all(array.tobytes() == before.parameters[name.removeprefix("raw:")].tobytes() for name, array in raw.items())


# ---- accumulation -----------------------------------------------------------------------------------------------------------------------

PLAIN = SPEC.replace(" -> batch_norm as norm -> tanh", " -> dropout(0.3) -> tanh")


def subject(folder: Path, text: str) -> Subject:
    np.savez(folder / "data.npz", **data())
    return Subject(text.replace("OPTIMIZER", "sgd(0.1)").replace("MORE", ""), folder, data())


@pytest.mark.parametrize("parts", [(8, 8, 8), (1, 23), (12, 12), (5, 7, 9, 3)])
def test_accumulated_gradients_are_those_of_the_whole_batch(parts: tuple[int, ...], tmp_path: Path) -> None:
    """Draws count the samples of the whole batch, and every part counts by its samples: parts of any size give the same."""
    found = subject(tmp_path, PLAIN)
    apart, wanted = accumulated(found, parts)
    agree(step_graph(found), inputs(found), apart, wanted)


def test_parts_that_do_not_count_by_their_samples_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unequal_parts(monkeypatch)
    found = subject(tmp_path, PLAIN)
    with pytest.raises(AssertionError, match="rounding explains"):
        agree(step_graph(found), inputs(found), *accumulated(found, (1, 23)))


def inputs(found: Subject) -> Arrays:
    return found.inputs(step_graph(found), initial(found.training), found.batch(0, 24))


def accumulated(found: Subject, parts: tuple[int, ...]) -> tuple[Arrays, Arrays]:
    """Loss and gradients of 24 samples in parts, and at once."""
    step = found.other(found.text.replace("batch_size: 8", f"batch_size: {max(parts)}\n  accumulate: {len(parts)}")).compile(max(parts))
    (half,) = step.steps.values()
    cuts = [0, *np.cumsum(parts).tolist()]
    batches = [(found.batch(start, stop), stop - start) for start, stop in pairwise(cuts)]
    status = half.backward_parts(batches, seed=SEED, step=0)
    apart = {f"grad:{name}": value for name, value in half.grads().items()} | {"loss": np.asarray(status.loss)}
    return apart, values(step_graph(found), inputs(found))


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_a_training_with_accumulation_ends_where_one_with_the_whole_batch_does(name: str, tmp_path: Path) -> None:
    """Three updates of 8 samples by four parts of 2: in double precision they differ by less than 2^12 roundings of the largest weight."""
    ends = []
    for at, more in enumerate(("accumulate: 1", "accumulate: 4")):
        text = PLAIN.replace("batch_size: 8", f"batch_size: {(8, 2)[at]}")
        _, after = run(tmp_path / str(at), f"{name}(0.01)", more, text, DType.f64)
        ends.append(after.parameters)
    largest = max(float(np.abs(array).max()) for array in ends[0].values())
    for address, array in ends[0].items():
        assert np.abs(array - ends[1][address]).max() <= 2**12 * np.finfo(np.float64).eps * largest
