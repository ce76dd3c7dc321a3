"""Writes docs/optimizers.md from the vocabulary and the docstrings of the functions: `python -m runtime.train.document`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import getdoc
from pathlib import Path
from typing import Any

from dslc.vocabulary import CLIPS as CLIP_WORDS
from dslc.vocabulary import CONSTRAINTS as CONSTRAINT_WORDS
from dslc.vocabulary import INITIALISERS, Word
from dslc.vocabulary import OPTIMIZERS as OPTIMIZER_WORDS
from dslc.vocabulary import SCHEDULES as SCHEDULE_WORDS
from runtime.train.initializers import INITIALIZERS
from runtime.train.limits import CLIPS, CONSTRAINTS
from runtime.train.optimizers import OPTIMIZERS
from runtime.train.schedules import SCHEDULES

Functions = Mapping[str, Callable[..., Any]]
HEAD = """# Optimizers, schedules, initialisers

This page is generated from the vocabulary and the code by `make docs`. w: a weight, g: its gradient after clipping, t: the number of the
step, from 1; arrows are updates, in order. `dslc ops NAME` shows the ranges of the arguments, `docs/defaults.md` gives the reasons of the
defaults.

One step: `clip`; then g ← g + l1·sign(w) + weight_decay·w; then the optimizer at the rate times the schedule's factor and the rule's
`rate`; then the rule's `constraint`; then the average of `ema`. Where the decay is decoupled (`adamw`, `lion`, `sgd(decoupled=true)`), w
← w·(1 - rate·weight_decay) stands in place of the L2 term (Loshchilov & Hutter 2019); in `lamb` it is part of u. Weights that the losses
of a step do not reach neither move nor decay.
"""
SCHEDULE_HEAD = """\
The factor of the rate. t: the time in epochs, with `unit="step"` in steps, from 0, by parts of an epoch too. `warmup` (below 1: a part of
all steps; from 1 on: steps) multiplies by (step + 1) / W over its W steps; t counts from its end, in `step`, `multistep` and `sigmoid`
from the first step. `plateau` counts evaluations: `patience` of them in a row that do not beat the best by more than the part `threshold`
multiply the factor, down to `min`.
"""
LIMIT_HEAD = """\
Clips see the gradient before the L1 and L2 terms. A unit is a column of a matrix [in, out], the slice of a kernel along its first axis,
or a whole vector.
"""
AVERAGE = """## The average of weights

With `ema: d` the average after t steps is Σ dᵗ⁻ⁱ·wᵢ / Σ dᵗ⁻ⁱ over i = 1 … t, kept as a ← a + (1 - d) / (1 - dᵗ)·(w - a): Adam's bias
correction, so that the random start has no part in it and the average is of use from the first evaluation on (an average that begins at
the initial weights needs about 1 / (1 - d) steps to forget them).
"""


def text() -> str:
    """The whole page."""
    updates = {name: row.update for name, row in OPTIMIZERS.items()}
    limits = {**CLIPS, **CONSTRAINTS}
    return "\n".join(
        [
            HEAD,
            section("Optimizers", OPTIMIZER_WORDS, updates),
            "## Schedules\n\n" + SCHEDULE_HEAD,
            table(SCHEDULE_WORDS, SCHEDULES),
            "## Clips and constraints\n\n" + LIMIT_HEAD,
            table({**CLIP_WORDS, **CONSTRAINT_WORDS}, limits),
            section("Initialisers", INITIALISERS, INITIALIZERS),
            AVERAGE,
        ]
    )


def section(title: str, words: Mapping[str, Word], functions: Functions) -> str:
    return f"## {title}\n\n{table(words, functions)}"


def table(words: Mapping[str, Word], functions: Functions) -> str:
    lines = ["| word | meaning | formula and source |", "|---|---|---|"]
    lines += [f"| `{word.text}` | {word.doc} | {formula(functions.get(name))} |" for name, word in words.items()]
    return "\n".join([*(line.replace("|g|", "abs(g)").replace("|z|", "abs(z)").replace("|i - c|", "abs(i - c)") for line in lines), ""])


def formula(function: Callable[..., Any] | None) -> str:
    """The paragraphs of the docstring in one line; nothing where the meaning says all."""
    found = getdoc(function) if function is not None and function.__name__ != "<lambda>" else None
    return ". ".join(" ".join(part.split()).rstrip(".") for part in (found or "").split("\n\n"))


def main() -> None:
    path = Path(__file__).parent.parent.parent / "docs" / "optimizers.md"
    path.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
