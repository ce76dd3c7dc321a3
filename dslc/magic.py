"""What a file looks like by its first bytes, for messages that refuse it: nothing is decoded."""

from __future__ import annotations

MAGIC = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"8BPS": "a Photoshop picture",
    b"%!PS": "PostScript",
    b"\xc5\xd0\xd3\xc6": "PostScript",
    b"%PDF": "a PDF",
    b"SIMPLE  =": "a FITS file",
    b"<svg": "an SVG picture",
    b"<?xml": "XML",
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\0": "an xz archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"\x89HDF\r\n": "an HDF5 file",
    b"GGUF": "a GGUF file",
    b"\x93NUMPY": "a NumPy array",
    b"\x08\x0a\x12": "an ONNX model",
    b"\x08\x07\x12": "an ONNX model",
    b"\x08\x08\x12": "an ONNX model",
    b"\x08\x09\x12": "an ONNX model",
    b"\x7fELF": "a program",
    b"MZ\x90": "a program",
    b"\xff\xfe\0\0": "UTF-32 text",
    b"\0\0\xfe\xff": "UTF-32 text",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
TAR = 257  # where a tar archive says what it is
HEAD = 512  # bytes that are looked at


def kind_of(data: bytes) -> str:
    """`a PNG picture`; "" where nothing is known."""
    if data[TAR : TAR + 5] == b"ustar":
        return "a tar archive"
    if data[8:10] == b'{"' and data[4:8] == bytes(4):
        return "a safetensors file"
    return next((kind for magic, kind in MAGIC.items() if data.startswith(magic)), "")
