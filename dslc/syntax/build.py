"""From Lark's tree to ours: one constructor a grammar rule, an own post-order loop (no recursion on input depth)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

from dslc.diagnostics import Edit, Fix, Sink
from dslc.source import Source, Span
from dslc.syntax import ast, errors
from dslc.syntax.scan import HARD, SOFT
from dslc.syntax.tree import Node

MOST_NESTED = 64
PLACEHOLDER = "dslc"  # a keyword: it names nothing, and nobody reports it again
NAMED_SETTINGS = ("loss", "metric")
TYPED = ("input", "weight", "state", "carry", "param", "output")


class Context:
    """The source and sink of one build."""

    def __init__(self, source: Source, sink: Sink, signature: bool = False) -> None:
        self.source = source
        self.sink = sink
        self.signature = signature  # a row's parameter may be called `weight`: it is given by name
        self.reported: set[int] = set()

    def too_deep(self, value: Any) -> ast.Name:
        """One report for all levels that end at the same place."""
        if value.span.end not in self.reported:
            self.reported.add(value.span.end)
            self.sink.add(errors.NestedTooDeeply(span=value.span, limit=MOST_NESTED))
        return ast.Name(id=PLACEHOLDER, span=value.span)

    def span(self, start: int, end: int) -> Span:
        return Span(self.source, start, end)

    def name(self, token: Any) -> ast.Name:
        """A name that may be bound or read: no soft keyword."""
        name = ast.Name(id=token.text, span=self.span(token.start, token.end))
        if name.id in SOFT and not self.signature:
            self.sink.add(errors.KeywordAsName(span=name.span, word=name.id))
        return name

    def label(self, token: Any) -> ast.Name:
        """A name after `.`, before `=` in a call, before `:` or called (`schedule: step(3)`): soft keywords may stand."""
        return ast.Name(id=token.text, span=self.span(token.start, token.end))

    def token_span(self, token: Any) -> Span:
        return self.span(token.start, token.end)


Items = Sequence[Any]
Constructor = Callable[[Context, Items, Span], Any]


def build(source: Source, tree: Any, sink: Sink) -> Any:
    """The value of the start rule: a tuple of statements, a Signature, or (path, expression)."""
    context = Context(source, sink, tree.data == "signature")
    stack = [Frame(tree)]
    while True:
        frame = stack[-1]
        if frame.at < len(frame.node.children):
            child = frame.node.children[frame.at]
            frame.at += 1
            if child.__class__ is Node:
                stack.append(Frame(child))
            else:
                frame.done.append(leaf(context, child))
            continue
        rule = stack.pop().node.data
        value = RULES[rule](context, frame.done, extent(context, frame.node))
        depth = frame.depth + (rule in NESTING)
        if depth > MOST_NESTED and rule in REPLACED:
            value, depth = context.too_deep(value), 0
        if not stack:
            return value
        stack[-1].done.append(value)
        stack[-1].depth = max(stack[-1].depth, depth)


class Frame:
    """A node of Lark's tree whose children are being built: the values so far, and how deep they nest."""

    __slots__ = ("at", "depth", "done", "node")

    def __init__(self, node: Any) -> None:
        self.node = node
        self.done: list[Any] = []
        self.at = 0
        self.depth = 0


# Rules that nest; those among them that nest without a bracket are replaced by a name where they are too deep, so that no tree is.
NESTING = frozenset({"unary", "not_", "power", "cond", "paren", "list", "call", "item", "body"})
REPLACED = frozenset({"unary", "not_", "power", "cond", "paren"})


def extent(context: Context, node: Any) -> Span:
    return context.span(node.start or 0, node.end or 0)


def leaf(context: Context, token: Any) -> Any:
    """Values of tokens that are expressions by themselves; other tokens stay tokens."""
    if token is None:
        return None
    make = LEAVES.get(token.type)
    return token if make is None else make(context, token)


LEAVES: dict[str, Callable[[Context, Any], Any]] = {
    "INT": lambda c, t: ast.Int(value=int(t.text.replace("_", "")), span=c.token_span(t)),
    "FLOAT": lambda c, t: ast.Float(value=float(t.text.replace("_", "")), span=c.token_span(t)),
    "STRING": lambda c, t: ast.String(value=unquoted(c, t), span=c.token_span(t)),
    "TRUE": lambda c, t: ast.Bool(value=True, span=c.token_span(t)),
    "FALSE": lambda c, t: ast.Bool(value=False, span=c.token_span(t)),
}
ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}


