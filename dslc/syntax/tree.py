"""Lark's stacks and trees without what the compiler does not need of them: lines, columns and calls within calls for each reduction.

The table, the shape of the trees (inlined rules, dropped signs, placeholders) and the extent of their nodes are Lark's.
"""

from __future__ import annotations

from typing import Any

from dslc.syntax.tokens import Token


class Node:
    """A rule with its children. `start`, `end`: its extent, None for a rule without tokens; `outer_…`: that of the dropped signs too."""

    __slots__ = ("children", "data", "end", "outer_end", "outer_start", "start")

    def __init__(self, data: str, children: list[Any]) -> None:
        self.data = data
        self.children = children
        self.start: int | None = None
        self.end: int | None = None
        self.outer_start: int | None = None
        self.outer_end: int | None = None


class Reduction:
    """What becomes of the values of one rule's symbols."""

    __slots__ = ("data", "kept", "nones", "origin", "single", "size")

    def __init__(self, rule: Any) -> None:
        self.origin: str = rule.origin.name
        self.size = len(rule.expansion)
        self.data: str = rule.alias or rule.origin.name
        self.single = rule.options.expand1 and not rule.alias
        empty = rule.options.empty_indices or (False,) * self.size
        holes = [len(run) for run in "".join("1" if hole else "0" for hole in empty).split("0")]
        self.kept: list[tuple[int, bool, int]] = []  # place, whether its children are taken in its stead, placeholders before it
        nones = 0
        for at, symbol in enumerate(rule.expansion):
            nones += holes[at]
            if rule.options.keep_all_tokens or not (symbol.is_term and symbol.filter_out):
                self.kept.append((at, not symbol.is_term and symbol.name.startswith("_"), nones))
                nones = 0
        self.nones = nones + holes[self.size]  # placeholders at the end

    def __call__(self, values: list[Any]) -> Any:
        children: list[Any] = []
        for at, inlined, nones in self.kept:
            if nones:
                children += [None] * nones
            if not inlined:
                children.append(values[at])
            elif children:
                children += values[at].children
            else:
                children = values[at].children  # the list of what stands to the left grows in place
        if self.nones:
            children += [None] * self.nones
        if self.single and len(children) == 1:
            found = children[0]
            if found.__class__ is Node:
                self.extend(found, values)
            return found
        found = Node(self.data, children)
        self.extend(found, values)
        return found

    def extend(self, node: Node, values: list[Any]) -> None:
        """The extent of a node: from the first to the last of the values that have one."""
        for value in values:
            start = value.start if value.__class__ is Token else value.outer_start if value.__class__ is Node else None
            if start is not None:
                node.outer_start = start
                if node.start is None:
                    node.start = start
                break
        for value in reversed(values):
            end = value.end if value.__class__ is Token else value.outer_end if value.__class__ is Node else None
            if end is not None:
                node.outer_end = end
                if node.end is None:
                    node.end = end
                break


class State:
    """The two stacks of one run over Lark's table."""

    def __init__(self, parse_conf: Any, shift: Any, reductions: dict[int, Reduction]) -> None:
        self.parse_conf = parse_conf
        self.state_stack: list[Any] = [parse_conf.start_state]
        self.value_stack: list[Any] = []
        self.shift_action = shift
        self.reductions = reductions

    def feed_token(self, token: Token, is_end: bool = False) -> Any:
        """Reduce and shift a token that the table accepts; the tree, where it is the end."""
        states, values, rows = self.state_stack, self.value_stack, self.parse_conf.states
        kind = token.type
        while True:
            action, argument = rows[states[-1]][kind]
            if action is self.shift_action:
                states.append(argument)
                values.append(token)
                return None
            reduction = self.reductions.get(id(argument))
            if reduction is None:
                reduction = self.reductions[id(argument)] = Reduction(argument)
            size = reduction.size
            given: list[Any] = []
            if size:
                given = values[-size:]
                del states[-size:], values[-size:]
            states.append(rows[states[-1]][reduction.origin][1])
            values.append(reduction(given))
            if is_end and states[-1] == self.parse_conf.end_state:
                return values[-1]
