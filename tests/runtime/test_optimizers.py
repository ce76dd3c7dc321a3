"""Optimizers against their formulas written out, and against PyTorch over 50 steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dslc.ir.types import DType
from runtime.device import Device
from runtime.train.optimizers import OPTIMIZERS, update_graph
from runtime.update import BLOCK, FlatUpdate
from runtime.workers import Workers

Array = np.ndarray[Any, Any]
SETTINGS: list[tuple[str, dict[str, float]]] = [
    ("sgd", {"momentum": 0.0, "weight_decay": 0.0}),
    ("sgd", {"momentum": 0.9, "weight_decay": 0.0}),
    ("sgd", {"momentum": 0.9, "weight_decay": 5e-4}),
    ("adam", {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}),
    ("adam", {"beta1": 0.8, "beta2": 0.99, "eps": 1e-3, "weight_decay": 1e-2}),
]
LENGTH = 2 * BLOCK + 48  # two whole blocks and a short one


def make(name: str, args: dict[str, float], dtype: DType, device: Device, length: int, threads: int = 1) -> FlatUpdate:
    graph = update_graph(name, {"rate": 0.1, **args}, length, dtype)
    arrays = {item.name: device.xp.zeros(length, dtype.numpy) for item in graph.inputs if item.name not in ("rate", "t")}
    return FlatUpdate(graph, device, arrays, Workers(threads) if device.threaded else None)


def written_out(name: str, args: dict[str, float]) -> Callable[[Array, Array, float, int], Array]:
    """The formulas in float64, with their own slots."""
    slots: dict[str, Any] = {"v": 0.0, "m": 0.0}

    def sgd(w: Array, g: Array, rate: float, t: int) -> Array:
        slots["v"] = args["momentum"] * slots["v"] + g + args["weight_decay"] * w
        return w - rate * slots["v"]

    def adam(w: Array, g: Array, rate: float, t: int) -> Array:
        g = g + args["weight_decay"] * w
        slots["m"] = args["beta1"] * slots["m"] + (1 - args["beta1"]) * g
        slots["v"] = args["beta2"] * slots["v"] + (1 - args["beta2"]) * g * g
        m, v = slots["m"] / (1 - args["beta1"] ** t), slots["v"] / (1 - args["beta2"] ** t)
        return w - rate * m / (np.sqrt(v) + args["eps"])

    return {"sgd": sgd, "adam": adam}[name]


@pytest.mark.parametrize(("dtype", "tolerance"), [(DType.f32, 2e-5), (DType.f64, 1e-12)])
@pytest.mark.parametrize(("name", "args"), SETTINGS)
def test_update_equals_its_formula(name: str, args: dict[str, float], dtype: DType, tolerance: float, device: Device) -> None:
    rng = np.random.default_rng(0)
    update, formula = make(name, args, dtype, device, LENGTH, 2), written_out(name, args)
    w = rng.normal(size=LENGTH)
    update.arrays["w"][...] = device.xp.asarray(w)
    for t in range(1, 6):
        g, rate, factor = rng.normal(size=LENGTH), 0.1 / t, 0.5 if t == 3 else 1.0
        update.arrays["g"][...] = device.xp.asarray(g)
        update.run(rate, factor, t)
        w = formula(w, g * factor, rate, t)
    np.testing.assert_allclose(device.to_host(update.arrays["w"]), w, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "args"), SETTINGS)
def test_update_equals_pytorch_over_50_steps(name: str, args: dict[str, float], device: Device) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: optimizers are compared with their formulas only")
    rng = np.random.default_rng(1)
    update = make(name, args, DType.f64, device, 64)
    start = rng.normal(size=64)
    update.arrays["w"][...] = device.xp.asarray(start)
    weight = torch.tensor(start, requires_grad=True)
    if name == "sgd":
        theirs = torch.optim.SGD([weight], lr=0.05, momentum=args["momentum"], weight_decay=args["weight_decay"])
    else:
        betas = (args["beta1"], args["beta2"])
        theirs = torch.optim.Adam([weight], lr=0.05, betas=betas, eps=args["eps"], weight_decay=args["weight_decay"])
    for t in range(1, 51):
        w = device.to_host(update.arrays["w"])
        update.arrays["g"][...] = device.xp.asarray(np.sin(3 * w) + w)
        update.run(0.05, 1.0, t)
        weight.grad = torch.sin(3 * weight.detach()) + weight.detach()
        theirs.step()
    np.testing.assert_allclose(device.to_host(update.arrays["w"]), weight.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_threads_change_no_bit() -> None:
    from runtime.device import get_device

    rng = np.random.default_rng(2)
    w, g = rng.normal(size=(2, 5 * BLOCK)).astype(np.float32)
    found = []
    for threads in (1, 2, 3):
        update = make("adam", SETTINGS[3][1], DType.f32, get_device("numpy"), 5 * BLOCK, threads)
        update.arrays["w"][...], update.arrays["g"][...] = w, g
        update.run(0.1, 1.0, 1)
        update.run(0.1, 1.0, 2)
        found.append(update.arrays["w"].tobytes())
    assert len(set(found)) == 1


def test_every_optimizer_is_compared() -> None:
    assert {name for name, _ in SETTINGS} == set(OPTIMIZERS)