def unquoted(context: Context, token: Any) -> str:
    text, out, at = token.text[1:-1], [], 0
    while at < len(text):
        if text[at] != "\\":
            out.append(text[at])
            at += 1
            continue
        if text[at + 1] not in ESCAPES:
            start = token.start + 1 + at
            context.sink.add(errors.BadEscape(span=context.span(start, start + 2), found=text[at : at + 2]))
        out.append(ESCAPES.get(text[at + 1], text[at + 1]))
        at += 2
    return "".join(out)


# ---- helpers -----------------------------------------------------------------------------------------------------------------


def is_token(item: Any, *types: str) -> bool:
    return getattr(item, "type", None) in types and not isinstance(item, ast.Node)


def expression(c: Context, item: Any) -> Any:
    """A bare NAME token in an expression is a Name."""
    return c.name(item) if is_token(item, "NAME") else item


def expressions(c: Context, items: Items) -> tuple[Any, ...]:
    return tuple(expression(c, item) for item in items if item is not None)


def arguments(c: Context, items: Any) -> tuple[ast.Arg, ...]:
    found: list[ast.Arg] = []
    for item in items or ():
        if isinstance(item, ast.Arg):
            found.append(item)
        else:
            value = expression(c, item)
            found.append(ast.Arg(name=None, value=value, span=value.span))
    return tuple(found)


def negation(c: Context, i: Items, s: Span) -> ast.Neg:
    return ast.Neg(value=expression(c, i[-1]), span=s)


def inversion(c: Context, i: Items, s: Span) -> ast.Not:
    return ast.Not(value=expression(c, i[-1]), span=s)


def power(c: Context, i: Items, s: Span) -> ast.Power:
    return ast.Power(base=expression(c, i[0]), exponent=expression(c, i[-1]), span=s)


def chain(c: Context, i: Items, s: Span) -> ast.Arith:
    terms = tuple(
        ast.Term(op=sign.text, value=expression(c, value), span=c.token_span(sign)) for sign, value in zip(i[1::2], i[2::2], strict=True)
    )
    return ast.Arith(first=expression(c, i[0]), terms=terms, span=s)


def boolean(op: str) -> Constructor:
    return lambda c, i, s: ast.BoolOp(op=op, values=expressions(c, i), span=s)


def postfix(c: Context, i: Items, s: Span) -> Any:
    called = is_token(i[0], "NAME") and i[1][0] == "call"
    value = c.label(i[0]) if called else expression(c, i[0])
    for kind, payload, end in i[1:]:
        span = c.span(value.span.start, end)
        if kind == "call":
            value = ast.Call(func=value, args=payload, span=span)
        elif kind == "item":
            value = ast.Index(value=value, items=payload, span=span)
        else:
            value = ast.Field(value=value, name=payload, span=span)
    return value


def index_item(c: Context, item: Any) -> Any:
    return ast.Ellipsis(span=c.token_span(item)) if is_token(item, "RANGE") else expression(c, item)


def domain(c: Context, i: Items, s: Span) -> tuple[Any, Any, bool]:
    found = expressions(c, [item for item in i if not is_token(item, "LOG")])
    return found[0], found[1] if len(found) > 1 else None, any(is_token(item, "LOG") for item in i)


def param(c: Context, i: Items, s: Span) -> ast.Param:
    name, type, default, limits = i
    low, high, log = limits or (None, None, False)
    return ast.Param(
        name=c.name(name), type=type, default=None if default is None else expression(c, default), low=low, high=high, log=log, span=s
    )


def if_statement(c: Context, i: Items, s: Span) -> ast.If:
    items = [item for item in i if item is not None]
    pairs = [(expression(c, items[at]), items[at + 1]) for at in range(0, len(items) - 1, 2)]
    return ast.If(arms=tuple(pairs), other=items[-1] if len(items) % 2 else None, span=s)


def scan_expression(c: Context, i: Items, s: Span) -> ast.Scan:
    args, names, values, over, body = i
    place = over if isinstance(over, ast.Int) else c.name(over)
    return ast.Scan(args=arguments(c, args), names=names, values=values, over=place, body=body, span=s)


def broken(c: Context, i: Items, s: Span) -> ast.Error:
    return ast.Error(names=guess(i[0].text), body=i[1], span=s)


LIST = r"[A-Za-z_]\w*(?:[ \t]*,[ \t]*[A-Za-z_]\w*)*"
HEAD = re.compile(rf"\s*(?:([A-Za-z_]\w*)[ \t]+(?=[A-Za-z_]))?({LIST})")
SCANNED = re.compile(rf"\bscan\b\s*(?:\([^()]*\))?\s*({LIST})[ \t]")
PARAMETER = re.compile(r"[(,]\s*([A-Za-z_]\w*)\s*(?=[:,)])")
SIZES = re.compile(r"\[([^\]\n=]*)")


