"""Compile-replay: the IR and the plan of three small specs as golden text, of the others a digest; a refactoring shows an empty diff."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from shutil import copy

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.text import from_text, to_text
from dslc.ir.verify import verify
from dslc.loading import load_program, specs_folder
from dslc.ops.philox import stream_of, uniform
from dslc.passes.accumulate import accumulate
from dslc.passes.differentiate import differentiate
from dslc.passes.pipeline import optimize
from dslc.plan import Plan, make_plan
from dslc.plan_check import check_plan
from dslc.program import Program
from tests.conftest import Golden

FOLDER = Path(__file__).parent / "specs"
SMALL = ("gates", "softmax", "xor")
OTHERS = ("mlp", "lenet", "vgg8", "resnet20")
BATCH = 32

Compiled = tuple[str, Graph, Plan]


@cache
def program(name: str) -> Program:
    return load_program(name)[0]


@cache
def compiled(name: str) -> tuple[Compiled, ...]:
    """(title, optimised graph, plan): the networks in evaluation, and each step of a training with its gradients."""
    found: list[Compiled] = []

    def add(title: str, graph: Graph, contiguous: tuple[str, ...] = ()) -> None:
        verify(graph)
        result = optimize(graph, after=lambda name, graph: verify(graph))
        plan = make_plan(result, dict.fromkeys(result.dims, BATCH), contiguous=contiguous)
        check_plan(plan)
        found.append((title, result, plan))

    for network in program(name).networks.values():
        add(f"network {network.name}", network.evaluate)
    for training in program(name).trainings.values():
        for step in training.steps:
            graph = differentiate(step.graph, "loss", step.trains)
            add(f"{training.name} {step.name}", graph, tuple(f"grad:{address}" for address in step.trains))
    return tuple(found)


@pytest.mark.parametrize("name", SMALL)
def test_small_specs_compile_to_this_text(name: str, golden: Golden) -> None:
    golden(FOLDER / f"{name}.ir", "\n".join(f"# {title}\n{to_text(graph)}" for title, graph, _ in compiled(name)))
    golden(FOLDER / f"{name}.plan", "\n".join(f"# {title}\n{plan.to_text()}" for title, _, plan in compiled(name)))


def digest(name: str) -> str:
    lines = []
    for title, graph, plan in compiled(name):
        counts = ", ".join(f"{op} {count}" for op, count in sorted(Counter(node.op for node in graph.nodes).items()))
        weights = sum(graph.types[item.id].elements.constant for item in graph.inputs if item.kind == "weight")
        lines.append(f"{name}: {title}: {weights:,} parameters; peak {plan.peak.bytes:,} and arena {plan.arena_bytes:,} bytes")
        lines.append(f"  {len(graph.nodes)} nodes, {len(plan.steps)} steps: {counts}")
    return "\n".join(lines)


def test_other_specs_have_this_digest(golden: Golden) -> None:
    golden(FOLDER / "digests", "".join(f"{digest(name)}\n" for name in OTHERS))


@pytest.mark.parametrize("name", (*SMALL, *OTHERS))
def test_compiled_specs_print_and_parse(name: str) -> None:
    for _, graph, _ in compiled(name):
        assert from_text(to_text(graph)) == graph


TARGETS = sorted(path for path in (FOLDER.parents[1] / "targets").glob("*.nn"))


@pytest.mark.parametrize("path", TARGETS, ids=lambda path: path.stem)
def test_target_specs_pass_through_the_passes(path: Path, tmp_path: Path) -> None:
    """Operators that stand by their signature only, and bodies, are kept as they are. One imports the shipped LeNet from beside it."""
    for source in (path, specs_folder() / "lenet.nn"):
        copy(source, tmp_path)
    found = load_program(tmp_path / path.name)[0]
    graphs = [graph for network in found.networks.values() for graph in (network.evaluate, network.train)]
    for training in found.trainings.values():
        graphs += [training.evaluate, training.predict, *(step.graph for step in training.steps)]
        parts = accumulate(training.evaluate)
        graphs += [parts.batch, parts.final]
    for graph in graphs:
        verify(graph)
        assert from_text(to_text(graph)) == graph
        optimize(graph, after=lambda name, graph: verify(graph))


@pytest.mark.parametrize("name", (*SMALL, *OTHERS))
def test_the_arena_is_little_larger_than_what_is_live(name: str) -> None:
    for _, _, plan in compiled(name):
        assert plan.arena_bytes <= 1.1 * plan.peak.bytes + 64


@pytest.mark.parametrize("name", (*SMALL, *OTHERS))
def test_metrics_over_batches_are_those_over_the_whole(name: str) -> None:
    """The evaluation graph of every training, in three uneven batches against one."""
    for training in program(name).trainings.values():
        graph = training.evaluate
        arrays = {item.name: values(graph, item.id, item.name, 7) for item in graph.inputs}
        by_batch = {item.name for item in graph.inputs if item.kind == "data" and "batch" in graph.types[item.id].names}
        parts = accumulate(graph)
        joined: dict[str, np.ndarray] = {}
        for start, stop in ((0, 3), (3, 4), (4, 7)):
            batch = {key: array[start:stop] if key in by_batch else array for key, array in arrays.items()}
            for key, value in interpret(parts.batch, np, batch).items():
                assert parts.combine[key] == "sum"
                joined[key] = joined[key] + value if key in joined else value
        wanted = interpret(graph, np, arrays)
        for key, value in interpret(parts.final, np, joined).items():
            np.testing.assert_allclose(value, wanted[key], rtol=1e-5, atol=1e-6)


def values(graph: Graph, id: int, name: str, batch: int) -> np.ndarray:
    """Numbers between -0.1 and 0.1; for integers 0 … 9."""
    type = graph.types[id]
    draw = np.asarray(uniform(np, np.array([5, 0, 0], np.int64), stream_of(name), type.sizes({"batch": batch}), np.dtype("float64")))
    return (0.2 * draw - 0.1 if type.dtype.is_float else np.floor(10 * draw)).astype(type.dtype.numpy)
