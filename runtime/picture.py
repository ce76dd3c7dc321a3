"""Grids of pictures as PNG files, written with the standard library (PNG specification, W3C 2003; deflate by zlib)."""

from __future__ import annotations

import struct
import zlib
from math import ceil, sqrt

import numpy as np


def grid(samples: np.ndarray, low: float, high: float) -> np.ndarray:
    """u8 [rows · height, columns · width, channels] from [count, channels, height, width]: low is 0, high 255, values outside are clipped.

    About as many columns as rows; a frame of one black pixel lies between the pictures, what is left over is black.
    """
    count, channels, height, width = samples.shape
    columns = ceil(sqrt(count))
    rows = ceil(count / columns)
    levels = np.clip((samples.astype(np.float64) - low) / (high - low), 0, 1) * 255
    sheet = np.zeros((rows * (height + 1) - 1, columns * (width + 1) - 1, channels), np.uint8)
    for number, picture in enumerate(np.rint(levels).astype(np.uint8)):
        y, x = number // columns * (height + 1), number % columns * (width + 1)
        sheet[y : y + height, x : x + width] = picture.transpose(1, 2, 0)
    return sheet


def png(pixels: np.ndarray) -> bytes:
    """A PNG file of u8 [height, width, 1 or 3]."""
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2}[channels], 0, 0, 0)  # 8 bits; grey or RGB
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)  # filter 0 before each line
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
