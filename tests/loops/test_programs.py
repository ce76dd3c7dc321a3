"""Whole training steps as native code against the NumPy executor: values, gradients, threads, sizes, repetition, wrong data."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import dslc
from dslc.diagnostics import DataError
from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.passes.pipeline import optimize
from runtime.device import get_device
from runtime.executor import Executor
from runtime.kernels.native import machine
from runtime.kernels.native.machine import host
from runtime.kernels.native.program import make_program
from runtime.native import NativeExecutor
from runtime.onestep import graphs_of
from runtime.workers import Workers
from tests.loops.networks import SHAPES, network_graph


@cache
def step_graph(name: str, precision: Literal["f32", "f64"] = "f32") -> Graph:
    """Forward and backward of a shipped spec's training."""
    training = next(iter(dslc.load(name, precision=precision).program.trainings.values()))
    return graphs_of(training.steps[0])[1]


def subject(name: str) -> Graph:
    """That of a shipped spec, or of a network of the tests."""
    return network_graph(name) if name in SHAPES else step_graph(name)


def evaluation_graph(name: str) -> Graph:
    return optimize(next(iter(dslc.load(name).program.trainings.values())).evaluate)


def values(graph: Graph, batch: int, labels: int = 10) -> dict[str, Any]:
    """An array for every input, by name."""
    rng = np.random.default_rng(3)
    found: dict[str, Any] = {}
    for item in graph.inputs:
        type = graph.types[item.id]
        shape = type.sizes(dict.fromkeys(graph.dims, batch))
        dtype = np.dtype(type.dtype.numpy)
        if item.kind == "key":
            found[item.name] = np.array([1, 2, 3], np.int64)
        elif dtype.kind == "f":
            found[item.name] = (rng.standard_normal(shape) * (0.1 if item.kind == "weight" else 1)).astype(dtype)
        else:
            found[item.name] = rng.integers(0, labels, shape).astype(dtype)
    return found


def executor(kind: type, graph: Graph, given: dict[str, Any], batch: int, threads: int) -> Any:
    kept = {item.name: given[item.name] for item in graph.inputs if item.kind in ("weight", "state")}
    contiguous = [output.name for output in graph.outputs if output.name.startswith("grad:")]
    return kind(
        graph,
        get_device("numpy"),
        dict.fromkeys(graph.dims, batch),
        contiguous=contiguous,
        storage=kept,
        workers=Workers(threads) if threads > 1 else None,
    )


def run(made: Any, graph: Graph, given: dict[str, Any]) -> dict[str, np.ndarray]:
    fed = {item.name: given[item.name] for item in graph.inputs if item.kind not in ("weight", "state")}
    return {name: np.array(array) for name, array in made.run(fed).items()}


def compare(name: str, given: dict[str, Any], found: dict[str, np.ndarray], numpy: dict[str, np.ndarray]) -> None:
    """As near to the step in double precision as the NumPy executor is."""
    graph = step_graph(name, "f64")
    exact = interpret(graph, np, {key: array.astype(np.float64) if array.dtype.kind == "f" else array for key, array in given.items()})
    assert found.keys() == numpy.keys() == exact.keys()
    for key, array in exact.items():
        scale = float(np.abs(array).max(initial=0))
        apart = float(np.abs(numpy[key] - array).max(initial=0))
        np.testing.assert_allclose(found[key], array, rtol=0, atol=4 * apart + 4e-6 * scale, err_msg=key)


ROOT = Path(__file__).parents[2]
SPECS = ("xor", "softmax", "regression", "multitask", "lenet", "vae")


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_step_is_the_step_of_numpy(name: str, threads: int) -> None:
    """For the planned size, for smaller ones over the same memory, and for one sample (fewer than threads)."""
    graph = step_graph(name)
    native = executor(NativeExecutor, graph, values(graph, 6), 6, threads)
    for batch in (6, 4, 1):
        given = values(graph, batch) | native.storage
        compare(name, given, run(native, graph, given), run(executor(Executor, graph, given, batch, 1), graph, given))


