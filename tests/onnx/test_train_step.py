"""An exported training step trains in onnxruntime to the weights of our own trainer; what cannot be exported is refused with its place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import dslc
from dslc.cli.main import main
from dslc.diagnostics import InternalError, SpecError
from exporters.onnx.draws import Draws
from exporters.onnx.lowerings import LOWERINGS

ROOT = Path(__file__).parents[2]
HEAD = "dslc 1\n"
SMALL = """
block residual(x: [batch, c, *s], channels: int, stride: int = 1) {
  y = x -> conv(channels, kernel=3, stride=stride, pad=1, bias=false) -> batch_norm -> relu
  y = y -> conv(channels, kernel=3, pad=1, bias=false) -> batch_norm
  if stride != 1 or c != channels {
    x = x -> conv(channels, kernel=1, stride=stride, bias=false) -> batch_norm
  }
  return relu(y + x)
}

network Small {
  input image: [batch, 1, 28, 28]
  x = image -> avg_pool(4) -> conv(4, kernel=3, pad=1, bias=false) -> batch_norm -> relu
  x = x -> residual(4) -> residual(8, stride=2)
  output logits = x -> global_avg_pool -> dense(10)
}
"""
DROPPED = """
network Dropped {
  input image: [batch, 1, 28, 28]
  output logits = image -> avg_pool(4) -> flatten -> dense(20) -> relu -> dropout(0.5) -> dense(10)
}
"""
NOISY = """
network Noisy {
  input image: [batch, 1, 28, 28]
  x = op.random_flip(image) -> avg_pool(4) -> flatten
  x = x + 0.1 * normal(mean=0.5, shape=[batch, 49]) * uniform(low=-1.0, shape=[batch, 49])
  output logits = x -> dense(10)
}
"""
PLAIN = """
network Plain {
  input image: [batch, 1, 28, 28]
  output logits = image -> avg_pool(4, stride=3, pad=1) -> conv(4, kernel=3, stride=2, pad="same") -> max_pool(3, stride=2, pad=1)
    -> flatten -> dense(10)
}
"""


def text(network: str, settings: str) -> str:
    """A spec that trains the network on pictures."""
    name = re.findall(r"network (\w+)", network)[0]
    return f"""{HEAD}{network}
