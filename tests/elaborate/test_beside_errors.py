"""What is said about a fault although another one stands before it, and what is not said because of one."""

from __future__ import annotations

import pytest

from tests.elaborate.check import codes, network

BLOCK = "block b(x: [batch, n], k: int) {\n  return x -> dense(k) -> dense(unit=3)\n}"


@pytest.mark.parametrize("value", ["x > -7", "x // 300", "x == 1000"])
def test_a_number_that_does_not_fit_is_an_error_of_the_spec(value: str) -> None:
    """A literal beside a tensor takes its dtype, which may be too narrow for it."""
    assert codes(f"network N {{\n  input x: u8[batch, 4]\n  output y = {value}\n}}\n") == ["number-too-large"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('unknown * "a"', {"unknown-name", "bad-operand"}),
        ('"a" / unknown', {"unknown-name", "bad-operand"}),
        ('if unknown < "a" then x else x', {"unknown-name", "bad-operand"}),
        ('if unknown == "a" then x else x', {"unknown-name"}),
        ("unknown * f32", {"unknown-name"}),
    ],
)
def test_a_string_in_arithmetic_is_wrong_whatever_stands_beside_it(value: str, found: set[str]) -> None:
    assert set(codes(network(f"output y = {value}\noutput z = x"))) == found


def test_a_block_is_examined_though_its_tensor_failed() -> None:
    assert set(codes(network("output y = unknown -> b(2)\noutput z = x", BLOCK))) == {"unknown-argument", "unknown-name"}


def test_a_block_is_examined_though_the_statement_that_calls_it_is_broken() -> None:
    assert codes(network("y = x -> b(2) +\noutput z = x", BLOCK)) == ["unknown-argument", "operator-after-chain"]


def test_a_block_that_nothing_calls_is_not_examined() -> None:
    assert codes(network("output y = unknown\noutput z = x", BLOCK)) == ["never-called", "unknown-name"]


def test_sizes_of_a_failed_tensor_have_no_echo() -> None:
    body = "weight w: [n, k] = xavier\n  y = reshape(x @ w, [batch, k, 1])\n  for i in 0..n {\n    y = y + i\n  }\n  return y[:, 0, n - 1]"
    assert codes(network("output y = unknown -> b(2)\noutput z = x", f"block b(x: [batch, n], k: int) {{\n  {body}\n}}")) == [
        "unknown-name"
    ]


def test_a_broken_input_is_an_input_all_the_same() -> None:
    """A call of its network has not too many arguments, and the sizes of its type are no unknown names."""
    text = "network N {\n  input a: [batch, 4\n  output y = reshape(a, [batch, 2, 2])\n}\n"
    assert codes(text + "network K {\n  input x: [batch, 4]\n  output y = N(x).y\n}\n") == ["unclosed-bracket"]


def test_a_size_that_is_known_stays_known_below_a_broken_input() -> None:
    text = "network N {\n  input x: [batch, 4]\n  input a: [batch, 4\n  output y = reshape(x, [batch, 3])\n}\n"
    assert codes(text) == ["unclosed-bracket", "bad-setting"]


def test_a_block_with_a_broken_return_is_not_said_to_return_nothing() -> None:
    assert codes(network("output y = x -> b", "block b(x: [batch, n]) {\n  return x -> relu,\n}")) == ["missing-value"]


def test_a_name_that_begins_an_unknown_one_is_not_said_to_be_unused() -> None:
    assert codes(network("output y = reshape(x1, [batch, 2])")) == ["unknown-name"]


def test_a_setting_that_begins_an_unknown_one_is_not_said_to_be_missing() -> None:
    settings = "loss_of_all: mean(N(data.image / 255).y)\n  optimizer: sgd(0.1)"
    text = network("output y = x").replace("[batch, 4]", "[batch, 1, 28, 28]")
    assert codes(f'{text}\ntrain {{\n  data = dataset("fashion-mnist")\n  {settings}\n}}\n') == ["unknown-setting"]
