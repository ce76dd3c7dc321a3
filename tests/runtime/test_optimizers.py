"""Every optimizer over 50 steps against an independent implementation: PyTorch's where it has one, else the formula in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dslc.ops.infer import literal
from dslc.program import Call
from dslc.vocabulary import OPTIMIZERS as WORDS
from runtime.device import Device
from runtime.train.optimizers import OPTIMIZERS
from runtime.update import Group, Update
from runtime.workers import Workers

Array = np.ndarray[Any, Any]
Formula = Callable[[dict[str, Any], Array, Array, float, int, dict[str, Any]], Array]  # args, w, g, rate, t, slots -> w
SHAPES = ((16, 24), (48,), (8, 4, 3, 3))
STEPS = 50


def call(name: str, **given: Any) -> Call:
    """The optimizer with its defaults filled in, as a spec has it."""
    parms = WORDS[name].signature.parms
    args = {parm.name.id: literal(parm.default) for parm in parms if parm.default is not None}
    assert given.keys() <= {parm.name.id for parm in parms}
    return Call(name=name, args={"rate": 0.05, **args, **given})


# ---- the cases ---------------------------------------------------------------------------------------------------------------------


def torch_names(given: dict[str, Any]) -> dict[str, Any]:
    """Our settings under PyTorch's names."""
    names = {"decay": "alpha", "initial": "initial_accumulator_value", "rate": "lr"}
    found = {names.get(key, key): value for key, value in given.items()}
    if "beta1" in found:
        found["betas"] = (found.pop("beta1"), found.pop("beta2"))
    return found


