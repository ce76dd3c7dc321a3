"""Writes `table.json`, Lark's LALR(1) table of `grammar.lark`: `python -m dslc.syntax.generate`.

Building the table takes 0.15 s in each process, loading it as JSON 0.02 s. JSON, never pickle.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

HERE = Path(__file__).parent
STARTS = ["file", "signature", "literal"]


def build() -> str:
    """The table of the grammar as it stands in the file."""
    from lark import Lark
    from lark.grammar import Rule
    from lark.lexer import TerminalDef

    grammar = (HERE / "grammar.lark").read_text()
    parser = Lark(grammar, parser="lalr", start=STARTS, maybe_placeholders=True, propagate_positions=True)
    data, memo = parser.memo_serialize([TerminalDef, Rule])
    return json.dumps([data, memo, slips(grammar)], separators=(",", ":"), sort_keys=True) + "\n"


def slips(grammar: str) -> list[list[str | int]]:
    """Name, priority and pattern of the terminals that no rule uses; Lark drops them from its table."""
    found = re.findall(r"^(\w+_SLIP|STRAY)(?:\.(-?\d+))?: /(.*)/$", grammar, re.MULTILINE)
    return [[name, int(priority or 0), pattern.replace("\\/", "/")] for name, priority, pattern in found]


if __name__ == "__main__":
    (HERE / "table.json").write_text(build())
