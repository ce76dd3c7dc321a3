"""Trees, not acceptance: what binds how, which layouts are one, what is accepted and what is refused."""

from __future__ import annotations

import pytest

from tests.syntax.sexpr import expression, parsed
from tests.syntax.test_format import plain

BINDING = {
    "a + b": "(+ a b)",
    "a - b": "(- a b)",
    "a + b - c": "(- (+ a b) c)",
    "a - b - c": "(- (- a b) c)",
    "a + b * c": "(+ a (* b c))",
    "a * b + c": "(+ (* a b) c)",
    "a * b / c // d % e @ f": "(@ (% (// (/ (* a b) c) d) e) f)",
    "-a * b": "(* (neg a) b)",
    "a * -b": "(* a (neg b))",
    "--a": "(neg (neg a))",
    "-2^2": "(neg (^ 2 2))",
    "2^-1": "(^ 2 (neg 1))",
    "a^b^c": "(^ a (^ b c))",
    "a * b^c": "(* a (^ b c))",
    "a.b^c.d": "(^ a.b c.d)",
    "not a": "(not a)",
    "not not a": "(not (not a))",
    "not a == b": "(not (== a b))",
    "a and not b": "(and a (not b))",
    "a or b and c": "(or a (and b c))",
    "a and b and c": "(and a b c)",
    "(a or b) and c": "(and <(or a b)> c)",
    "a + 1 < b * 2": "(< (+ a 1) (* b 2))",
    "a < b and b < c": "(and (< a b) (< b c))",
    "a -> f": "(-> a f)",
    "a + b -> f": "(-> (+ a b) f)",
    "a or b -> f": "(-> (or a b) f)",
    "a -> f -> g(1, k=2) as h -> m.n": "(-> a f g(1 k=2) as h m.n)",
    "a -> f()": "(-> a f())",
    "(a -> f) + b": "(+ <(-> a f)> b)",
    "if a then b else c": "(if a b c)",
    "if a then b else if c then d else e": "(if a b (if c d e))",
    "if a or b then c + 1 else d": "(if (or a b) (+ c 1) d)",
    "f(a)(b)[c].d": "((f a) b)[c].d",
    "f(a, k=b -> g)": "(f a k=(-> b g))",
    "x[:, a:b, .., -1, 1:]": "x[: a:b .. (neg 1) 1:]",
    "[a, *s, [1, 2.5]]": "[a *s [1 2.5]]",
    "true == false": "(== true false)",
    'f("a\\n\\"b")': "(f 'a\\n\"b')",
    "1_000 + 1e-4": "(+ 1000 0.0001)",
    "log(x)": "(log x)",
}


@pytest.mark.parametrize("text", BINDING)
def test_binding(text: str) -> None:
    assert expression(text) == BINDING[text]


SAME = [
    ("x = a + b", "x = a +\n b"),
    ("x = a + b", "x = a\n  + b"),
    ("x = a + b", "x = a\n\n  # comment -> with { signs\n  + b"),
    ("x = a -> f -> g", "x = a\n  -> f\n  -> g"),
    ("x = a -> f -> g", "x = a ->\n  f ->\n  g"),
    ("x = f(a, b)", "x = f(\n  a,\n  b,\n)"),
    ("x = f(a, b)", "x = f(a\n, b)"),
    ("x = [a, b]", "x = [\na,\n\n# two\nb]"),
    ("x, y = a, b", "x,\n  y = a,\n b"),
    ("x = if a then b else c", "x = if a\n  then b\n  else c"),
    ("x = if a then b else c", "x = if a then\n b else\n c"),
    ("if a {\n}\nelse {\n}", "if a { } else { }"),
    ("for i in 0..3 {\n x = 1\n}", "for i in\n 0..3\n{ x = 1 }"),
    ("network N {\n x = 1\n}", "network N\n\n{\n\n\nx = 1\n\n}"),
    ("x = not a", "x = not\n a"),
    ("x = 1", "\r\n\r\n  x = 1  # comment\r\n"),
]


@pytest.mark.parametrize(("one", "two"), SAME)
def test_layouts_of_one_tree(one: str, two: str) -> None:
    (first, codes), (second, more) = parsed(f"dslc 1\n\n{one}\n"), parsed(f"dslc 1\n\n{two}\n")
    assert codes == more == []
    assert plain(first.statements) == plain(second.statements)


ACCEPTED = [
    "embed.weight + data.input",
    "x = f(input=3, over=4, step=5)",
    "x = y.output.state",
    "input: 3",
    "step: 4",
    "weight: 5",
    "log: 3",
    "x = log(y)",
    "x = y -> log",
    "output log = x",
    "param p: float = 1 in 1..log(3) log",
    'param p: string = "a" in ["a", "b"]',
    "metric layer: 3",
    "input x: [batch, *s, 3] = 0",
    "input x: i64[]",
    "state h, c: [b] = 0",
    "carry h, c",
    "yield a, b",
    "scan_ = 1",
    "_ = f(x)",
    'import a, b from "x.nn" (n=3, k="s")',
    "block f() {\n}",
    "x = scan(lengths=n) a, b in c, d over time {\n yield a\n}",
    "x = scan a in b over 4 {\n}",
    "for i in [1, 2] {\n}",
    "if a {\n} else if b {\n} else {\n}",
    "train {\n}",
    "generate g {\n}",
    'rule "a" { rate: 1 }',
    "x = f(a, b,)",
    "x = [1, 2,]",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_accepted(text: str) -> None:
    text = text if "=" in text or "{" in text or ":" in text or text.startswith(("carry", "yield")) else f"x = {text}"
    assert parsed(f"dslc 1\n{text}\n")[1] == []


REFUSED = [
    "x = input",
    "x = a.3",
    "for = 1",
    "for i inxs {\n}",
    "for i in0..3 {\n}",
    "x = 1 in0",
    "inputx: [3] = ",
    "x = a b",
    "x = 3x",
    "x = 1.",
    "x = .5",
    "x = a -> 3",
    "x = a -> f(2)[0]",
    "x = a -> f + b",
    "x = if a then b -> f else c",
    "x = a < b < c",
    "x = (a, b)",
    "x = ()",
    "x = f(a=)",
    "x = f(=a)",
    "x = y =",
    "x: [",
    "x[0] = 1",
    "x.y = 1",
    "x += 1",
    "weight w = 1",
    "weight w: [3]",
    "input x",
    "output",
    "update h",
    "update h, c = 1",
    "layer f",
    "return",
    "yield",
    "scan x in y over z {\n}",
    "x = scan y over z {\n}",
    "x = *s",
    "x = f(*s)",
    "x = {}",
    "train",
    "network {\n}",
    "block f {\n}",
    "if a\n x = 1",
    "else {\n}",
    "rule a {\n}",
    "step {\n}",
    'import "x.nn"',
    "import a from b",
    "x = 'a'",
    'x = "a',
    "x = a ? b : c",
    "x = a; y = b",
    "x = a && b",
    "x = a ** b",
    "x =\ny = 1",
    "output x: [3] = 1",
    "param p = 3",
    "größe = 1",
    "x = 1e400",
    "x = 1234567890123456789",
]


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    file, codes = parsed(f"dslc 1\n{text}\n")
    assert codes and not file.complete
