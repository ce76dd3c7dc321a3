"""Verbs that look at a spec: new, check, fmt, explain, ops, show, config."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.conftest import Golden

HERE = Path(__file__).parent
WRONG = """\
dslc 1

network Net {
  input image: [batch, 1, 28, 28]
  output logits = image -> flaten -> dense(10)
}
"""


def test_new_writes_a_spec_that_holds(dslc: Command, tmp_path: Path) -> None:
    assert dslc("new", "my_net").code == 0
    text = (tmp_path / "my_net.nn").read_text()
    assert "network MyNet {" in text
    assert dslc("check", "my_net.nn", "--strict").out == "my_net.nn: ok (20,490 parameters)\n"
    assert dslc("fmt", "--check", "my_net.nn").code == 0


def test_new_never_overwrites(dslc: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.nn").write_text("mine")
    done = dslc("new", "mine")
    assert (done.code, (tmp_path / "mine.nn").read_text()) == (2, "mine")
    assert "error[file-exists]" in done.err


def test_check_says_what_is_wrong_where(dslc: Command, tmp_path: Path, golden: Golden) -> None:
    (tmp_path / "net.nn").write_text(WRONG)
    done = dslc("check", "net.nn")
    assert (done.code, done.out) == (2, "")
    golden(HERE / "check.err", done.err)


def test_check_as_json(dslc: Command, tmp_path: Path) -> None:
    (tmp_path / "net.nn").write_text(WRONG)
    done = dslc("check", "net.nn", "--json")
    document = json.loads(done.out)
    assert (done.code, done.err, document["version"]) == (2, "", 1)
    (found,) = document["diagnostics"]
    assert (found["code"], found["spans"][0]["start"]["line"]) == ("unknown-name", 5)
    assert json.loads(dslc("check", "lenet", "--json").out)["diagnostics"] == []


def test_check_fix_mends_the_file_and_checks_again(dslc: Command, tmp_path: Path) -> None:
    path = tmp_path / "net.nn"
    path.write_text(WRONG)
    path.chmod(0o640)
    done = dslc("check", "net.nn", "--fix")
    assert (done.code, done.out) == (0, "net.nn: ok (7,850 parameters)\n")
    assert path.read_text() == WRONG.replace("flaten", "flatten")
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(item.name for item in tmp_path.iterdir()) == ["net.nn"]


def test_check_fix_leaves_what_it_cannot_mend(dslc: Command, tmp_path: Path) -> None:
    path = tmp_path / "net.nn"
    path.write_text(WRONG.replace("dense(10)", "qqqq(10)"))
    done = dslc("check", "net.nn", "--fix")
    assert done.code == 2
    assert "flatten -> qqqq(10)" in path.read_text()


def test_warnings_are_shown_and_strict_makes_them_errors(dslc: Command, tmp_path: Path) -> None:
    (tmp_path / "net.nn").write_text(WRONG.replace("flaten -> dense(10)", "conv(4, kernel=3) -> batch_norm -> global_avg_pool"))
    done = dslc("check", "net.nn")
    assert done.code == 0
    assert done.err.startswith("warning[")
    assert "ok" in done.out
    assert dslc("check", "net.nn", "--strict").code == 2


def test_fmt_writes_the_canonical_form(dslc: Command, tmp_path: Path) -> None:
    (tmp_path / "net.nn").write_text(WRONG.replace("flaten", "flatten").replace("  input", "      input"))
    assert dslc("fmt", "--check", "net.nn").code == 2
    assert dslc("fmt", "net.nn").out == "net.nn: formatted\n"
    assert (tmp_path / "net.nn").read_text() == WRONG.replace("flaten", "flatten")
    assert dslc("fmt", "net.nn") == dslc("fmt", "--check", "net.nn", "lenet")


def test_fmt_does_not_touch_what_it_cannot_read(dslc: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.nn").write_text("dslc 1\nnetwork {{{\n")
    (tmp_path / "net.nn").write_text(WRONG.replace("  input", "    input"))
    assert dslc("fmt", "bad.nn", "net.nn").code == 2
    assert (tmp_path / "bad.nn").read_text() == "dslc 1\nnetwork {{{\n"
    assert (tmp_path / "net.nn").read_text() == WRONG


def test_explain(dslc: Command) -> None:
    done = dslc("explain", "unknown-name")
    assert done.code == 0
    assert done.out.startswith("unknown-name: ")
    assert "Wrong:" in done.out and "Right:" in done.out


def test_ops_lists_and_describes(dslc: Command) -> None:
    listed = dslc("ops").out
    assert "  relu " in listed and "  dense " in listed and "conv_grad_w" not in listed
    described = dslc("ops", "conv").out
    assert "block conv(" in described and "operator conv(" in described
    assert "block conv(" not in dslc("ops", "op.conv").out


@pytest.mark.parametrize("name", ["gates", "lenet", "resnet20"])
def test_show_prints_the_layer_table(name: str, dslc: Command, golden: Golden) -> None:
    done = dslc("show", name)
    assert (done.code, done.err) == (0, "")
    golden(HERE / "show" / f"{name}.txt", done.out.partition("\nA training step")[0])


def test_show_tells_the_memory_of_a_training_step(dslc: Command) -> None:
    small, large = (dslc("show", "lenet", "--batch-size", size).out.splitlines()[-1] for size in (8, 512))
    assert small.startswith("A training step at batch size 8: ")
    assert small.split(": ")[1] != large.split(": ")[1]


def test_show_ir_plan_and_passes(dslc: Command) -> None:
    assert dslc("show", "lenet", "--ir").out.startswith("graph LeNet {\n")
    plan = dslc("show", "lenet", "--plan", "--batch-size", "7").out
    assert plan.startswith("plan ") and "batch=7" in plan.splitlines()[0]
    timed = dslc("show", "lenet", "--time-passes").out
    assert timed.splitlines()[0].startswith("differentiate") and " ms" in timed
    assert dslc("show", "lenet", "--print-after", "fold").out.startswith("graph ")


def test_show_of_a_network_without_training(dslc: Command) -> None:
    assert dslc("show", "vgg8").out.splitlines()[-1].startswith("Vgg8: 2,196,810 parameters")
    assert dslc("show", "gates", "--plan").out.startswith("plan Gates for batch=32")


def test_config_says_where_values_come_from(dslc: Command, monkeypatch: pytest.MonkeyPatch, golden: Golden) -> None:
    monkeypatch.setenv("DSLC_SET", "lr=0.5; train.batch_size=16")
    done = dslc("config", "lenet", "--origin", "--set", "lr=0.02", "--set", "classes=12")
    assert (done.code, done.err) == (0, "")
    golden(HERE / "config.txt", done.out)


def test_the_last_override_holds(dslc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSLC_SET", "lr=0.5")
    assert "lr                = 0.5\n" in dslc("config", "lenet").out
    assert "lr                = 0.25\n" in dslc("config", "lenet", "--set", "lr=0.125", "--set", "lr=0.25").out


def test_a_bad_value_in_the_environment_is_named(dslc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSLC_SET", "lr")
    done = dslc("check", "lenet")
    assert done.code == 2
    assert "DSLC_SET takes NAME=VALUE" in done.err


def test_config_takes_the_flags_of_train(dslc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSLC_SET", "lr=0.02; train.batch_size=32")
    rows = [line.split() for line in dslc("config", "lenet", "--epochs", "5", "--origin").out.splitlines()]
    found = {row[0]: row[-2] if ":" in row[-1] else row[-1] for row in rows}
    assert (found["lr"], found["train.batch_size"], found["train.epochs"]) == ("environment", "environment", "--epochs")
    assert (found["train.loss"], found["train.clip"]) == ("spec", "default")


def test_config_of_a_spec_without_values(dslc: Command) -> None:
    assert dslc("config", "gates").out == "specs/gates.nn has no params and no settings\n"


WITH_INIT = """dslc 1

