"""Every diagnostic has a page, every page a diagnostic, and the examples do what they say."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

from dslc.diagnostics import Diagnostic
from dslc.explain import codes, nearest, page
from dslc.explain.document import updated
from dslc.loading import check_source
from dslc.source import Source
from dslc.syntax.format import format_source

PACKAGES = ("dslc", "runtime", "exporters")
WITH_EXAMPLES = [code for code in codes() if page(code).failing]


def registered() -> dict[str, type[Diagnostic]]:
    """All diagnostics of the three packages: each part keeps its words in a module of one of these names."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            if module.name.rpartition(".")[2] in ("errors", "usage", "warnings"):
                import_module(module.name)
    return {code: kind for code, kind in Diagnostic.registry.items() if kind.__module__.split(".")[0] in PACKAGES}


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert codes() == sorted(registered())


@pytest.mark.parametrize("code", codes())
def test_a_page_has_a_title_sentences_and_an_example(code: str) -> None:
    found = page(code)
    assert found.code == code and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
    assert 5 < len(found.title) < 60 and not found.title.endswith(".")
    assert found.text.split("\n\n")[0].endswith(".")
    assert bool(found.failing) == bool(found.passing) == ("```sh\n" not in found.text)


@pytest.mark.parametrize("code", WITH_EXAMPLES)
def test_the_wrong_example_gives_the_code_and_nothing_else(code: str) -> None:
    _, found = check_source(Source("wrong.nn", page(code).failing))
    assert {diagnostic.code for diagnostic in found} == {code}


@pytest.mark.parametrize("code", WITH_EXAMPLES)
def test_the_right_example_gives_nothing_and_is_formatted(code: str) -> None:
    source = Source("right.nn", page(code).passing)
    program, found = check_source(source)
    assert program is not None and found == []
    assert format_source(source) == source.text


def test_all_diagnostics_of_the_language_have_an_example() -> None:
    """Files, imports, overrides and faults of the compiler need more than one text; everything else is shown in one."""
    words = {code for code, kind in registered().items() if kind.__module__.startswith(("dslc.syntax.errors", "dslc.elaborate.errors"))}
    outside = {
        "bad-data-file", "cannot-read", "formatter-fault", "hidden-character", "import-cycle", "import-depth",
        "import-link", "import-missing", "import-name", "import-outside", "no-spec", "not-a-file", "not-a-spec", "not-utf8",
        "text-too-large",
        "too-many-imports", "too-many-tokens", "unknown-override",
    }  # fmt: skip
    assert words - set(WITH_EXAMPLES) == outside


def test_the_nearest_code_is_named() -> None:
    assert nearest("shape-mismach") == ": did you mean `shape-mismatch`?"
    assert nearest("qqqq") == ""
    with pytest.raises(KeyError, match="unknown-name"):
        page("unknown-nam")


def test_the_document_lists_all_codes() -> None:
    document = (Path(__file__).parents[2] / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    assert updated(document) == document
