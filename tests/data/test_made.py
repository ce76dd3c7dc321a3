"""Sets that are made or shipped as tables, pairs, and folders of pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from dslc.diagnostics import DataError
from dslc.ir.types import tensor
from dslc.program import DataSource
from dslc.vocabulary import DATASETS
from runtime.data.bounds import of_classes
from runtime.data.load import DataSet, load_data
from runtime.data.made import KINDS, collage, copy
from runtime.data.pairs import paired
from runtime.data.pictures import fitted
from runtime.data.tables import TABLES, open_table


def of_registry(name: str, **sizes: int) -> DataSource:
    """The source that `dataset(name)` makes."""
    fields = {}
    for field, text in DATASETS[name].fields.items():
        dtype, _, shape = text.rstrip("]").partition("[")
        parts = [part.strip() for part in shape.split(",")]
        fields[field] = tensor(dtype, *(int(part) if part.isdigit() else sizes.get(part, part) for part in parts))
    return DataSource(variable="data", kind="dataset", args={"name": name}, fields=fields, classes=DATASETS[name].classes)


# -- made


def test_collage_is_the_same_on_every_machine() -> None:
    found = collage({})
    assert found["train"]["image"].shape == (3000, 1, 64, 64) and found["test"]["kind"].shape == (500, 64, 64)
    digest = hashlib.sha256(b"".join(found["test"][name].tobytes() for name in ("image", "label", "kind"))).hexdigest()
    assert digest[:16] == "5f1ddd1b4a753ba0"


def test_collage_labels_what_is_seen() -> None:
    part = collage({})["test"]
    image, label = part["image"][:, 0], part["label"]
    assert ((image >= 24) == (label > 0)).all()
    assert set(np.unique(label)) == set(range(11)) and (KINDS[label] == part["kind"]).all()
    cells = part["label"].reshape(500, 2, 32, 2, 32).any(axis=(2, 4))
    assert 0.7 < cells.mean() < 0.8
    for cell in np.argwhere(cells)[:50]:  # one garment in a cell
        sample, y, x = cell
        inside = label[sample, 32 * y : 32 * y + 32, 32 * x : 32 * x + 32]
        assert len(np.unique(inside[inside > 0])) == 1


def test_copy_asks_for_what_it_showed() -> None:
    part = copy({"length": (1, 5), "bits": 4})["train"]
    given, wanted, mask = part["input"], part["target"], part["mask"]
    assert given.shape == wanted.shape == (4000, 11, 4)
    length = mask[:, :, 0].sum(axis=1)
    assert set(length.tolist()) == {1, 2, 3, 4, 5}
    for sample in range(200):
        n = int(length[sample])
        assert given[sample, n].tolist() == [0, 0, 0, 1] and not given[sample, n + 1 :].any()
        assert (wanted[sample, n + 1 : 2 * n + 1] == given[sample, :n]).all() and mask[sample, n + 1 : 2 * n + 1].all()
        assert not wanted[sample][~mask[sample]].any()
    assert abs(given[:, 0, :3].mean() - 0.5) < 0.02


def test_made_sets_load_with_validation() -> None:
    data = load_data(of_registry("collage"), folder=Path())
    assert {split: len(fields["kind"]) for split, fields in data.splits.items()} == {"train": 2700, "validation": 300, "test": 500}
    source = of_registry("copy", bits=8)
    source = source.model_copy(update={"args": {"name": "copy", "length": (1, 20), "bits": 8}})
    assert load_data(source, folder=Path()).splits["test"]["input"].shape == (400, 41, 8)


# -- tables


def test_tables_are_whole_and_beside_their_licences() -> None:
    diabetes, survey = open_table("diabetes"), open_table("anes96")
    assert diabetes["input"].shape == (442, 10) and diabetes["target"].mean() == pytest.approx(152.133, abs=1e-3)
    assert survey["category"].shape == (944, 5) and (survey["category"].min(), survey["category"].max()) == (0, 6)
    assert survey["label"].sum() == 393
    folder = Path(__file__).parents[2] / "runtime" / "data" / "shipped"
    assert all((folder / name / "LICENSE").is_file() for name in TABLES)


def test_tables_load_split_by_seed() -> None:
    first, second = (load_data(of_registry("anes96"), folder=Path(), seed=seed) for seed in (0, 1))
    assert [len(fields["label"]) for fields in first.splits.values()] == [755, 95, 94]
    assert first.splits["train"]["category"].dtype == np.uint8
    assert (first.splits["test"]["number"] != second.splits["test"]["number"]).any()


# -- pairs


def test_pairs_are_of_one_class_or_of_two_as_they_say() -> None:
    label = np.arange(1000) ** 2 % 7
    image = np.stack([label, np.arange(1000)], axis=1)
    found = paired({"image": image, "label": label}, 0.3, seed=1, split="train")
    assert (found["left"] == image).all()
    assert ((found["left"][:, 0] == found["right"][:, 0]) == (found["same"] == 1)).all()
    assert (found["left"][:, 1] != found["right"][:, 1]).all()
    assert abs(found["same"].mean() - 0.3) < 0.05
    again, other = (paired({"image": image, "label": label}, 0.3, seed=seed, split="train") for seed in (1, 2))
    assert (again["right"] == found["right"]).all() and (other["right"] != found["right"]).any()


def test_pairs_are_drawn_anew_in_each_epoch() -> None:
    label = np.arange(1000) % 7
    epochs = [paired({"image": np.arange(1000), "label": label}, 0.5, 1, "train", epoch) for epoch in (0, 1, 1, 2)]
    for found in epochs:
        assert (found["left"] == np.arange(1000)).all()
        assert ((label[found["right"]] == label) == (found["same"] == 1)).all()
    assert (epochs[1]["right"] == epochs[2]["right"]).all() and (epochs[1]["same"] == epochs[2]["same"]).all()
    for one, two in ((0, 1), (0, 3), (1, 3)):
        assert (epochs[one]["right"] != epochs[two]["right"]).mean() > 0.9
        assert 0.4 < (epochs[one]["same"] != epochs[two]["same"]).mean() < 0.6


@pytest.mark.parametrize(("label", "same"), [([0, 0, 0], [1, 1, 1]), ([0, 1, 2], None), ([4], [1])])
def test_pairs_of_odd_sets(label: list[int], same: list[int] | None) -> None:
    found = paired({"image": np.array(label), "label": np.array(label)}, 0.5, seed=0, split="train")
    assert ((found["left"] == found["right"]) == (found["same"] == 1)).all()
    assert same is None or found["same"].tolist() == same


def test_pairs_of_a_set() -> None:
    image = tensor("u8", "batch", 1, 28, 28)
    fields = {"left": image, "right": image, "same": tensor("f32", "batch")}
    args = {"of": "dataset", "of.name": "fashion-mnist", "same": 0.5}
    data = load_data(DataSource(variable="d", kind="pairs", args=args, fields=fields), folder=Path(), data_dir=SLICE)
    assert data.splits["test"]["left"].shape == data.splits["test"]["right"].shape == (2000, 1, 28, 28)
    assert data.redraw is not None
    first, second = data.redraw(0), data.redraw(1)
    assert all((first[name] == array).all() for name, array in data.splits["train"].items())
    assert second["right"].dtype == np.uint8 and (second["right"] != first["right"]).any() and (second["left"] == first["left"]).all()
    assert data.splits["test"]["same"].dtype == np.float32 and abs(data.splits["test"]["same"].mean() - 0.5) < 0.05


SLICE = Path(__file__).parents[2] / "runtime" / "data" / "shipped"


# -- pictures


def images(folder: Path, channels: int = 3, size: int = 8) -> DataSet:
    fields = {"image": tensor("u8", "batch", channels, size, size), "label": tensor("i64", "batch")}
    args = {"path": "pictures", "size": size, "channels": channels}
    return load_data(
        DataSource(variable="data", kind="images", args=args, fields=fields), folder=folder, bounds={"label": (of_classes(3),)}
    )


def put(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = b"P6" if pixels.ndim == 3 else b"P5"
    path.write_bytes(kind + b"\n# made\n%d %d\n255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes())


def test_a_folder_of_classes(tmp_path: Path) -> None:
    for value in range(20):
        for name in ("cat", "dog"):
            put(tmp_path / "pictures" / name / f"{value:02}.ppm", np.full((9, 12, 3), 10 * value + (name == "dog"), np.uint8))
    data = images(tmp_path)
    assert data.notes == ("pictures: 2 classes, 40 for train",)
    assert [len(fields["label"]) for fields in data.splits.values()] == [32, 4, 4]
    for fields in data.splits.values():
        assert (fields["image"][:, 0, 0, 0] % 10 == fields["label"]).all()
        assert (fields["image"] == fields["image"][:, :1, :1, :1]).all()


def test_folders_of_splits_have_the_same_classes(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        for label, name in enumerate(("a", "b", "c")):
            put(tmp_path / "pictures" / split / name / "x.pgm", np.full((8, 8), label, np.uint8))
    data = images(tmp_path, channels=1)
    assert {split: fields["label"].tolist() for split, fields in data.splits.items()} == {key: [0, 1, 2] for key in data.splits}
    put(tmp_path / "pictures" / "val" / "d" / "x.pgm", np.zeros((8, 8), np.uint8))
    with pytest.raises(DataError, match="the class `d` is not among those of the train split"):
        images(tmp_path, channels=1)


def test_pictures_are_scaled_by_the_short_side_and_cut_in_the_middle() -> None:
    wide = np.zeros((4, 12, 1), np.uint8)
    wide[:, 4:8] = 200
    assert (fitted(wide, 4) == 200).all()
    ramp = np.repeat(np.arange(0, 64, 4, np.uint8)[None, :, None], 16, axis=0)
    assert fitted(ramp, 16).tolist() == ramp.tolist()
    small = fitted(ramp, 8)[0, :, 0].astype(int)
    assert (np.diff(small[1:-1]) == 8).all()
    large = fitted(ramp, 32)[0, 2:-2, 0].astype(int)
    assert (np.diff(large) == 2).all()


def test_pillow_reads_what_is_no_netpbm(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="JPEG and PNG need Pillow")
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(5):
            image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(tmp_path / "pictures" / name / f"{number}.png")
    assert images(tmp_path).splits["train"]["image"].shape == (8, 3, 8, 8)
    (tmp_path / "pictures" / "b" / "9.png").write_bytes(b"\x89PNG\r\n broken")
    with pytest.raises(DataError, match=r"b/9\.png: is no picture that can be read"):
        images(tmp_path)


def test_without_pillow_the_install_line_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (tmp_path / "pictures" / "a").mkdir(parents=True)
    (tmp_path / "pictures" / "a" / "x.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(DataError) as caught:
        images(tmp_path)
    assert "pip install 'dslc[images]'" in caught.value.diagnostics[0].help


@pytest.mark.parametrize("data", [b"P6 2 2 255\n123", b"P6 x", b"P6", b"P5 0 4 255\n", b"P5 2 2 65535\n1234", b"P6 # no end"])
def test_broken_netpbm_is_a_diagnostic(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "pictures" / "a").mkdir(parents=True)
    (tmp_path / "pictures" / "a" / "x.ppm").write_bytes(data)
    with pytest.raises(DataError, match=r"a/x\.ppm"):
        images(tmp_path)


def test_empty_folders_are_named(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    with pytest.raises(DataError, match="there is no folder of a class in it"):
        images(tmp_path)
    (tmp_path / "pictures" / "a").mkdir()
    with pytest.raises(DataError, match="there are no pictures"):
        images(tmp_path)
