"""Data sets: registry, shipped contents, splits, order, schema."""

from __future__ import annotations

import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from dslc.diagnostics import DataError, SpecError
from dslc.ir.types import DType, TensorType, tensor
from dslc.program import DataSource
from runtime.data import make_slice, registry
from runtime.data.bounds import of_classes
from runtime.data.fit import fit
from runtime.data.idx import write_idx
from runtime.data.load import DataSet, load_data
from runtime.data.order import batches, permutation
from runtime.data.splits import sizes

IMAGE = tensor("u8", "batch", 1, 28, 28)
LABEL = tensor("u8", "batch")
FASHION = DataSource(
    variable="data", kind="dataset", args={"name": "fashion-mnist"}, fields={"image": IMAGE, "label": LABEL}, classes=tuple("abcdefghij")
)
DIGITS = DataSource(variable="data", kind="dataset", args={"name": "digits"}, fields={"image": tensor("u8", "batch", 64), "label": LABEL})
SLICE_FOLDER = registry.SHIPPED / "fashion-mnist"
PINNED = [0, 6, 1, 7, 2, 5, 8, 3, 9, 4]  # permutation(10, seed=0, epoch=1): may never change


@pytest.fixture(autouse=True)
def nothing_but_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No set of this machine, no variable of the caller."""
    monkeypatch.setattr(registry, "SYSTEM", ())
    monkeypatch.delenv("DSLC_DATA", raising=False)
    monkeypatch.setenv("DSLC_CACHE", str(tmp_path / "cache"))


def csv_source(folder: Path, text: str, fields: dict[str, TensorType] | None = None, **args: object) -> DataSource:
    (folder / "t.csv").write_text(text)
    given = {"path": "t.csv", "inputs": ("a", "b"), "target": "y", "label": None, "split": None, **args}
    types = fields or {"input": tensor("f32", "batch", 2), "target": tensor("f32", "batch")}
    return DataSource(variable="data", kind="csv", args=given, fields=types)  # type: ignore[arg-type]


# -- the registry


def test_shipped_slice_is_said_aloud_and_even_by_class() -> None:
    data = load_data(FASHION, folder=Path())
    assert data.notes == (
        "fashion-mnist: the shipped slice of 12,000 + 2,000 images is used; `--data-dir` or DSLC_DATA names the folder of the full set",
    )
    assert {split: len(arrays["label"]) for split, arrays in data.splits.items()} == {"train": 10800, "validation": 1200, "test": 2000}
    together = np.concatenate([data.splits["train"]["label"], data.splits["validation"]["label"]])
    assert np.bincount(together).tolist() == [1200] * 10
    assert np.bincount(data.splits["test"]["label"]).tolist() == [200] * 10
    assert data.splits["train"]["image"].shape == (10800, 1, 28, 28) and data.splits["train"]["image"].dtype == np.uint8


def test_digits_are_whole_and_split_by_seed() -> None:
    data = load_data(DIGITS, folder=Path())
    assert [len(arrays["label"]) for arrays in data.splits.values()] == [1438, 179, 180] and data.notes == ()
    images = np.concatenate([arrays["image"] for arrays in data.splits.values()])
    assert images.max() == 16 and np.unique(images, axis=0).shape == (1797, 64)


def test_the_script_makes_what_is_shipped() -> None:
    if not make_slice.DEBIAN.exists():
        pytest.skip("the Debian package dataset-fashion-mnist is not installed")
    for name, data in make_slice.fashion(make_slice.DEBIAN).items():
        assert gzip.decompress((SLICE_FOLDER / f"{name}.gz").read_bytes()) == data


def test_full_set_is_found_where_it_is_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"train-images-idx3-ubyte": np.zeros((40, 28, 28), np.uint8), "train-labels-idx1-ubyte": np.arange(40, dtype=np.uint8) % 10}
    files |= {"t10k-images-idx3-ubyte": np.ones((10, 28, 28), np.uint8), "t10k-labels-idx1-ubyte": np.arange(10, dtype=np.uint8)}
    parts = {name: registry.Part(name, hashlib.sha256(write_idx(array)).hexdigest()) for name, array in files.items()}
    full = {
        split: {"image": (parts[f"{stem}-images-idx3-ubyte"],), "label": (parts[f"{stem}-labels-idx1-ubyte"],)}
        for split, stem in (("train", "train"), ("test", "t10k"))
    }
    row = registry.Registered("fashion-mnist", full, registry.FASHION.shipped, registry.FASHION.note)
    monkeypatch.setitem(registry.REGISTRY, "fashion-mnist", row)
    for folder in (tmp_path / "given", tmp_path / "above" / "fashion-mnist", tmp_path / "cache" / "fashion-mnist"):
        folder.mkdir(parents=True)
        for name, array in files.items():
            (folder / name).write_bytes(write_idx(array))
        data_dir = {"given": folder, "above": folder.parent}.get(folder.relative_to(tmp_path).parts[0])
        data = load_data(FASHION, folder=Path(), data_dir=data_dir)
        assert data.notes == (f"fashion-mnist: the full set, from {folder}",) and len(data.splits["train"]["label"]) == 36
        shutil.rmtree(folder)
    # zipped by somebody else, through the environment; then one file is another, and one is gone
    given = tmp_path / "given"
    given.mkdir()
    for name, array in files.items():
        (given / f"{name}.gz").write_bytes(gzip.compress(write_idx(array), 1))
    monkeypatch.setenv("DSLC_DATA", str(given))
    assert len(load_data(FASHION, folder=Path()).splits["test"]["label"]) == 10
    (given / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(write_idx(np.zeros(10, np.uint8))))
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte.gz: is not the file it should be"):
        load_data(FASHION, folder=Path())
    (given / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\[.gz\]: there is no such file"):
        load_data(FASHION, folder=Path())


def test_data_that_only_check_knows_is_refused_with_its_place() -> None:
    for kind, args in (("text", {"path": "x"}), ("dataset", {"name": "dates"})):
        source = DataSource(variable="data", kind=kind, args=args, fields={}, place="a.nn:3:10")  # type: ignore[arg-type]
        with pytest.raises(SpecError, match=r"a\.nn:3:10"):
            load_data(source, folder=Path())


# -- order


def test_permutation_is_a_pure_function_and_pinned() -> None:
    assert permutation(8, 0, 0).tolist() == permutation(8, 0, 0).tolist()
    assert permutation(10, seed=0, epoch=1).tolist() == PINNED
    assert sorted(permutation(1000, 5, 3).tolist()) == list(range(1000))


def test_permutation_changes_with_seed_and_epoch_and_is_fair() -> None:
    seen = {tuple(permutation(50, seed, epoch).tolist()) for seed in range(10) for epoch in range(10)}
    assert len(seen) == 100
    first = np.array([permutation(4, seed, 0)[0] for seed in range(2000)])
    assert abs(np.bincount(first) - 500).max() < 5 * np.sqrt(2000 * 0.25 * 0.75)


def test_batches_hold_every_sample_once_and_the_last_is_smaller() -> None:
    found = batches(10, 4, seed=1, epoch=2)
    assert [len(rows) for rows in found] == [4, 4, 2] and sorted(np.concatenate(found).tolist()) == list(range(10))


# -- splits


@pytest.mark.parametrize(
    ("count", "parts", "wanted"),
    [
        (1797, (0.8, 0.1, 0.1), (1438, 179, 180)),
        (10, (0.8, 0.1, 0.1), (8, 1, 1)),
        (4, (1, 0, 0), (4, 0, 0)),
        (7, (0.5, 0.5, 0), (4, 3, 0)),
        (3, (1 / 3,) * 3, (1, 1, 1)),
    ],
)
def test_sizes_of_splits(count: int, parts: tuple[float, ...], wanted: tuple[int, ...]) -> None:
    assert sizes(count, parts, "x") == wanted


@pytest.mark.parametrize(
    ("count", "parts", "message"),
    [
        (10, (0.5, 0.5), "three parts between 0 and 1"),
        (10, (1.5, -0.5, 0), "three parts between 0 and 1"),
        (10, (0.8, 0.1, 0.2), "add up to 1.1, not to 1"),
        (4, (0.8, 0.1, 0.1), "4 samples are too few: the test split would be empty"),
        (4, (0, 0.5, 0.5), "the train split would be empty"),
    ],
)
def test_impossible_splits(count: int, parts: tuple[float, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        sizes(count, parts, "x")


def test_splits_of_a_table_share_nothing_and_keep_the_order(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},{-i},{i % 3}" for i in range(100))
    source = csv_source(tmp_path, "a,b,y\n" + rows)
    data = load_data(source, folder=tmp_path, seed=3)
    chosen = {split: arrays["input"][:, 0].astype(int).tolist() for split, arrays in data.splits.items()}
    assert [len(numbers) for numbers in chosen.values()] == [80, 10, 10]
    assert sorted(number for numbers in chosen.values() for number in numbers) == list(range(100)) and all(
        numbers == sorted(numbers) for numbers in chosen.values()
    )
    again, other = (load_data(source, folder=tmp_path, seed=seed) for seed in (3, 4))
    assert again.manifest == data.manifest and other.manifest["hash"] != data.manifest["hash"]


def test_split_1_0_0_keeps_all_and_says_so(tmp_path: Path) -> None:
    data = load_data(csv_source(tmp_path, "a,b,y\n0,1,1\n1,1,0\n", split=(1, 0, 0)), folder=tmp_path)
    assert data.splits.keys() == {"train"} and data.splits["train"]["input"].tolist() == [[0, 1], [1, 1]]
    assert data.notes == ("t.csv: there is no validation and no test split: the train split is evaluated",)


# -- sources by file


def test_csv_with_several_targets_and_a_label(tmp_path: Path) -> None:
    fields = {"input": tensor("f32", "batch", 1), "target": tensor("f32", "batch", 2), "label": tensor("i64", "batch")}
    source = csv_source(tmp_path, "a,b,y,c\n1,2,3,4\n5,6,7,8\n", fields, inputs=("y",), target=("b", "a"), label="c", split=(1, 0, 0))
    train = load_data(source, folder=tmp_path).splits["train"]
    assert {name: array.tolist() for name, array in train.items()} == {"input": [[3], [7]], "target": [[2, 1], [6, 5]], "label": [4, 8]}
    assert train["label"].dtype == np.int64 and train["input"].dtype == np.float32


def test_npz_with_a_field_without_batch(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.arange(20.0).reshape(10, 2), table=np.ones(3), unused=np.zeros(2))
    fields = {"x": tensor("f32", "batch", 2), "table": tensor("f32", 3)}
    source = DataSource(
        variable="data", kind="npz", args={"path": "d.npz", "split": (0.5, 0.5, 0), "whole": ("table",)}, fields=fields, whole=("table",)
    )
    splits = load_data(source, folder=tmp_path).splits
    assert {split: (len(a["x"]), a["table"].tolist()) for split, a in splits.items()} == {
        "train": (5, [1, 1, 1]),
        "validation": (5, [1, 1, 1]),
    }


def test_idx_with_and_without_a_test_set(tmp_path: Path) -> None:
    for stem, count in (("train", 20), ("test", 5)):
        (tmp_path / f"{stem}.images").write_bytes(write_idx(np.full((count, 2, 2), count, np.uint8)))
        (tmp_path / f"{stem}.labels").write_bytes(gzip.compress(write_idx(np.arange(count, dtype=np.uint8))))
    fields = {"image": tensor("u8", "batch", 1, 2, 2), "label": LABEL}
    args = {"images": "train.images", "labels": "train.labels", "test_images": "test.images", "test_labels": "test.labels", "split": None}
    both = load_data(DataSource(variable="d", kind="idx", args=args, fields=fields), folder=tmp_path)  # type: ignore[arg-type]
    assert {split: a["image"].shape for split, a in both.splits.items()} == {
        "train": (18, 1, 2, 2),
        "validation": (2, 1, 2, 2),
        "test": (5, 1, 2, 2),
    }
    alone = load_data(DataSource(variable="d", kind="idx", args={**args, "test_images": None}, fields=fields), folder=tmp_path)  # type: ignore[arg-type]
    assert {split: len(a["label"]) for split, a in alone.splits.items()} == {"train": 16, "validation": 2, "test": 2}


def test_data_dir_comes_before_the_folder_of_the_spec(tmp_path: Path) -> None:
    spec, given = tmp_path / "spec", tmp_path / "given"
    for folder, value in ((spec, 1), (given, 2)):
        folder.mkdir()
        source = csv_source(folder, f"a,b,y\n{value},0,0\n", split=(1, 0, 0))

    def first(data: DataSet) -> float:
        return float(data.splits["train"]["input"][0, 0])

    assert first(load_data(source, folder=spec)) == 1 and first(load_data(source, folder=spec, data_dir=given)) == 2


# -- schema

TEN = {"x": (of_classes(10),)}
BAD_FIT = {
    "shape": (np.zeros((4, 3)), tensor("f32", "batch", 2), {}, r"a sample of `x` has the shape \[3\], the spec wants \[2\]"),
    "rank": (np.zeros(4), tensor("f32", "batch", 2), {}, r"a sample of `x` has the shape \[\], the spec wants \[2\]"),
    "scalar": (np.zeros(()), tensor("f32", "batch"), {}, "a sample of `x` has the shape"),
    "no rows": (np.zeros((0, 2)), tensor("f32", "batch", 2), {}, "`x` holds no samples"),
    "nan": (np.array([[0, 1], [2, np.nan]]), tensor("f32", "batch", 2), {}, r"`x` of sample 1 \(from 0\) holds nan, which is not finite"),
    "infinite": (np.array([np.inf]), tensor("f64", "batch"), {}, "holds inf, which is not finite"),
    "overflow": (np.array([0, 1e39]), tensor("f32", "batch"), {}, "`x` of sample 1 .* holds 1e[+]39, which is beyond f32"),
    "no int": (np.array([0, 1.5]), tensor("i64", "batch"), {}, "`x` of sample 1 .* holds 1.5, which is no i64"),
    "range": (np.array([0, 256]), tensor("u8", "batch"), {}, "`x` of sample 1 .* holds 256, which is no u8"),
    "negative": (np.array([0, -1]), tensor("u8", "batch"), {}, "`x` of sample 1 .* holds -1, which is no u8"),
    "bool": (np.array([0.0, 1.0]), tensor("bool", "batch"), {}, "`x` holds floats, the spec wants bool"),
    "two": (np.array([0, 2]), tensor("bool", "batch"), {}, "`x` of sample 1 .* holds 2, which is no bool"),
    "label": (np.array([0, 9, 10, 11], np.uint8), LABEL, TEN, r"`x` of sample 2 \(from 0\) is 10, but there are 10 classes: 0 to 9"),
    "minus": (np.array([0, -1]), tensor("i64", "batch"), TEN, r"`x` of sample 1 \(from 0\) is -1, but there are 10 classes"),
    "sequence": (np.array([[0, 1], [5, 0]]), tensor("i64", "batch", "time"), {"x": (of_classes(5),)}, r"`x` of sample 1 \(from 0\) is 5"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FIT)
def test_data_that_does_not_fit_is_named(name: str) -> None:
    array, type_, bounds, message = BAD_FIT[name]
    with pytest.raises(DataError, match=f"d.npz: .*{message}" if not message.startswith("`") else message):
        fit({"x": array}, {"x": type_}, (), bounds, "d.npz")


def test_unequal_rows_and_sizes_are_named() -> None:
    with pytest.raises(DataError, match="`x` has 3 samples, `y` has 2"):
        fit({"x": np.zeros(3), "y": np.zeros(2)}, {"x": tensor("f32", "batch"), "y": tensor("f32", "batch")}, (), {}, "d")
    types = {"x": tensor("f32", "batch", "time"), "y": tensor("f32", "batch", "time")}
    with pytest.raises(DataError, match=r"`y` has the shape \[5\], the spec wants \[time\]"):
        fit({"x": np.zeros((2, 4)), "y": np.zeros((2, 5))}, types, (), {}, "d")


@pytest.mark.parametrize("found", ["f2", "f8", ">f4", "i1", "u8", "bool"])
def test_every_number_type_becomes_the_float_of_the_schema(found: str) -> None:
    array = fit({"x": np.array([0, 1], found)}, {"x": tensor(DType.f32, "batch")}, (), {}, "d")["x"]
    assert array.dtype == np.float32 and array.tolist() == [0, 1]
