"""Whole random specs: text, with the arrays of its data file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np

from dslc.ir.types import Dim
from tests.soundness import table_moves  # noqa: F401  its move
from tests.soundness.body import BATCH, Value
from tests.soundness.moves import partner, step
from tests.soundness.structure import Declared, File, FileBody, call_network, used_up, write_network

SAMPLES = 7
Arrays = dict[str, np.ndarray]
SYMBOLS = {"time": 3, "high": 5, "wide": 4}  # sizes that networks leave open, and what the data has
DTYPES = ("f", "f", "f", "f", "u8", "i64", "bool")
RANKS = (1, 2, 2, 3, 4, 4, 4)


@dataclass(frozen=True)
class Spec:
    text: str
    arrays: Arrays
    whole: tuple[str, ...]


def make_spec(seed: int) -> Spec:
    """The spec of a seed: most are meant to be well-typed; in some there are wild choices, and in some a token is changed."""
    rng = Random(seed)
    wild = rng.choice((0.0, 0.0, 0.0, 0.03))
    file = File(rng)
    fields: Arrays = {}
    whole: list[str] = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        inputs = network_inputs(rng, file)
        file.networks.append(write_network(file, inputs, wild, rng.randint(2, 9)))
    train = write_train(file, fields, whole, wild)
    text = "\n\n".join(["dslc 1", *file.texts, train]) + "\n"
    if rng.random() < 0.25:
        text = changed(rng, text)
    return Spec(text, fields, tuple(whole))


def network_inputs(rng: Random, file: File) -> list[Value]:
    found = []
    for at in range(rng.choice((1, 1, 2, 3))):
        rank = rng.choice(RANKS)
        symbols = list(SYMBOLS)
        shape = [BATCH] if at == 0 or rng.random() < 0.85 else []
        for _ in range(rank - 1):
            shape.append(
                Dim.of(symbols.pop() if symbols and rng.random() < 0.12 else rng.choice((1, 2, 3, 4, 5, 7) if rank < 4 else (1, 2, 3, 6)))
            )
        found.append(Value(file.names.fresh("x"), "f" if at == 0 and rng.random() < 0.8 else rng.choice(DTYPES), tuple(shape)))
    return found


# ---- data ---------------------------------------------------------------------------------------------------------------------------


def array(rng: Random, dtype: str, shape: Sequence[int]) -> np.ndarray:
    numbers = np.random.default_rng(rng.randrange(2**32))
    if dtype == "f":
        return numbers.uniform(-2, 2, shape).astype(np.float32)
    if dtype == "bool":
        return numbers.integers(0, 2, shape).astype(bool)
    high, kind = {"u8": (256, np.uint8), "i64": (9, np.int64), "i32": (9, np.int32)}[dtype]
    return numbers.integers(0, high, shape).astype(kind)


def actual(shape: Sequence[Dim]) -> tuple[Dim, ...]:
    return tuple(dim.substitute(dict(SYMBOLS)) for dim in shape)


def possible(shape: Sequence[Dim]) -> bool:
    """Whether a data field may have this shape."""
    return bool(shape) and shape[0] == BATCH and all(dim.is_constant and dim.constant > 0 for dim in shape[1:])


def field(rng: Random, fields: Arrays, whole: list[str], dtype: str, shape: Sequence[Dim]) -> Value:
    """A data field of this type, a new one or one that is there; its value is `data.NAME`."""
    shape = actual(shape)
    sizes = tuple(dim.evaluate({"batch": SAMPLES}) for dim in shape)
    batched = bool(shape) and shape[0] == BATCH
    new = array(rng, dtype, sizes)
    for name, old in fields.items():
        if old.shape == new.shape and old.dtype == new.dtype and (name in whole) != batched and rng.random() < 0.3:
            return Value(f"data.{name}", dtype, shape)
    name = f"d{len(fields)}"
    fields[name] = new
    if not batched:
        whole.append(name)
    return Value(f"data.{name}", dtype, shape)


def fed(rng: Random, fields: Arrays, whole: list[str], parameter: Value) -> str:
    """The argument for an input of a network."""
    if parameter.dtype == "f" and rng.random() < 0.3:
        dtype = rng.choice(("u8", "bool", "i64"))
        return f"{field(rng, fields, whole, dtype, parameter.shape).name}{rng.choice((' / 255', ' * 0.5', ' / 4 - 1')) if dtype != 'i64' else ' / 9'}"
    if parameter.dtype == "i64" and rng.random() < 0.4:
        return field(rng, fields, whole, "u8", parameter.shape).name
    if parameter.dtype == "bool" and rng.random() < 0.4:
        return f"{field(rng, fields, whole, 'f', parameter.shape).name} > 0"
    return field(rng, fields, whole, parameter.dtype, parameter.shape).name


# ---- training -----------------------------------------------------------------------------------------------------------------------

OPTIMIZERS = ("sgd(0.01)", "sgd(0.02, momentum=0.9)", "sgd(1e-3, momentum=0.5, weight_decay=0.1)", "adam(1e-3)", "adam(0.01, weight_decay=0.01)",
              "adam(1e-3, beta1=0.5, eps=1e-6)")  # fmt: skip
SCHEDULES = (
    "constant()",
    "constant(warmup=0.5)",
    "step(1)",
    "step(every=2, factor=0.5, warmup=1)",
    "cosine()",
    "cosine(warmup=2, final=0.1)",
)


def write_train(file: File, fields: Arrays, whole: list[str], wild: float) -> str:
    rng = file.rng
    body = FileBody(rng, file.names, "train", wild, 1, dims=frozenset(["batch"]), fixed=True, file=file)
    for callee in networks_to_call(rng, file.networks):
        texts = [fed(rng, fields, whole, parameter) for parameter in callee.parameters]
        given = [Value(p.name, p.dtype, actual(p.shape)) for p in callee.parameters]
        call_network(body, callee, given, texts)
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
        step(body)
    settings = losses(body, fields, whole)
    settings += metrics(body, fields, whole) + plain_settings(rng)
    if rng.random() < 0.3:
        rng.shuffle(settings)
    quoted = ", ".join(f'"{name}"' for name in whole)
    source = f'npz("data.npz", split=[0.6, 0.4, 0]{f", whole=[{quoted}]" if whole else ""})'
    return "\n".join(["train {", f"  data = {source}", *body.lines, "", *(f"  {line}" for line in settings), "}"])


def networks_to_call(rng: Random, networks: Sequence[Declared]) -> list[Declared]:
    return [*networks, *(network for network in networks if rng.random() < 0.15)]


def plain_settings(rng: Random) -> list[str]:
    found = [f"optimizer: {rng.choice(OPTIMIZERS)}", f"batch_size: {rng.choice((1, 2, 3, 3, 5))}", f"epochs: {rng.choice((1, 2))}"]
    if rng.random() < 0.4:
        found.append(f"schedule: {rng.choice(SCHEDULES)}")
    if rng.random() < 0.3:
        found.append(f"clip: norm({rng.choice((0.1, 1, 10.0))})")
    return found


def labels(body: FileBody, fields: Arrays, whole: list[str], x: Value, axis: int) -> str:
    """Class indices for the scores `x`, from the data where its shape allows that."""
    shape = [dim for at, dim in enumerate(x.shape) if at != axis % x.rank]
    if body.chance(0.7) and possible(shape):
        return f"{field(body.rng, fields, whole, body.rng.choice(('u8', 'i64')), shape).name} % {x.shape[axis]}"
    return f"argmax({x.name}, axis={axis})"


def classified(body: FileBody, fields: Arrays, whole: list[str], x: Value) -> str | None:
    if x.rank < 1 or not x.shape:
        return None
    axis = body.axis(x)
    if axis is None or not -x.rank <= axis < x.rank:
        return None
    shape = tuple(dim for at, dim in enumerate(x.shape) if at != axis % x.rank)
    args = [x.name, labels(body, fields, whole, x, axis)]
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


def regressed(body: FileBody, fields: Arrays, whole: list[str], x: Value) -> str | None:
    name = body.rng.choice(("mse", "binary_cross_entropy", "mae", "huber", "log_cosh", "focal"))
    targets = ["1", "0", "0.25"]
    y = body.pick(lambda value: value.shape == x.shape and value.dtype in ("f", "bool"))
    if y is not None:
        targets += [f"sigmoid({y.name})" if y.dtype == "f" else y.name] * 2
    if possible(x.shape):
        targets += [field(body.rng, fields, whole, body.rng.choice(("f", "bool", "u8")), x.shape).name + " * 0.1"] * 2
    target = body.rng.choice(targets)
    return weighed(body, name, [x.name, target], x.shape)


def loss(body: FileBody, fields: Arrays, whole: list[str]) -> str:
    x = body.pick(lambda value: value.dtype == "f") or next((v for v in body.values if v.dtype == "f"), None)
    if x is None:
        return "0.5" if body.chance(0.2) else "mean(tanh(tensor([1.0])))"
    way = body.rng.choice(("class", "class", "target", "target", "mean"))
    text = classified(body, fields, whole, x) if way == "class" else regressed(body, fields, whole, x) if way == "target" else None
    return text or body.rng.choice(("mean(tanh({}))", "mean({} ^ 2)", "sqrt(mean({} ^ 2) + 0.1)", "0.1 * mean({}) ^ 2", "max({})", "log(mean(exp(tanh({}))))"))\
        .format(x.name)  # fmt: skip


def losses(body: FileBody, fields: Arrays, whole: list[str]) -> list[str]:
    count = body.rng.choice((1, 1, 2, 3))
    texts = [loss(body, fields, whole) for _ in range(count)]
    shown = replace(body, lines=[*body.lines, *texts])
    texts[0] += used_up(shown, body.values)
    names = ["loss", *(f"loss part{at}" for at in range(1, count))]
    if body.chance(0.3):
        names[0] = "loss first"
    return [f"{name}: {text}" for name, text in zip(names, texts, strict=True)]


def metrics(body: FileBody, fields: Arrays, whole: list[str]) -> list[str]:
    found = []
    for at in range(body.rng.choice((0, 1, 2, 3))):
        x = body.pick(lambda value: True)
        if x is None:
            continue
        texts = [scalar_metric(body, fields, whole, x)]
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


def scalar_metric(body: FileBody, fields: Arrays, whole: list[str], x: Value) -> str:
    if x.dtype == "f" and x.rank and (body.mixes or "batch" not in x.shape[-1].names):
        more = body.rng.choice(("", ", k=2", ", ignore=1"))
        given = f"{x.name}, {labels(body, fields, whole, x, -1)}"
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


# ---- changed texts ------------------------------------------------------------------------------------------------------------------

TOKEN = re.compile(r"[A-Za-z_][\w.]*|\d+(?:\.\d+)?|->|\.\.|[-+*/%^@<>=!:,()\[\]{}_]|\n")


def changed(rng: Random, text: str) -> str:
    """One or two tokens deleted, doubled, or replaced by another of the text or by a number."""
    for _ in range(rng.choice((1, 1, 2))):
        tokens = list(TOKEN.finditer(text))
        old = rng.choice(tokens)
        alike = [token.group() for token in tokens if token.group()[0].isalpha() == old.group()[0].isalpha()]
        new = rng.choice(
            ("", f"{old.group()} {old.group()}", rng.choice(alike), rng.choice(alike), rng.choice(("0", "1", "-1", "2", "1.5", "true")))
        )
        if old.group().isdigit() and rng.random() < 0.7:
            new = str(rng.choice((0, 1, 2, 3, 6, 10**6, 10**12)))
        text = text[: old.start()] + new + text[old.end() :]
    return text
