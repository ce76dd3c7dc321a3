"""A compiled training step against the plain interpreter and a written-out update; bits, memory, divergence, resuming."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dslc.diagnostics import DataError, DivergedError, SpecError
from dslc.interpret import interpret
from dslc.ir.types import DType
from dslc.loading import load_program
from dslc.passes.differentiate import differentiate
from dslc.program import Call
from runtime.step import Step, compile_step
from tests.runtime.networks import batch_of, program_of

TARGETS = Path(__file__).parents[1] / "targets"
NETWORKS = ("lenet", "mlp", "resnet20", "vgg8")
Arrays = dict[str, np.ndarray[Any, Any]]


def interpreted(step: Step, weights: Arrays, fields: Arrays) -> Arrays:
    """Loss, gradients and updates by the plain interpreter."""
    program = step.training.steps[0]
    graph = differentiate(program.graph, "loss", program.trains)
    names = {item.name: item.name.removeprefix("data.") for item in graph.inputs if item.kind in ("data", "input")}
    return interpret(graph, np, {**weights, **{name: fields[short] for name, short in names.items()}})


def reference_step(step: Step, weights: Arrays, velocity: Arrays, fields: Arrays, rate: float) -> float:
    """One SGD step written out: v ← 0.9·v + g + wd·w, w ← w - rate·v; states take their updates."""
    program = step.training.steps[0]
    found = interpreted(step, weights, fields)
    args: Any = program.optimizer.args
    for name in program.trains:
        g = found[f"grad:{name}"] + args["weight_decay"] * weights[name]
        velocity[name] = args["momentum"] * velocity.get(name, 0.0) + g
        weights[name] = weights[name] - rate * velocity[name]
    for name, value in found.items():
        if name.startswith("update:"):
            weights[name.removeprefix("update:")] = value
    return float(found["loss"])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("name", "count"), [("lenet", 8), ("mlp", 8), ("resnet20", 3), ("vgg8", 2)])
def test_three_steps_equal_the_interpreter(name: str, count: int, threads: int) -> None:
    step = compile_step(program_of(name, DType.f64), threads=threads, batch_size=count)
    step.rate = 0.01
    weights: Arrays = step.parameters()
    velocity: Arrays = {}
    for number in range(3):
        fields = batch_of(name, count, number, DType.f64)
        expected = reference_step(step, weights, velocity, fields, 0.01)
        assert step.train(**fields) == pytest.approx(expected, rel=1e-9)
    for address, value in step.parameters().items():
        np.testing.assert_allclose(value, weights[address], rtol=1e-8, atol=1e-10, err_msg=address)


@pytest.mark.parametrize(("precision", "tolerance"), [(DType.f32, 1e-4), (DType.f64, 1e-11)])
@pytest.mark.parametrize("name", ["lenet", "mlp", "vgg8"])
def test_gradients_equal_the_interpreter(name: str, precision: DType, tolerance: float) -> None:
    step = compile_step(program_of(name, precision), threads=2, batch_size=4, keep_grads=True)
    fields = batch_of(name, 4, precision=precision)
    wanted = interpreted(step, step.parameters(), fields)
    status = step.backward(fields, seed=0, step=0, first_sample=0)
    total = 0.0
    for address, value in step.grads().items():
        expected = wanted[f"grad:{address}"]
        total += float((expected.astype(np.float64) ** 2).sum())
        np.testing.assert_allclose(value, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max(), err_msg=address)
    assert status.grad_norm == pytest.approx(np.sqrt(total), rel=tolerance)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_allocates_no_block_above_64_kb(name: str) -> None:
    step = compile_step(program_of(name), threads=2, batch_size=8)
    step.rate = 1e-3
    fields = batch_of(name, 8)
    for _ in range(2):
        step.train(**fields)
    tracemalloc.start(1)
    try:
        for _ in range(3):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            step.train(**fields)
            peak = tracemalloc.get_traced_memory()[1] - before
            assert peak < 64 * 1024, f"{peak:,} bytes at once"
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_same_seed_and_threads_give_the_same_bits(threads: int) -> None:
    def bits() -> bytes:
        step = compile_step(program_of("lenet"), threads=threads, batch_size=16, seed=3)
        for number in range(3):
            step.train(**batch_of("lenet", 16, number))
        return b"".join(value.tobytes() for value in step.parameters().values())

    assert bits() == bits()


def test_other_batch_sizes_run_in_the_same_plan_and_larger_ones_in_a_new_one() -> None:
    program = program_of("lenet", DType.f64)
    step = compile_step(program, threads=2, batch_size=8, keep_grads=True)
    other = compile_step(program, threads=1, batch_size=13, keep_grads=True)
    for count in (8, 5, 1, 13, 8):
        fields = batch_of("lenet", count, count)
        losses = [s.backward(fields, seed=0, step=0, first_sample=0).loss for s in (step, other)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-12)
        for address, value in step.grads().items():
            np.testing.assert_allclose(value, other.grads()[address], rtol=1e-8, atol=1e-10)
        assert step.train(**fields) == pytest.approx(other.train(**fields), rel=1e-10)


def test_divergence_is_seen_before_the_update_and_names_the_node() -> None:
    step = compile_step(program_of("lenet"), threads=2, batch_size=4)
    fields = batch_of("lenet", 4)
    step.train(**fields)
    step.memory.arrays["LeNet.conv1.w"][3, 2, 1, 0] = np.nan
    weights = step.parameters()
    slots = step.optimizer_state()
    with pytest.raises(DivergedError, match=r"LeNet\.conv1\.w \(specs/lenet\.nn:11:"):
        step.train(**fields)
    for kept, now in ((weights, step.parameters()), (slots, step.optimizer_state())):
        for name, value in kept.items():
            np.testing.assert_array_equal(value, now[name], err_msg=name)


def test_the_first_node_that_is_not_finite_is_named() -> None:
    step = compile_step(program_of("lenet"), threads=1, batch_size=4)
    weights = step.parameters()
    weights["LeNet.dense1.w"][...] = 3e38
    step.load(weights)
    fields = batch_of("lenet", 4)
    status = step.backward(fields, seed=0, step=0, first_sample=0)
    assert not status.finite
    first = step.first_bad(fields, seed=0, step=0, first_sample=0)
    assert first.startswith("LeNet.dense1/matmul0 (specs/lenet.nn:13:")


def test_optimizer_state_goes_on_bit_for_bit() -> None:
    def fresh() -> Step:
        return compile_step(program_of("lenet"), threads=2, batch_size=8, seed=1)

    straight, first = fresh(), fresh()
    for number in range(4):
        straight.train(**batch_of("lenet", 8, number))
    for number in range(2):
        first.train(**batch_of("lenet", 8, number))
    second = fresh()
    second.load(first.parameters())
    second.load_optimizer_state(first.optimizer_state())
    for number in range(2, 4):
        second.train(**batch_of("lenet", 8, number))
    for name, value in straight.parameters().items():
        np.testing.assert_array_equal(value, second.parameters()[name], err_msg=name)


def test_load_checks_before_it_copies() -> None:
    step = compile_step(program_of("mlp"), threads=1, batch_size=2)
    before = step.parameters()
    wrong = {"Mlp.dense0.b": np.ones(512, np.float32), "Mlp.dense1.b": np.ones(3, np.float32)}
    with pytest.raises(DataError, match=r"`Mlp\.dense1\.b` does not fit: it is float32\[3\], float32\[512\] is needed"):
        step.load(wrong)
    with pytest.raises(DataError, match=r"`Mlp\.nothing` does not fit"):
        step.load({"Mlp.nothing": np.ones(3, np.float32)})
    with pytest.raises(DataError, match="float64"):
        step.load({"Mlp.dense0.b": np.ones(512)})
    for name, value in before.items():
        np.testing.assert_array_equal(value, step.parameters()[name])


def test_evaluate_is_exact_over_uneven_batches() -> None:
    step = compile_step(program_of("lenet"), threads=2, batch_size=8)
    fields = batch_of("lenet", 21)
    batches = [{name: array[at : at + 8] for name, array in fields.items()} for at in range(0, 21, 8)]
    found, whole = step.evaluate(batches), step.evaluate([fields])
    assert found.keys() == whole.keys() == {"loss", "metric.accuracy"}
    for name, value in whole.items():
        assert found[name] == pytest.approx(value, rel=1e-6)
    logits = step.predict(fields)["logits"]
    accuracy = float((logits.argmax(-1) == fields["label"]).mean())
    assert whole["metric.accuracy"] == pytest.approx(accuracy)


def test_predict_applies_the_arguments_of_the_call_and_forward_does_not() -> None:
    step = compile_step(program_of("lenet"), threads=1, batch_size=4)
    fields = batch_of("lenet", 4)
    direct = step.forward(image=fields["image"].astype(np.float32) / np.float32(255))
    through = step.predict({"image": fields["image"]})
    assert set(direct) == {"logits", "class"}
    np.testing.assert_allclose(direct["logits"], through["logits"], rtol=1e-5, atol=1e-6)


def test_clipping_scales_the_gradient_to_the_limit() -> None:
    program = program_of("mlp")
    plain = compile_step(program, threads=1, batch_size=4)
    fields = batch_of("mlp", 4)
    before = plain.parameters()
    norm = plain.backward(fields, seed=0, step=0, first_sample=0).grad_norm
    (training,) = program.trainings.values()
    limited = training.steps[0].model_copy(update={"clip": Call(name="norm", args={"limit": norm / 4})})
    changed = training.model_copy(update={"steps": (limited,)})
    clipped = compile_step(program.model_copy(update={"trainings": {"train": changed}}), threads=1, batch_size=4)
    clipped.backward(fields, seed=0, step=0, first_sample=0)
    plain.apply(0.1)
    clipped.apply(0.1)
    for name, value in plain.parameters().items():
        np.testing.assert_allclose((value - before[name]) / 4, clipped.parameters()[name] - before[name], rtol=1e-3, atol=1e-6)


def test_what_does_not_run_yet_is_refused_with_its_place() -> None:
    program = program_of("mlp")
    training = program.trainings["train"]

    def refused(**changes: Any) -> str:
        other = program.model_copy(update={"trainings": {"train": training.model_copy(update=changes)}})
        with pytest.raises(SpecError) as caught:
            compile_step(other)
        assert caught.value.exit_code == 2
        return str(caught.value)

    step = training.steps[0]
    for kind in ("optimizer", "clip", "schedule"):
        other = step.model_copy(update={kind: Call(name="other", args={"rate": 0.1})})
        assert f"{kind} `other`" in refused(steps=(other,))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("charlm", r"a state of the shape f32\[.*batch.*\].*\n.*`scan` at .*charlm.nn:"),
        ("seq2seq", "`scan` at .*seq2seq.nn:"),
    ],
)
def test_targets_that_do_not_run_yet_are_refused(name: str, words: str) -> None:
    program, _ = load_program(TARGETS / f"{name}.nn")
    with pytest.raises(SpecError, match=words):
        compile_step(program)


def test_grads_need_keep_grads() -> None:
    step = compile_step(program_of("mlp"), threads=1, batch_size=2)
    step.train(**batch_of("mlp", 2))
    with pytest.raises(SpecError, match="keep_grads=True"):
        step.grads()


def test_a_label_that_is_no_class_is_a_data_error() -> None:
    step = compile_step(program_of("mlp"), threads=1, batch_size=2)
    fields = batch_of("mlp", 2)
    fields["label"][1] = 10
    with pytest.raises(DataError, match="there are 10 classes"):
        step.train(**fields)
