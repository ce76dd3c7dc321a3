"""Hard limits: each has its own message, nothing is allocated first, and no input meets Python's own recursion limit."""

from __future__ import annotations

import time

import pytest

from dslc import limits
from dslc.diagnostics import SpecError
from dslc.loading import load_program
from tests.elaborate.check import check, codes, network


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("output y = x -> dense(3000000000)", "size-too-large"),
        ("output y = x -> dense(2000000000) -> dense(2000000000)", "size-too-large"),
        ("output y = reshape(x, [1, 1, 1, 1, 1, 1, 1, batch, 4])", "rank-too-large"),
        ("output y = x + 2^64", "number-too-large"),
        ("output y = x + 2^2^40", "number-too-large"),
        ("output y = x * 1e308 * (1e308 * 10)", "number-too-large"),
        ("y = []\nfor i in 0..400000 {\n y = y + [1, 2, 3, 4]\n}\noutput z = x * y[0]", "too-many-steps"),
        ("y = [1]\nfor i in 0..20 {\n y = y + y\n}\noutput z = x * y[0]", "number-too-large"),
        ("n = batch\nfor i in 0..40 {\n n = n * n + n\n}\noutput y = x * n", "number-too-large"),
        ("for i in 0..2000000 {\n}\noutput y = x", "too-many-steps"),
        ("y = x\nfor i in 0..200000 {\n y = y + 1\n}\noutput y", "too-many-nodes"),
        ("y = [1]\nfor i in 0..100 {\n y = [y]\n}\nfor z in y {\n}\noutput x", "number-too-large"),
    ],
)
def test_limit(body: str, code: str) -> None:
    assert codes(network(body)) == [code]


def test_recursion_of_blocks() -> None:
    head = "block down(x: [batch, n], k: int) {\n  if k == 0 {\n    return x\n  }\n  return x + 1 -> down(k - 1)\n}"
    assert codes(network("output y = x -> down(20)", head)) == []
    assert codes(network("output y = x -> down(60)", head)) == ["expansion-too-deep"]


def test_brackets_inside_deep_calls_are_no_exception() -> None:
    inner = "(" * 60 + "x" + ")" * 60
    head = f"block down(x: [batch, n], k: int) {{\n  if k == 0 {{\n    return x\n  }}\n  return down({inner}, k - 1)\n}}"
    assert set(codes(network("output y = x -> down(39)", head))) == {"too-complex"}


def test_forty_doublings_are_refused_in_seconds() -> None:
    blocks = ["block b0(x: [batch, n]) {\n  return x + 1\n}"]
    blocks += [f"block b{k}(x: [batch, n]) {{\n  return x -> b{k - 1} -> b{k - 1}\n}}" for k in range(1, 31)]
    start = time.process_time()
    assert codes(network("output y = x -> b30", "\n".join(blocks))) == ["too-many-steps"]
    assert time.process_time() - start < 30


LONG_LIST = "y = [1]\nfor i in 0..16 {\n y = y + y\n}\n"
NESTS = "".join(f"for {'i' * 120}{k} in 0..1 {{\n" for k in range(60))
SIZES = "input z: [a, b, c, d, e, f, g, h]\n"
SUM, PRODUCT = "(a + b + c + d + e + f + g + h)", "(a * b * c * d * e * f * g * h)"
HOSTILE = {
    "a list of 65,536 items compared over and over": (LONG_LIST + "for i in 0..100000 {\n if y == y {\n }\n}\noutput x", "too-many-steps"),
    "parts of a long list": (LONG_LIST + "q = 0\nfor i in 0..100000 {\n q = y[1:][0]\n}\noutput z = x * q", "too-many-steps"),
    "long lists as tensors": (
        LONG_LIST + "z = x\nfor i in 0..10000 {\n z = z + tensor(y)[0]\n}\noutput z",
        "too-many-steps",
    ),
    "lists of a list twice": ("y = [1]\nfor i in 0..60 {\n y = [y, y]\n}\noutput x", "number-too-large"),
    "powers of a power": ("n = batch\nfor i in 0..60 {\n n = n^8\n}\noutput z = x * n", "number-too-large"),
    "a quotient of its own square": ("n = batch\nfor i in 0..60 {\n n = (n * n + 1) // 2\n}\noutput z = x * n", "number-too-large"),
    "nested quotients": ("n = batch\nfor i in 0..9000 {\n n = (n + batch) // 3\n}\noutput z = x * n", "number-too-large"),
    "a divisor that grows": (SIZES + "n = a\nfor i in 0..99000 {\n n = (n + 1) // 2\n}\noutput y = x * n", "too-many-steps"),
    "sizes of many terms": (SIZES + f"n = {SUM}\nfor i in 0..99000 {{\n m = n * n - n\n}}\noutput y = x * n * m", "too-many-steps"),
    "signs of products": (SIZES + f"n = {PRODUCT}\nm = n * n - {SUM}\noutput y = x * m", "number-too-large"),
    "signs asked for": (SIZES + "n = a * b * c * d * e\nfor i in 0..99000 {\n if n - b > i {\n }\n}\noutput y = x * n", "too-many-steps"),
    "long addresses": (NESTS + "y = x\nfor i in 0..99000 {\n y = y + i\n}\n" + "}\n" * 60 + "output x", "too-many-steps"),
    "gradients of a long chain": (
        "y = x\nfor i in 0..300 {\n y = tanh(y)\n}\nz = sum(y)\nfor i in 0..9000 {\n g = grad(z, x)\n}\noutput q = g * z",
        "too-many-steps",
    ),
    "a name of 800,000 letters": ("output y = x + " + "z" * 800_000, "name-too-long"),
}


