"""A small training with everything that resuming must keep: dropout, batch norm, Adam, a schedule, clipping, a smaller last batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dslc.loading import Override, load_program
from dslc.program import Program
from runtime.train.loop import RunResult, train
from runtime.train.progress import Progress

SPEC = """dslc 1

param width: int = 8
param lr: float = 0.05 in 1e-4..1 log

network Net {
  input x: [batch, 6]
  output logits = x -> dense(width) -> batch_norm -> relu -> dropout(0.3) -> dense(3)
}

train {
  data = npz("data.npz", split=[0.7, 0.3, 0])
  net  = Net(data.x)

  loss:       cross_entropy(net.logits, data.label)
  metric:     accuracy(net.logits, data.label)
  optimizer:  OPTIMIZER
  schedule:   cosine(warmup=0.2)
  clip:       norm(1.0)
  batch_size: 16
  epochs:     3   # 42 samples: 16 + 16 + 10
}
"""
STEPS, PER_EPOCH = 9, 3


def write_example(folder: Path, optimizer: str = "adam(lr)", seed: int = 0) -> Path:
    """The spec and its data in a folder; the path of the spec."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = np.random.default_rng(seed)
    label = np.arange(60) % 3
    x = numbers.normal(size=(60, 6)) + 2 * np.eye(3)[label].repeat(2, axis=1)
    np.savez(folder / "data.npz", x=x.astype(np.float32), label=label.astype(np.uint8))
    path = folder / "net.nn"
    path.write_text(SPEC.replace("OPTIMIZER", optimizer))
    return path


def program_of(spec: Path, **settings: object) -> Program:
    overrides = [Override(name.replace("__", "."), value, "argument") for name, value in settings.items()]  # type: ignore[arg-type]
    return load_program(spec, overrides=overrides)[0]


def run(spec: Path, progress: Progress | None = None, settings: dict[str, object] | None = None, **options: object) -> RunResult:
    """Train the example on one thread."""
    return train(program_of(spec, **settings or {}), spec_path=spec, threads=1, progress=progress, **options)  # type: ignore[arg-type]


def contents(run: Path) -> dict[str, bytes]:
    """What must be the same after any interruption."""
    names = ("checkpoints/last.safetensors", "checkpoints/best.safetensors", "metrics.jsonl", "spec.resolved.nn")
    return {name: (run / name).read_bytes() for name in names}
