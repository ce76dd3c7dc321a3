"""Overrides, params, warnings, phases and rules as they come out in the program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dslc.diagnostics import SpecError
from dslc.loading import Override, load_program
from dslc.program import Argument, Training
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


def settings_of(spec: str, *overrides: tuple[str, Any], origin: str = "--set") -> Training:
    found, _ = load_program(spec, overrides=[Override(path, value, origin) for path, value in overrides])
    (training,) = found.trainings.values()
    return training


def test_every_setting_of_a_training_can_be_given() -> None:
    training = settings_of(
        "lenet", ("train.batch_size", "8"), ("train.epochs", "2"), ("train.steps", "5"), ("train.accumulate", "4"), ("train.ema", "0.9"),
        ("train.optimizer", "adam(0.001, beta1=0.5)"), ("train.schedule", "step(3)"), ("train.clip", "norm(1)"),
        ("train.start", 'checkpoint("runs/a", skip="dense1")'),
    )  # fmt: skip
    assert (training.batch_size, training.epochs, training.max_steps, training.accumulate, training.ema) == (8, 2, 5, 4, 0.9)
    optimizer, schedule, clip, start = training.steps[0].optimizer, training.schedule, training.clip, training.start
    assert schedule is not None and clip is not None and start is not None
    assert (optimizer.name, optimizer.args["rate"], optimizer.args["beta1"]) == ("adam", 0.001, 0.5)
    assert (schedule.name, schedule.args["every"], clip.args, start.args["path"]) == ("step", 3.0, {"limit": 1.0}, "runs/a")


def test_none_takes_a_setting_away() -> None:
    clipped = settings_of("vae", ("train.clip", "value(2)"), ("train.ema", "0.5"))
    assert clipped.clip is not None and clipped.ema == 0.5
    assert settings_of("lenet", ("train.clip", "none"), ("train.ema", "none"), ("train.start", "none")).clip is None
    assert settings_of("lenet", ("train.ema", None), ("train.steps", None), origin="argument").ema is None


def test_words_from_python_are_text() -> None:
    found = settings_of("lenet", ("train.optimizer", "lion(1e-4)"), ("train.accumulate", 2), origin="argument")
    assert found.steps[0].optimizer.name == "lion" and found.accumulate == 2


def test_settings_of_one_step_and_of_all() -> None:
    first, second = settings_of("gan", ("train.critic.optimizer", "sgd(0.5)"), ("train.critic.times", "3"), ("train.clip", "norm(2)")).steps
    assert (first.optimizer.name, first.times, second.optimizer.name, second.times) == ("sgd", 3, "adam", 1)
    assert first.clip == second.clip and first.clip is not None and first.clip.args == {"limit": 2.0}


@pytest.mark.parametrize(
    ("spec", "path", "value", "words"),
    [
        ("lenet", "train.acumulate", "4", "did you mean `train.accumulate`?"),
        ("lenet", "accumulate", "4", "did you mean `train.accumulate`?"),
        ("lenet", "trian.ema", "0.9", "did you mean `train.ema`?"),
        ("lenet", "train.lr", "0.1", "did you mean `lr`?"),
        ("lenet", "train.loss", "mse(a, b)", "a loss stands in the spec only"),
        ("lenet", "train.times", "2", "nothing to set called `train.times`"),
        ("gan", "train.optimizer", "sgd(1)", "did you mean `train.critic.optimizer`?"),  # each step has its own: it would change nothing
        ("gan", "train.critic.epochs", "1", "did you mean `train.epochs`?"),
        ("gan", "train.crtic.times", "2", "did you mean `train.critic.times`?"),
        ("lenet", "train.ema", "1", "`train.ema` must be a number between 0 and 1, not 1"),
        ("lenet", "train.accumulate", "0", "`train.accumulate` must be a whole number of at least 1, not 0"),
        ("lenet", "train.accumulate", "true", "`train.accumulate` must be a whole number of at least 1"),
        ("lenet", "train.steps", '"3"', "`train.steps` must be a whole number of at least 1"),
        ("lenet", "train.optimizer", "adm(0.1)", "`adm` is no optimizer: did you mean `adam`?"),
        ("lenet", "train.optimizer", "0.1", "`optimizer` must be one of"),
        ("lenet", "train.optimizer", "none", "`none` is no optimizer"),
        ("lenet", "train.optimizer", "adam(rte=1)", "`adam` has no `rte`: did you mean `rate`?"),
        ("lenet", "train.optimizer", "sgd(-1)", "`rate` of `sgd` must be"),
        ("lenet", "train.clip", "norm", "`norm` needs `limit`"),
        ("lenet", "train.schedule", "cosin(warmup=1)", "did you mean `cosine`?"),
    ],
)
def test_a_wrong_setting_from_outside_is_located(spec: str, path: str, value: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_program(spec, overrides=[Override(path, value, "--set")])
    (found,) = caught.value.diagnostics
    assert words in found.message
    assert found.span is not None and found.span.source.path == "--set"
    assert "check --fix" not in str(caught.value)


@pytest.mark.parametrize("value", [0.1, True, ["adam", 0.1]])
def test_a_word_is_text(value: Any) -> None:
    with pytest.raises(SpecError, match=r"`train.optimizer` must be one of .* as text"):
        load_program("lenet", overrides=[Override("train.optimizer", value, "argument")])


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


@pytest.mark.parametrize(
    ("loss", "code"),
    [
        ("soft_cross_entropy(softmax(net.y), t)", "softmax-before-cross-entropy"),
        ("soft_cross_entropy(net.y, t)", ""),
        ("focal(sigmoid(net.y), t)", "softmax-before-cross-entropy"),
        ("nll(softmax(net.y), data.label)", "softmax-without-log"),
        ("nll(log_softmax(net.y), data.label)", ""),
        ("kl_divergence(softmax(net.y), t)", "softmax-without-log"),
        ("kl_divergence(log_softmax(net.y), softmax(t))", ""),
        ("cross_entropy(net.y[:, 0:1], data.label // 9)", "one-class"),
        ("cross_entropy(net.y[:, 0:2], data.label // 9)", ""),
    ],
)
def test_what_a_loss_takes(loss: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b,c,d,e\n")
    train = TRAIN.replace("cross_entropy(net.y, data.label)", f"{loss} + 0 * mean(t)").replace(
        "  loss:", "  t = one_hot(data.label, 3)\n  loss:"
    )
    found, diagnostics = check(network("output y = x -> dense(3)") + train, tmp_path)
    assert found is not None, diagnostics
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


def test_a_rule_for_weights_that_matches_states_only_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b,c,d,e\n")
    body = network("output y = x -> dense(5, bias=false) -> batch_norm -> dense(3)")
    rules = TRAIN.replace(
        "  loss:", '  rule "**.mean" {\n    frozen: true\n    rate: 0.5\n    init: zeros\n  }\n  rule "**.var" { frozen: true }\n  loss:'
    )
    found, diagnostics = check(body + rules, tmp_path)
    assert found is None
    assert [item.message for item in diagnostics] == [
        f"`{name}` is for weights, and `**.mean` matches states only: `N.batch_norm0.mean`" for name in ("rate", "init")
    ]


def test_a_setting_that_every_step_has_for_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b,c,d,e\n")
    step = "  step fit {\n    loss: cross_entropy(net.y, data.label)\n    OWN\n  }\n"
    text = network("output y = x -> dense(3)") + TRAIN.replace("  loss: cross_entropy(net.y, data.label)\n", step)
    assert check(text.replace("OWN", "clip: norm(1)"), tmp_path)[0] is not None
    found, diagnostics = check(text.replace("OWN", "optimizer: adam(0.1)"), tmp_path)
    assert found is None
    assert [item.message for item in diagnostics] == ["`optimizer` is never used: each step has its own"]


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
