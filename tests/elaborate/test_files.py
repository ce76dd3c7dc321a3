"""Imports and data files: inside the spec's folder, through no link, once each; the standard library; finding specs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dslc.diagnostics import Sink, SpecError
from dslc.elaborate.files import FileScope, Library
from dslc.elaborate.resolve import resolve
from dslc.elaborate.session import Session
from dslc.elaborate.values import Binding, BlockValue
from dslc.ir.types import DType
from dslc.loading import check_source, find_spec, load_program, specs_folder
from dslc.source import Source
from dslc.syntax import ast
from dslc.syntax.parse import parse
from dslc.syntax.reader import read_source
from tests.elaborate.check import check, codes, network, program

BLOCK = "dslc 1\n\nblock part(x: [batch, n]) {\n  return x + 1\n}\n"
USE = network("output y = part(x)", 'import part from "{}"')


@pytest.mark.parametrize(
    "path", ["../part.nn", "/etc/part.nn", "a/../../part.nn", "~/part.nn", "C:\\part.nn", "file:part.nn", "..", "", "a\\b.nn"]
)
def test_path_leaves_the_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "part.nn").write_text(BLOCK)
    escaped = path.replace("\\", "\\\\")
    assert codes(USE.replace("{}", escaped), tmp_path / "inside") == ["import-outside"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "part.nn").write_text(BLOCK)
    (tmp_path / "spec").mkdir()
    (tmp_path / "spec" / "part.nn").symlink_to(tmp_path / "real" / "part.nn")
    (tmp_path / "spec" / "folder").symlink_to(tmp_path / "real")
    assert codes(USE.replace("{}", "part.nn"), tmp_path / "spec") == ["import-link"]
    assert codes(USE.replace("{}", "folder/part.nn"), tmp_path / "spec") == ["import-link"]


def test_imports_nine_deep(tmp_path: Path) -> None:
    for k in range(12):
        text = f'dslc 1\n\nimport part{k + 1} from "f{k + 1}.nn"\n\nblock part{k}(x: [batch, n]) {{\n  return part{k + 1}(x)\n}}\n'
        (tmp_path / f"f{k}.nn").write_text(text)
    assert "import-depth" in codes(network("output y = part0(x)", 'import part0 from "f0.nn"'), tmp_path)


def test_sixty_five_files(tmp_path: Path) -> None:
    lines, uses = [], []
    for k in range(65):
        (tmp_path / f"f{k}.nn").write_text(f"dslc 1\n\nblock part{k}(x: [batch, n]) {{\n  return x\n}}\n")
        lines.append(f'import part{k} from "f{k}.nn"')
        uses.append(f"x = part{k}(x)")
    body = "\n".join(uses)
    assert codes(network(f"{body}\noutput x", "\n".join(lines)), tmp_path) == ["too-many-imports"]


def test_diamonds_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "f0.nn").write_text("dslc 1\n\nblock part0(x: [batch, n]) {\n  return x\n}\n")
    for k in range(1, 8):
        uses = (
            f"block part{k}(x: [batch, n]) {{\n  return x -> part{k - 1} -> twice{k}\n}}\nblock twice{k}(x: [batch, n]) {{\n  return x\n}}"
        )
        (tmp_path / f"f{k}.nn").write_text(f'dslc 1\n\nimport part{k - 1} from "f{k - 1}.nn"\n\n{uses}\n')
    assert codes(network("output y = part7(x)", 'import part7 from "f7.nn"'), tmp_path) == []


def test_params_of_imports_are_their_own(tmp_path: Path) -> None:
    text = "dslc 1\n\nparam width: int = 3\n\nblock part(x: [batch, n]) {\n  return x -> dense(width)\n}\n"
    (tmp_path / "part.nn").write_text(text)
    found = program(network("output y = part(x)", 'import part from "part.nn" (width=7)'), tmp_path)
    assert str(found.networks["N"].outputs[0].type) == "f32[batch, 7]"
    assert found.params == ()


def test_a_broken_import_is_reported_in_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "part.nn").write_text("dslc 1\n\nblock part(x: [batch, n]) {\n  y = 3\n  return x -> nothing\n}\n")
    _, found = check(USE.replace("{}", "part.nn"), tmp_path)
    assert {(item.code, item.span.source.path) for item in found if item.span} == {("unused-name", "part.nn"), ("unknown-name", "part.nn")}


# ---- data files -------------------------------------------------------------------------------------------------------------------

TRAIN = """
network N {
  input x: [batch, 2]
  output y = x -> dense(1)
}

