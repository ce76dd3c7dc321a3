"""Which words fit a syntax error: rules over the previous tokens, the offending one and the open brackets; the first that fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dslc.diagnostics import Diagnostic
from dslc.syntax import errors
from dslc.syntax import expression_rules as expression
from dslc.syntax import statement_rules as statement
from dslc.syntax.scan import Token
from dslc.syntax.scene import BINARY, Scene

if TYPE_CHECKING:
    from dslc.syntax.driver import Driver

RULES: tuple[Callable[[Scene], Diagnostic | None], ...] = (
    statement.else_alone,
    statement.else_if,
    statement.nested_declaration,
    statement.comment_sign,
    statement.same_line,
    expression.conditional_form,
    statement.keyword_name,
    statement.scan_form,
    statement.type_expected,
    expression.brace_value,
    expression.starred,
    expression.missing_else,
    expression.missing_value,
    expression.colon_in_call,
    expression.slice_step,
    statement.range_form,
    statement.colon_body,
    statement.untyped_statement,
    statement.one_name,
    expression.assign_in_condition,
    expression.argument_name,
    expression.stage_expected,
    expression.name_expected,
    expression.arrow_in_arm,
    statement.foreign_statement,
    expression.missing_comma,
    expression.tuple_form,
    expression.after_chain,
    expression.chained_comparison,
    statement.missing_shape,
    statement.statement_word,
    statement.names_alone,
    statement.second_equal,
    statement.only_names_left,
    statement.import_form,
    statement.header_form,
    statement.missing_sign,
    expression.missing_operator,
)


def explain(driver: Driver, token: Token, at: int) -> Diagnostic:
    """The diagnostic for a token that the table does not accept; `at` is its number."""
    scene = Scene(driver, token, at)
    for rule in RULES:
        found = rule(scene)
        if found is not None:
            return found
    goes_on = token.first and token.type in BINARY | {"ARROW", "RANGE"}
    advice = f"a line that begins with `{token.text}` goes on with the line before" if goes_on else ""
    return errors.Unexpected(span=scene.span, found=scene.found, advice=advice)
