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


def truncated_checkpoints(base: Path) -> None:
    """`best` is cut at every 64 bytes: `last` is taken, and that is said; then `last` is cut too."""
    run = base / "out" / "run"
    best, last = (run / "checkpoints" / f"{name}.safetensors" for name in ("best", "last"))
    whole = best.read_bytes()
    for length in range(0, len(whole), 64):
        best.write_bytes(whole[:length])
        assert main(["eval", f"{run}", "--split", "train"]) == 0, f"cut at {length}"
    last.write_bytes(whole[: len(whole) // 2])
    assert main(["eval", f"{run}", "--split", "train"]) == 3
