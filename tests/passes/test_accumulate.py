"""Accumulation over batches of uneven size gives what the whole split at once gives (R15, R16); what cannot be joined is refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dslc.diagnostics import SpecError
from dslc.interpret import interpret
from dslc.ir.types import DType, tensor
from dslc.ir.verify import verify
from dslc.ops.value import Builder, F, Val
from dslc.passes.accumulate import accumulate
from dslc.passes.errors import NotJoinable
from dslc.passes.pipeline import optimize
from runtime.joined import totals

RNG = np.random.default_rng(7)
SAMPLES = 23
ARRAYS = {
    "x": RNG.normal(size=(SAMPLES, 4)),
    "t": RNG.normal(size=(SAMPLES, 4)),
    "label": RNG.integers(0, 4, SAMPLES),
    "mask": RNG.integers(0, 2, SAMPLES).astype(bool),
    "importance": RNG.uniform(0, 1, SAMPLES),
    "steps": RNG.normal(size=(SAMPLES, 3, 4)),
    "w": RNG.normal(size=(4,)),
}
TYPES = {
    "x": tensor("f64", "batch", 4),
    "t": tensor("f64", "batch", 4),
    "label": tensor("i64", "batch"),
    "mask": tensor("bool", "batch"),
    "importance": tensor("f64", "batch"),
    "steps": tensor("f64", "batch", 3, 4),
    "w": tensor("f64", 4),
}


class Fields:
    """`d.x` is the data field `x` of the graph under construction; `d.w` a weight."""

    def __init__(self, precision: DType = DType.f64) -> None:
        self.builder = Builder("metrics")
        self.precision = precision
        self.known: dict[str, Val] = {}

    def __getattr__(self, name: str) -> Val:
        if name not in self.known:
            type = TYPES[name]
            dtype = self.precision if type.dtype.is_float else type.dtype
            self.known[name] = self.builder.input("weight" if name == "w" else "data", name, tensor(dtype, *type.shape))
        return self.known[name]

    def number(self, dim: object) -> Val:
        return self.builder.one("size", (), dim=dim, dtype=self.precision)  # type: ignore[arg-type]

    def constant(self, value: float) -> Val:
        return self.builder.constant(value, self.precision)


def positive(x: Val) -> Val:
    return F.cast(F.greater(x, x.builder.constant(0, x.type.dtype)), dtype=x.type.dtype)


METRICS: dict[str, Callable[[Fields], Val]] = {
    "mean": lambda d: F.mean(d.x),
    "exponential of the mean": lambda d: F.exp(F.mean(d.x * d.x)),
    "root of the mean square": lambda d: F.sqrt(F.mean((d.x - d.t) * (d.x - d.t))),
    "mean by axis": lambda d: F.mean(d.x, axis=0),
    "mean over the batch, kept": lambda d: F.mean(d.steps, axis=(0, 2), keep=True),
    "maximum of means": lambda d: F.max(F.mean(d.x, axis=0)),
    "mean of maxima": lambda d: F.mean(F.max(d.x, axis=1)),
    "precision": lambda d: F.sum(positive(d.x) * positive(d.t)) / F.sum(positive(d.x)),
    "f1": lambda d: F.sum(positive(d.x) * positive(d.t)) * 2 / (F.sum(positive(d.x)) + F.sum(positive(d.t))),
    "maximum": lambda d: F.max(d.x),
    "minimum over the batch": lambda d: F.min(d.steps, axis=0),
    "sum, masked": lambda d: F.sum(d.importance, d.mask, optional=("mask",)),
    "tiled within samples": lambda d: F.mean(F.tile(d.x, repeats=(1, 3)), axis=0),
    "triangles within samples": lambda d: F.mean(F.tril(d.steps, k=1), axis=0),
    "range": lambda d: F.max(d.x) - F.min(d.x),
    "product": lambda d: F.prod(d.x * d.x + 0.3),
    "log of a sum": lambda d: F.logsumexp(d.x * 9, axis=0),
    "any": lambda d: F.any(F.greater(d.x, d.constant(2)), axis=0),
    "variance": lambda d: F.var(d.x + 1e6),
    "deviation by axis": lambda d: F.std(d.steps, axis=(0, 2), keep=True, correction=1),
    "covariance": lambda d: F.covariance(d.x, d.t),
    "covariance by axis": lambda d: F.covariance(d.x, d.t, axis=0),
    "covariance, masked": lambda d: F.covariance(d.importance, F.mean(d.x, axis=1), d.mask, optional=("mask",)),
    "counts": lambda d: F.class_counts(d.x, d.label),
    "confusions": lambda d: F.confusion_matrix(d.x, d.label, d.mask, optional=("mask",)),
    "area": lambda d: F.roc_auc(d.x, d.label),
    "area of each, masked": lambda d: F.roc_auc(d.x, d.label, d.mask, optional=("mask",), average="none"),
    "area of a transposed value": lambda d: F.roc_auc(F.transpose(d.x, axes=(1, 0)), d.label, axis=0),
    "covariance with itself": lambda d: F.covariance(d.x, d.x),
    "area with the scores as mask": lambda d: F.roc_auc(
        d.x, F.cast(F.greater(d.t, d.constant(0)), dtype=DType.i64), d.x, optional=("mask",)
    ),
    "area of rows": lambda d: F.average_precision(
        F.reshape(d.steps, shape=(d.x.type.shape[0] * 3, 4)), F.argmax(F.reshape(d.steps, shape=(d.x.type.shape[0] * 3, 4)) * 1.0)
    ),
    "all": lambda d: F.all(F.greater(d.x, d.constant(-9))),
    "number of samples": lambda d: F.sum(d.x) / d.number(d.x.type.shape[0]),
    "size with a rest": lambda d: F.sum(d.x) / d.number(d.x.type.shape[0] * 3 + 2),
    "variance by moments": lambda d: F.mean(d.x * d.x) - F.mean(d.x) * F.mean(d.x),
    "with a penalty": lambda d: F.mean(d.x * d.w) + F.sum(d.w * d.w),
    "of weights only": lambda d: F.sum(d.w * d.w),
    "of transposed values": lambda d: F.mean(F.transpose(d.steps, axes=(1, 0, 2)), axis=1),
    "of flat values": lambda d: F.mean(F.reshape(d.steps, shape=(d.x.type.shape[0], 12)), axis=0),
    "of samples joined with steps": lambda d: F.mean(F.reshape(d.steps, shape=(d.x.type.shape[0] * 3, 4)), axis=0),
    "of two blocks of samples": lambda d: F.mean(F.exp(F.concat(d.x, d.t, axis=0)) * F.concat(d.t, d.x, axis=0)),
    "of steps and back": lambda d: F.mean(
        F.exp(F.reshape(F.exp(F.reshape(d.steps, shape=(d.x.type.shape[0] * 3, 4))), shape=(d.x.type.shape[0], 12))), axis=0
    ),
    "cross entropy": lambda d: F.cross_entropy(d.x, d.label),
    "perplexity": lambda d: F.exp(F.cross_entropy(d.x, d.label)),
    "cross entropy, one label ignored": lambda d: F.cross_entropy(d.x, d.label, ignore=1),
    "cross entropy, masked": lambda d: F.cross_entropy(d.x, d.label, d.mask, optional=("mask",)),
    "cross entropy, weighted": lambda d: F.cross_entropy(d.x, d.label, d.importance, optional=("weight",), smoothing=0.1),
    "cross entropy of each": lambda d: F.max(F.cross_entropy(d.x, d.label, each=True)),
    "mean squared error": lambda d: F.mse(d.x, d.t),
    "accuracy": lambda d: F.accuracy(d.x, d.label),
    "accuracy by hand": lambda d: F.mean(F.cast(F.equal(F.argmax(d.x), d.label), dtype=DType.f64)),
    "sum of losses": lambda d: F.cross_entropy(d.x, d.label) + 0.5 * F.mse(d.x, d.t),
}

splits = st.lists(st.integers(1, SAMPLES - 1), max_size=5).map(lambda cuts: [0, *sorted(set(cuts)), SAMPLES])


def joined(name: str, cuts: list[int], precision: DType = DType.f64) -> tuple[np.ndarray, np.ndarray]:
    """The metric over batches, and of all samples at once by the interpreter."""
    fields = Fields(precision)
    fields.builder.output("metric.m", METRICS[name](fields))
    graph = fields.builder.build()
    arrays = {item.name: ARRAYS[item.name].astype(graph.types[item.id].dtype.numpy) for item in graph.inputs}
    parts = accumulate(graph)
    verify(parts.batch)
    verify(parts.final)
    batches = (
        interpret(optimize(parts.batch), np, {key: array if key == "w" else array[start:stop] for key, array in arrays.items()})
        for start, stop in pairwise(cuts)
    )
    found = interpret(optimize(parts.final), np, totals(parts, batches))["metric.m"]
    assert found.dtype.kind != "f" or found.dtype == np.float64
    return found, interpret(graph, np, arrays)["metric.m"]


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=8, deadline=None)
@given(cuts=splits)
def test_batches_give_what_the_whole_gives(name: str, cuts: list[int]) -> None:
    found, whole = joined(name, cuts)
    np.testing.assert_allclose(found, whole, rtol=1e-12, atol=1e-14)
    assert found.dtype == whole.dtype


@pytest.mark.parametrize("name", METRICS)
def test_what_is_joined_of_float32_values_is_made_in_float64(name: str) -> None:
    found, whole = joined(name, [0, 5, 6, SAMPLES], DType.f32)
    np.testing.assert_allclose(found, joined(name, [0, SAMPLES], DType.f32)[0], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found, whole, rtol=1e-2 if name == "variance" else 1e-5, atol=1e-6)  # 1e6 + x in f32


def channels_last(d: Fields) -> Val:
    """[1, batch, 4]"""
    return F.reshape(d.x, shape=(1, d.x.type.shape[0], 4))


REFUSED: dict[str, tuple[Callable[[Fields], Val], str]] = {
    "variance": (lambda d: F.mean((d.x - F.mean(d.x)) * (d.x - F.mean(d.x))), "meets values of single samples"),
    "still by sample": (lambda d: F.sum(d.x, axis=1), "still has the axis `batch`"),
    "covariance": (lambda d: F.transpose(d.x, axes=(1, 0)) @ d.t, "`matmul` mixes the samples"),
    "every pair": (lambda d: F.mean(d.x @ F.transpose(d.x, axes=(1, 0))), "combines every sample with every other"),
    "running product over samples": (lambda d: F.mean(F.cumprod(d.x, axis=0)), "along the axis `batch`"),
    "samples backwards": (lambda d: F.mean(F.flip(d.x) * d.t), "along the axis `batch`"),
    "samples repeated": (lambda d: F.max(F.exp(F.tile(d.x, repeats=(2, 1)))), "along the axis `batch`"),
    "triangle of samples": (lambda d: F.mean(F.tril(d.x, k=0)), "along the axis `batch`"),
    "softmax over samples": (lambda d: F.max(F.softmax(d.x, axis=0)), "along the axis `batch`"),
    "last sample": (lambda d: F.argmax(d.x, axis=0), "`argmax` mixes the samples"),
    "square of the number": (lambda d: d.number(d.x.type.shape[0] * d.x.type.shape[0]), "not proportional"),
    "scrambled": (lambda d: F.max(F.reshape(d.x, shape=(4, d.x.type.shape[0])), axis=1), "`reshape` mixes"),
    "samples joined by a concatenation": (
        lambda d: F.mean(F.exp(F.sum(F.reshape(F.concat(d.x, d.t, axis=0), shape=(d.x.type.shape[0], 8)), axis=1))),
        "`reshape` mixes",
    ),
    "two orders of samples": (
        lambda d: F.mean(F.concat(d.x, d.t, axis=0) * F.reshape(F.stack(d.x, d.t, axis=1), shape=(d.x.type.shape[0] * 2, 4))),
        "`multiply` joins values whose samples stand in different orders",
    ),
    "neighbours among samples": (lambda d: F.mean(F.lrn(channels_last(d), size=3)), "`lrn` works along the axis `batch`"),
    "groups of samples": (lambda d: F.max(F.group_normalize(channels_last(d), groups=1)), "`group_normalize` works along the axis `batch`"),
    "a circle of samples": (
        lambda d: F.max(F.circular_conv(F.mean(d.x, axis=1), F.slice(d.w, starts=(0,), stops=(1,)))),
        "`circular_conv` works along the axis `batch`",
    ),
    "samples in the depth": (
        lambda d: F.max(F.exp(F.space_to_depth(F.reshape(d.x, shape=(1, d.x.type.shape[0], 2, 2)), scale=2)), axis=1),
        "`space_to_depth` works along the axis `batch`",
    ),
    "flat with the samples last": (
        lambda d: F.max(F.exp(F.flatten(F.transpose(d.steps, axes=(1, 2, 0)))), axis=1),
        "`flatten` mixes the samples",
    ),
    "draws whose samples are not in the first axis": (
        lambda d: F.mean(d.builder.one("uniform", (d.builder.key(),), shape=(2, d.x.type.shape[0], 4), dtype=DType.f64) * d.x),
        "draws for each row of the first axis",
    ),
    "draws with two rows of each sample": (
        lambda d: F.mean(d.builder.one("normal", (d.builder.key(),), shape=(d.x.type.shape[0] * 2, 4), dtype=DType.f64)),
        "draws for each row of the first axis",
    ),
    "windows over samples": (
        lambda d: F.mean(F.exp(F.max_pool(F.transpose(d.steps, axes=(1, 2, 0)), kernel=(3,), stride=(1,), pad="same", ceil=False))),
        "windows over the axis `batch`",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_joined_is_refused_with_its_place(name: str) -> None:
    write, reason = REFUSED[name]
    fields = Fields()
    fields.builder.place = "specs/net.nn:4:2"
    fields.builder.output("metric.m", write(fields))
    with pytest.raises(SpecError) as caught:
        accumulate(fields.builder.build())
    (diagnostic,) = caught.value.diagnostics
    assert isinstance(diagnostic, NotJoinable)
    assert (diagnostic.code, diagnostic.name, diagnostic.place) == ("metric-not-joinable", "metric.m", "specs/net.nn:4:2")
    assert reason in diagnostic.message


def test_float32_sums_are_joined_in_float64() -> None:
    builder = Builder("metrics")
    builder.output("metric.m", F.sum(builder.input("data", "x", tensor("f32", "batch"))))
    parts = accumulate(builder.build())
    assert [parts.batch.types[item.id].dtype for item in parts.batch.outputs] == [DType.f64]
    assert [parts.final.types[item.id].dtype for item in parts.final.outputs] == [DType.f64]


def test_updates_stay_with_the_batch() -> None:
    builder = Builder("metrics")
    x, seen = builder.input("data", "x", tensor("f32", "batch")), builder.input("state", "seen", tensor("f32"))
    builder.output("metric.m", F.mean(x))
    builder.update("seen", seen + 1)
    parts = accumulate(builder.build())
    assert [item.name for item in parts.batch.updates] == ["seen"]
    assert parts.final.updates == ()


def test_two_metrics_gather_their_scores_once() -> None:
    fields = Fields()
    for name, value in (("area", F.roc_auc(fields.x, fields.label)), ("other", F.average_precision(fields.x, fields.label))):
        fields.builder.output(f"metric.{name}", value)
    assert list(accumulate(fields.builder.build()).combine.values()) == ["concat", "concat"]


def test_draws_that_belong_to_no_sample_are_those_of_the_whole() -> None:
    fields = Fields()
    key = fields.builder.key()
    own = fields.builder.one("uniform", (key,), shape=(fields.x.type.shape[0], 4), dtype=DType.f64, stream=1)
    shared = fields.builder.one("uniform", (key,), shape=(4,), dtype=DType.f64, stream=2)
    fields.builder.output("metric.m", F.mean(fields.x * own + shared) + F.sum(shared))
    graph = fields.builder.build()
    parts = accumulate(graph)
    verify(parts.batch)
    batches = (
        interpret(parts.batch, np, {"x": ARRAYS["x"][start:stop], "key": np.array([5, 0, start])})
        for start, stop in pairwise([0, 4, 9, SAMPLES])
    )
    found = interpret(parts.final, np, totals(parts, batches))["metric.m"]
    wanted = interpret(graph, np, {"x": ARRAYS["x"], "key": np.array([5, 0, 0])})["metric.m"]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
