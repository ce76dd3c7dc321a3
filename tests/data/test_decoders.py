"""Pictures by Pillow: which files are whole, which kinds are reached, what 16 bits become."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from dslc.diagnostics import DataError
from runtime.data.decoders import decoded
from runtime.data.pictures import read_folder

Image = pytest.importorskip("PIL.Image")
GREY = np.arange(32, dtype=np.uint8).reshape(4, 8)


def encoded(array: np.ndarray, format: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, format)
    return stream.getvalue()


@pytest.mark.parametrize("format", ["PNG", "GIF", "BMP", "TIFF"])
def test_a_whole_file_is_read_and_a_cut_one_is_not(format: str) -> None:
    data, name = encoded(GREY, format), f"a/x.{format.lower()}"
    assert np.array_equal(decoded(data, name, 1)[:, :, 0], GREY)
    for length in range(1, len(data), 7):
        with pytest.raises(DataError, match="a/x"):
            decoded(data[:-length], name, 1)


def test_each_part_of_a_png_has_its_checksum() -> None:
    data = bytearray(encoded(GREY, "PNG"))
    data[-13] ^= 1  # of the last checksum before the end
    with pytest.raises(DataError, match="the checksum of its part IDAT"):
        decoded(bytes(data), "a/x.png", 1)


def test_the_upper_8_of_16_bits_are_taken() -> None:
    wide = (GREY.astype(np.uint16) << 8) + 200
    assert np.array_equal(decoded(encoded(wide, "PNG"), "a/x.png", 1)[:, :, 0], GREY)
    assert np.array_equal(decoded(encoded(wide, "TIFF"), "a/x.tif", 3), GREY[:, :, None].repeat(3, 2))


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_32_bits_are_refused(dtype: type) -> None:
    with pytest.raises(DataError, match="has 32 bits a pixel"):
        decoded(encoded(GREY.astype(dtype), "TIFF"), "a/x.tif", 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0", "holds PostScript; PNG"),
        (encoded(GREY, "TIFF"), "holds a TIFF picture; PNG"),
        (encoded(GREY, "TGA"), "is no picture of a kind that is known"),
        (b"\x89PNG\r\n\x1a\n", "a PNG picture with a broken header"),
    ],
)
def test_other_kinds_are_named_and_not_decoded(data: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        decoded(data, "a/x.png", 1)


@pytest.mark.parametrize(("target", "words"), [("../../far/1.pgm", "leads out"), ("none", "leads nowhere"), ("x.pgm", "leads nowhere")])
def test_links_of_pictures(tmp_path: Path, target: str, words: str) -> None:
    for name in ("far", "pictures/a"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "1.pgm").write_bytes(b"P5 1 1 255\n1")
    (tmp_path / "pictures/a/in.pgm").symlink_to("1.pgm")
    assert len(read_folder(tmp_path / "pictures", "pictures", 1, 1)[0]["train"]["label"]) == 2
    (tmp_path / "pictures/a/x.pgm").symlink_to(target)
    with pytest.raises(DataError, match=rf"a/x\.pgm: is a link that {words}"):
        read_folder(tmp_path / "pictures", "pictures", 1, 1)
