"""Losses and metrics of random specs."""

from __future__ import annotations

from collections.abc import Sequence

from dslc.ir.types import Dim
from tests.soundness.body import Value
from tests.soundness.fields import Fields, possible
from tests.soundness.moves import partner
from tests.soundness.structure import FileBody


def labels(body: FileBody, fields: Fields, x: Value, axis: int) -> str:
    """Class indices for the scores `x`, from the data where its shape allows that."""
    shape = [dim for at, dim in enumerate(x.shape) if at != axis % x.rank]
    if body.chance(0.7) and possible(shape):
        return f"{fields.field(body.rng.choice(('u8', 'i64')), shape).name} % {x.shape[axis]}"
    return f"argmax({x.name}, axis={axis})"


def classified(body: FileBody, fields: Fields, x: Value) -> str | None:
    if x.rank < 1 or not x.shape:
        return None
    axis = body.axis(x)
    if axis is None or not -x.rank <= axis < x.rank:
        return None
    shape = tuple(dim for at, dim in enumerate(x.shape) if at != axis % x.rank)
    args = [x.name, labels(body, fields, x, axis)]
    args += [f"axis={axis}"] if axis != -1 else []
    args += [f"smoothing={body.rng.choice((0.1, 0.0, 0.5))}"] if body.chance(0.3) else []
    args += [f"ignore={body.rng.choice((0, 1, 255))}"] if body.chance(0.3) else []
    if axis == -1 and body.chance(0.2):
        return weighed(body, body.rng.choice(("multi_margin", "categorical_hinge")), args[:2], shape)
    if body.chance(0.2):
        return weighed(body, "soft_cross_entropy", [x.name, f"softmax(tanh({x.name}), axis={axis})", f"axis={axis}"], shape)
    return weighed(body, "cross_entropy", args, shape)


def weighed(body: FileBody, name: str, args: list[str], shape: Sequence[Dim]) -> str:
    """A loss with a mask, a weight or `each`."""
    for key, dtype in (("mask", "bool"), ("weight", "f")):
        if body.chance(0.2):
            y = body.pick(lambda value, dtype=dtype: value.dtype == dtype and value.shape == tuple(shape))
            if y is not None:
                args.append(f"{key}={y.name}" if dtype == "bool" else f"weight=sigmoid({y.name})")
    if body.chance(0.25):
        return body.rng.choice(("mean({})", "sum({}) * 0.1", "mean(sqrt(1 + abs({})))")).format(
            f"{name}({', '.join((*args, 'each=true'))})"
        )
    return f"{name}({', '.join(args)})"


def regressed(body: FileBody, fields: Fields, x: Value) -> str | None:
    name = body.rng.choice(("mse", "binary_cross_entropy", "mae", "huber", "log_cosh", "focal"))
    targets = ["1", "0", "0.25"]
    y = body.pick(lambda value: value.shape == x.shape and value.dtype in ("f", "bool"))
    if y is not None:
        targets += [f"sigmoid({y.name})" if y.dtype == "f" else y.name] * 2
    if possible(x.shape):
        targets += [fields.field(body.rng.choice(("f", "bool", "u8")), x.shape).name + " * 0.1"] * 2
    target = body.rng.choice(targets)
    return weighed(body, name, [x.name, target], x.shape)


MEANS = ("mean(tanh({}))", "mean({} ^ 2)", "sqrt(mean({} ^ 2) + 0.1)", "0.1 * mean({}) ^ 2", "max({})", "log(mean(exp(tanh({}))))")


def loss(body: FileBody, fields: Fields, live: Sequence[Value] = ()) -> str:
    """A loss of one of the values, or of one of those that are `live`."""
    x = (
        body.rng.choice(live)
        if live
        else body.pick(lambda value: value.dtype == "f") or next((v for v in body.values if v.dtype == "f"), None)
    )
    if x is None:
        return "0.5" if body.chance(0.2) else "mean(tanh(tensor([1.0])))"
    way = body.rng.choice(("class", "class", "target", "target", "mean"))
    text = classified(body, fields, x) if way == "class" else regressed(body, fields, x) if way == "target" else None
    return text or body.rng.choice(MEANS).format(x.name)


def metrics(body: FileBody, fields: Fields) -> list[str]:
    found = []
    for at in range(body.rng.choice((0, 1, 2, 3))):
        x = body.pick(lambda value: True)
        if x is None:
            continue
        texts = [scalar_metric(body, fields, x)]
        if x.dtype == "f":
            other = partner(body, x)
            texts += [f"sqrt(mean({x.name} ^ 2))", f"max({x.name})", f"exp(mean(tanh({x.name})))", f"mean({x.name})", f"sum({x.name} > 0) / (sum({x.name} > 0.5) + 1)",
                      f"all({x.name} > -1000)", f"min({x.name}) - max({x.name})", f"mse({x.name}, 0.5)", f"mean({x.name}) / batch", f"mean(mean({x.name}, axis=0))",
                      f"sum({x.name}) / batch", f"var({x.name})", f"covariance({x.name}, tanh({x.name}))", f"any({x.name} > 1)", f"logsumexp({x.name})",
                      *two_classes(f"sin(3 * {x.name})", f"{x.name} > 0")]  # fmt: skip
            if other is not None:
                texts.append(f"mean({x.name} * {other[0]})")
            if x.rank and body.chance(0.2):
                texts.append(f"{body.rng.choice(('mean', 'std', 'prod', 'logsumexp'))}({x.name}, axis=0)")
        found.append(f"metric m{at}: {body.rng.choice(texts)}")
    return found


def scalar_metric(body: FileBody, fields: Fields, x: Value) -> str:
    if x.dtype == "f" and x.rank and (body.mixes or "batch" not in x.shape[-1].names):
        more = body.rng.choice(("", ", k=2", ", ignore=1"))
        given = f"{x.name}, {labels(body, fields, x, -1)}"
        if body.chance(0.5):
            return body.rng.choice(of_classes(given))
        return f"accuracy({given}{more})"
    return {"bool": f"mean({x.name})", "f": x.name}.get(x.dtype, f"max({x.name})")


def two_classes(x: str, label: str) -> list[str]:
    """Metrics of scores against two classes."""
    given = f"{x}, {label}"
    return [f"roc_auc({given})", f"average_precision({given})", f"confusion_matrix({given}, threshold=0.1)", f"f1({given})", f"matthews({given})",
            f"binary_accuracy({given})", f"class_counts({given})"]  # fmt: skip


def of_classes(given: str) -> list[str]:
    return [f"confusion_matrix({given})", f'recall({given}, average="none")', f"precision({given}, ignore=1)", f"mean_iou({given})",
            f"cohen_kappa({given}, power=2)", f"balanced_accuracy({given})", f"roc_auc({given})", f'specificity({given}, average="weighted")',
            f'roc_auc({given}, average="none", ignore=[0])']  # fmt: skip
