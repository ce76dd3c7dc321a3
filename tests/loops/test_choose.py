"""Layouts: what is summed has a tile, whatever the network, and an axis in parts is no window."""

from __future__ import annotations

from pathlib import Path

import pytest

from dslc.ir.graph import Graph
from dslc.ir.types import Dim
from dslc.loading import load_program
from dslc.passes.pipeline import optimize
from runtime.kernels.native.choose import overlapping
from runtime.kernels.native.layout import in_order
from runtime.kernels.native.machine import host
from runtime.kernels.native.program import make_program
from runtime.kernels.native.roles import find_roles
from runtime.loops.nest import Affine, Nest

TARGETS = Path(__file__).parent.parent / "targets"
DIMS = {"batch": 2, "time": 64}


def evaluation(name: str) -> Graph:
    program, _ = load_program(name)
    return optimize(next(iter(program.networks.values())).evaluate)


@pytest.mark.parametrize("name", ["alexnet", "mobilenet2", str(TARGETS / "gpt.nn")])
@pytest.mark.parametrize("threads", [1, 3])
def test_every_product_has_a_tile(name: str, threads: int) -> None:
    """Grouped and depthwise convolutions, matrices that are transposed, a batch of them; also cut along axes of their own."""
    chosen = make_program(evaluation(name), DIMS, host(), threads).chosen
    nests = [job.nest for job in chosen.jobs if isinstance(job.nest, Nest)]
    sums = [nest for nest in nests if "conv(" in nest.name or "matmul(" in nest.name]
    assert len(sums) > 7
    assert [nest.name for nest in sums if find_roles(nest, chosen.arrays, chosen.layouts, host()) is None] == []


def test_heads_are_no_windows() -> None:
    """An axis that is taken apart lies as it stands."""
    chosen = make_program(evaluation(str(TARGETS / "gpt.nn")), DIMS, host(), 1).chosen
    shape = (Dim.of("batch"), Dim.of("time"), 192)
    found = [chosen.layouts[name] for name, array in chosen.arrays.items() if array.shape == shape and name in chosen.layouts]
    assert len(found) > 7
    assert {layout.strides[-1] for layout in found} == {1}


def test_parts_of_an_axis_do_not_overlap() -> None:
    axes: dict[str, int | Dim] = {"p": 5, "r": 3, "n": Dim.of("batch")}
    assert overlapping(Affine.of({"p": 1, "r": 1}), axes)
    assert overlapping(Affine.of({"p": 2, "r": 1}), axes)
    assert overlapping(Affine.of({"p": 3, "n": 3}), axes)
    assert not overlapping(Affine.of({"p": 3, "r": 1}), axes)
    assert not overlapping(Affine.of({"n": 3, "r": -1}), axes)


def test_rows_behind_a_gap() -> None:
    layout = in_order((3, 4), gap=2)
    assert (layout.strides, layout.elements) == ((6, 1), 18)
