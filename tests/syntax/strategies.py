"""Random specs that parse: words by the grammar, blanks, line breaks and comments by chance where the layout rule allows them."""

from __future__ import annotations

import random

from hypothesis import strategies as st

Words = list[str]
NAMES = ["x", "y", "units", "batch", "_", "time2", "a_long_name_of_some_length", "Net", "log"]
ATOMS = [*NAMES, "0", "12", "1_000", "0.5", "1e-4", "2.50E+3", '"text # no comment"', '"\\"\\\\"', "true", "false"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "@", "^"]
COMPARISONS = ["==", "!=", "<", "<=", ">", ">="]
CONTINUES = {*OPERATORS, *COMPARISONS, "->", "and", "or", "..", ",", "in", "not", "then", "else", "("}


def joined(parts: list[Words], between: str) -> Words:
    return [word for at, part in enumerate(parts) for word in ([between] if at else []) + part]


@st.composite
def arguments(draw: st.DrawFn, value: st.SearchStrategy[Words]) -> Words:
    parts = []
    for _ in range(draw(st.integers(0, 3))):
        part = draw(value)
        parts.append([draw(st.sampled_from([*NAMES, "input", "over"])), "=", *part] if draw(st.booleans()) else part)
    return ["(", *joined(parts, ","), *([","] if parts and draw(st.booleans()) else []), ")"]


@st.composite
def index(draw: st.DrawFn, value: st.SearchStrategy[Words]) -> Words:
    kinds = st.one_of(
        value, st.just([":"]), st.just([".."]), value.map(lambda v: [*v, ":"]), st.tuples(value, value).map(lambda p: [*p[0], ":", *p[1]])
    )
    return ["[", *joined(draw(st.lists(kinds, min_size=1, max_size=3)), ","), "]"]


@st.composite
def chain(draw: st.DrawFn, value: st.SearchStrategy[Words]) -> Words:
    words = list(draw(value))
    for _ in range(draw(st.integers(1, 6))):
        words += ["->", draw(st.sampled_from(["conv", "dense", "relu"]))]
        words += draw(st.one_of(st.just([]), st.just([".", "weight"])))
        words += draw(st.one_of(st.just([]), arguments(value)))
        words += draw(st.one_of(st.just([]), st.just(["as", "first"])))
    return words


@st.composite
def arithmetic(draw: st.DrawFn, value: st.SearchStrategy[Words]) -> Words:
    words = list(draw(value))
    for _ in range(draw(st.integers(1, 5))):
        words += [draw(st.sampled_from(OPERATORS)), *draw(st.sampled_from([[], ["-"]])), "(", *draw(value), ")"]
    return words


def larger(value: st.SearchStrategy[Words]) -> st.SearchStrategy[Words]:
    """One more level of nesting; everything that is not an atom stands in parentheses, so that all levels of binding fit."""
    inside = st.one_of(
        chain(value),
        arithmetic(value),
        st.tuples(value, st.sampled_from(COMPARISONS), value).map(lambda t: [*t[0], t[1], *t[2]]),
        st.tuples(value, st.sampled_from(["and", "or"]), value).map(lambda t: [*t[0], t[1], "not", *t[2]]),
        st.tuples(value, value, value).map(lambda t: ["if", *t[0], "then", *t[1], "else", *t[2]]),
        value.map(lambda v: ["-", *v]),
    )
    return st.one_of(
        inside.map(lambda words: ["(", *words, ")"]),
        st.tuples(value, arguments(value)).map(lambda t: ["f", ".", "weight", *t[1]]),
        index(value).map(lambda words: ["x", *words]),
        st.lists(st.one_of(value, st.just(["*", "s"])), max_size=4).map(lambda parts: ["[", *joined(parts, ","), "]"]),
    )


atoms = st.sampled_from(ATOMS).map(lambda word: [word])
values = st.recursive(atoms, larger, max_leaves=6)
expressions = st.one_of(values, chain(values), arithmetic(values))
types = st.sampled_from(
    [
        ["[", "]"],
        ["i64", "[", "batch", ",", "*", "s", "]"],
        ["int"],
        ["list", "[", "list", "[", "int", "]", "]"],
        ["[", "c", "//", "2", "]"],
    ]
)


