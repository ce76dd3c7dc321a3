"""Makes the shipped data from its sources: `python -m runtime.data.make_slice [--check]`.

- Fashion-MNIST: the first 1,200 train and 200 test images of each class, in their original order, out of the files of the Debian package
  `dataset-fashion-mnist` (MIT licence);
- diabetes, anes96: with `--diabetes FOLDER` of scikit-learn's `diabetes_data_raw.csv.gz` and `diabetes_target.csv.gz`, and `--anes96
  anes96.csv` of statsmodels; codes of categories start at 0;
- digits: with `--digits digits.csv.gz`, all of scikit-learn's copy of the UCI digits (`sklearn/datasets/data/digits.csv.gz`).

`--check` writes nothing and says whether the shipped arrays are what the script makes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
from pathlib import Path

import numpy as np

from runtime.data.idx import read_idx, write_idx
from runtime.data.registry import SHIPPED

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
CLASSES, TRAIN_EACH, TEST_EACH = 10, 1200, 200
PART = 6000  # images in one file, which keeps files small


def slice_of(images: np.ndarray, labels: np.ndarray, each: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `each` samples of every class, in the original order."""
    rows = np.sort(np.concatenate([np.flatnonzero(labels == label)[:each] for label in range(CLASSES)]))
    return images[rows], labels[rows]


def fashion(folder: Path) -> dict[str, bytes]:
    """File name -> IDX bytes of the slice."""
    train = slice_of(*_pair(folder, "train"), TRAIN_EACH)
    test = slice_of(*_pair(folder, "t10k"), TEST_EACH)
    parts = {f"train-images-{i // PART + 1}.idx": train[0][i : i + PART] for i in range(0, len(train[0]), PART)}
    arrays = {**parts, "train-labels.idx": train[1], "test-images.idx": test[0], "test-labels.idx": test[1]}
    return {name: write_idx(array) for name, array in arrays.items()}


def _pair(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    names = f"{split}-images-idx3-ubyte.gz", f"{split}-labels-idx1-ubyte.gz"
    images, labels = (read_idx(folder / name, name) for name in names)
    return images, labels


def digits(path: Path) -> dict[str, bytes]:
    """File name -> IDX bytes of the digits: 64 pixels of 0 to 16 and the class in each line."""
    with gzip.open(path, "rt", encoding="ascii") as stream:
        table = np.loadtxt(stream, delimiter=",").astype(np.uint8)
    return {"digits-images.idx": write_idx(table[:, :64].reshape(-1, 8, 8)), "digits-labels.idx": write_idx(table[:, 64])}


COLUMNS = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6", "progression")
SURVEY = ("population", "tv_news", "self", "clinton", "dole", "party", "age", "education", "income", "vote")
FROM_1 = ("self", "clinton", "dole", "education")  # columns whose codes start at 1 in the source


def diabetes(folder: Path) -> dict[str, bytes]:
    """File name -> CSV of the ten raw measurements and the progression a year later."""
    inputs = gzip.decompress((folder / "diabetes_data_raw.csv.gz").read_bytes()).decode().split("\n")
    targets = gzip.decompress((folder / "diabetes_target.csv.gz").read_bytes()).decode().split()
    rows = [[*line.split(), f"{float(target):g}"] for line, target in zip(inputs, targets, strict=False)]
    return {"diabetes.csv": "\n".join(",".join(row) for row in [list(COLUMNS), *rows]).encode() + b"\n"}


def anes96(path: Path) -> dict[str, bytes]:
    """File name -> CSV of the survey, codes from 0."""
    rows = [line.split() for line in path.read_text(encoding="ascii").splitlines()[1:]]
    moved = [[str(int(cell) - (name in FROM_1)) for name, cell in zip(SURVEY, row, strict=True)] for row in rows if row]
    return {"anes96.csv": "\n".join(",".join(row) for row in [list(SURVEY), *moved]).encode() + b"\n"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=DEBIAN, help="folder of the Fashion-MNIST files")
    parser.add_argument("--digits", type=Path, help="scikit-learn's digits.csv.gz")
    parser.add_argument("--diabetes", type=Path, help="folder of scikit-learn's diabetes files")
    parser.add_argument("--anes96", type=Path, help="statsmodels' anes96.csv")
    parser.add_argument("--check", action="store_true", help="compare with the shipped files, write nothing")
    args = parser.parse_args()
    made = {"fashion-mnist": fashion(args.source)}
    if args.digits is not None:
        made["digits"] = digits(args.digits)
    if args.diabetes is not None:
        made["diabetes"] = diabetes(args.diabetes)
    if args.anes96 is not None:
        made["anes96"] = anes96(args.anes96)
    same = True
    for folder, files in made.items():
        for name, data in files.items():
            same &= _put(SHIPPED / folder / f"{name}.gz", data, args.check)
    return 0 if same else 1


def _put(path: Path, data: bytes, check: bool) -> bool:
    """Write (gzip without a time, so that the bytes are the same every time) or compare."""
    if check:
        same = path.exists() and gzip.decompress(path.read_bytes()) == data
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(data, 9, mtime=0))
        same = True
    size = path.stat().st_size if path.exists() else 0
    print(f"{hashlib.sha256(data).hexdigest()}  {path.name}  {size:,} bytes  {'ok' if same else 'DIFFERS'}")
    return same


if __name__ == "__main__":
    raise SystemExit(main())
