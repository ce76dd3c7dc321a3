"""Whole random specs: text, with the arrays of its data file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from dslc.ir.types import Dim
from tests.soundness.body import BATCH, Value
from tests.soundness.fields import SAMPLES, SYMBOLS, Arrays, Fields
from tests.soundness.structure import File, write_network
from tests.soundness.training import write_train

DTYPES = ("f", "f", "f", "f", "u8", "i64", "bool")
RANKS = (1, 2, 2, 3, 4, 4, 4)
ASIDE = 0.03  # how often a wild choice disregards the types
KINDS = {"plain": 84, "wild": 6, "changed": 10}  # of 100 specs


@dataclass(frozen=True)
class Spec:
    """whole: names of the arrays that are no list of samples."""

    text: str
    arrays: Arrays
    whole: tuple[str, ...]


def make_spec(seed: int) -> Spec:
    """The spec of a seed: most are well-typed; in some there are wild choices, and in some a token is changed."""
    rng = Random(seed)
    kind = rng.choices(tuple(KINDS), tuple(KINDS.values()))[0]
    wild = ASIDE if kind == "wild" else 0.0
    file, fields = File(rng), Fields(rng)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        inputs = network_inputs(rng, file)
        file.networks.append(write_network(file, inputs, wild, rng.randint(2, 9)))
    train = write_train(file, fields, wild)
    text = "\n\n".join(["dslc 1", *file.texts, train]) + "\n"
    return Spec(changed(rng, text) if kind == "changed" else text, fields.arrays, tuple(fields.whole))


def network_inputs(rng: Random, file: File) -> list[Value]:
    found = []
    for at in range(rng.choice((1, 1, 2, 3))):
        rank = rng.choice(RANKS)
        symbols = list(SYMBOLS)
        shape = [BATCH] if at == 0 or rng.random() < 0.85 else []
        for _ in range(rank - 1):
            number = rng.choice((1, 2, 3, 4, 5, 7, 11, 13) if rank < 4 else (1, 1, 2, 3, 5, 6, 7))
            shape.append(Dim.of(symbols.pop() if symbols and rng.random() < 0.12 else number))
        found.append(Value(file.names.fresh("x"), "f" if at == 0 and rng.random() < 0.8 else rng.choice(DTYPES), tuple(shape)))
    return found


# ---- changed texts ------------------------------------------------------------------------------------------------------------------

TOKEN = re.compile(r"[A-Za-z_][\w.]*|\d+(?:\.\d+)?|->|\.\.|[-+*/%^@<>=!:,()\[\]{}_]|\n")


def changed(rng: Random, text: str) -> str:
    """One or two tokens deleted, doubled, or replaced by another of the text or by a number."""
    for _ in range(rng.choice((1, 1, 2))):
        tokens = list(TOKEN.finditer(text))
        old = rng.choice(tokens)
        alike = [token.group() for token in tokens if token.group()[0].isalpha() == old.group()[0].isalpha()]
        new = rng.choice(
            ("", f"{old.group()} {old.group()}", rng.choice(alike), rng.choice(alike), rng.choice(("0", "1", "-1", "2", "1.5", "true")))
        )
        if old.group().isdigit() and rng.random() < 0.7:
            new = str(rng.choice((0, 1, 2, 3, 6, 10**6, 10**12)))
        text = text[: old.start()] + new + text[old.end() :]
    return text


__all__ = ["SAMPLES", "SYMBOLS", "Spec", "make_spec"]
