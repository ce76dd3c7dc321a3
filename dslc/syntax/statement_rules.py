"""Rules over statements, heads and bodies: each looks at a scene and gives the diagnostic if it fits."""

from __future__ import annotations

from dslc.diagnostics import Diagnostic
from dslc.source import Span
from dslc.syntax import errors
from dslc.syntax.near import near_word
from dslc.syntax.scan import HARD, SOFT
from dslc.syntax.scene import BINARY, VALUES, Scene

STARTERS = ("dslc", "input", "output", "weight", "state", "update", "layer", "return", "yield", "carry", "for", "if", "param", "block",
            "network", "train", "import", "step", "rule", "generate")  # fmt: skip
TOP = ("PARAM", "BLOCK", "NETWORK", "TRAIN", "IMPORT")
FOREIGN = {
    "def": "block", "fn": "block", "func": "block", "function": "block", "macro": "block", "module": "block",
    "class": "network", "model": "network", "net": "network", "const": "param", "let": "", "var": "", "val": "", "auto": "",
    "while": "scan", "loop": "for", "foreach": "for", "repeat": "for", "include": "import", "use": "import", "from": "import",
    "parameter": "weight", "variable": "weight", "optimize": "train", "fit": "train", "switch": "if", "match": "if",
}  # fmt: skip
ELSE_IF = ("elif", "elsif", "elseif")
TYPED = {"INPUT": "input", "WEIGHT": "weight", "PARAM": "param"}
HEADS = ("FOR", "IF", "ELSE", "NETWORK", "BLOCK", "TRAIN", "GENERATE", "STEP", "RULE")


def comment_sign(s: Scene) -> Diagnostic | None:
    """`// …`, `/* … */`: comments begin with `#`."""
    slashes = [token for token in [*s.history, s.token] if token.type == "FLOOR" and token.first]
    if slashes:
        return errors.CommentSign(span=s.driver.span(slashes[0]), found="//", fix=s.replace(slashes[0], "#"))
    if s.token.type in ("SLASH", "STAR") and s.driver.source.text[s.token.start - 1 : s.token.end + 1].strip() in ("/*", "*/"):
        return errors.CommentSign(span=s.span, found=s.driver.source.text[s.token.start - 1 : s.token.end + 1].strip())
    return None


def else_alone(s: Scene) -> Diagnostic | None:
    return errors.ElseAlone(span=s.span) if s.token.type == "ELSE" and not s.has("IF", "THEN") else None


def else_if(s: Scene) -> Diagnostic | None:
    if s.token.text in ELSE_IF and not s.history:
        return errors.UnknownStatement(span=s.span, word=s.token.text, nearest="else if", fix=s.replace(s.token, "else if"))
    return None


def nested_declaration(s: Scene) -> Diagnostic | None:
    """`block`, `param`, … in a body."""
    if s.token.type in TOP and not s.history and s.bracket == "LBRACE":
        return errors.NestedDeclaration(span=s.span, word=s.token.text)
    return None


def same_line(s: Scene) -> Diagnostic | None:
    """`x = 1 y = 2`: two statements on a line."""
    if not s.history or s.token.first or not s.outside or s.after not in VALUES:
        return None
    binds = s.token.type == "NAME" and s.following is not None and s.following.type in ("EQUAL", "COLON") and s.has("EQUAL", "COLON")
    word = (s.token.text in STARTERS and s.token.text in HARD and s.token.type != "IF") or s.driver.starts_soft(s.token, s.at)
    if not (binds or word) or s.opening in ("IMPORT",):
        return None
    return errors.SameLine(
        span=s.span, word=s.token.text, fix=s.insert(s.token.start, "\n" + " " * s.driver.statement_indent, "begin a new line")
    )


