"""Metamorphic relations of random specs and of drawn sizes: a case is a relation and a seed."""

from __future__ import annotations

from tests.reliability.campaign import Campaign, Goal, Tally


def run(case: int, tally: Tally) -> None:
    from tests.relations.random_specs import Case

    found = Case.numbered(case)
    tally.note("relations", found.relation)
    outcome = found.look()
    tally.count(outcome)
    tally.note(outcome, found.relation)


CAMPAIGNS: tuple[Campaign, ...] = (
    Campaign(
        name="relations",
        title="What follows for a changed spec, or another way to write a computation, from what holds of the first, holds.",
        run=run,
        full=20_000,
        sample=162,
        goals=(Goal("cases in which nothing is compared that could differ", "mistrusted", "cases", most=0.05),),
    ),
)
