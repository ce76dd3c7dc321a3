"""The grammar itself: no conflict, one table, the same text in the documentation, every rule with a constructor."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lark import Lark
from lark.exceptions import GrammarError
from lark.parsers.lalr_analysis import LALR_Analyzer

from dslc.syntax import generate
from dslc.syntax.build import RULES
from dslc.syntax.scan import CONTEXTUAL, HARD, SOFT, tables

ROOT = Path(__file__).parents[2]
GRAMMAR = (generate.HERE / "grammar.lark").read_text()
DOCUMENT = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")


def analyse(grammar: str, start: list[str]) -> None:
    """Lark resolves shift/reduce conflicts silently unless its analysis is strict."""
    parser = Lark(grammar, parser="lalr", start=start, maybe_placeholders=True, propagate_positions=True)
    LALR_Analyzer(parser.parser.parser_conf, strict=True).compute_lalr()


def test_the_grammar_has_no_conflict() -> None:
    analyse(GRAMMAR, generate.STARTS)


def test_the_conflict_test_can_fail() -> None:
    with pytest.raises(GrammarError):
        analyse('start: e\ne: e "+" e | "x"', ["start"])


def test_the_table_is_that_of_the_grammar() -> None:
    assert (generate.HERE / "table.json").read_text() == generate.build()


def test_the_table_does_not_depend_on_the_hash_seed() -> None:
    code = "from dslc.syntax.generate import build; import hashlib; print(hashlib.sha256(build().encode()).hexdigest())"
    seen = {
        subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


def test_the_document_has_the_grammar() -> None:
    (block,) = re.findall(r"```lark\n(.*?)```", DOCUMENT, re.DOTALL)
    assert block == GRAMMAR


@pytest.mark.parametrize(("title", "words"), [("Hard keywords", HARD), ("Soft keywords", SOFT | CONTEXTUAL)])
def test_the_document_has_the_keywords(title: str, words: frozenset[str]) -> None:
    (listed,) = re.findall(rf"{title}[^`]*`([^`]*)`", DOCUMENT)
    assert sorted(listed.split()) == sorted(words)


def test_the_keywords_are_those_of_the_grammar() -> None:
    assert set(tables().keywords) == HARD | SOFT | CONTEXTUAL


def test_every_rule_has_a_constructor_and_every_constructor_a_rule() -> None:
    names = set(re.findall(r"^([a-z]\w*):", GRAMMAR, re.MULTILINE)) | set(re.findall(r"-> (\w+)$", GRAMMAR, re.MULTILINE))
    inlined = set(re.findall(r"^\?(\w+):", GRAMMAR, re.MULTILINE))
    kept = {name for name in inlined if name in RULES}
    assert set(RULES) == names | kept
    assert inlined - kept == {"expr", "atom", "dim", "index"}
