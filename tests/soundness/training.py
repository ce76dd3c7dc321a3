"""The `train` of a random spec: calls, losses, metrics, optimizers, schedules, clips, rules, steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from tests.soundness.body import Value
from tests.soundness.fields import Fields, actual
from tests.soundness.losses import loss, metrics
from tests.soundness.moves import step
from tests.soundness.structure import Declared, File, FileBody, call_network, used_up

OPTIMIZERS = (
    "sgd(0.01)", "sgd(0.02, momentum=0.9)", "sgd(1e-3, momentum=0.5, weight_decay=0.1)", "sgd(0.01, momentum=0.9, nesterov=true)",
    "sgd(0.01, weight_decay=0.1, decoupled=true)", "sgd(0.01, l1=0.01)", "caffe_sgd(0.01)", "caffe_sgd(0.01, nesterov=true)",
    "adagrad(0.01)", "adagrad(0.01, initial=0.1)", "rmsprop(1e-3)", "rmsprop(1e-3, momentum=0.5, centered=true)", "adadelta()",
    "adam(1e-3)", "adam(0.01, weight_decay=0.01)", "adam(1e-3, beta1=0.5, eps=1e-6)", "adamw(1e-3)", "amsgrad(1e-3)", "nadam(1e-3)",
    "radam(1e-3)", "adamax(1e-3)", "lion(1e-4)", "lamb(1e-3)",
)  # fmt: skip
SCHEDULES = (
    "constant()", "constant(warmup=0.5)", "step(1)", "step(every=2, factor=0.5, warmup=1)", "multistep([1, 2], factor=0.5)", "exponential(0.9)",
    'exponential(0.99, unit="step")', "natural_exponential(0.1)", "inverse_time(0.5, power=0.75)", "polynomial()", "polynomial(power=2, final=0.1)",
    "sigmoid(1.0, middle=1)", "cosine()", "cosine(warmup=2, final=0.1)", "cosine_restarts(1, mult=2)", "one_cycle()", "plateau(patience=1)",
)  # fmt: skip
CLIPS = ("norm(0.1)", "norm(1)", "norm(10.0)", "value(0.5)", "each(0.5)")
RULES = ("rate: 0.5", "rate: 0", "weight_decay: 0.01", "constraint: max_norm(1)", "constraint: unit_norm()", "constraint: non_negative()",
         "init: normal(std=0.2)", "init: 0.1")  # fmt: skip


def write_train(file: File, fields: Fields, wild: float) -> str:
    rng = file.rng
    body = FileBody(rng, file.names, "train", wild, 1, dims=frozenset(["batch"]), fixed=True, file=file)
    live: dict[str, list[Value]] = {}  # by network
    for callee in networks_to_call(rng, file.networks):
        texts = [fields.fed(parameter) for parameter in callee.parameters]
        given = [Value(p.name, p.dtype, actual(p.shape)) for p in callee.parameters]
        before = len(body.values)
        call_network(body, callee, given, texts)
        live.setdefault(callee.name, []).extend(value for value in body.values[before:] if value.name.partition(".")[2] in callee.live)
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
        step(body)
    live = {name: values for name, values in live.items() if values}
    parted = len(live) > 1 and rng.random() < 0.3
    settings = steps(body, fields, live) if parted else losses(body, fields, [value for values in live.values() for value in values])
    settings += metrics(body, fields) + plain_settings(rng, parted)
    if rng.random() < 0.3 and not parted:
        rng.shuffle(settings)
    settings += rules(rng, sorted(live))
    return "\n".join(["train {", f"  data = {fields.source()}", *body.lines, "", *(f"  {line}" for line in settings), "}"])


def networks_to_call(rng: Random, networks: Sequence[Declared]) -> list[Declared]:
    return [*networks, *(network for network in networks if rng.random() < 0.15)]


def losses(body: FileBody, fields: Fields, live: Sequence[Value]) -> list[str]:
    """One or several; the first reads a value that depends on a weight."""
    count = body.rng.choice((1, 1, 2, 3))
    texts = [loss(body, fields, () if at or body.chance(0.3) else live) for at in range(count)]
    if live:
        texts[0] += f" + mean(tanh({body.rng.choice(live).name}))"
    shown = replace(body, lines=[*body.lines, *texts])
    texts[0] += used_up(shown, body.values)
    names = ["loss", *(f"loss part{at}" for at in range(1, count))]
    if body.chance(0.3):
        names[0] = "loss first"
    return [f"{name}: {text}" for name, text in zip(names, texts, strict=True)]


def steps(body: FileBody, fields: Fields, live: dict[str, list[Value]]) -> list[str]:
    """A step for each of two networks."""
    names = body.rng.sample(sorted(live), 2)
    texts = [f"{loss(body, fields, live[name])} + mean(tanh({live[name][0].name}))" for name in names]
    shown = replace(body, lines=[*body.lines, *texts])
    texts[0] += used_up(shown, body.values)
    lines: list[str] = []
    for at, (name, text) in enumerate(zip(names, texts, strict=True)):
        own = body.rng.sample(
            [f"schedule: {body.rng.choice(SCHEDULES[:-1])}", f"clip: {body.rng.choice(CLIPS)}", "times: 2"], body.rng.randint(0, 2)
        )
        inner = [f"trains: {name}", f"loss: {text}", f"optimizer: {body.rng.choice(OPTIMIZERS)}", *own]
        lines += [f"step turn{at} {{", *(f"  {line}" for line in inner), "}"]
    return lines


def plain_settings(rng: Random, parted: bool) -> list[str]:
    """The settings of the whole training; with steps, those have their own optimizers."""
    found = [f"batch_size: {rng.choice((1, 2, 3, 3, 5))}", rng.choice(("epochs: 1", "epochs: 2", "steps: 3"))]
    if not parted:
        found.insert(0, f"optimizer: {rng.choice(OPTIMIZERS)}")
        found += [f"schedule: {rng.choice(SCHEDULES)}"] if rng.random() < 0.4 else []
        found += [f"clip: {rng.choice(CLIPS)}"] if rng.random() < 0.3 else []
        found += ["accumulate: 2"] if rng.random() < 0.1 else []
    found += [f"ema: {rng.choice((0.5, 0.9))}"] if rng.random() < 0.1 else []
    return found


def rules(rng: Random, names: Sequence[str]) -> list[str]:
    """A rule for the weights of one network."""
    if not names or rng.random() < 0.85:
        return []
    return [
        f'rule "{rng.choice(names)}.**" {{',
        *(f"  {text}" for text in rng.sample(RULES[:3], rng.randint(0, 1)) + [rng.choice(RULES[3:])]),
        "}",
    ]