param start: init = normal(std=0.02)

network Net {
  input x: [batch, 3]
  output y = x -> dense(2, init=start)
}
"""


def test_a_param_may_be_an_initialiser(dslc: Command, tmp_path: Path) -> None:
    path = tmp_path / "net.nn"
    path.write_text(WITH_INIT)
    assert dslc("config", str(path)).out == "start  = normal(mean=0.0, std=0.02)\n"
    assert dslc("config", str(path), "--set", "start=uniform(-0.1, 0.1)").out == "start  = uniform(low=-0.1, high=0.1)\n"
    path.write_text(WITH_INIT.replace(": init", ": layer"))
    done = dslc("check", str(path))
    assert done.code == 2 and "a block takes a layer" in done.err


RULES = """dslc 1
network Net {
  input x: [batch, 64]
  output y = x -> dense(8, bias=false) -> batch_norm -> relu -> dense(10)
}
train {
  data = dataset("digits")
  net  = Net(data.image / 16)
  rule "dense*"      { rate: 0.1 }
  rule "batch_norm0" { frozen: true }
  rule "**.b"        { init: normal(std=0.5), weight_decay: 0 }
  loss: cross_entropy(net.y, data.label)
  optimizer: sgd(0.1)
}
""".replace(", weight_decay", "\n weight_decay")


@pytest.mark.parametrize("verb", ["config", "show"])
def test_rules_are_listed_with_the_weights_that_they_match(dslc: Command, tmp_path: Path, verb: str) -> None:
    (tmp_path / "r.nn").write_text(RULES)
    out = dslc(verb, tmp_path / "r.nn").out
    found = {line.split('"')[1]: " ".join(line.split('"')[2].split()) for line in out.splitlines() if line.startswith('  rule "')}
    assert found == {
        "dense*": "rate: 0.1 3 weights: Net.dense0.w, Net.dense1.w, Net.dense1.b",
        "batch_norm0": "frozen: true 2 weights: Net.batch_norm0.gamma, Net.batch_norm0.beta; "
        "2 states: Net.batch_norm0.mean, Net.batch_norm0.var",
        "**.b": "init: normal(mean=0.0, std=0.5), weight_decay: 0.0 1 weight: Net.dense1.b",
    }
    assert "Rules of `train`" in out and "Rules" not in dslc(verb, "lenet").out


def test_config_shows_words_that_were_set(dslc: Command) -> None:
    rows = [
        line.split()
        for line in dslc("config", "lenet", "--origin", "--set", "train.clip=norm(2)", "--set", "train.ema=0.9").out.splitlines()
    ]
    found = {row[0]: row[2:] for row in rows}
    assert found["train.clip"] == ["norm(limit=2.0)", "--set"]
    assert found["train.ema"] == ["0.9", "--set"]
    assert found["train.accumulate"] == ["1", "default"]


def test_config_of_steps(dslc: Command) -> None:
    out = dslc("config", HERE.parent / "targets" / "gan.nn").out
    assert "train.critic.optimizer     = adam(rate=0.0002, beta1=0.5, beta2=0.999, eps=1e-08, weight_decay=0.0, l1=0.0)\n" in out
    assert "train.generator.loss       = binary_cross_entropy(Critic(fake).score, 1)\n" in out


def test_control_characters_of_names_do_not_reach_the_terminal(dslc: Command, tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31mb.nn"
    path.write_text("dslc 1\nnetwork N {\n  input x: [batch, 4]\n  output y = relu(x)\n}\n")
    assert dslc("check", path.name).out == "a<U+001B>[31mb.nn: ok (0 parameters)\n"
    assert "\x1b" not in dslc("show", path.name, "--graph", "g\x1b[31m.svg").out


def test_a_fault_is_json_where_json_is_wanted(dslc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dslc.cli.check.summary", lambda program: 1 // 0)
    done = dslc("check", "lenet", "--json")
    (found,) = json.loads(done.out)["diagnostics"]
    assert (done.code, done.err, found["code"], found["message"][:17]) == (1, "", "internal-error", "ZeroDivisionError")


def test_strict_makes_errors_of_warnings(dslc: Command, tmp_path: Path) -> None:
    (tmp_path / "w.nn").write_text(
        "dslc 1\nnetwork N {\n  input x: [batch, 3, 8, 8]\n  output y = x -> conv(4, kernel=3) -> batch_norm -> global_avg_pool\n}\n"
    )
    assert dslc("check", "w.nn").err.startswith("warning[bias-before-batch-norm]")
    done = dslc("check", "w.nn", "--strict")
    assert (done.code, done.err.split(":")[0]) == (2, "error[bias-before-batch-norm]")
    (found,) = json.loads(dslc("check", "w.nn", "--strict", "--json").out)["diagnostics"]
    assert found["severity"] == "error"


def test_show_says_what_each_training_needs(dslc: Command, tmp_path: Path) -> None:
    body = '{\n  data = dataset("digits")\n  net = N(data.image / 16)\n  loss: cross_entropy(net.y, data.label)\n  optimizer: sgd(0.1)\n}\n'
    network = "network N {\n  input x: [batch, 64]\n  output y = x -> dense(10)\n}\n"
    (tmp_path / "t.nn").write_text(f"dslc 1\n{network}train first {body}train second {body}")
    done = dslc("show", "t.nn")
    assert (done.code, done.err) == (0, "")
    assert [line[:36] for line in done.out.splitlines()[-2:]] == [
        "A training step of `first` at batch ",
        "A training step of `second` at batch",
    ]
    assert dslc("show", "t.nn", "--plan").code == 2


WORDS = {
    "adam": "optimizer adam(rate: float, beta1",
    "zeros": "initialiser zeros()",
    "csv": "data source csv(path: string",
    "cosine": "schedule cosine(warmup",
    "norm": "clip norm(limit: float)",
    "digits": 'data set dataset("digits")',
}


@pytest.mark.parametrize("name", WORDS)
def test_words_of_settings_are_described(name: str, dslc: Command) -> None:
    assert WORDS[name] in dslc("ops", name).out
    assert f"\n  {name} " in dslc("ops").out


def test_a_word_that_does_not_run_says_so(dslc: Command) -> None:
    assert re.search(r"runs +not yet", dslc("ops", "text").out)
    assert "did you mean `adam`?" in dslc("ops", "adm").err


def test_explain_alone_lists_all_codes(dslc: Command) -> None:
    from dslc.explain import codes

    assert [line.split()[0] for line in dslc("explain").out.splitlines()] == codes()
