"""Losses of the standard library: the mean is over what counts, and over a split it is exact, whatever the sizes of its batches (R15)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from dslc.diagnostics import DataError
from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import DType, tensor
from dslc.loading import check_source
from dslc.ops.infer import bind_attrs, evaluate
from dslc.passes.accumulate import accumulate
from dslc.source import Source
from runtime.kernels import registry_of
from runtime.kernels.registry import EVAL, Call, Signature

ROW, VALUE = ("m", "w"), ("a > 0.1", "exp(b)")
# a call that lacks its last arguments, and a mask and a weight of its predictions
CALLS: dict[str, tuple[str, tuple[str, str]]] = {
    "average": ("average(a * b", VALUE),
    "log_cosh": ("log_cosh(a, b", VALUE),
    "kl_divergence": ("kl_divergence(log_softmax(a), softmax(b)", ROW),
    "contrastive": ("contrastive(a, b, same", ROW),
    "triplet": ("triplet(a, b, a * b", ROW),
    "cosine_loss": ("cosine_loss(a, b, same", ROW),
    "soft_cross_entropy": ("soft_cross_entropy(a, softmax(b), temperature=2", ROW),
    "multi_margin": ("multi_margin(a, label", ROW),
    "categorical_hinge": ("categorical_hinge(a, label", ROW),
    "gaussian_nll": ("gaussian_nll(a, b, exp(a)", VALUE),
    "pinball": ("pinball(a, b, quantile=0.8", VALUE),
    "sampled_softmax": ("sampled_softmax(a, tensor([[1, 0, 2, 1, 0], [0, 1, 1, -1, 3]]), tensor([0.5, 1]), label % 2, 2", ROW),
}
SAMPLES = 11
RNG = np.random.default_rng(5)
FIELDS = {
    "a": ("[batch, 5]", RNG.normal(size=(SAMPLES, 5))),
    "b": ("[batch, 5]", RNG.normal(size=(SAMPLES, 5))),
    "label": ("i64[batch]", RNG.integers(0, 5, SAMPLES)),
    "same": ("[batch]", RNG.integers(0, 2, SAMPLES).astype(float)),
    "m": ("bool[batch]", np.arange(SAMPLES) % 3 > 0),
    "w": ("[batch]", RNG.uniform(0.2, 2, SAMPLES)),
}
ARRAYS = {name: array for name, (_, array) in FIELDS.items()}


def graph_of(outputs: dict[str, str]) -> Graph:
    """The evaluation graph of a network with these outputs, in double precision."""
    inputs = "".join(f"  input {name}: {type}\n" for name, (type, _) in FIELDS.items())
    used = " + ".join(f"sum(cast({name}, f32))" for name in FIELDS)
    lines = "".join(f"  output {name} = {text}\n" for name, text in outputs.items())
    source = f"dslc 1\nnetwork N {{\n{inputs}  output used = {used}\n{lines}}}\n"
    program, found = check_source(Source("n.nn", source), precision=DType.f64)
    assert program is not None, [d.message for d in found]
    return program.networks["N"].evaluate


def over_batches(graph: Graph, cuts: list[int]) -> dict[str, np.ndarray]:
    """The outputs over the whole split, from batches that are joined."""
    join = {"sum": np.add, "max": np.maximum, "min": np.minimum, "all": np.logical_and}
    parts = accumulate(graph)
    joined: dict[str, np.ndarray] = {}
    for start, stop in pairwise(cuts):
        for name, value in interpret(parts.batch, np, {key: array[start:stop] for key, array in ARRAYS.items()}).items():
            joined[name] = value if name not in joined else join[parts.combine[name]](joined[name], value)
    return interpret(parts.final, np, joined)


@pytest.mark.parametrize("name", CALLS)
def test_the_mean_is_over_what_counts(name: str) -> None:
    call, (mask, weight) = CALLS[name]
    texts = {
        "each": f"{call}, each=true)",
        "counted": f"{call}, each=true, mask={mask}, weight={weight})",
        "all": f"{call})",
        "masked": f"{call}, mask={mask})",
        "weighted": f"{call}, weight={weight})",
        "both": f"{call}, mask={mask}, weight={weight})",
        "nothing": f"{call}, mask=cast({mask}, f32) * 0)",
        "marks": f"cast({mask}, f32)",
        "weights": weight,
    }
    found = interpret(graph_of(texts), np, ARRAYS)
    each, m, w = found["each"], found["marks"], found["weights"]
    assert each.shape == m.shape == w.shape
    assert len(np.unique(each.round(9))) > SAMPLES // 3
    np.testing.assert_allclose(found["counted"], each * m * w, rtol=1e-12)
    for key, counts in {"all": np.ones_like(m), "masked": m, "weighted": w, "both": m * w}.items():
        np.testing.assert_allclose(found[key], (each * counts).sum() / counts.sum(), rtol=1e-12, err_msg=key)
    assert found["nothing"] == 0


@pytest.mark.parametrize("cuts", [[0, 4, 8, 11], [0, 10, 11]])
@pytest.mark.parametrize("name", CALLS)
def test_a_smaller_last_batch_counts_by_its_samples(name: str, cuts: list[int]) -> None:
    call, (mask, weight) = CALLS[name]
    graph = graph_of({"plain": f"{call})", "masked": f"exp({call}, mask={mask}))", "both": f"{call}, mask={mask}, weight={weight})"})
    whole = interpret(graph, np, ARRAYS)
    for key, value in over_batches(graph, cuts).items():
        np.testing.assert_allclose(value, whole[key], rtol=1e-12, err_msg=key)


def test_dice_counts_the_places_of_its_mask_and_weighs_its_channels() -> None:
    """Places that do not count change nothing; a weight of a class is in the mean over samples and classes."""
    place = "tensor([1, 1, 0, 1, 0])"
    texts = {
        "masked": f"dice(P, T, mask={place})",
        "moved": f"dice(P + (1 - {place}) * 0.3, T - (1 - {place}) * 5, mask={place})",
        "short": "dice(P[:, :, [0, 1, 3]], T[:, :, [0, 1, 3]])",
        "each": "dice(P, T, each=true)",
        "weighted": "dice(P, T, weight=broadcast(tensor([[0.25, 2]]), [batch, 2]))",
    }
    p = "concat(sigmoid(a[:, _]), 1 - sigmoid(a[:, _]), axis=1)"
    t = "concat(cast(b > 0, f32)[:, _], 1 - cast(b > 0, f32)[:, _], axis=1)"
    found = interpret(graph_of({name: text.replace("P", p).replace("T", t) for name, text in texts.items()}), np, ARRAYS)
    np.testing.assert_allclose(found["masked"], found["moved"], rtol=1e-12)
    np.testing.assert_allclose(found["masked"], found["short"], rtol=1e-12)
    assert found["each"].shape == (SAMPLES, 2)
    np.testing.assert_allclose(found["weighted"], (found["each"] * [0.25, 2]).sum() / (SAMPLES * 2.25), rtol=1e-12)


def test_a_perfect_segmentation_has_no_dice_loss_and_a_wrong_one_nearly_1() -> None:
    t = "cast(b > 0, f32)[:, _]"
    found = interpret(graph_of({"right": f"dice({t}, {t})", "wrong": f"dice(1 - {t}, {t}, smooth=1e-9)"}), np, ARRAYS)
    assert found["right"] == 0
    assert found["wrong"] > 1 - 1e-8


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_cosh_keeps_its_digits_near_0_and_far_from_it(dtype: type) -> None:
    """Against d²/2 - d⁴/12 + d⁶/45 - 17d⁸/2520 and |d| - log 2."""
    d = np.array([1e-6, 1e-3, 0.01, 0.02], dtype)
    (near,) = evaluate("log_cosh", np, [d, np.zeros_like(d)], {"each": True})
    wide = d.astype(np.longdouble)
    np.testing.assert_allclose(near, wide**2 / 2 - wide**4 / 12 + wide**6 / 45 - 17 * wide**8 / 2520, rtol=4 * np.finfo(dtype).eps, atol=0)
    (far,) = evaluate("log_cosh", np, [np.array([1e30, -1e4], dtype), np.zeros(2, dtype)], {"each": True})
    np.testing.assert_allclose(far, np.array([1e30, 1e4 - np.log(2)]), rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("pinball(a, b, quantile=1)", "quantile"),
        ("soft_cross_entropy(a, softmax(b), temperature=0)", "temperature"),
        ("gaussian_nll(a, b, exp(a), eps=0)", "eps"),
        ("tversky(a, b, alpha=-1)", "alpha"),
        ("triplet(a, b, a, mask=a > 0)", "`mask` has one value for each prediction"),
        ("triplet(a, b, a, weights=w)", "weights"),
        ("huber(a, b, 0.5)", "`mask` of `huber` must be a tensor, not the number 0.5"),
        ("triplet(a, b, a, weight=w, weight=w)", "`weight`"),
        ("triplet(a, b, a, weight_=w)", "did you mean `weight`?"),
    ],
)
def test_what_does_not_fit_is_refused(call: str, words: str) -> None:
    inputs = "".join(f"  input {name}: {FIELDS[name][0]}\n" for name in "abw")
    program, found = check_source(Source("n.nn", f"dslc 1\nnetwork N {{\n{inputs}  output u = sum(w)\n  output y = {call}\n}}\n"))
    assert program is None
    assert any(words in error.message for error in found), [error.message for error in found]


@pytest.mark.parametrize("name", ["cross_entropy", "nll", "accuracy"])
@pytest.mark.parametrize(("wrong", "ignore"), [(-1, None), (3, None), (3, -1), (-2, -1)])
def test_a_label_that_is_no_class_is_found_when_its_batch_comes(name: str, wrong: int, ignore: int | None) -> None:
    """With its place in the spec; an ignored label may be anything."""
    label = np.array([0, -1 if ignore is not None else 2, wrong])
    attrs = bind_attrs(name, {"ignore": ignore}, [tensor("f64", 3, 3), tensor("i64", 3)])
    x, y = np.eye(3), np.zeros(())
    call = Call(name, (x, label), (y,), attrs, lambda shape, dtype: np.empty(tuple(shape), dtype), np, place="n.nn:5:3")
    signature = Signature(name, (((3, 3), "float64"), ((3,), "int64")), (((), "float64"),), attrs, (True, True))
    steps = registry_of("numpy").choose(signature).bind(call)
    with pytest.raises(DataError, match=rf"`{name}` does not fit: a label is {wrong}, and there are 3 classes from 0 on \(n.nn:5:3\)"):
        for step in steps:
            step()


def test_scores_that_lie_across_memory_run_as_the_definition_says() -> None:
    signature = Signature("cross_entropy", (((3, 3), "float32"), ((3,), "int64")), (((), "float32"),), {}, (False, True))
    assert registry_of("numpy").choose(signature) is EVAL
