"""Values, indices, scans and declarations that do not go together: `refused.txt` holds a body or a whole text below each list of messages.

A line `! …` is a message; `ok` begins a case that is accepted. Empty lines stand between cases. A `train` or `generate` that stands first
is one of the network `Digits` below.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.elaborate.check import check, network

CASES = Path(__file__).with_name("refused.txt").read_text(encoding="utf-8").strip().split("\n\n")

DIGITS = """network Digits {
  input x: [batch, 64]
  output y = x -> dense(10)
}
"""


def parts(case: str) -> tuple[list[str], str]:
    lines = case.split("\n")
    messages = [line[2:] for line in lines if line.startswith("! ")]
    body = "\n".join(line for line in lines if line != "ok" and not line.startswith("! "))
    if body.startswith(("train ", "generate ")):
        body = DIGITS + body
    return messages, body if body.startswith(("network ", "block ", "param ")) else network(body)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.split("\n")[-1].strip("} ") or case.split("\n")[0])
def test_the_messages(case: str) -> None:
    messages, text = parts(case)
    program, found = check(text)
    errors = [item for item in found if item.severity == "error"]
    assert [item.message for item in errors] == messages
    assert (program is None) == bool(messages)
    assert all(item.span is not None for item in errors)
