"""What rows call in the guarded process where the command alone does not do."""

from __future__ import annotations

import os
from pathlib import Path

from dslc.cli.main import main


def without_umask(base: Path) -> None:
    """Training, export and a picture by a user who hides nothing from others."""
    os.umask(0)
    out = base / "out"
    assert main(["train", "spec.nn", "--quiet", "--out", f"{out}/run"]) == 0
    assert main(["export", f"{out}/run", "--output", f"{out}/model.onnx", "--external-data"]) == 0
    assert main(["show", "spec.nn", "--graph", f"{out}/net.svg"]) == 0
