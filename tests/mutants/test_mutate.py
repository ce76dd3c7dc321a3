"""What is planted: every kind, where it belongs, and nothing else changes."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dslc.ops.table import lookup
from tests.mutants.child import Chosen
from tests.mutants.left_out import CHOICES
from tests.mutants.mutate import mutants, mutated
from tests.mutants.subjects import GROUPS, ROOT, Group, drawn, registered, row_names, subject

SOURCE = '''
def mean(xp, x, stride):
    """Words stay."""
    total = x.sum(axis=0)
    total += x[1:-1]
    if total < 3:
        os.fsync(7)
    return total / (2.0 * stride)
'''
PLANTED = {
    "x.sum(axis=0)": "x.sum(axis=1)",
    "total += x[1:-1]": "total = x[1:-1]",
    "x[1:-1]": "x[1:-1 - 1]",
    "total < 3": "total <= 3",
    "os.fsync(7)": "pass",
    "if total": "if not total",
    "total / (2.0 * stride)": "total / (2.0 * stride) * 1.0001",
    "2.0 * stride": "2.0 * (stride + 1)",
}


@pytest.mark.parametrize("before", PLANTED)
def test_the_faults_of_the_design_are_planted(before: str) -> None:
    plain = ast.unparse(ast.parse(SOURCE))
    wanted = plain.replace(before, PLANTED[before])
    assert wanted != plain
    texts = [ast.unparse(mutated(SOURCE, mutant.number)) for mutant in mutants(SOURCE)]
    assert wanted in texts
    assert plain not in texts and all('"""Words stay."""' in text for text in texts)


def test_samples_imports_and_messages_are_left_alone() -> None:
    source = "import os\n\ndef cases(rng):\n    return 1 + 2\n\ndef f():\n    raise ValueError(f'{1 + 2}')\n\n"
    source += "def some(low) -> Sampler:\n    return low + 1\n\nvalue = f(unary(-3, 3), bit_cases(0, 5))\n"
    assert mutants(source) == []


def test_what_only_chooses_is_left_alone() -> None:
    source = "def best_tile(n):\n    return n + 1\n\ndef f(cost, best):\n    cost += 2.0\n    return g(cost * 1.1)\n"
    assert mutants(source) == []
    texts = "".join(path.read_text(encoding="utf-8") for path in GROUPS[-1].paths())
    assert all(f"def {name}(" in texts for name in CHOICES)


KERNEL = """
BLOCK = 256

