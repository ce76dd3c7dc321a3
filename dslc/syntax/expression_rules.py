"""Rules over expressions: each looks at a scene and gives the diagnostic if it fits."""

from __future__ import annotations

from dslc.diagnostics import Diagnostic, Edit, Fix
from dslc.source import Span
from dslc.syntax import errors
from dslc.syntax.scene import ATOMS, BINARY, OPENING, VALUES, Scene

OPENS = ("EQUAL", "COLON", "NOT", "RETURN", "YIELD", "ELSE", "THEN", "IN", "IF", "COMMA", "RANGE")
CLOSES = ("RPAR", "RSQB", "RBRACE", "LBRACE", "COMMA", "EQUAL", "ARROW", "DOT", "COLON", "THEN", "ELSE", "RANGE")


def missing_value(s: Scene) -> Diagnostic | None:
    if s.last is None or not (s.ended or s.token.first or s.token.type in CLOSES or s.token.type in BINARY):
        return None
    if s.after in BINARY or s.after in OPENS or (s.after in ("LPAR", "LSQB") and s.token.type not in ("RPAR", "RSQB")):
        return errors.MissingValue(span=s.last_span, after=s.text(s.last))
    if s.after == "ARROW":
        return errors.MissingThing(span=s.last_span, what="the name of a block, layer or function", after="->")
    if s.after in ("DOT", "AS"):
        return errors.MissingThing(span=s.last_span, what="a name", after=s.text(s.last))
    return None


def name_expected(s: Scene) -> Diagnostic | None:
    if s.after in ("DOT", "AS"):
        return errors.MissingThing(span=s.span, what="a name", after=s.text(s.last))
    return None


def starred(s: Scene) -> Diagnostic | None:
    """`f(*s)`: a star stands only in a shape."""
    if s.token.type == "STAR" and s.bracket == "LPAR" and s.after in ("LPAR", "COMMA"):
        return errors.StarOutsideShape(span=s.span)
    return None


def colon_in_call(s: Scene) -> Diagnostic | None:
    if s.token.type != "COLON" or s.bracket != "LPAR" or s.after != "NAME":
        return None
    space = 1 if s.driver.source.text[s.token.end : s.token.end + 1] == " " else 0
    fix = Fix("write `=`", (Edit(Span(s.driver.source, s.token.start, s.token.end + space), "="),))
    return errors.ColonInCall(span=s.span, name=s.text(s.last), fix=fix)


def slice_step(s: Scene) -> Diagnostic | None:
    if s.token.type == "COLON" and s.bracket == "LSQB" and s.has("COLON"):
        return errors.SliceStep(span=s.span)
    return None


def assign_in_condition(s: Scene) -> Diagnostic | None:
    if s.token.type == "EQUAL" and s.has("IF") and s.after in VALUES:
        return errors.AssignInCondition(span=s.span, fix=s.replace(s.token, "=="))
    return None


def argument_name(s: Scene) -> Diagnostic | None:
    if s.token.type == "EQUAL" and s.bracket in ("LPAR", "LSQB") and s.after in VALUES:
        return errors.ArgumentName(span=s.span)
    return None


def stage_expected(s: Scene) -> Diagnostic | None:
    if s.after == "ARROW" and not s.ended:
        return errors.StageExpected(span=s.span, found=s.found)
    return None


def arrow_in_arm(s: Scene) -> Diagnostic | None:
    if s.token.type != "ARROW" or not s.has("THEN", "ELSE"):
        return None
    return errors.ArrowInArm(span=s.span, fix=_wrap_arm(s) if not s.has("ELSE") else None)


def _wrap_arm(s: Scene) -> Fix | None:
    """Parentheses round a chain between `then` and `else`."""
    start = next(at + 1 for at, token in enumerate(s.level) if token.type == "THEN")
    depth, end = 0, s.token.end
    for token in s.driver.tokens[s.at : s.at + 1000]:
        depth += OPENING.get(token.type, 0)
        if token.type == "ELSE" and depth == 0 and start < len(s.level):
            places = ((s.level[start].start, "("), (end, ")"))
            return Fix("put the chain in parentheses", tuple(Edit(Span(s.driver.source, at, at), text) for at, text in places))
        if depth < 0 or token.type == "_NL":
            return None
        end = token.end
    return None