@st.composite
def simple(draw: st.DrawFn) -> Words:
    name, other = draw(st.sampled_from(NAMES)), draw(st.sampled_from(NAMES))
    value, kind = draw(expressions), draw(types)
    return draw(
        st.sampled_from(
            [
                [name, "=", *value], [name, ",", other, "=", *value],
                ["loss", ":", *value], ["metric", name, ":", *value], ["input", ":", *value],
                ["input", name, ":", *kind], ["input", name, ":", *kind, "=", *value], ["output", name, "=", *value],
                ["output", name, ",", other], ["weight", name, ":", *kind, "=", *value], ["state", name, ":", *kind, "=", *value],
                ["update", name, "=", *value], ["layer", name, "=", *value], ["carry", name, ",", other], ["yield", *value],
                ["return", *value, ",", *value], ["rule", '"**.b"', "{", "rate", ":", *value, "}"],
            ]
        )
    )  # fmt: skip


@st.composite
def heads(draw: st.DrawFn, top: bool) -> list[Words]:
    """The heads of one compound statement; each is followed by a body."""
    value, kind = draw(values), draw(types)
    outer = [
        [["block", "f", "(", "x", ":", *kind, ",", "y", ":", "int", "=", *value, ",", "z", ")"]],
        [["network", "N"]], [["train"]], [["train", "t"]], [["generate"]],
    ]  # fmt: skip
    inner = [
        [["for", "i", "in", *value]], [["for", "i", "in", *value, "..", "3"]], [["if", *value]], [["if", *value], ["else"]],
        [["if", *value], ["else", "if", *value], ["else"]], [["y", "=", "scan", "x", "in", *value, "over", "time"]],
        [["y", ",", "z", "=", "scan", "(", "lengths", "=", *value, ")", "x", "in", *value, "over", "4"]],
        [["step", "s"]], [["rule", '"a.*"']],
    ]  # fmt: skip
    return draw(st.sampled_from(inner + outer if top else inner))


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A whole file."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    wild = draw(st.sampled_from([0.0, 0.02, 0.2]))
    lines = ["dslc 1"]
    for head in draw(st.sampled_from([[], ["param p : float = 1e-3 in 1e-4..1 log"], ['import a,b from "x.nn"(n=3)']])):
        lines.append(head)
    _statements(draw, lines, chance, wild, 2)
    return "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n  \n", "\n# the end"]))


def _statements(draw: st.DrawFn, lines: list[str], chance: random.Random, wild: float, depth: int) -> None:
    for _ in range(draw(st.integers(0, 3))):
        lines += [""] * chance.choice([0, 0, 0, 1, 3])
        if chance.random() < 0.2:
            lines.append(" " * chance.randrange(4) + "# a comment (with [ brackets -> {  ")
        if depth and draw(st.booleans()):
            for at, head in enumerate(draw(heads(depth == 2))):
                text = _spread(head, chance, wild)
                lines.append(
                    "} " + text + " {"
                    if at and chance.random() < 0.5
                    else "}\n" + text + chance.choice([" {", "{", "\n{"])
                    if at
                    else text + " {"
                )
                if chance.random() < 0.1:
                    lines[-1] += chance.choice(["# after", "    # after"])
                _statements(draw, lines, chance, wild, depth - 1)
            lines.append("}")
        else:
            lines.append(" " * chance.randrange(9) + _spread(draw(simple()), chance, wild))
        if chance.random() < 0.15:
            lines[-1] += chance.choice(["# near", "  # two", "       # far"])


def _spread(words: Words, chance: random.Random, wild: float) -> str:
    """Words with chance blanks; breaks and comments where a line goes on."""
    out, depth = "", 0
    for at, word in enumerate(words):
        before = words[at - 1] if at else ""
        depth += word in ("(", "[")
        depth -= word in (")", "]")
        goes_on = depth > (word in ("(", "[")) or before in CONTINUES - {"("} or word in CONTINUES - {",", "(", "in", "not"}
        if at and goes_on and chance.random() < wild:
            out += chance.choice(["\n", "\n    ", " # inside\n  ", "\n  # own line\n", "\r\n"])
        elif at:
            glued = (_word(before) and _word(word)) or (before + word)[:2] in ("--", "->") or (before[:1].isdigit() and word in (".", ".."))
            out += " " if glued or before in ('"**.b"',) else chance.choice(["", " ", " ", "   "])
        out += word
    return out


def _word(text: str) -> bool:
    return text[:1].isalnum() or text[:1] in '_"'
