"""Paths inside the spec's folder."""

from __future__ import annotations


class InnerPath:
    """The parts of a relative path; `good` is False for one that is absolute or leaves its folder."""

    def __init__(self, text: str) -> None:
        self.parts = [part for part in text.split("/") if part not in ("", ".")]
        strange = any(char in text for char in '\\:\0"<>|*?\n\t') or text.startswith(("/", "~"))
        self.good = bool(self.parts) and not strange and ".." not in self.parts and all(len(part) <= 128 for part in self.parts)
