"""Overrides, params, warnings, phases and rules as they come out in the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from dslc.diagnostics import SpecError
from dslc.loading import Override, load_program
from dslc.program import Argument
from tests.elaborate.check import check, codes, network, program

SPEC = network("output y = x -> dense(width)", "param width: int = 3 in [2, 3, 5]\nparam table: list[list[int]] = [[1], [2, 3]]").replace(
    "dense(width)", "dense(width) -> dense(table[1][1])"
)


def test_override_and_origins() -> None:
    overrides = [Override("lr", "0.02", "--set"), Override("train.epochs", "7", "environment"), Override("train.steps", 100, "--max-steps")]
    found, _ = load_program("lenet", overrides=overrides)
    shown = {item.name: (item.value, item.origin) for item in (*found.params, *found.settings)}
    assert shown == {
        "classes": (10, "spec"),
        "lr": (0.02, "--set"),
        "train.batch_size": (64, "spec"),
        "train.epochs": (7, "environment"),
        "train.steps": (100, "--max-steps"),
    }
    assert found.trainings["train"].steps[0].optimizer.args["rate"] == 0.02


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("width", "4", "param-domain"),
        ("width", "2.0", "param-value"),
        ("width", '"3"', "param-value"),
        ("width", "true", "param-value"),
        ("width", "x", "unknown-name"),
        ("width", "2 +", "unexpected-end"),
        ("wdth", "3", "unknown-override"),
        ("train.epochs", "3", "unknown-override"),
        ("table", "[[1], [2.5]]", "param-value"),
    ],
)
def test_bad_override_is_located(path: str, value: str, code: str) -> None:
    found, diagnostics = check(SPEC, overrides=[Override(path, value, "--set")])
    assert found is None
    assert len(diagnostics) == 1
    assert diagnostics[0].span is not None
    assert diagnostics[0].span.source.path == "--set"
    if code != "unexpected-end":
        assert diagnostics[0].code == code


@pytest.mark.parametrize("value", [True, 2.5, "three", [1, 2], 10**30, float("nan")])
def test_bad_argument(value: Argument) -> None:
    assert codes(SPEC, overrides=[Override("width", value, "argument")]) == ["param-value"]


def test_a_list_from_python() -> None:
    found = program(SPEC, overrides=[Override("table", ((4,), (5, 6)), "argument")])  # type: ignore[arg-type]
    assert str(found.networks["N"].outputs[0].type) == "f32[batch, 6]"


def test_param_without_value() -> None:
    text = network("output y = x -> dense(n)", "param n: int")
    assert codes(text) == ["param-missing"]
    assert program(text, overrides=[Override("n", "4", "--set")]).params[0].value == 4


@pytest.mark.parametrize(
    ("domain", "good"),
    [("0..1", True), ("1e-3..1 log", True), ("0..1 log", False), ("1..0", False), ("0.5..1", False), ('["a", "b"]', False), ("3", False)],
)
def test_domains(domain: str, good: bool) -> None:
    assert (codes(network("output y = x * a", f"param a: float = 0.1 in {domain}")) == []) == good


# ---- warnings -----------------------------------------------------------------------------------------------------------------------

TRAIN = """
train {
  data = csv("d.csv", inputs=["a", "b", "c", "d"], label="e")
  net  = N(data.input)
  loss: cross_entropy(net.y, data.label)
  optimizer: sgd(0.1)
}
"""


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("output y = x -> dense(3) -> softmax", "softmax-before-cross-entropy"),
        ("output y = x -> dense(3, init=zeros)", "zero-weights"),
        ("output y = x -> dense(3, init=constant(0))", "zero-weights"),
        ("output y = x -> dense(5) -> batch_norm -> dense(3)", "bias-before-batch-norm"),
        ("output y = x -> dense(5, bias=false) -> batch_norm -> dense(3)", ""),
    ],
)
def test_warnings(body: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b,c,d,e\n")
    found, diagnostics = check(network(body) + TRAIN, tmp_path)
    assert found is not None
    assert {(item.code, item.severity) for item in diagnostics} == ({(code, "warning")} if code else set())


def test_strict_makes_errors_of_warnings(tmp_path: Path) -> None:
    (tmp_path / "s.nn").write_text("dslc 1\n" + network("output y = x -> dense(3, init=zeros)"))
    assert [item.code for item in load_program(tmp_path / "s.nn")[1]] == ["zero-weights"]
    with pytest.raises(SpecError, match="starts at zero"):
        load_program(tmp_path / "s.nn", strict=True)


# ---- phases, rules, steps ------------------------------------------------------------------------------------------------------------


def test_frozen_blocks_run_in_evaluation_and_do_not_move(tmp_path: Path) -> None:
    rules = Path(__file__).parent / "rules" / "R20_ok.nn"
    found, _ = load_program(rules)
    training = found.trainings["train"]
    (step,) = training.steps
    assert step.graph.updates == ()
    assert not any(node.op == "channel_moments" for node in step.graph.nodes)
    assert [address for address in step.trains if "batch_norm0" in address] == []
    # Later rules win setting by setting: `Net.dense1.*` comes after `dense*`.
    rates = {address: rule.settings["rate"] for rule in training.rules if "rate" in rule.settings for address in rule.matches}
    assert rates == {"Net.dense0.w": 0.1, "Net.dense1.w": 2.0, "Net.dense1.b": 2.0}


def test_steps_train_and_move_their_own_networks() -> None:
    found, _ = load_program(Path(__file__).parent / "rules" / "R19_ok.nn")
    judge, maker = found.trainings["train"].steps
    assert (judge.times, maker.times) == (2, 1)
    assert all(address.startswith("Judge.") for address in judge.trains)
    assert maker.trains == ("Maker.dense0.w", "Maker.dense0.b")
    assert {item.name for item in judge.graph.updates} == {"Judge.batch_norm0.mean", "Judge.batch_norm0.var"}
    assert maker.graph.updates == ()


def test_contract_is_the_text_of_the_argument() -> None:
    assert load_program("lenet")[0].trainings["train"].contract == {"image": "data.image / 255"}


def test_predict_reads_no_labels() -> None:
    graph = load_program("lenet")[0].trainings["train"].predict
    assert [item.name for item in graph.inputs if item.kind == "data"] == ["data.image"]
    assert [output.name for output in graph.outputs] == ["logits", "class"]


def test_two_calls_of_a_network_draw_apart() -> None:
    head = "network Net {\n  input x: [batch, 4]\n  output y = x + normal(shape=[batch, 4])\n}"
    found = program(network("output y = Net(x).y - Net(x).y", head))
    streams = [node.attrs["stream"] for node in found.networks["N"].evaluate.nodes if node.op == "normal"]
    assert len(set(streams)) == 2


@pytest.mark.parametrize(
    ("init", "good"),
    [
        ("uniform(low=-1, high=1)", True),
        ("uniform(low=1, high=-1)", False),
        ("normal(std=-1)", False),
        ("constant(2)", True),
        ("0.5", True),
        ("xavier(3)", False),
        ("relu", False),
    ],
)
def test_initialisers(init: str, good: bool) -> None:
    assert (codes(network(f"weight w: [4] = {init}\noutput y = x * w")) == []) == good
