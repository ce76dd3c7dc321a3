"""Labels, indices and targets that come straight from data are checked before the training; computed ones when they are used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dslc
from dslc.diagnostics import DataError
from dslc.loading import load_program
from runtime.train.inputs import load_inputs

SPEC = """dslc 1
network Net {{
  input x: [batch, 4]
  input index: i64[batch]
  weight w: [5, 4] = normal(std=1)
  output y = {network}
}}
train {{
  data = npz("data.npz")
  net  = Net(data.x, data.index)
  loss: {loss}
  optimizer: sgd(0.1)
}}
"""
# what stands in the network, what in the loss, the field that is wrong, a good and a bad value, and what is said
WRONG: dict[str, tuple[str, str, str, float, float, str]] = {
    "cross_entropy": ("x @ transpose(w)", "cross_entropy(net.y, data.label)", "label", 4, 5, "there are 5 classes: 0 to 4"),
    "ignored": ("x @ transpose(w)", "cross_entropy(net.y, data.label, ignore=-100)", "label", -100, -1, "there are 5 classes"),
    "nll": ("log_softmax(x @ transpose(w))", "nll(net.y, cast(data.label, i32))", "label", 0, -1, "there are 5 classes"),
    "accuracy": ("x @ transpose(w)", "mean(net.y) + accuracy(net.y, data.label)", "label", 4, 7, "there are 5 classes"),
    "one hot": ("x @ transpose(w)", "mse(net.y, one_hot(data.label, 5))", "label", 4, 5, "it indexes 5 places: 0 to 4"),
    "margin": ("x @ transpose(w)", "multi_margin(net.y, data.label)", "label", 4, -1, "it indexes 5 places: 0 to 4"),
    "gather": ("w[index] * x", "mean(net.y)", "index", 4, -1, "it indexes 5 places: 0 to 4"),
    "beyond": ("w[index] * x", "mean(net.y)", "index", 0, 5, "it indexes 5 places: 0 to 4"),
    "embedding": ("embedding(index, 3, 4) * x + w[0]", "mean(net.y)", "index", 2, 3, "it indexes 3 places: 0 to 2"),
    "along": ("take_along_axis(x, index[:, _]) * w[0, 0]", "mean(net.y)", "index", 3, 4, "it indexes 4 places: 0 to 3"),
    "hinge": ("sum(x * w[0], axis=-1)", "hinge(net.y, data.label)", "label", -1, 0, "the targets of `hinge` are -1 and 1"),
    "focal": ("sum(x * w[0], axis=-1)", "focal(net.y, data.label)", "label", 1, 2, "the targets of `focal` are from 0 to 1"),
    "entropy": ("x * w[0]", "binary_cross_entropy(net.y, data.part)", "part", 0.25, -0.5, "the targets of `binary_cross_entropy` are"),
}
FIELDS = {"x": np.ones((8, 4), np.float32), "index": np.ones(8, np.int64), "label": np.ones(8, np.int64), "part": np.ones((8, 4))}


def write(folder: Path, network: str, loss: str, **changed: np.ndarray) -> Path:
    """The spec and its data; every field is used."""
    axis = "" if network.startswith("sum(") else "[:, _]"
    used = f" + 0 * cast(index, f32){axis}" if "index" not in network else ""
    unused = "".join(f" + 0 * mean(cast(data.{name}, f32))" for name in ("label", "part") if name not in loss)
    path = folder / "net.nn"
    path.write_text(SPEC.format(network=network + used, loss=loss + unused), encoding="utf-8")
    np.savez(folder / "data.npz", **(FIELDS | changed))
    return path


def with_value(name: str, value: float) -> np.ndarray:
    array = FIELDS[name].copy()
    array[5] = value
    return array


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_found_before_the_training(name: str, tmp_path: Path) -> None:
    network, loss, field, good, bad, words = WRONG[name]
    path = write(tmp_path, network, loss, **{field: with_value(field, good)})
    training = load_program(path)[0].trainings["train"]
    load_inputs(training, tmp_path, None, 0)
    np.savez(tmp_path / "data.npz", **(FIELDS | {field: with_value(field, bad)}))
    with pytest.raises(DataError) as caught:
        load_inputs(training, tmp_path, None, 0)
    (found,) = caught.value.diagnostics
    assert found.code == "data-label" and caught.value.exit_code == 3
    value = str(bad) if field == "part" else str(int(bad))
    assert f"data.npz: `{field}` of sample 5 (from 0) is {value}, but {words}" in found.message
    assert "net.nn:" in found.help or "std/" in found.help


def test_labels_that_a_metric_masks_may_be_anything(tmp_path: Path) -> None:
    path = write(tmp_path, "x @ transpose(w)", "cross_entropy(net.y, where(data.label < 0, 0, data.label))", label=with_value("label", -7))
    text = path.read_text()
    path.write_text(text.replace("  optimizer", "  metric: sum(confusion_matrix(net.y, data.label, mask=data.label >= 0))\n  optimizer"))
    assert load_inputs(load_program(path)[0].trainings["train"], tmp_path, None, 0).count("train")


@pytest.mark.parametrize("index", [-1, 5])
def test_a_computed_index_is_checked_where_it_is_used(index: int, tmp_path: Path) -> None:
    """A negative one does not count from the end, in the definition and on the device; nothing is updated."""
    path = write(tmp_path, "w[index - 1] * x", "mean(net.y)")
    step = dslc.load(path).compile(device="numpy", batch_size=8)
    before = step.parameters()
    fields = FIELDS | {"index": with_value("index", index + 1)}
    with pytest.raises(DataError, match=rf"`gather` does not fit: an index is {index}, and there are 5 places from 0 on \(.*net.nn:6:14\)"):
        step.train(**fields)
    for name, array in step.parameters().items():
        np.testing.assert_array_equal(array, before[name])


def test_the_definition_refuses_a_negative_index_too() -> None:
    from dslc.ops.infer import evaluate

    with pytest.raises(IndexError, match="an index is -1, and there are 3 places from 0 on"):
        evaluate("gather", np, [np.eye(3), np.array([0, -1])], {"axis": 0})
