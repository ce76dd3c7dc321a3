"""`python -m runtime.data.make_slice` makes the shipped files: from sources written here, in the forms that their publishers have."""

from __future__ import annotations

import gzip
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from runtime.data import make_slice
from runtime.data.idx import read_idx, write_idx
from runtime.data.registry import SHIPPED


def shipped(name: str) -> np.ndarray:
    return read_idx(SHIPPED / f"{name}.idx.gz", name)


def rows(name: str) -> list[list[str]]:
    return [line.split(",") for line in gzip.decompress((SHIPPED / name).read_bytes()).decode().splitlines()[1:]]


def packed(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode(), 1))


def sources(folder: Path) -> list[str]:
    """The options that name the sources in `folder`. The slice of a slice is the slice."""
    images = {
        "train": np.concatenate([shipped("fashion-mnist/train-images-1"), shipped("fashion-mnist/train-images-2")]),
        "t10k": shipped("fashion-mnist/test-images"),
    }
    labels = {"train": shipped("fashion-mnist/train-labels"), "t10k": shipped("fashion-mnist/test-labels")}
    for split in images:
        (folder / f"{split}-images-idx3-ubyte.gz").write_bytes(gzip.compress(write_idx(images[split]), 1))
        (folder / f"{split}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(write_idx(labels[split]), 1))
    table = np.column_stack([shipped("digits/digits-images").reshape(-1, 64), shipped("digits/digits-labels")])
    packed(folder / "digits.csv.gz", "".join(",".join(f"{cell:.1f}" for cell in row) + "\n" for row in table))
    patients = rows("diabetes/diabetes.csv.gz")
    packed(folder / "diabetes_data_raw.csv.gz", "".join(" ".join(row[:-1]) + "\n" for row in patients))
    packed(folder / "diabetes_target.csv.gz", "".join(f"{float(row[-1]):.18e}\n" for row in patients))
    coded = [
        [str(int(cell) + (name in make_slice.FROM_1)) for name, cell in zip(make_slice.SURVEY, row, strict=True)]
        for row in rows("anes96/anes96.csv.gz")
    ]
    (folder / "anes96.csv").write_text("\n".join("\t".join(row) for row in [list(make_slice.SURVEY), *coded, []]) + "\n")
    named = {"source": "", "digits": "digits.csv.gz", "diabetes": "", "anes96": "anes96.csv"}
    return [word for name, file in named.items() for word in (f"--{name}", str(folder / file))]


def called(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["make_slice", *words])
    return make_slice.main()


def test_the_shipped_files_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`--check` finds all as shipped; without it the same bytes are written; a file that is another or gone is named."""
    options = sources(tmp_path)
    assert called(monkeypatch, *options, "--check") == 0
    lines = capsys.readouterr().out.splitlines()
    files = sorted(path.relative_to(SHIPPED) for path in SHIPPED.glob("*/*.gz"))
    assert sorted(line.split()[1] for line in lines) == sorted(path.name for path in files) and all(line.endswith("ok") for line in lines)

    made = tmp_path / "made"
    monkeypatch.setattr(make_slice, "SHIPPED", made)
    assert called(monkeypatch, *options) == 0
    assert sorted(path.relative_to(made) for path in made.glob("*/*")) == files
    for file in files:
        assert gzip.decompress((made / file).read_bytes()) == gzip.decompress((SHIPPED / file).read_bytes())

    shutil.copy(made / "digits/digits-labels.idx.gz", made / "fashion-mnist/train-labels.idx.gz")
    (made / "fashion-mnist/test-labels.idx.gz").unlink()
    capsys.readouterr()
    assert called(monkeypatch, "--source", str(tmp_path), "--check") == 1
    wrong = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.endswith("DIFFERS")]
    assert wrong == ["train-labels.idx.gz", "test-labels.idx.gz"]