train {{
  data = dataset("fashion-mnist")
  net  = {name}(data.image / 255)
  loss: cross_entropy(net.logits, data.label)
  batch_size: 6
  {settings}
}}
"""


def batch(t: int, size: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(t)
    return {"image": rng.integers(0, 256, (size, 1, 28, 28), np.uint8), "label": rng.integers(0, 10, size, np.uint8)}


def loaded(tmp_path: Path, spec: str) -> dslc.Spec:
    if spec.startswith(HEAD):
        (tmp_path / "spec.nn").write_text(spec, encoding="utf-8")
        return dslc.load(tmp_path / "spec.nn")
    return dslc.load(spec)


def ours(spec: dslc.Spec, steps: int) -> tuple[dict[str, np.ndarray], list[float], float]:
    """Weights, states and slots after these steps of our trainer, the losses, and the rate."""
    step = spec.compile(batch_size=6, seed=3, threads=1)
    losses = [step.train(**batch(t)) for t in range(1, steps + 1)]
    slots = {name: array for name, array in step.optimizer_state().items() if name != "steps"}
    named = {f"{address}.{slot}": array for key, array in slots.items() for slot, _, address in [key.partition(":")]}
    return step.parameters() | named, losses, step.rate


def theirs(path: Path, steps: int, rate: float) -> tuple[dict[str, np.ndarray], list[float]]:
    ort = pytest.importorskip("onnxruntime", reason='the comparison with onnxruntime needs: pip install "dslc[ort]"')
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_outputs()]
    values, losses = dict(np.load(path.with_suffix(".npz"))), []
    wanted = {item.name for item in session.get_inputs()}
    for t in range(1, steps + 1):
        fields = {f"data.{name}": array for name, array in batch(t).items()}
        given = {**fields, **values, "rate": np.array(rate, np.float32), "t": np.array(t)}
        assert given.keys() == wanted
        found = dict(zip(names, session.run(None, given), strict=True))
        values |= {name.removesuffix(".next"): found[name] for name in names if name.endswith(".next")}
        losses.append(float(found["loss"]))
    return values, losses


CASES = {
    "mlp 13": ("mlp", 13),
    "lenet 17": ("lenet", 17),
    "batch norm, rules, clip by norm, averages, adamw 21": (
        text(
            SMALL,
            'optimizer: adamw(0.002, weight_decay=0.1)\n  clip: norm(0.5)\n  ema: 0.9\n  rule "dense0*" { rate: 0.5 }\n'
            '  rule "conv0*" { frozen: true }\n  rule "residual0.conv0*" { weight_decay: 0.0 }',
        ),
        21,
    ),
    "batch norm, adam 13": (text(SMALL, "optimizer: adam(0.002)"), 13),
    "dropout, adam 18": (text(DROPPED, "optimizer: adam(0.002)"), 18),
    "dropout, rmsprop, clip each, constraint 28": (
        text(DROPPED, 'optimizer: rmsprop(0.002)\n  clip: each(0.2)\n  rule "dense1*" { constraint: max_norm(1.0) }'),
        28,
    ),
    "normal, uniform, flips 21": (text(NOISY, "optimizer: caffe_sgd(0.1)"), 21),
    "windows with pads, lamb 23": (text(PLAIN, "optimizer: lamb(0.01)"), 23),
    "windows with pads, nesterov, clip by value 15": (
        text(PLAIN, "optimizer: sgd(0.1, momentum=0.9, nesterov=true)\n  clip: value(0.01)"),
        15,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_trains_to_the_same_weights(case: str, tmp_path: Path) -> None:
    spec, opset = CASES[case]
    loaded_spec = loaded(tmp_path, spec)
    report = loaded_spec.export_step(tmp_path / "step.onnx", seed=3, opset=opset, verify=False)
    assert report.opset == opset
    wanted, losses, rate = ours(loaded_spec, 3)
    values, found = theirs(tmp_path / "step.onnx", 3, rate)
    np.testing.assert_allclose(found, losses, rtol=1e-4)
    assert values.keys() == wanted.keys()
    first = np.load(tmp_path / "step.npz")
    for name, array in wanted.items():
        np.testing.assert_allclose(values[name], array, rtol=1e-4, atol=1e-5, err_msg=name)
    moved = {name for name in wanted if not np.array_equal(first[name], values[name])}
    assert len(moved) > len(wanted) // 2


@pytest.mark.parametrize("opset", [13, 28])
def test_checks_and_report(opset: int, tmp_path: Path) -> None:
    spec = loaded(tmp_path, text(SMALL, "optimizer: sgd(0.1, momentum=0.9)"))
    report = spec.export_step(tmp_path / "step.onnx", opset=opset)
    assert [check.verdict for check in report.checks[:3]] == ["passed"] * 3
    (rehearsal,) = (check for check in report.checks if check.verdict == "passed" and "3 training steps" in check.name)
    assert [row.sizes for row in report.parity] == [{"batch": 5, "step": t} for t in (1, 2, 3)]
    assert rehearsal.name.endswith(report.parity[0].backend)
    assert [item.name for item in report.inputs[-2:]] == ["rate", "t"]
    assert {"loss", "grad_norm", "Small.dense0.w.next", "Small.dense0.w.velocity.next", "Small.batch_norm0.mean.next"} <= {
        item.name for item in report.outputs
    }
    model = onnx.load(tmp_path / "step.onnx")
    assert {item.domain for item in model.opset_import} == {""} and not model.functions
    assert report.metadata["dslc.optimizer"].startswith('{"name": "sgd"')
    again = spec.export_step(tmp_path / "again.onnx", opset=opset, verify=False)
    assert again.sha256 == report.sha256
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "step.npz").read_bytes()


@pytest.mark.parametrize(
    ("operator", "at", "network", "optimizer"),
    [("max_pool_grad", 2, PLAIN, "sgd(0.1)"), ("conv_grad_w", 1, SMALL, "adam(0.002)"), ("channel_dot", 0, SMALL, "sgd(0.1)")],
)
def test_a_wrong_gradient_is_found_and_nothing_written(
    operator: str, at: int, network: str, optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is larger by a hundredth."""
    right = LOWERINGS[operator]

    def wrong(w: Any, node: Any, inputs: Any, outputs: Any) -> None:
        type = w.type(inputs[at])
        changed = w.emit("Mul", [inputs[at], w.constant(1.01, type.dtype)], type)
        right(w, node, [*inputs[:at], changed, *inputs[at + 1 :]], outputs)

    monkeypatch.setitem(LOWERINGS, operator, wrong)
    spec = loaded(tmp_path, text(network, f"optimizer: {optimizer}"))
    with pytest.raises(InternalError) as caught:
        spec.export_step(tmp_path / "step.onnx")
    (fault,) = caught.value.diagnostics
    assert fault.code == "onnx-parity" and operator in fault.message, fault.message
    assert not (tmp_path / "step.onnx").exists() and not (tmp_path / "step.npz").exists()


