"""Names before values."""

from __future__ import annotations

from typing import Any


def resolve(session: Any, tree: Any, root: bool) -> None:
    return None
