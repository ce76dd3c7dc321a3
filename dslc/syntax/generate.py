"""Writes `table.json`, Lark's LALR(1) table of `grammar.lark`: `python -m dslc.syntax.generate`.

Building the table takes 0.15 s in each process, loading it as JSON 0.02 s. JSON, never pickle.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SHIFT = 0  # Lark's number of the action
UNBOUNDED = 2**32 - 1
STARTS = ["file", "signature", "literal"]


def build() -> str:
    """The table of the grammar as it stands in the file."""
    from lark import Lark
    from lark.grammar import Rule
    from lark.lexer import TerminalDef

    grammar = (HERE / "grammar.lark").read_text()
    parser = Lark(grammar, parser="lalr", start=STARTS, maybe_placeholders=True, propagate_positions=True)
    data, memo = parser.memo_serialize([TerminalDef, Rule])
    renumber(data["parser"]["parser"])
    bound(memo)
    return json.dumps([data, memo, slips(grammar)], separators=(",", ":"), sort_keys=True) + "\n"


def renumber(table: dict[str, Any]) -> None:
    """Number states and symbols by the way to them (Lark's numbers follow the hash seed), so that a grammar has one table."""
    names = table["tokens"]
    order = [table["start_states"][start] for start in STARTS]
    for state in order:  # grows while it is read: breadth first
        targets = [argument for _, (action, argument) in _sorted(table["states"][state], names) if action == SHIFT]
        order += [target for target in dict.fromkeys(targets) if target not in order]
    number = {state: at for at, state in enumerate(order)}
    symbols = {name: at for at, name in enumerate(sorted(names.values()))}
    rows = {}
    for state in order:
        entries = [
            (symbols[names[key]], (action, number[to] if action == SHIFT else to)) for key, (action, to) in table["states"][state].items()
        ]
        rows[number[state]] = dict(sorted(entries))
    table["tokens"] = {at: name for name, at in symbols.items()}
    table["states"] = rows
    for ends in ("start_states", "end_states"):
        table[ends] = {start: number[state] for start, state in table[ends].items()}


def bound(memo: dict[Any, Any]) -> None:
    """Widths of patterns without an end are one number: what `re` calls them differs between releases of Python."""
    for item in memo.values():
        pattern = item.get("pattern", {})
        if "_width" in pattern:
            pattern["_width"] = [min(int(width), UNBOUNDED) for width in pattern["_width"]]


def _sorted(row: dict[int, Any], names: dict[int, str]) -> list[tuple[int, Any]]:
    return sorted(row.items(), key=lambda item: names[item[0]])


def slips(grammar: str) -> list[list[str | int]]:
    """Name, priority and pattern of the terminals that no rule uses; Lark drops them from its table."""
    found = re.findall(r"^(\w+_SLIP|STRAY)(?:\.(-?\d+))?: /(.*)/$", grammar, re.MULTILINE)
    return [[name, int(priority or 0), pattern.replace("\\/", "/")] for name, priority, pattern in found]


if __name__ == "__main__":
    (HERE / "table.json").write_text(build())
