"""Pictures decoded in the guarded process: cut, flipped, and of kinds whose pixels are defined."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dslc.diagnostics import DataError
from runtime.data.pictures import decode

GREY = np.arange(32, dtype=np.uint8).reshape(4, 8)
ROTATED = 0x112, 6  # the tag of EXIF, and a quarter turn


def decoded(base: Path, name: str, data: bytes, channels: int) -> np.ndarray | None:
    """The pixels; None where the file is refused."""
    path = base / "out" / "pictures" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    try:
        return decode(path, channels, base / "out")
    except DataError as error:
        assert name in str(error)
        return None


def cut_pictures(base: Path) -> None:
    path = next((base / "spec").glob("x.*"))
    data = path.read_bytes()
    assert decoded(base, path.name, data, 1) is not None
    for length in range(len(data)):
        assert decoded(base, path.name, data[:length], 1) is None, f"accepted with {length} of {len(data)} bytes"
    flips = [(at, 1 << bit) for at in range(0, len(data), 1 + len(data) // 40) for bit in range(8)]
    flipped = [decoded(base, path.name, data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :], 1) for at, mask in flips]
    print(f"refused at each length; {sum(item is None for item in flipped)} of {len(flipped)} flipped bits refused")


def animated(path: Path) -> np.ndarray:
    first, *rest = [Image.fromarray(np.full((4, 8), value, np.uint8)) for value in (10, 200, 90)]
    first.save(path, save_all=True, append_images=rest)
    return np.full((4, 8, 1), 10, np.uint8)


def wide(path: Path) -> np.ndarray:
    Image.fromarray((GREY.astype(np.uint16) << 8) + 77).save(path)
    return GREY[:, :, None]


def cmyk(path: Path) -> np.ndarray:
    Image.new("CMYK", (8, 4), (255, 0, 0, 0)).save(path, quality=100)
    return np.broadcast_to(np.array([0, 255, 255], np.uint8), (4, 8, 3))


def palette(path: Path) -> np.ndarray:
    image = Image.new("P", (8, 4), 1)
    image.putpalette([0, 0, 0, 9, 8, 7])
    image.save(path)
    return np.broadcast_to(np.array([9, 8, 7], np.uint8), (4, 8, 3))


def rotated(path: Path) -> np.ndarray:
    exif = Image.Exif()
    exif[ROTATED[0]] = ROTATED[1]
    image = Image.new("L", (8, 4), 50)
    image.save(path, exif=exif, quality=100)
    return np.full((4, 8, 1), 50, np.uint8)


MAKERS: dict[str, Callable[[Path], Any]] = {f.__name__: f for f in (animated, wide, cmyk, palette, rotated)}


def decode_picture(base: Path) -> None:
    what, name = json.loads((base / "spec" / "case.json").read_text())
    path = base / "out" / name
    wanted = MAKERS[what](path)
    found = decoded(base, name, path.read_bytes(), wanted.shape[2])
    assert found is not None and found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted).max() <= (2 if name.endswith(".jpg") else 0), found
