"""Hard limits: each has its own message, nothing is allocated first, and no input meets Python's own recursion limit."""

from __future__ import annotations

import time

import pytest

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