@pytest.mark.parametrize("name", SPECS)
def test_fewer_samples_than_threads(name: str) -> None:
    """Every nest is cut along an axis of its own."""
    graph = step_graph(name)
    native = executor(NativeExecutor, graph, values(graph, 2), 2, 3)
    for batch in (2, 1):
        given = values(graph, batch) | native.storage
        compare(name, given, run(native, graph, given), run(executor(Executor, graph, given, batch, 1), graph, given))


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("name", ["lenet", "joins"])
def test_the_same_bits_every_time(name: str, threads: int) -> None:
    graph = subject(name)
    given = values(graph, 7, labels=5)
    native = executor(NativeExecutor, graph, given, 7, threads)
    found = set()
    for _ in range(20):
        native.arena[native.program.memory.pinned :] = 0xFF  # nothing is left from the step before
        results = run(native, graph, given)
        found.add(hashlib.sha256(b"".join(array.tobytes() for array in results.values())).hexdigest())
    assert len(found) == 1


@pytest.mark.parametrize("batch", [64, 4096])
def test_threads_sum_for_themselves_what_is_smaller_than_its_samples(batch: int) -> None:
    """The gradient of a kernel; that of a large matrix is cut along the matrix, unless there are very many samples."""
    program = make_program(step_graph("lenet"), {"batch": batch}, host(), 2)
    apart = [job.nest.name for band in program.bands for job in band.jobs if job.sums]
    assert sum("conv_grad_w" in name for name in apart) == 2
    assert sum("matmul" in name for name in apart) == (1 if batch == 64 else 2)


def test_a_label_that_is_no_class() -> None:
    graph = step_graph("softmax")
    given = values(graph, 3)
    native = executor(NativeExecutor, graph, given, 3, 1)
    label = next(item.name for item in graph.inputs if item.kind == "data" and graph.types[item.id].rank == 1)
    given[label] = np.array([1, 77, 2], given[label].dtype)
    with pytest.raises(DataError, match="a label is 77, and there are 10 classes"):
        run(native, graph, given)


def test_gradients_stand_one_after_the_other() -> None:
    graph = step_graph("softmax")
    given = values(graph, 3)
    native, numpy = (executor(kind, graph, given, 3, 1) for kind in (NativeExecutor, Executor))
    for made in (native, numpy):
        made.gradients[...] = 0
        run(made, graph, given)
    assert len(native.gradients) == len(numpy.gradients)
    np.testing.assert_allclose(native.gradients.view("f4"), numpy.gradients.view("f4"), atol=1e-6)


def test_programs_share_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The evaluation of a network compiles only what its training has not; other sizes of the batch and a second start compile nothing."""
    monkeypatch.setenv("DSLC_CACHE", str(tmp_path))
    texts: list[str] = []
    compile_object = machine.compile_object
    monkeypatch.setattr(machine, "compile_object", lambda text, goal: texts.append(text) or compile_object(text, goal))
    graph, evaluation = step_graph("lenet"), evaluation_graph("lenet")

    def compiled(graph: Graph, batch: int) -> tuple[int, list[str]]:
        texts.clear()
        made = executor(NativeExecutor, graph, values(graph, batch), batch, 1)
        return len(made.program.modules), list(texts)

    count, first = compiled(graph, 6)
    assert len(first) == len(set(first)) == count > 20
    count, second = compiled(evaluation, 6)
    assert len(second) < count / 2 and not set(first) & set(second)
    assert [text for text in compiled(graph, 5)[1] if "@turn0" not in text] == []
    assert compiled(graph, 6)[1] == compiled(evaluation, 6)[1] == []


@pytest.mark.parametrize("name", ["lenet", "vae"])
def test_the_same_code_in_every_process(name: str) -> None:
    """Nothing hangs on the order of a set: else a second start would compile anew, and add in another order."""
    code = (
        "import hashlib, sys, tests.loops.test_programs as t\n"
        "from runtime.kernels.native.machine import host\n"
        "from runtime.kernels.native.program import make_program\n"
        "graph = t.step_graph(sys.argv[1])\n"
        "text = chr(0).join(make_program(graph, dict.fromkeys(graph.dims, 6), host(), 2).modules)\n"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    found = set()
    for seed in ("1", "2", "3"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, env=environment, cwd=ROOT, timeout=120)
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1