def foreign_statement(s: Scene) -> Diagnostic | None:
    """`def f(x) {`, `let x = 3`, `while …`: words of other languages."""
    if not s.history or s.history[0].type != "NAME" or s.bracket in ("LPAR", "LSQB") or s.has("EQUAL", "COLON"):
        return None
    word = s.history[0]
    beside = len(s.history) > 1 or s.token.type in ("NAME", "STRING", "LBRACE")
    if word.text not in FOREIGN or not beside:
        return None
    span, nearest = s.driver.span(word), FOREIGN[word.text]
    if nearest == "import":
        return errors.ImportForm(span=span)
    return (
        errors.UnknownStatement(span=span, word=word.text, nearest=nearest)
        if nearest
        else errors.PlainAssignment(span=span, word=word.text)
    )


def statement_word(s: Scene) -> Diagnostic | None:
    """`inpt image: …`, `retrun x`: two names where a statement begins."""
    words = s.history
    if not 1 <= len(words) <= 2 or any(word.type != "NAME" for word in words) or not s.outside:
        return None
    if len(words) == 1 and (s.ended or s.token.type in ("RPAR", "RSQB") or (s.token.type not in VALUES and s.token.text not in HARD)):
        return None
    word = words[0]
    near = near_word(word.text, STARTERS)
    if near and word.text not in STARTERS:
        return errors.UnknownStatement(span=s.driver.span(word), word=s.text(word), nearest=near, fix=s.replace(word, near))
    return errors.MissingEqual(span=s.span, name=s.text(words[-1] if s.token.type in BINARY else word), found=s.found)


def names_alone(s: Scene) -> Diagnostic | None:
    """`h, c` and then the line ends."""
    if s.ended and s.outside and s.history and all(token.type in ("NAME", "COMMA") for token in s.history):
        return errors.MissingEqual(span=s.span, name=s.text(s.last), found=s.found)
    return None


def second_equal(s: Scene) -> Diagnostic | None:
    if s.token.type == "EQUAL" and s.outside and s.has("EQUAL"):
        return errors.SecondEqual(span=s.span)
    return None


def keyword_name(s: Scene) -> Diagnostic | None:
    """A keyword where a name or a value is due."""
    if len(s.history) == 1 and s.last is not None and s.last.text in HARD and s.token.type == "EQUAL":
        return errors.KeywordAsName(span=s.last_span, word=s.last.text)
    if s.token.text not in HARD | SOFT or s.token.text in ("true", "false", "else", "if") or s.token.first:
        return None
    naming = s.after in ("COMMA", "DOT", "EQUAL", "ARROW", "LPAR", "LSQB", "COLON", "AS") or s.after in BINARY
    declared = s.last is not None and len(s.history) == 1 and s.last.text in STARTERS
    if s.token.type == "SCAN" and s.after != "DOT":
        return None
    return errors.KeywordAsName(span=s.span, word=s.token.text) if naming or declared else None


def import_form(s: Scene) -> Diagnostic | None:
    return errors.ImportForm(span=s.span) if s.opening == "IMPORT" and s.outside else None


def header_form(s: Scene) -> Diagnostic | None:
    if s.opening == "DSLC" and len(s.history) == 1:
        return errors.MissingThing(span=s.last_span, what="the version, `1`,", after="dslc")
    return None


def scan_form(s: Scene) -> Diagnostic | None:
    if s.token.type == "SCAN" and (not s.history or s.after in VALUES):
        return errors.ScanForm(span=s.span, what="a `scan` gives values to names")
    at = next((at for at, token in enumerate(s.level) if token.type == "SCAN"), None)
    if at is None or not s.outside:
        return None
    kinds = [token.type for token in s.level[at:]]
    if s.token.type == "SCAN" or "IN" not in kinds:
        what = "`in` and what is gone through are missing" if kinds[-1] == "NAME" else "a name for each step's value is missing"
    elif "OVER" not in kinds:
        if s.after not in VALUES:
            return None
        what = "`over` and the name of the axis are missing"
    else:
        what = "the name of the axis is missing" if kinds[-1] == "OVER" else "the body is missing"
    return errors.ScanForm(span=s.span, what=what)