def after_chain(s: Scene) -> Diagnostic | None:
    if not s.has("ARROW"):
        return None
    if s.token.type in BINARY:
        return errors.OperatorAfterChain(span=s.span, operator=s.text(s.token), fix=s.parenthesise())
    if s.token.type == "LSQB":
        return errors.IndexAfterStage(span=s.span, fix=s.parenthesise())
    return None


def chained_comparison(s: Scene) -> Diagnostic | None:
    expression = s.expression()
    if s.token.type != "COMPARE" or not any(token.type == "COMPARE" for token in expression):
        return None
    middle = expression[-1]
    simple = len(expression) > 1 and expression[-2].type == "COMPARE" and middle.type in ATOMS
    fix = s.insert(s.token.start, f"and {middle.text} ", f"write `and {middle.text}`") if simple else None
    return errors.ChainedComparison(span=s.span, fix=fix)


def conditional_form(s: Scene) -> Diagnostic | None:
    """`x = if a { b } else { c }`, `x = b if a else c`, `if a b else c`."""
    inner = s.level[1:] if s.outside and s.opening == "IF" else s.level
    has_if = any(token.type == "IF" for token in inner)
    if s.token.type == "LBRACE" and has_if and s.opening not in ("IF", "FOR") and not s.has("THEN", "SCAN"):
        return errors.ConditionalForm(span=s.span)
    if s.token.type == "IF" and s.after in VALUES and (s.has("EQUAL", "COLON", "RETURN", "YIELD") or not s.outside):
        return errors.ConditionalForm(span=s.span)
    if has_if and not s.has("THEN") and s.after in VALUES and s.token.type in (*ATOMS, "ELSE", "COMMA", "RPAR", "RSQB", "_NL", "$END"):
        return errors.MissingThing(span=s.span, what="`then`", after=s.text(s.last))
    return None


def missing_else(s: Scene) -> Diagnostic | None:
    kinds = [token.type for token in s.level]
    arms = "THEN" in kinds and "ELSE" not in kinds[kinds.index("THEN") :]
    if arms and (s.ended or s.token.first or s.token.type in ("RPAR", "RSQB", "COMMA", "RBRACE")):
        return errors.MissingElse(span=s.span)
    return None


def tuple_form(s: Scene) -> Diagnostic | None:
    """`(a, b)`: parentheses hold one value."""
    if s.token.type != "COMMA" or s.bracket != "LPAR":
        return None
    opener = s.driver.brackets[-1].token
    at = next((at for at, token in enumerate(s.history) if token.start == opener.start), 0)
    called = at > 0 and s.history[at - 1].type in (*VALUES, "SCAN")
    return None if called else errors.SeveralInParentheses(span=s.span)


def missing_comma(s: Scene) -> Diagnostic | None:
    starts = s.token.type in ATOMS or s.token.type in ("LSQB", "LPAR", "NOT", "IF")
    if s.outside or s.after not in VALUES or not starts or s.last is None:
        return None
    fix = s.insert(s.last.end, ",")
    return errors.MissingComma(span=s.span, left=s.text(s.last), right=s.text(s.token), fix=fix)


def missing_operator(s: Scene) -> Diagnostic | None:
    """`3 4`, `a b`, `a not b`: two values side by side."""
    if s.after in VALUES and (s.token.type in ATOMS or s.token.type in ("NOT", "LPAR", "IF")) and not s.token.first:
        return errors.MissingOperator(span=s.span, left=s.text(s.last), right=s.text(s.token))
    return None


def brace_value(s: Scene) -> Diagnostic | None:
    if s.token.type == "LBRACE" and (
        s.after in BINARY or s.after in ("EQUAL", "COLON", "LPAR", "LSQB", "COMMA", "ARROW", "RETURN", "YIELD")
    ):
        return errors.BraceValue(span=s.span)
    return None