def guess(text: str) -> tuple[str, ...]:
    """Names that a broken statement would have bound: left of `=`, after a declaring (perhaps mistyped) word, in a head, in a type."""
    text = text[:1000]
    head = HEAD.match(text)
    found = [] if head is None else [head.group(1) or "", *re.findall(r"\w+", head.group(2))]
    found += [name for group in SCANNED.findall(text) for name in re.findall(r"\w+", group)]
    if head is not None and head.group(1) == "block":
        found += PARAMETER.findall(text)
    if head is not None and head.group(1) == "input":
        found += [name for group in SIZES.findall(text) for name in re.findall(r"\b[A-Za-z_]\w*", group)]
    return tuple(dict.fromkeys(name for name in found if name and name not in HARD | SOFT))


def setting(c: Context, i: Items, s: Span) -> ast.Setting | ast.Error:
    """`key: value`, `key name: value`; `inpt x: [...]` is a mistyped declaration."""
    key, name = c.label(i[0]), None if i[1] is None else c.label(i[1])
    if name is not None and key.id not in NAMED_SETTINGS:
        near = get_close_matches(key.id, (*TYPED, *NAMED_SETTINGS), n=1, cutoff=0.6)
        if near and near[0] in TYPED:
            fix = Fix(f"write `{near[0]}`", (Edit(key.span, near[0]),))
            c.sink.add(errors.UnknownStatement(span=key.span, word=key.id, nearest=near[0], fix=fix))
            return ast.Error(names=(name.id,), body=None, span=s)
    word = is_token(i[2], "NAME") and key.id == "schedule"  # `step` without its arguments: a missing argument, no keyword
    return ast.Setting(key=key, name=name, value=c.label(i[2]) if word else expression(c, i[2]), span=s)


def list_node(c: Context, i: Items, s: Span) -> ast.List:
    """`[a, b]`; in `list[layer]` (no value: there an index follows a name) the type `layer` stands."""
    kind = layer_type(c, i, s, OUTER)
    return ast.List(items=dims(c, i) if kind is None else kind, span=s)


def item_node(c: Context, i: Items, s: Span) -> Any:
    """`[i, 0:3]` behind a value; the inner list of `list[list[layer]]` reads like one."""
    kind = layer_type(c, i, s, INNER)
    return "item", tuple(index_item(c, item) for item in i if item is not None) if kind is None else kind, s.end


OUTER, INNER = re.compile(r"\blist\s*\Z"), re.compile(r"\blist\s*\[\s*list\s*\Z")


def layer_type(c: Context, i: Items, s: Span, before: re.Pattern[str]) -> tuple[ast.Name, ...] | None:
    """The word `layer` as a type between brackets, if it stands behind such text."""
    items = [item for item in i if item is not None]
    if len(items) != 1 or not is_token(items[0], "NAME") or items[0].text != "layer":
        return None
    return (c.label(items[0]),) if before.search(s.source.text, max(0, s.start - 200), s.start) else None


def dims(c: Context, items: Items) -> tuple[Any, ...]:
    return tuple(expression(c, item) for item in items if item is not None)


def type_node(c: Context, i: Items, s: Span) -> ast.Type:
    dtype = c.label(i[0]) if i[0] is not None and is_token(i[0], "NAME") else None
    last = i[-1]
    return ast.Type(dtype=dtype, dims=last.items if isinstance(last, ast.List) else None, span=s)


def optional(c: Context, item: Any) -> Any:
    return None if item is None else expression(c, item)


def statements(items: Items) -> tuple[Any, ...]:
    """Separators are tokens and drop out."""
    return tuple(item for item in items if isinstance(item, ast.Node))


