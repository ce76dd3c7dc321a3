"""`dslc sample`: the PNG is decoded again, by a reader written from the format."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from dslc.cli.main import main
from runtime.picture import grid, png

SPEC = """dslc 1

network Generator {
  input z: [batch, 4]
  input gain: [] = 1
  output image = z * gain -> dense(12) -> tanh -> reshape([batch, 3, 2, 2])
}

network Tokens {
  input token: i64[batch, 4]
  output image = cast(token, f32) -> dense(4) -> reshape([batch, 1, 2, 2])
}

network Copy {
  input image: [batch, 64]
  output copy = image -> dense(64) -> reshape([batch, 1, 8, 8])
}

train {
  data = dataset("digits")
  net  = Copy(data.image / 16)
  fake = Generator(normal(shape=[batch, 4])).image
  more = Tokens(cast(data.image[:, :4], i64)).image
  loss: mean((net.copy - reshape(data.image / 16, [batch, 1, 8, 8])) ^ 2) + mean(fake ^ 2) + mean(more ^ 2)
  optimizer: adam(0.01)
  steps: 3
}
"""


def decoded(data: bytes) -> np.ndarray:
    """u8 [height, width, channels] of an 8-bit PNG without filters; every checksum is verified."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(data):
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + body),)
        chunks[kind], at = body, at + 12 + length
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    channels = {0: 1, 2: 3}[colour]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + width * channels)
    assert depth == 8 and not lines[:, 0].any() and list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    return lines[:, 1:].reshape(height, width, channels)


def test_a_grid_lies_where_it_should() -> None:
    samples = np.arange(5 * 1 * 2 * 3, dtype=np.float32).reshape(5, 1, 2, 3)
    sheet = decoded(png(grid(samples, 0, 29)))
    assert sheet.shape == (5, 11, 1)
    np.testing.assert_array_equal(sheet[3:5, 4:7, 0], np.rint(samples[4, 0] / 29 * 255))
    assert not sheet[2].any() and not sheet[:, 3].any() and not sheet[3:, 8:].any()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    (folder / "two.nn").write_text(SPEC)
    assert main(["train", str(folder / "two.nn"), "--quiet", "--threads", "1", "--out", str(folder / "run")]) == 0
    return folder / "run"


def test_a_generator_draws_the_same_pictures_for_a_seed(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def draw(name: str, *more: str) -> np.ndarray:
        out = tmp_path / f"{name}.png"
        assert main(["sample", str(trained), "--network", "Generator", "--range", "-1", "1", "--out", str(out), *more]) == 0
        return decoded(out.read_bytes())

    four, again, nine, other = draw("a", "--count", "4"), draw("b", "--count", "4"), draw("c", "--count", "9"), draw("d", "--seed", "1")
    assert four.shape == (5, 5, 3) and nine.shape == (8, 8, 3) and other.shape == (23, 23, 3)
    np.testing.assert_array_equal(four, again)
    np.testing.assert_array_equal(four[:2], nine[:2, :5])
    assert not np.array_equal(four[:2, :2], other[:2, :2])
    assert "4 pictures of `image`, 3×2×2, black -1, white 1" in capsys.readouterr().out


def test_an_autoencoder_copies_samples_of_a_split(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "copies.png"
    assert main(["sample", str(trained), "--from", "test", "--count", "3", "--out", str(out)]) == 0
    sheet = decoded(out.read_bytes())
    assert sheet.shape == (17, 17, 1) and sheet.max() == 255
    assert main(["sample", str(trained), "--from", "nothing", "--out", str(out)]) == 3
    assert main(["sample", str(trained), "--network", "Generator", "--from", "test", "--out", str(out)]) == 2
    assert main(["sample", str(trained), "--network", "Tokens", "--out", str(out)]) == 2
    assert "the input `token` of `Tokens` is i64[batch, 4]: only floats of shape [batch, fixed sizes] are drawn" in capsys.readouterr().err
    assert main(["sample", str(trained), "--output", "nothing", "--out", str(out)]) == 2
    assert "it has copy" in capsys.readouterr().err
