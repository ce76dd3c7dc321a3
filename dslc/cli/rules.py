"""The rules of a training as lines: what each says, and the weights and states that it matches, for `dslc config` and `dslc show`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dslc.program import Rule, Training

MOST = 12  # addresses of one rule that are listed


def rule_lines(trainings: Iterable[Training]) -> list[str]:
    """Nothing for a training without rules."""
    from dslc.cli.arguments import rows

    found: list[str] = []
    for training in trainings:
        if training.rules:
            found.append(f"Rules of `{training.name}`; of several for one weight the later holds, setting by setting:")
            found += rows([(f'rule "{rule.pattern}"', settings_text(rule), matches_text(training, rule)) for rule in training.rules], "  ")
    return found


def settings_text(rule: Rule) -> str:
    """`rate: 0.1, frozen: true` as it stands in the spec, arguments bound."""
    from dslc.cli.settings import call_text
    from dslc.program import Call, Init, value_text

    texts = [
        f"{name}: {call_text(value) if isinstance(value, Call | Init) else value_text(value)}" for name, value in rule.settings.items()
    ]
    return ", ".join(texts) or "(says nothing)"


def matches_text(training: Training, rule: Rule) -> str:
    """`2 weights: Net.dense0.w, Net.dense0.b`; states are counted apart."""
    weights = {weight.address for weight in training.weights}
    own = [address for address in rule.matches if address in weights]
    states = [address for address in rule.matches if address not in weights]
    parts = [counted(own, "weight"), counted(states, "state")]
    return "; ".join(part for part in parts if part)


def counted(addresses: list[str], what: str) -> str:
    if not addresses:
        return ""
    more = f" and {len(addresses) - MOST} more" if len(addresses) > MOST else ""
    return f"{len(addresses)} {what}{'s' if len(addresses) != 1 else ''}: {', '.join(addresses[:MOST])}{more}"
