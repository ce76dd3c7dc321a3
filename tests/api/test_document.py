"""docs/python.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "python.md"


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 7
    names: dict[str, Any] = {}
    for block in blocks:
        code = compile(block, str(DOCUMENT), "exec")
        exec(code, names)
    written = {path.name for path in tmp_path.iterdir()}
    assert {"softmax.onnx", "softmax.svg", "small.onnx", "half.onnx", "beside.onnx.data", "folded.onnx", "step.onnx", "step.npz"} <= written
