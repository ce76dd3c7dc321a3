"""Hostile inputs 109-114: pictures. A picture that cannot be read ends the training with its name; none is left out silently."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from tests.reliability.hostile.made import TRAIN, Build, write
from tests.reliability.hostile.paths import folder, images, pictures
from tests.reliability.hostile.row import Row

HERE = "tests.reliability.hostile"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, pixels: bytes, *more: bytes, depth: int = 8) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(more) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


SMALL = png(2, 2, b"\0\1\2\0\3\4")


def of_pillow(format: str, **options: Any) -> Callable[[], bytes]:
    """A picture of 4 by 8 pixels in a format."""

    def make() -> bytes:
        import numpy as np
        from PIL import Image

        stream = io.BytesIO()
        Image.fromarray(np.arange(32, dtype=np.uint8).reshape(4, 8)).save(stream, format, **options)
        return stream.getvalue()

    return make


def picture(number: int, name: str, file: str, data: bytes | Callable[[], bytes], *says: str, code: str = "data-format") -> Row:
    build = pictures(write(f"pictures/a/{file}", data))
    return Row(number, name, spec=images(), build=build, command=TRAIN, exit=3, says=(code, f"a/{file}", *says))


def folders(name: str, build: Build, *says: str) -> Row:
    return Row(114, name, spec=images(), build=build, command=TRAIN, exit=3 if says else 0, says=says)


BOMBS = (
    picture(109, "a PNG of 65,535 by 65,535 pixels in 65 bytes", "x.png", png(65535, 65535, b""), "too many pixels", code="data-too-large"),
    picture(109, "a PNG of 10,000 by 10,000 pixels", "x.png", png(10000, 10000, b""), "10000 × 10000 pixels", code="data-too-large"),
    picture(109, "a PNG of 0 by 0 pixels", "x.png", png(0, 0, b"")),
    picture(109, "a PNG of 8,000 by 8,000 pixels without them", "x.png", png(8000, 8000, b"")),
    picture(109, "a PGM of 65,535 by 65,535 pixels", "x.pgm", b"P5 65535 65535 255\n", "is not what follows"),
    picture(109, "a PGM of 9999999999 by 1 pixels", "x.pgm", b"P5 9999999999 1 255\n", "is not what follows"),
    picture(110, "a PNG with a text of 100 MB in 100 kB", "x.png",
            lambda: png(2, 2, b"\0\1\2\0\3\4", chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(10**8))))),
    picture(110, "a PNG with a colour profile of 100 MB in 100 kB", "x.png",
            lambda: png(2, 2, b"\0\1\2\0\3\4", chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(10**8))))),
    Row(110, "a PNG of 2 by 2 pixels with 100 MB behind them: the pixels alone are unpacked", spec=images(), command=TRAIN, exit=0,
        build=pictures(write("pictures/a/x.png", lambda: png(2, 2, bytes(10**8))))),
)  # fmt: skip
CUT = tuple(
    Row(111, f"a {format} cut at each byte, and with each bit of forty of its bytes flipped", build=write(f"x.{suffix}", of_pillow(format)),
        call=f"{HERE}.inside.pixels:cut_pictures", exit=0, says=("refused at each length",))
    for format, suffix in (
        ("PNG", "png"), ("JPEG", "jpg"), ("GIF", "gif"), ("BMP", "bmp"), ("TIFF", "tif"), ("WEBP", "webp"), ("PPM", "ppm"),
    )
)  # fmt: skip
KINDS: Mapping[str, tuple[bytes, str]] = {
    "an EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "PostScript"),
    "an EPS of DOS": (b"\xc5\xd0\xd3\xc6" + bytes(100), "PostScript"),
    "a PDF": (b"%PDF-1.4\n", "a PDF"),
    "a TIFF": (b"II*\0\x08\0\0\0\0\0", "a TIFF picture"),
    "a FITS": (b"SIMPLE  =                    T" + b" " * 2850, "a FITS file"),
    "a PSD": (b"8BPS\0\1" + bytes(100), "a Photoshop picture"),
    "an SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>", "an SVG picture"),
    "XML with an outer entity": (b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg>&x;</svg>", "XML"),
    "a zip archive": (b"PK\3\4" + bytes(100), "a zip archive"),
    "a pickle": (b"\x80\x04\x95cposix\nsystem\n(S'true'\ntR.", "a pickle"),
    "a text": (b"hello", "no picture of a kind that is known"),
}
UNUSUAL = ("ICO", "TGA", "PCX", "SGI", "DDS", "JPEG2000", "IM", "SPIDER")
LIES = (
    *(picture(112, f"{name}, called .png", "x.png", data, says) for name, (data, says) in KINDS.items()),
    *(picture(112, f"a {format}, called .png", "x.png", of_pillow(format), "no picture of a kind that is known") for format in UNUSUAL),
    Row(112, "a JPEG, called .png: its kind is that of its bytes", spec=images(), command=TRAIN, exit=0,
        build=pictures(write("pictures/a/x.png", of_pillow("JPEG")))),
)  # fmt: skip


def defined(number: int, name: str, file: str, what: str) -> Row:
    return Row(number, name, build=write("case.json", f'["{what}", "{file}"]'), call=f"{HERE}.inside.pixels:decode_picture", exit=0)


DEFINED = (
    defined(113, "an animation: the first picture is taken", "x.gif", "animated"),
    defined(113, "16 bits: the upper 8 are taken", "x.png", "wide"),
    defined(113, "CMYK: as red, green and blue", "x.jpg", "cmyk"),
    defined(113, "a palette: its colours", "x.png", "palette"),
    defined(113, "rotated by EXIF: taken as it is stored", "x.jpg", "rotated"),
)
EMPTY = (
    picture(114, "a picture of no bytes", "x.png", b"", "the file is empty", code="data-empty"),
    picture(114, "a PGM without pixels", "x.pgm", b"P5", "the header"),
    folders("a class without pictures", pictures(folder("pictures/c"))),
    folders("no pictures", write("pictures/a/x.txt", "x"), "data-empty"),
    folders("pictures that are a file", write("pictures", "x"), "data-unreadable", "not a folder"),
)


PILLOW = "" if find_spec("PIL") else "Pillow is not installed"
ROWS = tuple(replace(row, missing=PILLOW) for row in (*BOMBS, *CUT, *LIES, *DEFINED, *EMPTY))