def test_draws_need_opset_18(tmp_path: Path) -> None:
    spec = loaded(tmp_path, text(DROPPED, "optimizer: sgd(0.1)"))
    with pytest.raises(SpecError, match=r"spec\.nn:5:\d+ .*random draws in a training step need opset 18"):
        spec.export_step(tmp_path / "step.onnx", opset=17)


def test_draws_follow_the_round() -> None:
    """The numbers that the trainer gives to the turns of a round of five: one of the first step, three of the second, one more."""
    turns = [("a", 0), ("b", 0), ("b", 1), ("b", 2), ("c", 0)]
    places = {"a": Draws(0, 5, 0, 1), "b": Draws(0, 5, 1, 3), "c": Draws(0, 5, 4, 1)}
    updates = dict.fromkeys(places, 0)
    for number in range(15):
        name, _ = turns[number % 5]
        updates[name] += 1
        assert places[name].number(updates[name]) == number


def test_other_draws_are_refused(tmp_path: Path) -> None:
    network = "network Moved {\n  input image: [batch, 1, 28, 28]\n  output logits = op.random_shift(image, 2) -> flatten -> dense(10)\n}"
    spec = loaded(tmp_path, text(network, "optimizer: sgd(0.1)"))
    with pytest.raises(SpecError, match=r"`random_shift` at \S*spec\.nn:4:\d+"):
        spec.export_step(tmp_path / "step.onnx")


def test_one_model_for_each_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "critic.onnx")
    assert main(["export", "gan", "--train-step", "--output", out]) == 2
    words = capsys.readouterr().err
    assert "specs/gan.nn:" in words and "has several steps: critic, generator" in words
    assert main(["export", "gan", "--train-step", "painter", "--output", out]) == 2
    assert "there is no step `painter`" in capsys.readouterr().err
    assert main(["export", "gan", "--train-step", "critic", "--output", out]) == 0
    assert "`critic`" in capsys.readouterr().out
    values = np.load(tmp_path / "critic.npz")
    model = onnx.load(out)
    moving = {item.name for item in model.graph.output if item.name.endswith(".next")}
    assert moving and all(name.startswith("Critic.") for name in moving)  # the generator's weights are read only
    assert any(name.startswith("Generator.") for name in values)


@pytest.mark.parametrize("flags", [["--train", "x"], ["--seed", "1"], ["--train-step", "step", "--network", "x"]])
def test_flags_that_do_not_belong_together(flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "lenet", *flags, "--output", str(tmp_path / "x.onnx")]) == 2
    assert "bad-argument" in capsys.readouterr().err


def test_the_loop_of_the_document_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime", reason='the comparison with onnxruntime needs: pip install "dslc[ort]"')
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "onnx.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(code.splitlines()) <= 16 and "dslc" not in code
    monkeypatch.chdir(tmp_path)
    assert main(["export", "softmax", "--train-step", "--output", "step.onnx"]) == 0
    capsys.readouterr()
    exec(compile(code, "docs/onnx.md", "exec"), {})
    losses = [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    assert len(losses) == 4 and losses[-1] < losses[0] / 2