def missing_shape(s: Scene) -> Diagnostic | None:
    if s.opening in TYPED and len(s.history) == 2 and s.last is not None and (s.token.type == "EQUAL" or s.ended or s.token.first):
        keyword = TYPED[s.opening]
        return errors.MissingShape(span=s.last_span, keyword=keyword, name=s.last.text, example="int" if keyword == "param" else "[...]")
    return None


def type_expected(s: Scene) -> Diagnostic | None:
    """A type is due after the `:` of a declaration or parameter."""
    typed = s.opening in (*TYPED, "STATE", "CARRY") and s.outside
    if s.after == "COLON" and (typed or (s.opening == "BLOCK" and s.bracket == "LPAR")):
        return errors.TypeExpected(span=s.last_span if s.ended or s.token.first else s.span, found=s.found)
    return None


def untyped_statement(s: Scene) -> Diagnostic | None:
    """`output y: [3] = …`, `update h: …`, `layer f: …`: no type stands there."""
    if s.token.type == "COLON" and s.opening in ("OUTPUT", "UPDATE", "LAYER") and s.outside and len(s.history) >= 2:
        return errors.NoTypeHere(span=s.span, keyword=s.history[0].text)
    return None


def one_name(s: Scene) -> Diagnostic | None:
    if s.token.type == "COMMA" and s.opening in ("INPUT", "WEIGHT", "UPDATE", "LAYER", "PARAM", "FOR") and len(s.history) == 2:
        return errors.OneName(span=s.span, keyword=s.history[0].text)
    return None


def range_form(s: Scene) -> Diagnostic | None:
    """`for i in 0:3 {`."""
    more = s.following is not None and s.following.type not in ("_NL", "RBRACE") and not s.following.first
    if s.token.type == "COLON" and s.outside and s.has("FOR", "IN") and s.after in VALUES and more:
        return errors.RangeForm(span=s.span, fix=s.replace(s.token, ".."))
    return None


def colon_body(s: Scene) -> Diagnostic | None:
    if s.token.type == "COLON" and s.outside and (s.opening in HEADS or s.after == "ELSE"):
        return errors.ColonBody(span=s.span)
    return None


def only_names_left(s: Scene) -> Diagnostic | None:
    if s.token.type == "EQUAL" and s.outside and s.history and s.opening in ("NAME", "LSQB", "LPAR", "INT"):
        end = s.last.end if s.last else s.token.end
        return errors.OnlyNamesLeft(span=Span(s.driver.source, s.history[0].start, end))
    return None


DUE = {
    ("NETWORK", 1): "a name", ("BLOCK", 1): "a name", ("FOR", 1): "a loop variable", ("PARAM", 1): "a name", ("LAYER", 1): "a name",
    ("INPUT", 1): "a name", ("OUTPUT", 1): "a name", ("WEIGHT", 1): "a name", ("STATE", 1): "a name", ("UPDATE", 1): "a name",
    ("STEP", 1): "a name", ("CARRY", 1): "a name", ("RULE", 1): "a pattern in double quotes",
    ("FOR", 2): "`in`", ("BLOCK", 2): "`(` with the parameters", ("PARAM", 2): "`:` with a type", ("INPUT", 2): "`:` with a type",
    ("WEIGHT", 2): "`:` with a shape", ("UPDATE", 2): "`=` with the new value", ("LAYER", 2): "`=` with a call",
}  # fmt: skip


def missing_sign(s: Scene) -> Diagnostic | None:
    """The heads of bodies and a few fixed orders: what is due is one thing."""
    if s.last is None:
        return None
    what = DUE.get((s.opening, len(s.history)))
    if what is None and s.opening == "STATE" and s.outside and not s.has("EQUAL") and s.after in VALUES:
        what = "`=` with a start"
    if what is None and s.opening == "WEIGHT" and s.outside and not s.has("EQUAL") and s.after in VALUES:
        what = "`=` with an initialiser"
    if what is None and s.opening in HEADS and s.outside and s.after in (*VALUES, "ELSE", "TRAIN", "GENERATE"):
        what = "`{` with a body"
    return None if what is None else errors.MissingThing(span=s.span, what=what, after=s.text(s.last))
