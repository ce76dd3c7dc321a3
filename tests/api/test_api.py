"""The Python interface: load, Spec, Network, Run, Step."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import dslc

SPECS = Path(__file__).parent.parent.parent / "specs"


def test_params_reach_the_spec() -> None:
    spec = dslc.load(SPECS / "lenet.nn", lr=0.02, classes=7)
    assert (spec.params["lr"], spec.params["classes"]) == (0.02, 7)
    assert spec.network().outputs["logits"].shape[1].constant == 7
    assert {item.origin for item in spec.program.params} == {"argument"}


def test_numpy_numbers_are_numbers() -> None:
    spec = dslc.load("lenet", lr=np.float64(0.25), classes=np.int32(3))
    assert (spec.params["lr"], spec.params["classes"]) == (0.25, 3)


def test_lists_and_initialisers_are_given_as_python_and_as_text(tmp_path: Path) -> None:
    (tmp_path / "n.nn").write_text(
        "dslc 1\n\nparam sizes: list[int] = [1]\nparam start: init = zeros\n\nnetwork N {\n  input x: [batch, 4]\n"
        "  weight w: [4] = start\n  for n in sizes {\n    x = x -> dense(n)\n  }\n  output y = sum(x) * w\n}\n"
    )
    network = dslc.load(tmp_path / "n.nn", sizes=[3, 5], start="normal(0.5)").program.networks["N"]
    assert {item.address: item.init.name for item in network.weights}["N.w"] == "normal"
    assert [item.type.shape[-1].constant for item in network.weights if item.address.endswith(".b")] == [3, 5]
    with pytest.raises(dslc.SpecError, match="is never closed"):
        dslc.load(tmp_path / "n.nn", start="normal(")


def test_errors_carry_all_diagnostics(tmp_path: Path) -> None:
    path = tmp_path / "bad.nn"
    path.write_text("dslc 1\nnetwork N {\n  input x: [batch, 4]\n  output y = x -> dens(3)\n  output z = x -> rleu\n}\n")
    with pytest.raises(dslc.SpecError) as caught:
        dslc.load(path)
    assert [d.code for d in caught.value.diagnostics] == ["unknown-name", "unknown-name"]
    assert "did you mean `dense`" in str(caught.value)


def test_warnings_are_values_and_strict_makes_them_errors(tmp_path: Path) -> None:
    path = tmp_path / "warned.nn"
    path.write_text(
        "dslc 1\nnetwork N {\n  input x: [batch, 3, 8, 8]\n  output y = x -> conv(4, kernel=3) -> batch_norm -> global_avg_pool\n}\n"
    )
    assert [d.severity for d in dslc.load(path).warnings] == ["warning"]
    with pytest.raises(dslc.SpecError):
        dslc.load(path, strict=True)


def test_a_network_must_be_named_where_there_are_several() -> None:
    spec = dslc.load(SPECS.parent / "tests" / "targets" / "seq2seq.nn")
    with pytest.raises(dslc.SpecError, match="several of `network`: `Encoder`, `Decoder`"):
        spec.network()
    with pytest.raises(dslc.SpecError, match="has no `network` called `Encodr`") as caught:
        spec.network("Encodr")
    assert caught.value.diagnostics[0].help == "did you mean `Encoder`?"
    assert spec.network("Encoder").parameter_count == 402_432


def test_summary_counts() -> None:
    summary = dslc.load("lenet").network().summary()
    assert (summary.parameters, summary.macs.constant) == (431_080, 2_293_000)
    assert [line.parameters for line in summary.lines if line.parameters] == [520, 25_050, 400_500, 5_010]


@pytest.mark.parametrize(("name", "count"), [("mlp", 669_706), ("lenet", 431_080), ("resnet20", 272_474), ("vgg8", 2_196_810)])
def test_parameter_counts(name: str, count: int) -> None:
    net = dslc.load(name).network()
    assert net.parameter_count == net.summary().parameters == count


def test_truth_tables_of_the_gates() -> None:
    from dslc.interpret import interpret

    network = dslc.load("gates").network().program
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    found = interpret(network.evaluate, np, {"x": x})
    assert {name: values.astype(int).tolist() for name, values in found.items()} == {
        "AND": [0, 0, 0, 1],
        "NAND": [1, 1, 1, 0],
        "OR": [0, 1, 1, 1],
        "XOR": [0, 1, 1, 0],
    }


def test_xor_is_learned(tmp_path: Path) -> None:
    run = dslc.load("xor").train(out=tmp_path / "run", quiet=True)
    last = dslc.Run.open(run.folder, checkpoint="last")
    probability = last.predict(input=[[0, 0], [0, 1], [1, 0], [1, 1]])["probability"][:, 0]
    np.testing.assert_allclose(probability, [0, 1, 1, 0], atol=0.1)


def test_digits_reach_094(tmp_path: Path) -> None:
    run = dslc.load("softmax").train(out=tmp_path / "run", quiet=True)
    assert run.evaluate("test")["accuracy"] >= 0.94


def test_predict_does_not_depend_on_how_samples_are_cut(tmp_path: Path) -> None:
    run = dslc.load("softmax").train(max_steps=5, out=tmp_path / "run", quiet=True)
    image = np.random.default_rng(0).integers(0, 17, (600, 64), np.uint8)
    together = run.predict(image=image)["logits"]
    np.testing.assert_allclose(together[590:], run.predict(image=image[590:])["logits"], rtol=1e-5, atol=1e-5)
    assert run.predict(image=image[:1])["logits"].shape == (1, 10)


def test_predict_names_what_is_missing(tmp_path: Path) -> None:
    run = dslc.load("softmax").train(max_steps=1, out=tmp_path / "run", quiet=True)
    with pytest.raises(dslc.DataError, match="the input `image` is missing"):
        run.predict()
    with pytest.raises(dslc.DataError, match="there is no input `imag`"):
        run.predict(imag=np.zeros((1, 64), np.uint8))


def test_double_precision_reaches_every_part(tmp_path: Path) -> None:
    run = dslc.load("softmax", precision="f64").train(max_steps=2, out=tmp_path / "run", quiet=True)
    assert {array.dtype.name for array in run.parameters.values()} == {"float64"}
    assert run.predict(image=np.zeros((2, 64), np.uint8))["logits"].dtype == np.float64


def test_import_is_quick_and_light() -> None:
    code = (
        "import sys, time; start = time.perf_counter(); import dslc; took = time.perf_counter() - start; "
        "sys.exit(took > 0.3 or bool({'numpy', 'lark', 'pydantic', 'onnx', 'rich'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_unknown_public_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'loud'"):
        _ = dslc.loud


def test_gates_run_forward_without_a_training() -> None:
    step = dslc.load("gates").compile(device="numpy")
    found = step.forward(x=[[0, 0], [0, 1], [1, 0], [1, 1]])
    assert found["XOR"].astype(int).tolist() == [0, 1, 1, 0]
    assert step.parameters() == {}
    for call in (lambda: step.train(x=1), step.grads, lambda: step.predict({}), lambda: step.evaluate([])):
        with pytest.raises(dslc.SpecError, match="has no `train`"):
            call()
    weighted = dslc.load("mlp").compile(network=dslc.load("mlp").network().name, batch_size=2)
    assert weighted.parameters()


def wrong_calls() -> dict[str, tuple[Callable[[], object], str]]:
    """Calls of the Python interface that are refused, with what is said."""
    spec = dslc.load("softmax")
    step = spec.compile(batch_size=2)
    bias = step.parameters()["Softmax.dense0.b"]
    label = np.zeros(2, np.uint8)
    return {
        "batch of none": (lambda: spec.compile(batch_size=0), "batch_size: a whole number of at least 1 is needed, not 0"),
        "threads": (lambda: spec.compile(threads=1025), "threads: at most 1,024"),
        "a number too long to be written": (lambda: spec.train(max_steps=10**5000), "not a number of 16,610 bits"),
        "seed": (lambda: spec.compile(seed=1.5), "seed: a whole number of at least 0 is needed, not 1.5"),
        "steps": (lambda: spec.train(max_steps=-1), "max_steps: a whole number of at least 1"),
        "keyword of compile": (lambda: spec.compile(bach_size=3), "no argument `bach_size`: did you mean `batch_size`"),
        "keyword of train": (lambda: spec.train(epoch=3), "did you mean `epochs`"),
        "precision": (lambda: dslc.load("softmax", precision="f16"), "precision: 'f32' or 'f64' is needed"),
        "path": (lambda: spec.train(data_dir=3), "data_dir: a path is needed"),
        "seed of a resumed run": (lambda: spec.train(resume="run", seed=1), "seed has no meaning"),
        "picture": (lambda: spec.network().draw("net.png"), "ends in .svg"),
        "gradients": (step.grads, "needs keep_grads=True"),
        "field": (lambda: step.train(image=np.zeros((2, 64), np.uint8), lable=label), "did you mean `label`"),
        "input": (lambda: step.forward(imag=np.zeros((2, 64))), "did you mean `image`"),
        "ragged": (lambda: step.forward(image=[[1.0], [1.0, 2.0]]), "it is no array"),
        "text": (lambda: step.forward(image="x"), "numbers are needed"),
        "negative label": (lambda: step.train(image=np.zeros((2, 64), np.uint8), label=[0, -1]), "it holds -1, which is no u8"),
        "address": (lambda: step.load({"Softmax.dens0.b": bias}), "did you mean `Softmax.dense0.b`"),
        "not finite": (lambda: step.load({"Softmax.dense0.b": bias + np.nan}), "not finite"),
        "no mapping": (lambda: step.load([bias]), "arrays by address are needed"),
    }


def test_wrong_calls_are_diagnostics() -> None:
    for name, (call, message) in wrong_calls().items():
        with pytest.raises((dslc.SpecError, dslc.DataError), match=message):
            call()
            pytest.fail(name)


def test_a_refused_load_changes_nothing() -> None:
    step = dslc.load("softmax").compile(batch_size=2)
    before = step.parameters()
    with pytest.raises(dslc.DataError):
        step.load({"Softmax.dense0.b": np.ones(10, np.float32), "Softmax.dense0.w": np.full((64, 10), np.inf, np.float32)})
    assert all(np.array_equal(array, step.parameters()[name]) for name, array in before.items())


def test_ragged_samples_are_refused(tmp_path: Path) -> None:
    run = dslc.load("xor").train(max_steps=1, out=tmp_path / "run", quiet=True)
    with pytest.raises(dslc.DataError, match="it is no array"):
        run.predict(input=[[0, 0], [1]])
