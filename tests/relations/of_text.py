"""Relations of texts: the changed text means the same program (relations 1, 2, 3 and 6 of the table in `random_specs.py`)."""

from __future__ import annotations

from collections import Counter
from random import Random

from dslc.ir.graph import Graph
from dslc.ir.text import from_text, to_text
from dslc.loading import check_source
from dslc.passes.differentiate import differentiate
from dslc.passes.pipeline import optimize
from dslc.source import Source
from dslc.syntax.format import format_source
from tests.relations import blocks, insert
from tests.relations.layout import laid_out, reordered
from tests.relations.meaning import graphs_of, same, same_values
from tests.relations.rename import renamed, shadowing
from tests.relations.subject import Subject


def formatted(subject: Subject, rng: Random) -> bool:
    """Formatting is idempotent and changes nothing, however the text was laid out."""
    once = format_source(Source("spec.nn", subject.text))
    assert format_source(Source("spec.nn", once)) == once, "formatted twice is another text"
    same(subject.program, subject.other(once).program)
    return True


def graph_text(subject: Subject, rng: Random) -> bool:
    """A graph that is printed and parsed is the same graph: as elaborated, differentiated and optimised."""
    for graph in all_graphs(subject):
        text = to_text(graph)
        again = from_text(text)
        assert again == graph, f"parsed it is another graph:\n{text}"
        assert to_text(again) == text
    return True


def all_graphs(subject: Subject) -> list[Graph]:
    items = (*subject.program.networks.values(), *subject.program.trainings.values())
    found = [graph for item in items for graph in graphs_of(item).values()]
    steps = [differentiate(step.graph, "loss", step.trains) for item in subject.program.trainings.values() for step in item.steps]
    return [*found, *steps, *map(optimize, (*found, *steps))]


def other_names(subject: Subject, rng: Random) -> bool:
    text, names = renamed(subject.text, rng)
    same(subject.program, subject.other(text).program, names)
    return bool(names)


def shadowed_operators(subject: Subject, rng: Random) -> bool:
    """A local value may have the name of anything of the library: nothing else looks it up."""
    text = shadowing(subject.text, rng)
    if text is None:
        return False
    same(subject.program, subject.other(text).program)
    return True


def other_layout(subject: Subject, rng: Random) -> bool:
    text = laid_out(subject.text, rng)
    same(subject.program, subject.other(text).program)
    return text != subject.text


def other_order(subject: Subject, rng: Random) -> bool:
    text = reordered(subject.text, rng)
    same_values(subject.program, subject.other(text).program)
    return text != subject.text


def imported_blocks(subject: Subject, rng: Random) -> bool:
    found = blocks.imported(subject.text)
    if found is None:
        return False
    text, library = found
    (subject.folder / blocks.LIBRARY).write_text(library, encoding="utf-8")
    same(subject.program, subject.other(text).program)
    return True


def inlined_blocks(subject: Subject, rng: Random) -> bool:
    text = blocks.inlined(subject.text, rng)
    if text is None:
        return False
    same_values(subject.program, subject.other(text).program, moved=True)
    return True


def dead_code(subject: Subject, rng: Random) -> bool:
    text = insert.with_dead_code(subject.text, rng)
    if text is None:
        return False
    same(subject.program, subject.other(text).program)
    return True


def refused_alike(text: str, subject: Subject, rng: Random) -> None:
    """A text with errors in its meaning has the same ones under other names, blanks and comments."""
    if not subject.tree_is_complete:
        return
    wanted = codes(subject, text)
    for other in (laid_out(text, rng, lines=False), renamed(text, rng)[0]):
        found = codes(subject, other)
        assert found == wanted, f"the errors are {dict(found)} instead of {dict(wanted)}:\n{other}"


def codes(subject: Subject, text: str) -> Counter[str]:
    found = check_source(Source("spec.nn", text), folder=subject.folder, precision=subject.precision)[1]
    return Counter(item.code for item in found if item.severity == "error")