TORCH: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [  # ours, PyTorch's class, our settings, settings of PyTorch beside them
    ("sgd", "SGD", {}, {}),
    ("sgd", "SGD", {"momentum": 0.9}, {}),
    ("sgd", "SGD", {"momentum": 0.9, "weight_decay": 5e-4}, {}),
    ("sgd", "SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}, {}),
    ("adagrad", "Adagrad", {}, {}),
    ("adagrad", "Adagrad", {"initial": 0.1, "eps": 1e-3, "weight_decay": 1e-2}, {}),
    ("rmsprop", "RMSprop", {}, {}),
    ("rmsprop", "RMSprop", {"decay": 0.9, "momentum": 0.9, "weight_decay": 1e-2}, {}),
    ("rmsprop", "RMSprop", {"centered": True, "eps": 1e-3}, {}),
    ("rmsprop", "RMSprop", {"centered": True, "momentum": 0.5, "eps": 1e-2}, {}),
    ("adadelta", "Adadelta", {"rate": 1.0}, {}),
    ("adadelta", "Adadelta", {"rate": 0.5, "decay": 0.9, "eps": 1e-4, "weight_decay": 1e-2}, {}),
    ("adam", "Adam", {"eps": 1e-8}, {}),
    ("adam", "Adam", {"beta1": 0.8, "beta2": 0.99, "eps": 1e-3, "weight_decay": 1e-2}, {}),
    ("adamw", "AdamW", {}, {}),
    ("adamw", "AdamW", {"beta1": 0.8, "beta2": 0.99, "weight_decay": 0.2}, {}),
    ("amsgrad", "Adam", {"beta2": 0.9}, {"amsgrad": True}),
    ("amsgrad", "Adam", {"beta2": 0.9, "weight_decay": 1e-2}, {"amsgrad": True}),
    ("radam", "RAdam", {}, {}),
    ("radam", "RAdam", {"beta2": 0.99, "weight_decay": 1e-2}, {}),
    ("radam", "RAdam", {"beta2": 0.5}, {}),
    ("adamax", "Adamax", {}, {}),
    ("adamax", "Adamax", {"beta2": 0.99, "eps": 1e-3, "weight_decay": 1e-2}, {}),
]


def caffe_sgd(a: dict[str, Any], w: Array, g: Array, rate: float, t: int, slots: dict[str, Any]) -> Array:
    """Caffe's SGDSolver and NesterovSolver: `history` holds the rate."""
    g = g + a["weight_decay"] * w + a["l1"] * np.sign(w)
    before = slots.get("history", np.zeros_like(w))
    slots["history"] = rate * g + a["momentum"] * before
    if not a["nesterov"]:
        return w - slots["history"]
    return w - ((1 + a["momentum"]) * slots["history"] - a["momentum"] * before)


def sgd(a: dict[str, Any], w: Array, g: Array, rate: float, t: int, slots: dict[str, Any]) -> Array:
    """With L1, and with decoupled decay."""
    g = g + a["l1"] * np.sign(w) + (0.0 if a["decoupled"] else a["weight_decay"] * w)
    slots["v"] = a["momentum"] * slots.get("v", 0.0) + g
    shrunk = w - rate * a["weight_decay"] * w if a["decoupled"] else w
    return shrunk - rate * slots["v"]


def lion(a: dict[str, Any], w: Array, g: Array, rate: float, t: int, slots: dict[str, Any]) -> Array:
    m = slots.get("m", np.zeros_like(w))
    direction = np.sign(a["beta1"] * m + (1 - a["beta1"]) * g)
    slots["m"] = a["beta2"] * m + (1 - a["beta2"]) * g
    return w - rate * (direction + a["weight_decay"] * w)


def moments(a: dict[str, Any], g: Array, slots: dict[str, Any]) -> tuple[Array, Array]:
    slots["m"] = a["beta1"] * slots.get("m", 0.0) + (1 - a["beta1"]) * g
    slots["v"] = a["beta2"] * slots.get("v", 0.0) + (1 - a["beta2"]) * g**2
    return slots["m"], slots["v"]


def nadam(a: dict[str, Any], w: Array, g: Array, rate: float, t: int, slots: dict[str, Any]) -> Array:
    g = g + a["weight_decay"] * w
    m, v = moments(a, g, slots)
    ahead = a["beta1"] * m / (1 - a["beta1"] ** (t + 1)) + (1 - a["beta1"]) * g / (1 - a["beta1"] ** t)
    return w - rate * ahead / (np.sqrt(v / (1 - a["beta2"] ** t)) + a["eps"])


def lamb(a: dict[str, Any], w: Array, g: Array, rate: float, t: int, slots: dict[str, Any]) -> Array:
    m, v = moments(a, g, slots)
    u = m / (1 - a["beta1"] ** t) / (np.sqrt(v / (1 - a["beta2"] ** t)) + a["eps"]) + a["weight_decay"] * w
    size, length = np.linalg.norm(w), np.linalg.norm(u)
    return w - rate * (size / length if size > 0 and length > 0 else 1.0) * u


WRITTEN: list[tuple[str, Formula, dict[str, Any]]] = [
    ("caffe_sgd", caffe_sgd, {}),
    ("caffe_sgd", caffe_sgd, {"momentum": 0.8, "nesterov": True, "weight_decay": 5e-4, "l1": 1e-3}),
    ("sgd", sgd, {"l1": 1e-2}),
    ("sgd", sgd, {"momentum": 0.9, "weight_decay": 0.1, "decoupled": True}),
    ("lion", lion, {"rate": 0.01}),
    ("lion", lion, {"rate": 0.01, "beta1": 0.95, "beta2": 0.98, "weight_decay": 0.1}),
    ("nadam", nadam, {}),
    ("nadam", nadam, {"beta1": 0.8, "weight_decay": 1e-2}),
    ("lamb", lamb, {}),
    ("lamb", lamb, {"beta2": 0.99, "weight_decay": 0.0}),
]


# ---- the problem -------------------------------------------------------------------------------------------------------------------


def problem() -> tuple[list[Array], list[Array]]:
    """Starts and targets of three weights."""
    rng = np.random.default_rng(1)
    return [rng.normal(size=shape) for shape in SHAPES], [rng.normal(size=shape) for shape in SHAPES]


def gradient(w: Array, target: Array, t: int) -> Array:
    """Of a bowl with curvatures from 0.01 to 1 and ripples, which changes with the step."""
    curvature = 10.0 ** np.linspace(-2, 0, w.size).reshape(w.shape)
    return np.asarray((curvature * (w - target) + 0.1 * np.sin(3 * w)) * (1 + 0.5 * np.cos(t)))


def rate_at(optimizer: Call, t: int) -> float:
    """The rate falls in the middle, so that a rate inside a slot shows."""
    rate = float(optimizer.args["rate"])  # type: ignore[arg-type]
    return rate if t <= STEPS // 2 else rate / 4


class Ours:
    """One optimizer over a flat vector with the three weights, gaps between them."""

    def __init__(self, optimizer: Call, device: Device, dtype: str) -> None:
        self.optimizer, self.device, self.dtype = optimizer, device, dtype
        self.groups, at = [], 0
        starts, self.targets = problem()
        for index, start in enumerate(starts):
            self.groups.append(Group(f"w{index}", at, at + start.size, start.shape))
            at += -(-start.size // 16) * 16
        arrays = {name: device.xp.zeros(at, dtype) for name in ("w", "g")}
        self.update = Update(optimizer, None, self.groups, device, arrays, Workers(2) if device.threaded else None)
        self.put("w", starts)

    def put(self, name: str, values: list[Array]) -> None:
        for group, value in zip(self.groups, values, strict=True):
            self.update.arrays[name][group.start : group.stop] = self.device.xp.asarray(value.ravel().astype(self.dtype))

    def weights(self) -> list[Array]:
        found = self.device.to_host(self.update.arrays["w"])
        return [found[group.start : group.stop].reshape(group.shape) for group in self.groups]

    def step(self, t: int, gradients: list[Array]) -> None:
        self.put("g", gradients)
        self.update.run(rate_at(self.optimizer, t), t)


def ours(optimizer: Call, device: Device) -> list[Array]:
    """The weights after 50 steps, in float64."""
    run = Ours(optimizer, device, "float64")
    for t in range(1, STEPS + 1):
        run.step(t, [gradient(w, target, t) for w, target in zip(run.weights(), run.targets, strict=True)])
    return run.weights()


def pytorch(kind: str, optimizer: Call, more: dict[str, Any]) -> list[Array]:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: optimizers are compared with written-out formulas only")
    starts, targets = problem()
    weights = [torch.tensor(start, requires_grad=True) for start in starts]
    args = {key: value for key, value in optimizer.args.items() if key not in ("l1", "decoupled")}
    settings = torch_names(args) | more
    if kind == "Adadelta":
        settings["rho"] = settings.pop("alpha")
    theirs = getattr(torch.optim, kind)(weights, **settings)
    for t in range(1, STEPS + 1):
        theirs.param_groups[0]["lr"] = rate_at(optimizer, t)
        for weight, target in zip(weights, targets, strict=True):
            weight.grad = torch.tensor(gradient(weight.detach().numpy(), target, t))
        theirs.step()
    return [weight.detach().numpy() for weight in weights]


def written_out(formula: Formula, optimizer: Call) -> list[Array]:
    weights, targets = problem()
    slots: list[dict[str, Any]] = [{} for _ in weights]
    for t in range(1, STEPS + 1):
        rate, args = rate_at(optimizer, t), dict(optimizer.args)
        weights = [formula(args, w, gradient(w, target, t), rate, t, own) for w, target, own in zip(weights, targets, slots, strict=True)]
    return weights


def compare(optimizer: Call, wanted: list[Array], device: Device) -> None:
    for found, expected in zip(ours(optimizer, device), wanted, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "kind", "given", "more"), TORCH)
def test_equals_pytorch(name: str, kind: str, given: dict[str, Any], more: dict[str, Any], device: Device) -> None:
    optimizer = call(name, **given)
    compare(optimizer, pytorch(kind, optimizer, more), device)


@pytest.mark.parametrize(("name", "formula", "given"), WRITTEN)
def test_equals_its_formula(name: str, formula: Formula, given: dict[str, Any], device: Device) -> None:
    optimizer = call(name, **given)
    compare(optimizer, written_out(formula, optimizer), device)


@pytest.mark.parametrize(("name", "given"), [(row[0], row[2]) for row in (*TORCH, *WRITTEN)])
def test_float32_stays_within_its_rounding(name: str, given: dict[str, Any], device: Device) -> None:
    """Fed with the gradients of the float64 run: the error is a few units in the last place of the weights, and of their way."""
    optimizer = call(name, **given)
    exact, short = Ours(optimizer, device, "float64"), Ours(optimizer, device, "float32")
    way = [np.zeros(shape) for shape in SHAPES]
    for t in range(1, STEPS + 1):
        before = exact.weights()
        gradients = [gradient(w, target, t).astype(np.float32) for w, target in zip(before, exact.targets, strict=True)]
        exact.step(t, gradients)
        short.step(t, gradients)
        way = [far + np.abs(after - w) for far, after, w in zip(way, exact.weights(), before, strict=True)]
    for found, wanted, far in zip(short.weights(), exact.weights(), way, strict=True):
        unit = 2.0**-24
        bound = unit * (STEPS * np.maximum(np.abs(wanted), 1.0) + 16 * far)
        assert (np.abs(found - wanted) <= bound).all(), float((np.abs(found - wanted) / bound).max())


def test_every_optimizer_is_compared() -> None:
    assert {row[0] for row in (*TORCH, *WRITTEN)} == set(OPTIMIZERS) == set(WORDS)