def forward(x, w, out, axes, step):
    block = max(1, min(len(x), BLOCK // 4))
    total = 0
    total *= out.shape[1]
    steps = [partial(np.multiply, x, w, out=out), partial(np.add, out, w, out=out), partial(np.add, x, w, out=out)]
    moved = np.transpose(x, axes).swapaxes(0, 1)[::step]
    return fill(moved, axes)
"""
FAULTS = {
    ("scale", "total *= out.shape[1] * 1.0001"),
    ("axis", "out.shape[0]"),
    ("accumulation", "partial(np.copyto, out, w)"),
    ("axis", "np.transpose(x, axes)"),
    ("axis", "np.transpose(x, (0,))"),
    ("axis", "fill(moved, (0,))"),
    ("stride", "::step + 1"),
}


def test_the_faults_of_kernels_are_planted() -> None:
    found = mutants(KERNEL)
    planted = {(mutant.kind, mutant.after) for mutant in found}
    assert planted >= FAULTS
    assert sum(mutant.kind == "accumulation" and "copyto" in mutant.after for mutant in found) == 1, "one step adds to what is there"
    assert not any("BLOCK" in mutant.before or mutant.before == "256" for mutant in found), "how much is done at once changes no result"


def test_a_step_that_is_scaled_computes_more() -> None:
    source = KERNEL.replace("return fill(moved, axes)", "return steps")
    number = next(mutant.number for mutant in mutants(source) if mutant.after.startswith("(lambda step"))
    names: dict[str, Any] = {"np": np, "partial": partial, "fill": lambda moved, axes: moved}
    exec(compile(mutated(source, number), "kernel", "exec"), names)
    x, out = np.full((2, 3), 2.0), np.zeros((2, 3))
    names["forward"](x, x, out, (0, 1), 1)[0]()
    np.testing.assert_allclose(out, 4.0004, rtol=1e-12)


KINDS = ("scale", "border", "axis", "accumulation", "stride", "skipped call")  # those of the design
NOWHERE = {("saving", "axis"), ("saving", "stride")}  # a checkpoint is bytes


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_the_campaign_plants_faults_of_every_kind_in_every_group(group: Group) -> None:
    found = drawn(group)
    assert len(set(found)) == len(found) >= 100, "a case of the campaign would come twice"
    planted = {mutant.kind for _, mutant in found[:100]}
    assert {kind for kind in KINDS if (group.name, kind) not in NOWHERE} <= planted


def test_the_row_of_a_fault_is_that_of_the_signature_before_it() -> None:
    source = 'op("sum(x: f[*s]) -> f[]", "the sum", lambda xp, x: x + 1)\n'
    source += 'activation("relu(x: f[*s]) -> f[*s]", "max(x, 0)", -x)\nf("no(t)", -x)\n'
    assert {(mutant.kind, mutant.row) for mutant in mutants(source)} >= {("scale", "sum"), ("sign", "relu"), ("sign", "")}


def test_the_operators_of_a_file() -> None:
    """Those of a loop over a table, and those with functions of their own as rules, are among them."""
    assert {"sin", "atanh", "bitwise_and"} <= set(row_names(ROOT / "dslc" / "ops" / "functions.py"))
    assert "scatter" in row_names(ROOT / "dslc" / "ops" / "indexing.py")
    assert {"conv", "max_pool", "unfold"} <= set(row_names(ROOT / "dslc" / "ops" / "window.py"))
    assert "relu" not in row_names(ROOT / "dslc" / "ops" / "window.py") and row_names(ROOT / "dslc" / "ops" / "scan.py") == []


def test_the_operators_of_a_kernel() -> None:
    kernels = ROOT / "runtime" / "kernels" / "numpy"
    assert registered(kernels / "indexing.py") == ["take_along_axis", "scatter"]
    assert {"sum", "max", "argmin", "cumsum"} <= set(registered(kernels / "reduce.py")) and registered(kernels / "lower.py") == []


@pytest.mark.parametrize(
    ("params", "wanted"),
    [({"name": "relu"}, True), ({"name": "elu"}, False), ({"row": lookup("relu")}, True), ({"row": lookup("elu")}, False),
     ({"name": "no operator"}, True), ({"row": 3}, True), ({}, True)],
)  # fmt: skip
def test_tests_of_other_operators_are_left_out(params: dict[str, object], wanted: bool) -> None:
    item = SimpleNamespace(callspec=SimpleNamespace(params=params))
    assert Chosen(frozenset(["relu"])).wanted(item) is wanted  # type: ignore[arg-type]


REACH = "dslc/passes/reach.py"


@pytest.mark.parametrize(
    ("after", "code"),
    [("row.eval is None and node.body is not None", 0), ("row.grad.get(name) is None", 1)],
)
def test_the_examples_of_a_module_see_its_fault(after: str, code: int) -> None:
    """A fault that changes nothing for them is not seen: the module is loaded, and it is the one with the fault."""
    number = next(mutant.number for mutant in mutants((ROOT / REACH).read_text(encoding="utf-8")) if mutant.after == after)
    command = [sys.executable, "-m", "tests.mutants.child", "dslc.passes.reach", str(number), "--", REACH]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == code


def test_a_case_is_the_same_fault_each_time() -> None:
    assert [str(subject(n)) for n in range(20)] == [str(subject(n)) for n in range(20)]