train {
  data = SOURCE
  net  = N(data.FIELD)
  loss: mean(net.y)
  optimizer: sgd(0.1)
}
"""


def train(source: str, field: str) -> str:
    return TRAIN.replace("SOURCE", source).replace("FIELD", field)


def test_npz_and_idx_by_their_headers(tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    np.savez(tmp_path / "d.npz", x=np.zeros((5, 2), np.float32), k=np.zeros((5,), np.int64))
    found = program(train('npz("d.npz")', "x"), tmp_path)
    assert {name: str(type) for name, type in found.trainings["train"].data[0].fields.items()} == {"x": "f32[batch, 2]", "k": "i64[batch]"}
    images = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (5, 1, 2))
    labels = bytes([0, 0, 8, 1]) + (5).to_bytes(4, "big")
    (tmp_path / "i").write_bytes(images)
    (tmp_path / "l").write_bytes(labels)
    text = train('idx("i", "l")', "image / 255 -> flatten")
    found = program(text.replace("data.image / 255 -> flatten", "(data.image / 255 -> flatten)"), tmp_path)
    assert str(found.trainings["train"].data[0].fields["image"]) == "u8[batch, 1, 1, 2]"


def test_a_file_that_is_not_there_is_a_note(tmp_path: Path) -> None:
    found, diagnostics = check(train('npz("d.npz")', "x"), tmp_path)
    assert found is not None
    assert found.trainings == {}
    assert [(item.code, item.severity) for item in diagnostics] == [("schema-not-checked", "note")]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"\x93NUMPY\x01\x00" + b"\xff\xff" + b"{" * 20])
def test_broken_archives(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "d.npz").write_bytes(content)
    assert codes(train('npz("d.npz")', "x"), tmp_path) == ["bad-data-file"]


def test_a_header_runs_nothing(tmp_path: Path) -> None:
    import zipfile

    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os').system('touch hit'),)}"
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    assert codes(train('npz("d.npz")', "x"), tmp_path) == ["bad-data-file"]
    assert not (tmp_path / "hit").exists()


def test_columns_exist(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b\n1,2\n")
    assert codes(train('csv("d.csv", inputs=["a", "b"])', "input"), tmp_path) == []
    assert codes(train('csv("d.csv", inputs=["a", "bb"])', "input"), tmp_path) == ["unknown-field"]


# ---- the standard library and shipped specs ----------------------------------------------------------------------------------------


def test_the_library_has_the_promised_layers() -> None:
    names = {path.stem for path in (specs_folder() / "std").glob("*.nn")}
    wanted = "dense conv max_pool avg_pool global_avg_pool batch_norm layer_norm dropout flatten embedding lstm_cell"
    assert set(wanted.split()) <= names


@pytest.mark.parametrize("path", sorted((specs_folder() / "std").glob("*.nn")), ids=lambda path: path.stem)
def test_names_of_the_library(path: Path) -> None:
    sink = Sink()
    source = read_source(path, path.name)
    tree = parse(source, sink)
    session = Session(sink, DType.f32)
    session.library = Library(session, None, specs_folder() / "std")
    scope = FileScope(source, tree, None)
    for statement in tree.statements:
        if isinstance(statement, ast.Block):
            scope.names[statement.name.id] = Binding(BlockValue(statement, scope), statement.name.span, "block")
    resolve(session, [scope])
    assert list(sink) == []
    assert path.stem in scope.names


def test_finding_specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_spec("lenet")[1] == "specs/lenet.nn"
    assert load_program("lenet")[0].path == "specs/lenet.nn"
    with pytest.raises(SpecError, match="did you mean `lenet`"):
        find_spec("lenett")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x89PNG\r\xff\xfe\n", "it is a PNG picture, no CSV"),
        (b"\xfa\xfb\n", "its first line is no text of columns with commas between them (CSV in UTF-8)"),
        (b"", "it is empty"),
        (b"\n\n", "there is no line in it"),
    ],
)
def test_a_binary_file_is_no_csv(tmp_path: Path, data: bytes, message: str) -> None:
    """The message names what is wrong with the file, not the exception."""
    (tmp_path / "points.csv").write_bytes(data)
    text = """dslc 1

network Net {
  input x: [batch, 1]
  output y = dense(x, 1)
}

train {
  data = csv("points.csv", inputs=["a"], target="b")
  net  = Net(data.input)
  loss: mean((net.y[:, 0] - data.target) ^ 2)
  optimizer: sgd(0.1)
}
"""
    _, found = check_source(Source("spec.nn", text), folder=tmp_path)
    assert [item.code for item in found] == ["bad-data-file"]
    assert found[0].message == f"points.csv: {message}"
