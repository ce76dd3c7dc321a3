"""Makes the shipped data from its sources: `python -m runtime.data.make_slice [--check]`.

- Fashion-MNIST: the first 1,200 train and 200 test images of each class, in their original order, out of the files of the Debian package
  `dataset-fashion-mnist` (MIT licence);
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=DEBIAN, help="folder of the Fashion-MNIST files")
    parser.add_argument("--digits", type=Path, help="scikit-learn's digits.csv.gz")
    parser.add_argument("--check", action="store_true", help="compare with the shipped files, write nothing")
    args = parser.parse_args()
    made = {"fashion-mnist": fashion(args.source)}
    if args.digits is not None:
        made["digits"] = digits(args.digits)
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
