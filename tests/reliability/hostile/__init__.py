"""Hostile inputs: tables of rows, and the harness that runs each under a guard.

A module of this package with a tuple `ROWS` is a table. `harness.check(row)` looks at one row; `document.py` writes docs/hostile.md.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from tests.reliability.hostile.row import Row

TABLE = "ROWS"


@cache
def all_rows() -> tuple[Row, ...]:
    """The rows of all tables, in order of their numbers."""
    modules = [importlib.import_module(f"{__name__}.{item.name}") for item in pkgutil.iter_modules(__path__) if item.name != "server"]
    rows = [row for module in modules for row in getattr(module, TABLE, ())]
    return tuple(sorted(rows, key=lambda row: row.number))
