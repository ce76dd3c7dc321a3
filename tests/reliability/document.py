"""The tables of docs/reliability.md, made from the ledger."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.reliability import ledger
from tests.reliability.campaign import Campaign, Goal
from tests.reliability.campaigns import all_campaigns

PAGE = ledger.ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- campaigns: made by `python -m tests.reliability document` -->", "<!-- end of campaigns -->"
SHOWN = 250  # kinds of a histogram; the ledger has all


def write() -> None:
    """Puts the tables between the two markers of the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{tables(ledger.read())}\n{END}{after}", encoding="utf-8")


def tables(records: Sequence[dict[str, Any]]) -> str:
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for item in records:
        runs[item["campaign"]].append(item)
    return "\n".join(section(campaign, runs[name]) for name, campaign in all_campaigns().items() if runs[name])


def section(campaign: Campaign, runs: Sequence[dict[str, Any]]) -> str:
    """One campaign: what holds, its runs, its rates, the largest of its figures, its histograms."""
    counts = ledger.counts(runs)
    outcomes = [key for key in counts if key != "cases"]
    lines = [f"### {campaign.name}", "", campaign.title, ""]
    lines += table(["cases", *outcomes, "date", "commit", "minutes"], [row(item, outcomes) for item in runs])
    if len(runs) > 1:
        lines += ["", f"Together: {counts['cases']:,} cases; " + ", ".join(f"{key} {counts[key]:,}" for key in outcomes) + "."]
    lines += ["", *(f"- {goal_text(goal, counts)}" for goal in campaign.goals)]
    lines += [f"- largest {name}: {value:.4g}" for name, value in largest(runs).items()]
    first, cases = runs[-1]["first"], runs[-1]["cases"]
    lines += ["", f"`python -m tests.reliability {campaign.name} --first {first} --count {cases}`; {versions(runs)}"]
    for name, histogram in histograms(runs).items():
        shown = ", ".join(f"{key} {many:,}" for key, many in histogram.most_common(SHOWN))
        shown += f", and {len(histogram) - SHOWN:,} more" if len(histogram) > SHOWN else ""
        lines += [
            "",
            f"<details><summary>{name}: {len(histogram)} kinds, {sum(histogram.values()):,} in all</summary>",
            "",
            shown,
            "",
            "</details>",
        ]
    return "\n".join([*lines, ""])


def row(item: Mapping[str, Any], outcomes: Sequence[str]) -> list[str]:
    cases = f"{item['first']:,} … {item['first'] + item['cases'] - 1:,}"
    found = [f"{item['counts'].get(key, 0):,}" for key in outcomes]
    return [cases, *found, item["date"], f"`{item['commit']}`", f"{item['seconds'] / 60:.0f}"]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def goal_text(goal: Goal, counts: Counter[str]) -> str:
    rate = goal.rate(counts)
    bound = f"at least {goal.least:.0%}" if goal.least else f"at most {goal.most:.0%}"
    return f"{goal.title}: {'nothing counted' if rate is None else f'{rate:.2%}'} of {counts[goal.whole]:,} (wanted: {bound})"


def largest(runs: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    names = sorted({name for item in runs for name in item["worst"]})
    return {name: max(item["worst"][name] for item in runs if name in item["worst"]) for name in names}


def histograms(runs: Sequence[Mapping[str, Any]]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for item in runs:
        for name, histogram in item["histograms"].items():
            found[name].update(histogram)
    return found


def versions(runs: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(sorted({", ".join(f"{name} {text}" for name, text in item["versions"].items()) for item in runs}))
