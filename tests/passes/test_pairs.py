"""Each pass on pairs of texts: PASS/NAME.before.ir and PASS/NAME.after.ir, and the pair in the docstring of every pass."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

from dslc.ir.graph import Graph
from dslc.ir.text import from_text, to_text
from dslc.ir.verify import verify
from dslc.passes import differentiate, drop_dead, fold, separate, share, simplify, steady
from tests.conftest import Golden

FOLDER = Path(__file__).parent


def gradients(graph: Graph) -> Graph:
    """Differentiate the output `loss` to all weights."""
    return differentiate.differentiate(graph, "loss", tuple(item.name for item in graph.inputs if item.kind == "weight"))


def contiguous(graph: Graph) -> Graph:
    """Separate, with the outputs called `grad:…` side by side."""
    return separate.separate(graph, [item.name for item in graph.outputs if item.name.startswith("grad:")])


PASSES: dict[str, tuple[ModuleType, Callable[[Graph], Graph]]] = {
    "differentiate": (differentiate, gradients),
    "drop_dead": (drop_dead, drop_dead.drop_dead),
    "fold": (fold, fold.fold),
    "separate": (separate, contiguous),
    "share": (share, share.share),
    "simplify": (simplify, simplify.simplify),
    "steady": (steady, steady.steady),
}
PAIRS = sorted(FOLDER.glob("*/*.before.ir"))


@pytest.mark.parametrize("before", PAIRS, ids=lambda path: f"{path.parent.name}/{path.name.split('.')[0]}")
def test_pair(before: Path, golden: Golden) -> None:
    graph = from_text(before.read_text(encoding="utf-8"))
    verify(graph)
    result = PASSES[before.parent.name][1](graph)
    verify(result)
    golden(before.with_name(before.name.replace(".before.", ".after.")), to_text(result))


def test_every_pass_has_pairs() -> None:
    assert {path.parent.name for path in PAIRS} == set(PASSES)


@pytest.mark.parametrize("name", sorted(PASSES))
def test_the_docstring_of_a_pass_shows_what_it_does(name: str) -> None:
    module, run = PASSES[name]
    text = inspect.getdoc(module) or ""
    before, after = text.split("before:\n")[1].split("after:\n")
    graph = from_text(dedent(before))
    verify(graph)
    result = run(graph)
    verify(result)
    assert to_text(result) == dedent(after).strip() + "\n"
