"""Plans on devices: random graphs forward and gradient, sizes, bits, threads, and the CUDA device's own code on a stand-in for CuPy."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dslc.diagnostics import DataError, DslcError, SpecError
from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import tensor
from dslc.ops.value import Builder, F
from dslc.passes.differentiate import differentiate
from dslc.passes.pipeline import optimize
from runtime import device as devices
from runtime.device import CudaDevice, Device, NumpyDevice, available_devices, get_device
from runtime.executor import Executor
from runtime.workers import Workers
from tests.passes.random_graphs import Subject, subjects

few = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def same(found: Mapping[str, Any], wanted: Mapping[str, Any], device: Device) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        here = device.to_host(found[name])
        assert here.dtype == value.dtype and here.shape == value.shape, name
        np.testing.assert_allclose(here, value, rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("name", available_devices())
@few
@given(subject=subjects(), threads=st.integers(1, 3))
def test_plan_equals_interpreter_forward_and_gradient(name: str, subject: Subject, threads: int) -> None:
    graph = differentiate(subject.graph, "loss", subject.weights)
    wanted = interpret(graph, np, subject.arrays)
    device = get_device(name)
    contiguous = tuple(f"grad:{weight}" for weight in subject.weights)
    executor = Executor(optimize(graph), device, subject.dims, contiguous=contiguous, workers=Workers(threads))
    for _ in range(2):
        same(executor.run(subject.arrays), wanted, device)


class InOneThread(Workers):
    """Runs the lists of a section one after the other, in order or backwards."""

    def __init__(self, count: int, backwards: bool) -> None:
        self.count, self.backwards, self.lanes, self.places = count, backwards, [], []

    def run(self, parts: Sequence[Sequence[Callable[[], object]]]) -> None:
        for part in parts[::-1] if self.backwards else parts:
            for step in part:
                step()


@few
@given(subject=subjects(), threads=st.integers(2, 3), backwards=st.booleans())
def test_no_order_of_the_threads_and_no_old_content_of_memory_matters(subject: Subject, threads: int, backwards: bool) -> None:
    graph = differentiate(subject.graph, "loss", subject.weights)
    executor = Executor(optimize(graph), NumpyDevice(), subject.dims, workers=InOneThread(threads, backwards))
    executor.arena[...] = 255
    same(executor.run(subject.arrays), interpret(graph, np, subject.arrays), executor.device)


def chain() -> Graph:
    """Convolutions, pools, norms and elementwise chains with a batch axis."""
    b = Builder("chain")
    x = b.input("input", "x", tensor("f64", "batch", 3, 12, 12))
    weights = [b.input("weight", name, tensor("f64", *shape)) for name, shape in (("w", (8, 3, 3, 3)), ("v", (8, 8, 3, 3)), ("s", (8,)))]
    w, v, s = weights
    h = F.max_pool(F.relu(F.conv(x, w, pad=1)), kernel=2)
    h = F.conv(h, v, pad=1, stride=2)
    m, variance = b.many("channel_moments", (h,))
    h = F.sigmoid(F.channel_affine(h, s / F.sqrt(variance + 1e-5), -m)) * F.tanh(h)
    b.output("h", F.avg_pool(h, kernel=3))
    b.output("loss", F.mean(h * h))
    b.update("mean", m)
    return optimize(differentiate(b.build(), "loss", ("w", "v", "s")))


def arrays(batch: int) -> dict[str, Any]:
    rng = np.random.default_rng(batch)
    shapes = {"x": (batch, 3, 12, 12), "w": (8, 3, 3, 3), "v": (8, 8, 3, 3), "s": (8,)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_smaller_sizes_run_in_the_same_plan(threads: int, device: Device) -> None:
    executor = Executor(chain(), device, {"batch": 37}, workers=Workers(threads))
    for batch in (37, 5, 1, 36, 37):
        given_arrays = arrays(batch)
        same(executor.run(given_arrays), interpret(chain(), np, given_arrays), device)
    assert len(executor.bound) == 4


def test_gradients_lie_one_after_the_other(device: Device) -> None:
    executor = Executor(chain(), device, {"batch": 4}, contiguous=("grad:s", "grad:w"))
    found = executor.run(arrays(4))
    flat = executor.gradients.view("float64")
    np.testing.assert_array_equal(device.to_host(flat[:8]), device.to_host(found["grad:s"]))
    np.testing.assert_array_equal(device.to_host(flat[8 : 8 + 216]), device.to_host(found["grad:w"]).reshape(-1))


def test_storage_is_read_where_it_lies(device: Device) -> None:
    given_arrays = arrays(2)
    storage = {name: device.xp.asarray(given_arrays[name]) for name in ("w", "v", "s")}
    executor = Executor(chain(), device, {"batch": 2}, storage=storage)
    executor.run({"x": given_arrays["x"]})
    storage["s"][...] = 0.5
    changed = {**given_arrays, "s": np.full(8, 0.5)}
    same(executor.run({"x": given_arrays["x"]}), interpret(chain(), np, changed), device)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": np.zeros((2, 3, 12, 11))}, "axis 3 is 11, not 12"),
        ({"x": np.zeros((2, 3, 12, 12), np.float32)}, "float32"),
        ({"x": np.zeros((0, 3, 12, 12))}, "axis 0 is empty"),
        ({"s": None}, "no array is given"),
    ],
)
def test_arrays_that_do_not_fit(change: dict[str, Any], words: str) -> None:
    given_arrays = {name: array for name, array in (arrays(2) | change).items() if array is not None}
    with pytest.raises(DataError, match=words):
        Executor(chain(), NumpyDevice(), {"batch": 2}).run(given_arrays)


def test_a_larger_size_than_planned_is_an_internal_error() -> None:
    with pytest.raises(DslcError, match="larger than the plan"):
        Executor(chain(), NumpyDevice(), {"batch": 2}).run(arrays(3))


def test_an_error_on_a_worker_is_raised_here() -> None:
    def fail() -> None:
        raise ValueError("on a worker")

    workers = Workers(2)
    with pytest.raises(ValueError, match="on a worker"):
        workers.run([[], [fail]])
    seen: list[int] = []
    workers.run([[lambda: seen.append(0)], [lambda: seen.append(1)]])
    assert sorted(seen) == [0, 1]


# ---- the CUDA device without a GPU ------------------------------------------------------------------------------------------------


class Namespace(types.ModuleType):
    """NumPy under the name of CuPy, with the few things that NumPy does not have."""

    def __init__(self) -> None:
        super().__init__("cupy")
        self.waited = 0
        stream = types.SimpleNamespace(synchronize=self.wait)
        runtime = types.SimpleNamespace(getDeviceCount=lambda: 1, CUDARuntimeError=RuntimeError)
        self.cuda = types.SimpleNamespace(get_current_stream=lambda: stream, runtime=runtime)
        self.asnumpy = np.array

    def wait(self) -> None:
        self.waited += 1

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def test_the_cuda_device_runs_the_same_plan_through_the_rows() -> None:
    device = CudaDevice(Namespace())
    executor = Executor(chain(), device, {"batch": 4}, workers=Workers(2))
    for batch in (4, 3):
        with np.errstate(all="ignore"):
            same(executor.run(arrays(batch)), interpret(chain(), np, arrays(batch)), device)
    device.synchronize()
    assert device.xp.waited == 1


def test_a_training_step_on_the_cuda_device(monkeypatch: pytest.MonkeyPatch) -> None:
    from runtime.step import compile_step
    from tests.runtime.networks import batch_of, program_of

    monkeypatch.setattr(devices, "load_cupy", Namespace)
    assert available_devices() == ("numpy", "cuda")
    there, here = (compile_step(program_of("lenet"), device=name, batch_size=4, threads=1) for name in ("auto", "numpy"))
    assert there.device.name == "cuda"
    for number in range(2):
        fields = batch_of("lenet", 4, number)
        assert there.train(**fields) == pytest.approx(here.train(**fields), rel=1e-4)
    assert there.evaluate([fields])["loss"] == pytest.approx(here.evaluate([fields])["loss"], rel=1e-3)


def test_what_to_install_is_said_where_cupy_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SpecError) as caught:
        get_device("cuda")
    assert caught.value.diagnostics[0].help == '`pip install "dslc[cuda12]"`'
    assert get_device("auto").name == "numpy"


def test_a_machine_without_a_gpu_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = Namespace()
    cupy.cuda.runtime.getDeviceCount = lambda: 0
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("importlib.import_module", lambda name: cupy)
    with pytest.raises(SpecError, match="no GPU is visible"):
        get_device("cuda")


def test_an_unknown_device() -> None:
    with pytest.raises(SpecError, match="there is no device `tpu`"):
        get_device("tpu")