RULES: dict[str, Constructor] = {
    # starts
    "file": lambda c, i, s: statements(i),
    "signature": lambda c, i, s: ast.Signature(i[0].text, i[1] or (), tuple(i[2:])),
    "literal": lambda c, i, s: (tuple(name.id for name in i[0]), expression(c, i[1])),
    # items
    "header": lambda c, i, s: ast.Header(version=i[0], span=s),
    "import_": lambda c, i, s: ast.Import(names=i[0], path=i[1], args=arguments(c, i[2]), span=s),
    "param": param,
    "domain": domain,
    "block": lambda c, i, s: ast.Block(name=c.name(i[0]), parms=i[1] or (), body=i[2], span=s),
    "parms": lambda c, i, s: tuple(item for item in i if isinstance(item, ast.Parm)),
    "parm": lambda c, i, s: ast.Parm(name=c.name(i[0]), type=i[1], default=optional(c, i[2]), span=s),
    "network": lambda c, i, s: ast.Network(name=c.name(i[0]), body=i[1], span=s),
    "train": lambda c, i, s: ast.Train(name=None if i[0] is None else c.name(i[0]), body=i[1], span=s),
    "generate": lambda c, i, s: ast.Generate(name=None if i[0] is None else c.name(i[0]), body=i[1], span=s),
    "body": lambda c, i, s: ast.Body(statements=statements(i), span=s),
    # statements
    "assign": lambda c, i, s: ast.Assign(names=i[0], values=i[1], span=s),
    "setting": setting,
    "input": lambda c, i, s: ast.Input(name=c.name(i[0]), type=i[1], default=optional(c, i[2]), span=s),
    "output": lambda c, i, s: ast.Output(names=i[0], value=optional(c, i[1]), span=s),
    "weight": lambda c, i, s: ast.Weight(name=c.name(i[0]), type=i[1], init=expression(c, i[2]), span=s),
    "state": lambda c, i, s: ast.State(names=i[0], type=i[1], init=expression(c, i[2]), span=s),
    "update": lambda c, i, s: ast.Update(name=c.name(i[0]), value=expression(c, i[1]), span=s),
    "layer": lambda c, i, s: ast.Layer(name=c.name(i[0]), value=expression(c, i[1]), span=s),
    "for_": lambda c, i, s: ast.For(name=c.name(i[0]), low=expression(c, i[1]), high=optional(c, i[2]), body=i[3], span=s),
    "if_": if_statement,
    "scan": scan_expression,
    "carry": lambda c, i, s: ast.Carry(names=i[0], type=i[1], init=optional(c, i[2]), span=s),
    "yield_": lambda c, i, s: ast.Yield(values=i[0], span=s),
    "return_": lambda c, i, s: ast.Return(values=i[0], span=s),
    "step": lambda c, i, s: ast.Step(name=c.name(i[0]), body=i[1], span=s),
    "rule": lambda c, i, s: ast.Rule(pattern=i[0], body=i[1], span=s),
    "value": lambda c, i, s: ast.Value(value=expression(c, i[0]), span=s),
    "error": broken,
    # expressions
    "cond": lambda c, i, s: ast.Cond(test=expression(c, i[0]), then=expression(c, i[1]), other=expression(c, i[2]), span=s),
    "pipe": lambda c, i, s: ast.Pipe(first=expression(c, i[0]), stages=tuple(i[1:]), span=s),
    "stage": lambda c, i, s: ast.Stage(path=i[0], args=stage_arguments(c, i[1], s), alias=None if i[2] is None else c.name(i[2]), span=s),
    "path": lambda c, i, s: tuple(c.name(t) if at == 0 else c.label(t) for at, t in enumerate(i)),
    "or_": boolean("or"),
    "and_": boolean("and"),
    "not_": inversion,
    "cmp": lambda c, i, s: ast.Compare(op=i[1].text, left=expression(c, i[0]), right=expression(c, i[2]), span=s),
    "sum": chain,
    "prod": chain,
    "unary": negation,
    "power": power,
    "postfix": postfix,
    "call": lambda c, i, s: ("call", arguments(c, i[0]), s.end),
    "item": item_node,
    "field": lambda c, i, s: ("field", c.label(i[0]), s.end),
    "paren": lambda c, i, s: ast.Paren(value=expression(c, i[0]), span=s),
    "list": list_node,
    "rest": lambda c, i, s: ast.Rest(name=c.name(i[-1]), span=s),
    "slice": lambda c, i, s: ast.Slice(start=optional(c, i[0]), stop=optional(c, i[1]), span=s),
    "args": lambda c, i, s: tuple(item for item in i if item is not None),
    "named": lambda c, i, s: ast.Arg(name=c.label(i[0]), value=expression(c, i[1]), span=s),
    "type": type_node,
    "names": lambda c, i, s: tuple(c.name(token) for token in i),
    "exprs": lambda c, i, s: expressions(c, i),
}


def stage_arguments(c: Context, items: Any, span: Span) -> tuple[ast.Arg, ...] | None:
    """None where no parentheses stand: `x -> f` and `x -> f()` read alike, the formatter keeps them apart."""
    if items is None:
        return () if span.text.rstrip().endswith(")") or "(" in span.text.split(" as ")[0] else None
    return arguments(c, items)
