"""Data files that the system does not let look at: said, not taken for files that are not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dslc.elaborate.headers import Bad, Unknown, opened


@pytest.mark.parametrize("call", ["lstat", "stat"])
def test_a_refusal_of_the_system_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    (tmp_path / "data.npz").write_bytes(b"x")
    real = getattr(os, call)

    def refuse(path: Any, **options: Any) -> Any:
        if Path(path).name == "data.npz" and options.get("follow_symlinks", True) == (call == "stat"):
            raise PermissionError(13, "Permission denied")
        return real(path, **options)

    monkeypatch.setattr(os, "stat" if call == "stat" else "lstat", refuse)
    if call == "lstat":
        monkeypatch.setattr(Path, "lstat", lambda self: refuse(self, follow_symlinks=False))
    with pytest.raises(Bad, match="Permission denied"):
        opened(tmp_path, "data.npz")


def test_a_file_that_is_not_there_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for name in ("none.npz", "none/data.npz", "file/data.npz"):
        with pytest.raises(Unknown):
            opened(tmp_path, name)
