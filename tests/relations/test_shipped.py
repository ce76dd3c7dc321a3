"""Relations of texts over the shipped specs and the target specs; loops count what the layer table says."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import numpy as np
import pytest

from dslc.ir.types import DType
from dslc.loading import load_program, specs_folder
from dslc.passes.drop_dead import drop_dead
from dslc.show import make_summary
from dslc.source import Source
from dslc.syntax.format import format_source
from tests.relations.layout import laid_out, reordered
from tests.relations.loops import matmul, multiply_adds
from tests.relations.meaning import same, same_values
from tests.relations.rename import renamed
from tests.relations.subject import Subject

TARGETS = Path(__file__).parents[1] / "targets"
LARGE = ("resnet152", "inception3", "densenet121")  # nothing that the others do not hold
SPECS = sorted(path for path in (*specs_folder().glob("*.nn"), *TARGETS.glob("*.nn")) if path.stem not in LARGE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All specs and their tables beside each other, so that imports are found."""
    found = tmp_path_factory.mktemp("specs")
    for path in (*SPECS, *specs_folder().glob("*.csv")):
        shutil.copy(path, found)
    return found


@pytest.mark.parametrize("path", SPECS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_other_names_layout_and_order_are_the_same_program(path: Path, folder: Path) -> None:
    subject = Subject(path.read_text(encoding="utf-8"), folder, {}, precision=DType.f32)
    rng = Random(path.stem)
    text, names = renamed(subject.text, rng)
    other = laid_out(text, rng)
    assert names and other != text != subject.text
    same(subject.program, subject.other(other).program, names)
    same_values(subject.program, subject.other(reordered(subject.text, rng)).program)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_formatter_undoes_any_layout(path: Path) -> None:
    """Indentation and what ends a line; columns and line breaks are the author's."""
    formatted = format_source(Source("spec.nn", path.read_text(encoding="utf-8")))
    widened = formatted.replace("\n  ", "\n \t     ").replace("{\n", "{\t \n").replace("\n", "  \r\n")
    for text in (formatted, widened):
        assert format_source(Source("spec.nn", text)) == formatted


@pytest.mark.parametrize("name", ["xor", "softmax", "regression", "wide_deep", "gates"])
def test_multiply_adds_are_those_of_the_loops(name: str) -> None:
    for network in load_program(name)[0].networks.values():
        said = make_summary(network).macs.evaluate({})
        assert said and said == multiply_adds(drop_dead(network.evaluate), {"batch": 1})


@pytest.mark.parametrize(("a", "b"), [((2, 3), (3, 4)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 1, 2, 3), (4, 3, 2)), ((3,), (3,))])
def test_the_loops_multiply_matrices(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    left, right = (np.arange(np.prod(shape)).reshape(shape) for shape in (a, b))
    found, count = matmul(left, right)
    assert np.array_equal(found, left @ right) and count == found.size * a[-1]
