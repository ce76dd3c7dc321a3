"""Pictures by Pillow: which formats it may decode, and what a whole file of each is.

A decoder is chosen by what the file holds. Those of documents (PostScript, PDF, Photoshop, FITS, ...) are never reached, whatever the name
of the file; TIFF, which has many forms, only where the file is called so.
"""

from __future__ import annotations

import importlib.util
import io
import logging
import warnings
import zlib
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from dslc.magic import kind_of
from runtime.data.errors import BadFormat, MissingLibrary, TooLarge, fail, shown

if TYPE_CHECKING:
    from PIL import Image

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
MAX_PIXELS = 64 * 2**20  # of one picture
COMMON = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
BROKEN = ("a PNG picture", "a JPEG picture", "a GIF picture")
NAMED = {".tif": "TIFF", ".tiff": "TIFF", ".ppm": "PPM", ".pgm": "PPM"}  # decoded only where the name says so


def decoded(data: bytes, name: str, channels: int) -> np.ndarray:
    """The pixels of the first picture in a file as u8[height, width, channels], as they are stored (an EXIF rotation is not applied).

    Of 16 bits the upper 8 are taken. Raises DataError.
    """
    if importlib.util.find_spec("PIL") is None:
        raise fail(MissingLibrary(file=name, library="Pillow", install="pip install 'dslc[images]'"))
    from PIL import Image, UnidentifiedImageError

    logging.getLogger("PIL").addHandler(logging.NullHandler())  # what is wrong is in the exception
    suffix = PurePosixPath(name).suffix.lower()
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(data), formats=[*COMMON, *filter(None, [NAMED.get(suffix)])]) as picture,
        ):
            if picture.width * picture.height > MAX_PIXELS:
                raise fail(TooLarge(file=name, what=f"{picture.width} × {picture.height} pixels", limit=f"{MAX_PIXELS:,}"))
            if problem := WHOLE.get(str(picture.format), lambda data: "")(data):
                raise fail(BadFormat(file=name, problem=f"is a broken picture: {problem}"))
            return pixels_of(picture, name, channels)
    except UnidentifiedImageError:
        raise fail(BadFormat(file=name, problem=other_kind(data))) from None
    except Image.DecompressionBombError:
        raise fail(TooLarge(file=name, what="it announces too many pixels", limit=f"{MAX_PIXELS:,}")) from None
    except (OSError, ValueError, SyntaxError, ArithmeticError, LookupError, TypeError, zlib.error) as error:
        raise fail(BadFormat(file=name, problem=f"is no picture that can be read: {shown(error)}")) from None


def other_kind(data: bytes) -> str:
    kind = kind_of(data)
    if kind in BROKEN:
        return f"is no picture that can be read: {kind} with a broken header"
    holds = f"holds {kind}" if kind else "is no picture of a kind that is known"
    return f"{holds}; PNG, JPEG, GIF, BMP, WebP, PGM and PPM are read, TIFF where the file is called .tif"


def pixels_of(picture: Image.Image, name: str, channels: int) -> np.ndarray:
    wide = picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG")
    if picture.mode in ("I", "F") and not wide:
        raise fail(BadFormat(file=name, problem="has 32 bits a pixel in one channel; 8 and 16 are read"))
    if wide:
        from PIL import Image

        picture = Image.fromarray((np.asarray(picture).astype(np.int32) >> 8).astype(np.uint8))
    pixels = np.asarray(picture.convert(MODES[channels]), np.uint8)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


# ---- whole files: Pillow reads pixels and leaves the rest of a file unread ---------------------------------------------------------


def png_problem(data: bytes) -> str:
    """Every chunk up to the last has its checksum."""
    at = 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if end > len(data):
            break
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return f"the checksum of its part {shown(kind.decode('latin-1'))} at byte {at} is wrong"
        if kind == b"IEND":
            return ""
        at = end
    return "it is truncated"


def gif_problem(data: bytes) -> str:
    return "" if data.rstrip(b"\0").endswith(b";") else "it is truncated"


WHOLE: dict[str, Callable[[bytes], str]] = {"PNG": png_problem, "GIF": gif_problem}
