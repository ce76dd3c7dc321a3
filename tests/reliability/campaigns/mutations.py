"""Changed specs, checked whole: a program or errors come out, never another exception, whatever was changed."""

from __future__ import annotations

import random
import resource
import time
from typing import TYPE_CHECKING

from tests.reliability.campaign import Campaign, Goal, Tally

if TYPE_CHECKING:
    from dslc.diagnostics import Diagnostic
    from dslc.program import Program
    from dslc.source import Source

MOST_ERRORS = 50
MOST_MEMORY = 512.0  # MiB that one case may add to the process
AGAIN = 8  # every eighth case is checked twice


def run(case: int, tally: Tally) -> None:
    from dslc.loading import check_source
    from dslc.source import Source
    from tests.reliability import changed_texts, corpus

    chance = random.Random(f"mutations {case}")
    spec = corpus.draw(chance, (*corpus.specs(), *corpus.rules()))
    times = chance.choice([1, 1, 2, 2, 3, 4])
    change = (changed_texts.changed_characters, changed_texts.changed_tokens, changed_texts.changed_words)[case % 3]
    source = Source(spec.name, change(spec.text, chance, times))
    before, begin = memory(), time.process_time()
    program, found = check_source(source, folder=spec.folder)
    tally.measure("CPU seconds of one check", time.process_time() - begin)
    sound(source, program, found)
    syntax = tree(source)
    mended(source, found)
    tally.measure("MiB that a case added to the process", memory() - before)
    assert memory() - before <= MOST_MEMORY
    if case % AGAIN == 0:
        assert same(check_source(source, folder=spec.folder), (program, found)), "a second check says something else"
        tally.count("checked twice")
    tally.count("a program" if program is not None else "errors")
    tally.note("changes", f"{times} by {change.__name__}")
    if syntax:
        tally.count("syntax errors")
        tally.count("syntax errors, at most one more than changes", syntax <= times + 1)
    for code in {item.code for item in found}:
        tally.note("diagnostics", code)


def sound(source: Source, program: Program | None, found: list[Diagnostic]) -> None:
    """A program or errors; every place lies in its text; the report renders."""
    from dslc.render import marks_of, render_json, render_text

    errors = [item for item in found if item.severity == "error"]
    assert (program is None) == bool(errors)
    assert len(errors) <= MOST_ERRORS
    for item in found:
        spans = [mark.span for mark in marks_of(item)] + [edit.span for edit in (item.fix.edits if item.fix else ())]
        assert all(0 <= span.start <= span.end <= len(span.source.text) for span in spans), item
        assert item.span is not None, item
    text = render_text(found)
    assert text.count("note: dslc explain ") == len(found)
    assert all(char == "\n" or char.isprintable() for char in text), "a character that a terminal obeys"
    assert render_json(found).endswith("\n")


def tree(source: Source) -> int:
    """A syntax tree comes out; its spans are nested; it is complete where no syntax error was found. Gives the number of those."""
    from dslc.diagnostics import Sink
    from dslc.syntax.parse import parse
    from tests.reliability.changed_texts import check_spans

    sink = Sink()
    file = parse(source, sink)
    for statement in file.statements:
        check_spans(statement, len(source.text))
    assert file.complete == (sink.error_count == 0)
    return sink.error_count


def mended(source: Source, found: list[Diagnostic]) -> None:
    """Applying all fixes works, and what comes out can be checked."""
    from dslc.loading import check_source
    from dslc.render import apply_fixes
    from dslc.source import Source

    text = apply_fixes(source, found)
    if text != source.text:
        check_source(Source(source.path, text))


def same(left: tuple[Program | None, list[Diagnostic]], right: tuple[Program | None, list[Diagnostic]]) -> bool:
    from dslc.render import render_json

    return repr(left[0]) == repr(right[0]) and render_json(left[1]) == render_json(right[1])


def memory() -> float:
    """The largest resident size of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


CAMPAIGNS = (
    Campaign(
        name="mutations",
        title="A shipped spec with one to four characters, tokens or words changed gives a program or located errors, within its limits, "
        "and the same ones again; the report renders, its fixes can be applied, and the tree's spans are nested.",
        run=run,
        full=100_000,
        sample=480,
        goals=(Goal("syntax errors without echoes", "syntax errors, at most one more than changes", "syntax errors", least=0.95),),
        seconds=30,
    ),
)
