"""Specs train: the tables to their figures, a network for ImageNet on a small folder of pictures, every step of the GAN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dslc

SLICE = Path(__file__).parents[2] / "runtime" / "data" / "shipped"


@pytest.mark.parametrize(("name", "metric", "least"), [("wide_deep", "accuracy", 0.88), ("regression", "r2", 0.5)])
def test_tables_reach_their_figures(name: str, metric: str, least: float, tmp_path: Path) -> None:
    run = dslc.load(name).train(out=tmp_path / "run", quiet=True)
    assert run.evaluate("test")[metric] >= least


def test_a_folder_of_pictures_trains_a_network_for_imagenet(tmp_path: Path) -> None:
    """Vertical against horizontal stripes, 40 pictures of 70×80."""
    rng = np.random.default_rng(0)
    for number in range(40):
        stripes = np.arange(80) // rng.integers(3, 7) % 2 * 200
        across = np.broadcast_to(stripes[None, :] if number % 2 else stripes[:70, None], (70, 80))
        pixels = np.repeat((across + rng.integers(0, 56, (70, 80)))[:, :, None], 3, axis=2).astype(np.uint8)
        path = tmp_path / "imagenet" / ("vertical", "horizontal")[number % 2] / f"{number:02}.ppm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"P6 80 70 255\n" + pixels.tobytes())
    small = {"size": 64, "width": 4, "classes": 2, "train.epochs": 8, "train.batch_size": 8}
    run = dslc.load("resnet18", **small).train(out=tmp_path / "run", data_dir=tmp_path, quiet=True)
    losses = [row["train_loss"] for row in run.history if row["kind"] == "epoch"]
    assert len(losses) == 8 and losses[-1] < losses[0] / 2


def test_both_steps_of_the_gan_move_their_own_weights(tmp_path: Path) -> None:
    run = dslc.load("gan", width=2, code=4).train(out=tmp_path / "run", data_dir=SLICE, max_steps=3, quiet=True)
    fresh = dslc.load("gan", width=2, code=4).train(out=tmp_path / "first", data_dir=SLICE, max_steps=1, quiet=True)
    moved = {name.split(".")[0] for name, value in run.parameters.items() if (value != fresh.parameters[name]).any()}
    assert moved == {"Generator", "Critic"}
