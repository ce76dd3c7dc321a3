"""Hostile inputs 1-29: the text of a spec."""

from __future__ import annotations

from tests.reliability.hostile.row import Row

ROWS = (Row(1, "an empty file", spec="", says=("missing-header",)),)
