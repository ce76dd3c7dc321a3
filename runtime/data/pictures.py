"""`images(…)`: a folder of pictures for each class, decoded, scaled so that the short side fits, and cut to a square."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from dslc.below import Below
from runtime.data.decoders import MAX_PIXELS, decoded
from runtime.data.errors import BadFormat, EmptyData, OutsideRoot, TooLarge, Unreadable, fail, shown
from runtime.data.opened import below, read_bytes

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
SPLITS = {"train": ("train",), "validation": ("validation", "val", "valid"), "test": ("test",)}
MAX_BYTES = 64 * 2**30  # of all of them, as they lie in memory
LUMA = np.array([0.299, 0.587, 0.114])  # grey of red, green, blue (ITU-R BT.601)

Arrays = dict[str, np.ndarray]


def read_folder(folder: Path, file: str, size: int, channels: int) -> tuple[dict[str, Arrays], tuple[str, ...]]:
    """Splits (`train` alone, if the folder has no `train` in it) of `image` u8[n, channels, size, size] and `label`; names of the classes.

    Classes are the folders in the order of their names, the same ones in every split. Links may not lead out of `folder`.
    """
    if not folder.is_dir():
        raise fail(Unreadable(file=file, problem="it is not a folder"))
    found = {split: next((folder / name for name in names if (folder / name).is_dir()), None) for split, names in SPLITS.items()}
    parts = {split: path for split, path in found.items() if path is not None} if found["train"] is not None else {"train": folder}
    pictures = {split: _folders(path, folder, f"{file} ({split})") for split, path in parts.items()}
    classes = tuple(pictures["train"])
    if not classes:
        raise fail(EmptyData(file=file, what="there is no folder of a class in it"))
    return {split: _split(pictures[split], folder, f"{file} ({split})", classes, size, channels) for split in parts}, classes


def _folders(path: Path, root: Path, file: str) -> dict[str, list[Path]]:
    """The pictures in the folder of each class, both in the order of their names."""
    try:
        _place(path, root)
        names = [entry for entry in _entries(path, root) if entry.is_dir() and not entry.name.startswith(".")]
        return {entry.name: [item for item in _entries(entry, root) if item.suffix.lower() in SUFFIXES] for entry in names}
    except OSError as error:
        raise fail(Unreadable(file=file, problem=error.strerror or str(error))) from None


def _entries(folder: Path, root: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_symlink()) for entry in entries]
    for name, is_link in found:
        if is_link:
            _place(folder / name, root)
    return [folder / name for name, _ in sorted(found)]


def _place(path: Path, root: Path) -> Below:
    """Where a path leads; DataError for a link that leads out of the folder of the pictures, or nowhere."""
    name = f"{path.parent.name}/{path.name}"
    try:
        path.stat()
    except OSError:
        raise fail(OutsideRoot(file=name, problem="is a link that leads nowhere")) from None
    found = below(path, root)
    if found is None:
        raise fail(OutsideRoot(file=name, problem="is a link that leads out of the folder of the pictures"))
    return found


def _split(pictures: dict[str, list[Path]], root: Path, file: str, classes: tuple[str, ...], size: int, channels: int) -> Arrays:
    if unknown := [name for name in pictures if name not in classes]:
        raise fail(BadFormat(file=file, problem=f"the class `{shown(unknown[0])}` is not among those of the train split"))
    entries = [(label, entry) for label, name in enumerate(classes) for entry in pictures.get(name, ())]
    if not entries:
        raise fail(EmptyData(file=file, what=f"there are no pictures ({', '.join(SUFFIXES)}) in the folders of its classes"))
    total = len(entries) * channels * size * size
    if total > MAX_BYTES:
        raise fail(TooLarge(file=file, what=f"{len(entries):,} pictures need {total:,} bytes", limit=f"{MAX_BYTES:,} bytes"))
    image = np.empty((len(entries), channels, size, size), np.uint8)
    for row, (_, entry) in enumerate(entries):
        image[row] = fitted(decode(entry, channels, root), size).transpose(2, 0, 1)
    return {"image": image, "label": np.array([label for label, _ in entries], np.int64)}


def decode(path: Path, channels: int, root: Path) -> np.ndarray:
    """The pixels of a picture below `root` as u8[height, width, channels]. Raises DataError where it is broken or Pillow is missing."""
    name = f"{path.parent.name}/{path.name}"
    data = read_bytes(_place(path, root), name)
    if data[:2] in (b"P5", b"P6"):
        return _as_channels(_netpbm(data, name), channels)
    return decoded(data, name, channels)


def _netpbm(data: bytes, name: str) -> np.ndarray:
    """Binary PGM and PPM: magic, width, height, 255, then the bytes; comments from `#` to the end of a line."""
    words: list[int] = []
    at = 2
    while len(words) < 3:
        while data[at : at + 1].isspace() or data[at : at + 1] == b"#":
            at = data.find(b"\n", at) + 1 or len(data) if data[at : at + 1] == b"#" else at + 1
        end = at
        while data[end : end + 1].isdigit() and end - at < 10:
            end += 1
        if end == at:
            raise fail(BadFormat(file=name, problem="the header of the PNM file is broken"))
        words.append(int(data[at:end]))
        at = end
    width, height, depth = words
    planes = 3 if data[:2] == b"P6" else 1
    if not 0 < width * height <= MAX_PIXELS or depth != 255 or len(data) - at - 1 != width * height * planes:
        raise fail(BadFormat(file=name, problem=f"{width} × {height} pixels of depth {depth} are announced, which is not what follows"))
    return np.frombuffer(data, np.uint8, offset=at + 1).reshape(height, width, planes)


def _as_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Grey to colour by repeating, colour to grey by its luma; a second or fourth channel is opaque."""
    colour = pixels if pixels.shape[2] == 3 or channels in (1, 2) else np.repeat(pixels, 3, axis=2)
    if channels in (1, 2) and pixels.shape[2] == 3:
        colour = np.rint(pixels @ LUMA).astype(np.uint8)[:, :, None]
    opaque = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    return np.concatenate([colour, opaque], axis=2) if channels in (2, 4) else colour


def fitted(pixels: np.ndarray, size: int) -> np.ndarray:
    """Scaled so that the short side is `size`, and the middle square cut out: u8[size, size, channels].

    Each axis is weighed by a triangle of the width of one new pixel (bilinear where it grows, averaging where it shrinks).
    """
    height, width = pixels.shape[:2]
    scale = min(height, width) / size
    rows, columns = (_weights(n, size, scale) for n in (height, width))
    result = np.einsum("yh,hwc,xw->yxc", rows, pixels.astype(np.float64), columns, optimize=True)
    return np.rint(result.clip(0, 255)).astype(np.uint8)


def _weights(n: int, size: int, scale: float) -> np.ndarray:
    """f64[size, n]: how much each of `n` old pixels counts for each new one of the middle `size`."""
    centre = n / 2 + (np.arange(size) + 0.5 - size / 2) * scale
    distance = np.abs(np.arange(n)[None, :] + 0.5 - centre[:, None]) / max(scale, 1.0)
    weights = np.clip(1 - distance, 0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
