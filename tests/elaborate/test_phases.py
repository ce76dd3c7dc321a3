"""What a `train` has only while it trains: its states and networks are part of the program."""

from __future__ import annotations

from pathlib import Path

from dslc.diagnostics import Diagnostic
from dslc.program import Program
from tests.elaborate.check import check, network

HEAD = network("  output y = x -> dense(3)")
TRAIN = """network M {
  input x: [batch, 3]
  output y = x -> dense(3)
}

train {
  data = csv("d.csv", inputs=["a", "b", "c", "d"], label="e")
  net = N(data.input)
  y = net.y
PHASES
  loss: cross_entropy(y, data.label)
  optimizer: sgd(0.1)
}
"""


def checked(folder: Path, phases: str) -> tuple[Program | None, list[Diagnostic]]:
    (folder / "d.csv").write_text("a,b,c,d,e\n")
    return check(HEAD + TRAIN.replace("PHASES", phases), folder)


def test_a_state_of_the_training_alone(tmp_path: Path) -> None:
    program, diagnostics = checked(tmp_path, "if training {\n state s: [3] = ones\n update s = s * 0.5\n y = y + s\n}")
    assert diagnostics == [] and program is not None
    training = program.trainings["train"]
    assert [item.address for item in training.states] == ["train.s"]
    assert "train.s" in {item.name for item in training.steps[0].graph.inputs}


def test_a_network_of_the_training_alone(tmp_path: Path) -> None:
    program, diagnostics = checked(tmp_path, "if training {\n more = M(y)\n y = y + more.y\n}")
    assert diagnostics == [] and program is not None
    training = program.trainings["train"]
    weights = [item.address for item in training.weights]
    assert weights == ["N.dense0.w", "N.dense0.b", "M.dense0.w", "M.dense0.b"]
    assert {item.name for item in training.steps[0].graph.inputs if item.kind == "weight"} == set(weights)


def test_a_state_that_the_phases_make_in_two_ways(tmp_path: Path) -> None:
    body = "if training {\n state s: [3] = ones\n y = y + s\n} else {\n state s: [1] = ones\n y = y + sum(s)\n}"
    _, diagnostics = checked(tmp_path, body)
    assert [item.code for item in diagnostics] == ["phases-differ"]
