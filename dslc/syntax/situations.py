"""Which words fit a syntax error: rules over the previous tokens, the offending one and the open brackets; the first that fits."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from dslc.diagnostics import Diagnostic, Edit, Fix
from dslc.source import Span
from dslc.syntax import errors
from dslc.syntax.scan import HARD, SOFT, Token, printable

if TYPE_CHECKING:
    from dslc.syntax.parse import Driver

VALUES = frozenset({"NAME", "INT", "FLOAT", "STRING", "TRUE", "FALSE", "RPAR", "RSQB"})
BINARY = frozenset(["PLUS", "MINUS", "STAR", "SLASH", "FLOOR", "PERCENT", "AT", "POWER", "OR", "AND", "COMPARE"])
STARTERS = ("input", "output", "weight", "state", "update", "layer", "return", "yield", "carry", "for", "if", "param", "block",
            "network", "train", "import", "step", "rule", "generate")  # fmt: skip
TYPED = frozenset({"input", "weight", "param", "carry"})


class Scene:
    """What a rule may look at."""

    def __init__(self, driver: Driver, token: Token) -> None:
        self.driver = driver
        self.token = token
        self.history = driver.history
        self.last = driver.history[-1] if driver.history else None
        self.opening = driver.history[0].text if driver.history else ""
        open_tokens = [bracket.token.type for bracket in driver.brackets]
        self.bracket = open_tokens[-1] if open_tokens else ""
        at = driver.tokens.index(token) if token in driver.tokens else len(driver.tokens)
        self.next = driver.tokens[at + 1] if at + 1 < len(driver.tokens) else None

    @property
    def span(self) -> Span:
        start = self.token.start
        if self.token.type in ("$END", "_NL") and self.last is not None:
            start = self.last.end
            return Span(self.driver.source, start, start)
        return self.driver.span(self.token)

    @property
    def found(self) -> str:
        return printable(self.token.text) if self.token.text.strip() else "the end of the line"

    @property
    def ended(self) -> bool:
        return self.token.type in ("$END", "_NL")


def replace(scene: Scene, text: str) -> Fix:
    return Fix(f"write `{text}`", (Edit(scene.driver.span(scene.token), text),))


def insert(scene: Scene, at: int, text: str) -> Fix:
    return Fix(f"write `{text.strip()}`", (Edit(Span(scene.driver.source, at, at), text),))


# ---- the rules, in order ------------------------------------------------------------------------------------------------------


def statement_word(s: Scene) -> Diagnostic | None:
    """`inpt image: …`, `retrun x`: two names where a statement begins."""
    words = [item for item in s.history if item.type == "NAME"]
    if not words or words != s.history or len(words) > 2 or s.bracket in ("LPAR", "LSQB"):
        return None
    if len(words) == 1 and (s.ended or s.token.type in ("RPAR", "RSQB") or (s.token.type not in VALUES and s.token.text not in HARD)):
        return None
    word = words[0].text
    near = get_close_matches(word, STARTERS, n=1, cutoff=0.6)
    if near:
        span = s.driver.span(words[0])
        return errors.UnknownStatement(span=span, word=word, nearest=near[0], fix=Fix(f"write `{near[0]}`", (Edit(span, near[0]),)))
    return errors.MissingEqual(span=s.span, name=word, found=s.found)


def keyword_name(s: Scene) -> Diagnostic | None:
    """A keyword where a name or a value is due."""
    if s.token.text not in HARD | SOFT or s.token.text in ("true", "false"):
        return None
    after = s.last.type if s.last is not None else ""
    naming = after in ("COMMA", "DOT", "EQUAL", "ARROW", "LPAR", "LSQB", "COLON") or after in BINARY
    declared = s.last is not None and len(s.history) == 1 and (s.last.text in STARTERS)
    followed = s.next is not None and s.next.type in ("EQUAL", "COMMA") and not s.history and s.token.text in HARD
    if s.token.type == "ELSE" or not (naming or declared or followed):
        return None
    return errors.KeywordAsName(span=s.span, word=s.token.text)


def missing_value(s: Scene) -> Diagnostic | None:
    if s.last is None or not (s.ended or s.token.type in ("RPAR", "RSQB", "RBRACE", "LBRACE", "COMMA") or s.token.first):
        return None
    if s.last.type in BINARY or s.last.type in ("EQUAL", "COLON", "NOT", "RETURN", "YIELD", "ELSE", "THEN", "IN"):
        return errors.MissingValue(span=s.driver.span(s.last), after=s.last.text)
    if s.last.type == "ARROW":
        return errors.MissingThing(span=s.driver.span(s.last), what="the name of a block, layer or function", after="->")
    return None


def missing_comma(s: Scene) -> Diagnostic | None:
    if (
        s.bracket not in ("LPAR", "LSQB")
        or s.last is None
        or s.last.type not in VALUES
        or s.token.type not in VALUES | {"LSQB", "NOT", "IF"}
    ):
        return None
    if s.token.type in ("RPAR", "RSQB") or s.token.first:
        return None
    fix = insert(s, s.last.end, ",")
    return errors.MissingComma(span=s.span, left=printable(s.last.text), right=printable(s.token.text), fix=fix)


def colon_in_call(s: Scene) -> Diagnostic | None:
    if s.token.type != "COLON" or s.bracket != "LPAR" or s.last is None or s.last.type != "NAME":
        return None
    space = 1 if s.driver.source.text[s.token.end : s.token.end + 1] == " " else 0
    fix = Fix("write `=`", (Edit(Span(s.driver.source, s.token.start, s.token.end + space), "="),))
    return errors.ColonInCall(span=s.span, name=s.last.text, fix=fix)


def assign_in_condition(s: Scene) -> Diagnostic | None:
    if s.token.type == "EQUAL" and any(item.type == "IF" for item in s.history):
        return errors.AssignInCondition(span=s.span, fix=replace(s, "=="))
    return None


def colon_body(s: Scene) -> Diagnostic | None:
    heads = ("for", "if", "else", "network", "block", "train", "generate", "step", "rule")
    if s.token.type == "COLON" and (s.opening in heads or (s.last is not None and s.last.type == "ELSE")) and s.bracket in ("", "LBRACE"):
        return errors.ColonBody(span=s.span)
    return None


def else_alone(s: Scene) -> Diagnostic | None:
    return errors.ElseAlone(span=s.span) if s.token.type == "ELSE" and not any(item.type in ("IF", "THEN") for item in s.history) else None


def stage_expected(s: Scene) -> Diagnostic | None:
    if s.last is not None and s.last.type == "ARROW" and not s.ended:
        return errors.StageExpected(span=s.span, found=s.found)
    return None


def arrow_in_arm(s: Scene) -> Diagnostic | None:
    if s.token.type == "ARROW" and any(item.type in ("THEN", "ELSE") for item in s.history):
        return errors.ArrowInArm(span=s.span)
    return None


def after_chain(s: Scene) -> Diagnostic | None:
    chain = any(item.type == "ARROW" for item in s.history)
    if chain and s.token.type in BINARY:
        return errors.OperatorAfterChain(span=s.span, operator=s.token.text)
    if chain and s.token.type == "LSQB":
        return errors.IndexAfterStage(span=s.span)
    return None


def chained_comparison(s: Scene) -> Diagnostic | None:
    if s.token.type == "COMPARE" and any(item.type == "COMPARE" for item in s.history):
        return errors.ChainedComparison(span=s.span)
    return None


def missing_else(s: Scene) -> Diagnostic | None:
    kinds = [item.type for item in s.history]
    if (
        "THEN" in kinds
        and "ELSE" not in kinds[kinds.index("THEN") :]
        and (s.ended or s.token.first or s.token.type in ("RPAR", "COMMA", "RBRACE"))
    ):
        return errors.MissingElse(span=s.span)
    return None


def missing_shape(s: Scene) -> Diagnostic | None:
    if s.opening in TYPED and len(s.history) == 2 and s.last is not None and (s.token.type == "EQUAL" or s.ended or s.token.first):
        return errors.MissingShape(span=s.driver.span(s.last), keyword=s.opening, name=s.last.text)
    return None


def only_names_left(s: Scene) -> Diagnostic | None:
    if s.token.type == "EQUAL" and s.bracket in ("", "LBRACE") and s.history and s.history[0].type in ("NAME", "LSQB", "LPAR", "INT"):
        return errors.OnlyNamesLeft(span=Span(s.driver.source, s.history[0].start, s.last.end if s.last else s.token.end))
    return None


def missing_sign(s: Scene) -> Diagnostic | None:
    """The heads of bodies and a few fixed orders: what is due is one thing."""
    if s.last is None:
        return None
    due = {"network": "a name", "block": "a name", "for": "a loop variable", "import": "a name", "param": "a name", "layer": "a name"}
    if len(s.history) == 1 and s.opening in due:
        return errors.MissingThing(span=s.span, what=due[s.opening], after=s.opening)
    if s.opening == "for" and len(s.history) == 2:
        return errors.MissingThing(span=s.span, what="`in`", after=s.last.text)
    if s.opening == "block" and len(s.history) == 2:
        return errors.MissingThing(span=s.span, what="`(` with the parameters", after=s.last.text)
    heads = ("network", "block", "for", "train", "generate", "step", "rule")
    if (s.opening in heads or s.opening == "if") and s.bracket in ("", "LBRACE") and s.last.type in VALUES:
        return errors.MissingThing(span=s.span, what="`{` with a body", after=s.last.text)
    if s.opening == "update" and len(s.history) == 2:
        return errors.MissingThing(span=s.span, what="`=` with the new value", after=s.last.text)
    return None


def the_end(s: Scene) -> Diagnostic | None:
    return errors.UnexpectedEnd(span=s.span) if s.ended else None


RULES: tuple[Callable[[Scene], Diagnostic | None], ...] = (
    else_alone,
    keyword_name,
    missing_value,
    colon_in_call,
    colon_body,
    assign_in_condition,
    stage_expected,
    arrow_in_arm,
    missing_comma,
    after_chain,
    chained_comparison,
    missing_else,
    missing_shape,
    statement_word,
    only_names_left,
    missing_sign,
    the_end,
)


def explain(driver: Driver, token: Token) -> Diagnostic:
    """The diagnostic for a token that the table does not accept."""
    scene = Scene(driver, token)
    for rule in RULES:
        found = rule(scene)
        if found is not None:
            return found
    return errors.Unexpected(span=scene.span, found=scene.found)
