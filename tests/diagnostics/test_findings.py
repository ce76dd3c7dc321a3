"""The light base of diagnostics: facts are given by name, all of them and no others."""

from __future__ import annotations

import pytest

from dslc.elaborate.errors import UnknownArgument


def test_facts() -> None:
    found = UnknownArgument(span=None, callee="f", name="a", known="`b`")
    assert (found.message, found.help) == ("`f` has no `a`", "it takes `b`")
    assert (
        found == UnknownArgument(span=None, callee="f", name="a", known="`b`") != UnknownArgument(span=None, callee="g", name="a", known="")
    )
    with pytest.raises(TypeError, match="UnknownArgument needs known"):
        UnknownArgument(span=None, callee="f", name="a")
    with pytest.raises(TypeError, match="UnknownArgument has no nmae, where"):
        UnknownArgument(span=None, callee="f", name="a", known="", nmae="b", where=3)