@pytest.mark.parametrize(("body", "code"), HOSTILE.values(), ids=HOSTILE)
def test_fuel_is_charged_by_the_time_that_something_takes(body: str, code: str) -> None:
    start = time.process_time()
    assert code in codes(network(body))
    assert time.process_time() - start < 10  # about 1 s where nothing else runs; without the charges minutes, or no end


def test_both_phases_are_one_graph_where_nothing_asks_for_the_phase() -> None:
    plain, _ = check(network("output y = x -> dense(3)"))
    asked, _ = check(network("output y = x -> dense(3) -> dropout(0.5)"))
    assert plain is not None and asked is not None
    (one,), (two,) = plain.networks.values(), asked.networks.values()
    assert one.train is one.evaluate
    assert two.train is not two.evaluate and len(two.train.nodes) > len(two.evaluate.nodes)


def test_a_hundred_thousand_nodes_can_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `bench/growth.py` measures with 100,000 nodes and five times the steps, here a fiftieth of both."""
    from bench.growth import spec

    monkeypatch.setattr(limits, "STEPS", limits.STEPS // 10)
    assert codes(spec(2_000).removeprefix("dslc 1\n")) == []
    monkeypatch.setattr(limits, "STEPS", 20_000)
    assert codes(spec(2_000).removeprefix("dslc 1\n")) == ["too-many-steps"]


def test_the_environment_allows_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STEPS", 2_000)
    body = network("for i in 0..1500 {\n}\noutput x")
    assert codes(body) == ["too-many-steps"]
    monkeypatch.setenv(limits.VARIABLE, "5")
    assert codes(body) == []


@pytest.mark.parametrize("value", ["0", "21", "many", "-1", "1.5", "٣", "9" * 30])
def test_what_the_environment_cannot_allow(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(limits.VARIABLE, value)
    with pytest.raises(SpecError, match="is a whole number from 1 to 20"):
        codes(network("output x"))


def test_the_help_of_a_limit_says_how_more_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STEPS", 2_000)
    body = network("for i in 0..50000 {\n}\noutput x")
    assert "`DSLC_LIMITS=5 dslc …`" in check(body)[1][-1].help
    monkeypatch.setenv(limits.VARIABLE, "5")
    assert "`DSLC_LIMITS=20 dslc …`" in check(body)[1][-1].help
    monkeypatch.setenv(limits.VARIABLE, "20")
    assert check(body)[1][-1].help == ""


def test_no_more_than_300_000_words_and_signs_can_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(limits.VARIABLE, "20")
    (error,) = (item for item in check(network("a = [" + "1, " * 150_000 + "1]\noutput x"))[1] if item.code == "too-many-tokens")
    assert "300,000" in error.message and error.help == ""


@pytest.mark.parametrize("name", ["resnet152", "densenet121", "inception3"])
def test_the_largest_shipped_specs_need_less_than_a_third_of_the_limits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STEPS", limits.STEPS // 3)
    monkeypatch.setattr(limits, "NODES", limits.NODES // 3)
    load_program(name)


def test_reading_is_charged_too() -> None:
    """A text of too many words is one error; its elaboration, for which nothing is left, adds none."""
    assert codes(network("y = x" + " + x" * 40_000 + "\noutput y")) == ["too-many-tokens"]


def test_a_long_chain_takes_time_in_proportion_to_its_length() -> None:
    """Each stage once made the text of all stages before it: 8,000 took five times as long, 130,000 never ended."""
    assert codes(network("output y = x" + " -> relu" * 8_000)) == []


def test_fifty_errors_at_most() -> None:
    body = "\n".join(f"a{k} = x -> unknown{k}" for k in range(200))
    _, found = check(network(f"{body}\noutput x"))
    assert len([item for item in found if item.severity == "error"]) == 50


def test_a_failed_value_has_no_echo() -> None:
    body = "a = x -> dens(3)\nb = a -> relu -> conv(3, kernel=3)\nc, d = split(b + a, 2)\noutput y = c * d[:, 0:2]"
    assert codes(network(body)) == ["unknown-name"]


def test_ten_thousand_unknown_names_in_seconds() -> None:
    start = time.process_time()
    found = codes(network("\n".join(f"a{k} = nam{k} + x" for k in range(10_000))))
    assert len(found) == 50
    assert time.process_time() - start < 20


@pytest.mark.parametrize("chain", ["x" + ".a" * 5000, "x" + "[0]" * 5000, "if true then x else " * 5000 + "x"])
def test_long_chains_without_brackets(chain: str) -> None:
    """Their trees are deep although no bracket is."""
    assert check(network(f"output y = {chain}"))[0] is None
