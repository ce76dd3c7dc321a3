"""One realistic typo in a shipped spec: where the error points, what it suggests, and what its fix makes of the text."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.reliability.campaign import Campaign, Goal, Tally

if TYPE_CHECKING:
    from tests.reliability.corpus import Spec
    from tests.reliability.typos.judge import Verdict
    from tests.reliability.typos.typo import Typo

SHARES = {"name": 50, "punctuation": 30, "value": 8, "foreign": 12}
TRIES = 1000
INCOMPLETE = "finetune.nn"  # the file that it imports is not beside it


def run(case: int, tally: Tally) -> None:
    from tests.reliability.typos.judge import judge

    spec, typo = typo_of(case)
    count(tally, typo, judge(spec, typo))


def typo_of(case: int) -> tuple[Spec, Typo]:
    """The spec and the typo of a number: specs and kinds are drawn until one of the kind can be made in the spec."""
    from tests.reliability import corpus
    from tests.reliability.typos import foreign, names, punctuation, values
    from tests.reliability.typos.typo import page

    makers = {"name": names.misspelt, "punctuation": punctuation.mispunctuated, "value": values.mistyped, "foreign": foreign.translated}
    chance = random.Random(f"typos {case}")
    group = chance.choices(list(SHARES), list(SHARES.values()))[0]
    for _ in range(TRIES):
        spec = corpus.draw(chance, tuple(spec for spec in corpus.specs() if spec.name != INCOMPLETE))
        typo = makers[group](page(spec.text), chance)
        if typo is not None and typo.text != spec.text:
            return spec, typo
    raise AssertionError(f"no typo was made in {TRIES} tries")


def count(tally: Tally, typo: Typo, verdict: Verdict) -> None:
    """Outcomes for the goals, and a histogram by kind."""
    tally.count(verdict.outcome)
    tally.note(f"{typo.group}: what became of it", f"{typo.kind}: {verdict.outcome}")
    if verdict.outcome != "reported":
        return
    tally.count("covered", verdict.covered)
    tally.count("one error", verdict.errors == 1)
    note = ["covered" if verdict.covered else "elsewhere"]
    if typo.suggests:
        tally.count("with one right suggestion")
        tally.count("right suggestion", verdict.suggestion == "right")
        note.append(f"suggestion {verdict.suggestion}")
    if typo.fixable:
        tally.count("fixable")
        tally.count("compiles after --fix", verdict.compiles)
        tally.count("original after --fix", verdict.restored)
        note.append("original" if verdict.restored else "compiles" if verdict.compiles else "not mended")
    tally.note(f"{typo.group}: what was said", f"{typo.kind}: {', '.join(note)}")


CAMPAIGNS = (
    Campaign(
        name="typos",
        title="One typo in a shipped spec, as people make them (a letter, a sign, a value, a word of another library): the error points "
        "at it, its first suggestion is what stood there, and `dslc check --fix` mends it.",
        run=run,
        full=20_000,
        sample=480,
        goals=(
            Goal("an error points at the typo", "covered", "reported", least=0.98),
            Goal("the first suggestion is what stood there", "right suggestion", "with one right suggestion", least=0.95),
            Goal("the fixes give a spec that compiles", "compiles after --fix", "fixable", least=0.9),
            Goal("the fixes give the original program", "original after --fix", "fixable", least=0.9),
            Goal("one error for one typo", "one error", "reported", least=0.9),
        ),
        seconds=60,
    ),
)
