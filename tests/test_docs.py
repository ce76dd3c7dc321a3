"""The pages under docs/: their specs are accepted, their links lead somewhere, the page of losses and metrics names every one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from dslc.api import Spec
from dslc.loading import check_source
from dslc.ops.table import rows
from dslc.render import render_text
from dslc.source import Source

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
SPECS = [
    (page.name, at, text) for page in PAGES for at, text in enumerate(re.findall(r"```nn\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
]


def test_there_are_specs_in_the_pages() -> None:
    assert {"language.md", "losses-metrics.md"} <= {name for name, _, _ in SPECS}


@pytest.mark.parametrize(("page", "at", "text"), SPECS, ids=[f"{page}-{at}" for page, at, _ in SPECS])
def test_a_spec_of_the_pages_is_accepted(page: str, at: int, text: str) -> None:
    program, found = check_source(Source(f"{page}-{at}.nn", text))
    assert program is not None, render_text(found)
    assert not found, render_text(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


def test_python_of_the_pages_is_run() -> None:
    """By tests/api/test_document.py, tests/onnx/test_train_step.py, and below; ARCHITECTURE.md shows a row, which is no program."""
    pages = [*PAGES, DOCS.parent / "README.md", DOCS.parent / "ARCHITECTURE.md"]
    with_python = {page.name for page in pages if "```python\n" in page.read_text(encoding="utf-8")}
    assert with_python == {"python.md", "onnx.md", "README.md", "ARCHITECTURE.md"}


def test_the_python_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, but for the number of steps."""
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS.parent / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    train = Spec.train
    monkeypatch.setattr(Spec, "train", lambda self, **given: train(self, **given, max_steps=2, quiet=True))
    exec(compile(code, "README.md", "exec"), {"pixels": np.zeros((2, 1, 28, 28), np.uint8)})
    assert (tmp_path / "lenet.onnx").exists()


def test_every_loss_is_described() -> None:
    """The rows with a gradient, and the losses of the table of the standard library."""
    text = (DOCS / "losses-metrics.md").read_text(encoding="utf-8").partition("## Losses")[2].partition("\n## ")[0]
    named = set(re.findall(r"^\| `(\w+)\(", text, re.MULTILINE)) | {"average"}
    table = re.findall(r"^\| losses \| `([\w ]+)` \|", (DOCS / "language.md").read_text(encoding="utf-8"), re.MULTILINE)
    losses = {row.name for row in rows() if row.kind == "loss" and not row.internal and any(row.grad.values())}
    assert named == losses | set(" ".join(table).split())


def test_every_metric_is_described() -> None:
    """The rows of losses and metrics without a gradient, and the metrics of the table of the standard library."""
    text = (DOCS / "losses-metrics.md").read_text(encoding="utf-8").partition("## Metrics")[2]
    named = {name for line in text.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)\(", line.split("|")[1])}
    table = re.findall(r"^\| metrics \| `([\w ]+)` \|", (DOCS / "language.md").read_text(encoding="utf-8"), re.MULTILINE)
    metrics = {row.name for row in rows() if row.kind == "loss" and not row.internal and not any(row.grad.values())}
    assert named == metrics | set(" ".join(table).split()) | {"mae", "mse", "covariance", "var", "std"}
