"""`Update`: groups, clipping, constraints, accumulation and the average, each against plain NumPy over several weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dslc.ops.infer import literal
from dslc.program import Call
from runtime.device import Device, get_device
from runtime.train.optimizers import OPTIMIZERS
from runtime.update import BLOCK, Group, Update, gradient_norm, newest_share
from runtime.workers import Workers

Array = np.ndarray[Any, Any]
SHAPES: tuple[tuple[int, ...], ...] = ((6, 5), (5,), (4, 3, 2, 2), (), (BLOCK + 40, 2), (7,))
UNIT = 16  # elements of f32 in 64 bytes
SGD = Call(name="sgd", args={"rate": 0.1, "momentum": 0.0, "weight_decay": 0.0})


def layout(**changes: dict[int, Any]) -> list[Group]:
    """Every weight on a 64-byte boundary; changes: by setting, the value at each index."""
    groups, at = [], 0
    for index, shape in enumerate(SHAPES):
        size = int(np.prod(shape, dtype=int))
        own = {name: values[index] for name, values in changes.items() if index in values}
        groups.append(Group(f"Net.w{index}", at, at + size, shape, **own))
        at += -(-size // UNIT) * UNIT
    return groups


def make(
    optimizer: Call = SGD,
    clip: Call | None = None,
    groups: list[Group] | None = None,
    device: Device | None = None,
    threads: int = 2,
    dtype: str = "float32",
    ema: float | None = None,
) -> Update:
    """An update with random weights and gradients, zeros between the weights."""
    device = device or get_device("numpy")
    rng = np.random.default_rng(3)
    places = layout()
    w, g = np.zeros((2, -(-places[-1].stop // UNIT) * UNIT), dtype)
    for group in places:
        w[group.start : group.stop], g[group.start : group.stop] = rng.normal(size=(2, group.stop - group.start))
    arrays = {"w": device.xp.asarray(w), "g": device.xp.asarray(g)}
    workers = Workers(threads) if device.threaded else None
    return Update(optimizer, clip, layout() if groups is None else groups, device, arrays, workers, ema=ema)


def host(update: Update, name: str = "w") -> Array:
    return np.asarray(update.device.to_host(update.arrays[name]))


def parts(vector: Array) -> list[Array]:
    return [vector[group.start : group.stop].reshape(group.shape) for group in layout()]


def test_rates_and_decays_of_groups(device: Device) -> None:
    groups = layout(rate={0: 0.5, 1: 0.5, 4: 0.0}, weight_decay={1: 0.1, 5: 0.0})
    update = make(Call(name="sgd", args={**SGD.args, "weight_decay": 0.01}), groups=groups, device=device)
    before, g = parts(host(update)), parts(host(update, "g"))
    update.run(0.2, 1)
    for index, after in enumerate(parts(host(update))):
        decay = {1: 0.1, 5: 0.0}.get(index, 0.01)
        rate = 0.2 * {0: 0.5, 1: 0.5, 4: 0.0}.get(index, 1.0)
        np.testing.assert_allclose(after, before[index] - rate * (g[index] + decay * before[index]), rtol=2e-6, atol=1e-6)


def test_equal_neighbours_are_one_range() -> None:
    assert [(piece.start, piece.stop) for piece in make().pieces] == [(0, layout()[-1].stop)]
    assert len(make(groups=layout(rate={2: 0.5})).pieces) == 3
    assert len(make(groups=[group for index, group in enumerate(layout()) if index != 1]).pieces) == 2


def test_weights_in_no_group_never_move(device: Device) -> None:
    groups = [group for index, group in enumerate(layout()) if index not in (1, 4)]
    update = make(Call(name="sgd", args={"rate": 0.1, "momentum": 0.9, "weight_decay": 0.5}), groups=groups, device=device, ema=0.9)
    before = parts(host(update))
    for t in (1, 2):
        update.run(0.1, t)
    for vector in (host(update), host(update, "average")):
        moved = [not np.array_equal(a, b) for a, b in zip(before, parts(vector), strict=True)]
        assert moved == [True, False, True, True, False, True]


@pytest.mark.parametrize("name", ["value", "each", "norm"])
def test_clip(name: str, device: Device) -> None:
    update = make(clip=Call(name=name, args={"limit": 1.5}), device=device)
    before, g = host(update), host(update, "g").astype(np.float64)
    wanted = {
        "value": [np.clip(part, -1.5, 1.5) for part in parts(g)],
        "each": [part * min(1.0, 1.5 / np.linalg.norm(part)) for part in parts(g)],
        "norm": [part * 1.5 / np.linalg.norm(g) for part in parts(g)],
    }[name]
    update.run(0.1, 1)
    for found, part in zip(parts(host(update, "g")), wanted, strict=True):
        np.testing.assert_allclose(found, part, rtol=2e-6, atol=1e-7)
    np.testing.assert_allclose(host(update), before - np.float32(0.1) * host(update, "g"), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["value", "each", "norm"])
def test_clip_leaves_small_gradients_as_they_are(name: str) -> None:
    update = make(clip=Call(name=name, args={"limit": 1e6}))
    g = host(update, "g")
    update.run(0.1, 1)
    assert host(update, "g").tobytes() == g.tobytes()


def test_the_norm_of_the_whole_step_may_be_given() -> None:
    update = make(clip=Call(name="norm", args={"limit": 1.0}))
    g = host(update, "g")
    update.run(0.1, 1, norm=4.0)
    np.testing.assert_array_equal(host(update, "g"), g * np.float32(0.25))


def test_norm_of_gradients_whose_squares_overflow() -> None:
    update = make()
    update.arrays["g"][...] = 0
    update.arrays["g"][:4] = 1e30
    assert gradient_norm([update]) == pytest.approx(2e30, rel=1e-6)
    assert gradient_norm([update, update]) == pytest.approx(2e30 * np.sqrt(2), rel=1e-6)


def norms(part: Array) -> Array:
    """Of each unit, shaped to broadcast: columns of matrices, first axis of kernels, whole vectors."""
    axes = {0: (), 1: (0,), 2: (0,)}.get(part.ndim, tuple(range(1, part.ndim)))
    return np.asarray(np.sqrt((part**2).sum(axis=axes, keepdims=True)))


@pytest.mark.parametrize("name", ["max_norm", "unit_norm", "non_negative"])
def test_constraints_after_the_update(name: str, device: Device) -> None:
    call = Call(name=name, args={"limit": 0.8} if name == "max_norm" else {})
    update = make(groups=layout(constraint=dict.fromkeys(range(5), call)), device=device)
    before, g = host(update).astype(np.float64), host(update, "g")
    update.run(0.1, 1)
    for index, (found, raw) in enumerate(zip(parts(host(update)), parts(before - 0.1 * g), strict=True)):
        wanted = {
            "max_norm": raw * np.minimum(1, 0.8 / norms(raw)),
            "unit_norm": raw / norms(raw),
            "non_negative": np.maximum(raw, 0),
        }[name]
        np.testing.assert_allclose(found, raw if index == 5 else wanted, rtol=2e-6, atol=2e-6)


def test_unit_norm_of_zeros_is_zeros() -> None:
    update = make(groups=layout(constraint={0: Call(name="unit_norm", args={})}))
    update.arrays["w"][:30], update.arrays["g"][:30] = 0, 0
    update.run(0.1, 1)
    assert (host(update)[:30] == 0).all()


def test_accumulation_is_the_gradient_of_all_micro_batches() -> None:
    update = make()
    sources = [np.random.default_rng(k).normal(size=update.arrays["g"].shape).astype(np.float32) for k in range(3)]
    for k, source in enumerate(sources):
        update.accumulate_into(source, first=k == 0, scale=1 / 4)
    np.testing.assert_allclose(host(update, "g"), sum(sources) / 4, rtol=1e-5, atol=1e-6)


def test_average_is_the_normalised_sum(device: Device) -> None:
    update = make(device=device, dtype="float64", ema=0.9)
    history = []
    for t in range(1, 8):
        update.run(0.1, t)
        history.append(host(update))
        shares = 0.9 ** np.arange(t - 1, -1, -1)
        wanted = sum(share * w for share, w in zip(shares, history, strict=True)) / shares.sum()
        np.testing.assert_allclose(host(update, "average"), wanted, rtol=1e-13, atol=1e-14)
    now, average = host(update), host(update, "average")
    with update.averaged(7):
        np.testing.assert_array_equal(host(update), average)
    np.testing.assert_array_equal(host(update), now)
    with update.averaged(0):
        np.testing.assert_array_equal(host(update), now)


def test_the_newest_share_is_exact_for_decays_near_one() -> None:
    assert newest_share(0.999999, 2) == pytest.approx(1 / 1.999999, rel=1e-9)
    assert newest_share(0.5, 1) == 1.0 and newest_share(0.0, 5) == 1.0
    assert newest_share(0.9, 10_000) == pytest.approx(0.1)


@pytest.mark.parametrize("clip", [None, Call(name="each", args={"limit": 1.0})], ids=["none", "each"])
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_threads_change_no_bit(optimizer: str, clip: Call | None) -> None:
    from dslc.vocabulary import OPTIMIZERS as WORDS

    defaults = {parm.name.id: literal(parm.default) for parm in WORDS[optimizer].signature.parms if parm.default is not None}
    call = Call(name=optimizer, args={**defaults, "rate": 0.1, "weight_decay": 0.01})
    found = set()
    for threads in (1, 2, 3):
        update = make(call, clip, layout(rate={0: 2.0}, constraint={4: Call(name="max_norm", args={"limit": 1.0})}), threads=threads)
        for t in (1, 2, 3):
            update.run(0.1, t)
        found.add(host(update).tobytes())
        assert np.isfinite(host(update)).all() and not host(update)[31:32].any()
    assert len(found) == 1


def test_gradients_may_move_elsewhere() -> None:
    update, other = make(), make()
    update.rebind("g", other.arrays["g"] * 2)
    before = host(update)
    update.run(0.1, 1)
    np.testing.assert_allclose(host(update), before - 0.2 * host(other, "g"), rtol=1e-6, atol=1e-6)


def test_nothing_to_train() -> None:
    update = make(groups=[])
    before = host(update).tobytes()
    update.run(0.1, 1)
    assert host(update).tobytes() == before
