"""Data sets that are made, not read: the same arrays for the same settings, on every machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from dslc.ops.philox import stream_of, uniform
from runtime.data.registry import FASHION, SHIPPED, open_files

Splits = dict[str, dict[str, np.ndarray]]
Settings = Mapping[str, object]

CANVAS, CELL, IMAGE = 64, 32, 28
INK = 24  # pixels at least this bright belong to the garment
FILLED = 0.75  # the part of the cells that hold a garment
KINDS = np.array([0, 1, 2, 1, 3, 1, 4, 1, 4, 5, 4], np.uint8)  # of label: background, top, trouser, dress, shoe, bag
COPIES = {"train": 4000, "validation": 400, "test": 400}


def draws(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers in [0, 1) of a stream of their own, the same in every run."""
    return np.asarray(uniform(np, np.array([0, 0, 0], np.int64), stream_of(name), shape, "float64"))


# ---- collage ----------------------------------------------------------------------------------------------------------------


def collage(settings: Settings) -> Splits:
    """Garments of the shipped Fashion-MNIST slice on canvases of 64×64, each image used once.

    Four cells of 32×32, a cell filled with probability 3/4 at a random place in it. `label` is 0 for the background, 1 + class for a
    garment's pixels; `kind` joins classes: background, top, trouser, dress, shoe, bag.
    """
    files = open_files(SHIPPED / FASHION.name, FASHION.shipped)
    return {split: _canvases(split, fields["image"], fields["label"]) for split, fields in files.items()}


def _canvases(split: str, images: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    order = np.argsort(draws(f"collage.{split}.order", (len(images),)), kind="stable")
    count = len(images) // 4
    shift = (draws(f"collage.{split}.shift", (count, 4, 2)) * (CELL - IMAGE + 1)).astype(np.int64)
    filled = draws(f"collage.{split}.filled", (count, 4)) < FILLED
    image = np.zeros((count, 1, CANVAS, CANVAS), np.uint8)
    label = np.zeros((count, CANVAS, CANVAS), np.uint8)
    for sample in range(count):
        for cell in np.flatnonzero(filled[sample]):
            top, left = divmod(int(cell), 2)
            y, x = (CELL * part + int(move) for part, move in zip((top, left), shift[sample, cell], strict=True))
            which = order[4 * sample + cell]
            place = np.s_[sample, y : y + IMAGE, x : x + IMAGE]
            image[:, 0][place] = images[which]
            label[place] = np.where(images[which] >= INK, labels[which] + 1, 0)
    return {"image": image, "label": label, "kind": KINDS[label]}


# ---- copy -------------------------------------------------------------------------------------------------------------------


def copy(settings: Settings) -> Splits:
    """Sequences of random bits, an end mark, and the answer (Graves et al. 2014, section 4.1).

    `input` [time, bits]: the sequence on all channels but the last, then 1 on the last, then zeros while the answer is given; `target`
    repeats the sequence there; `mask` is true there. `length`: the shortest and longest sequence; time is 2 · longest + 1.
    """
    shortest, longest = (int(n) for n in settings["length"])  # type: ignore[attr-defined]
    bits = int(settings["bits"])  # type: ignore[call-overload]
    return {split: _copies(split, count, shortest, longest, bits) for split, count in COPIES.items()}


def _copies(split: str, count: int, shortest: int, longest: int, bits: int) -> dict[str, np.ndarray]:
    key = f"copy.{split}.{shortest}.{longest}.{bits}"
    length = shortest + (draws(f"{key}.length", (count,)) * (longest - shortest + 1)).astype(np.int64)
    word = (draws(f"{key}.bits", (count, longest, bits)) < 0.5).astype(np.float32)
    word[:, :, -1] = 0  # the channel of the end mark
    word *= np.arange(longest)[None, :, None] < length[:, None, None]
    shape = (count, 2 * longest + 1, bits)
    given, wanted, mask = np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
    given[:, :longest] = word
    given[np.arange(count), length, -1] = 1
    for sample in range(count):
        n = int(length[sample])
        answer = slice(n + 1, 2 * n + 1)
        wanted[sample, answer], mask[sample, answer] = word[sample, :n], True
    return {"input": given, "target": wanted, "mask": mask}


MADE: dict[str, Callable[[Settings], Splits]] = {"collage": collage, "copy": copy}
