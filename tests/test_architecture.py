"""Who may import whom: the directions of ARCHITECTURE.md, held by reading the sources."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for package in ("dslc", "runtime", "exporters") for path in (ROOT / package).rglob("*.py"))
# A module may import what stands in an earlier line, and its own package. api, exports and cli join the three packages.
LAYERS = (
    "source collector magic below gzipped",
    "diagnostics",
    "finding usage",
    "limits",
    "syntax ir render",
    "ops program vocabulary files safetensors_header",
    "pieces",
    "interpret ir.verify parts checked",
    "passes",
    "plan elaborate explain",
    "plan_check loading show exports",
    "api",
    "cli",
    "__main__",
)
RANKS = {name: rank for rank, names in enumerate(LAYERS) for name in names.split()}
FREE = frozenset(["dslc"])  # `from dslc import __version__`
OPTIONAL = {  # library -> the only files that may import it, and only inside functions
    "cupy": {"runtime/device.py"},
    "llvmlite": {"runtime/kernels/native/machine.py"},
    "onnxruntime": {"exporters/onnx/backends.py"},
    "torch": set(),
    "PIL": {"runtime/data/decoders.py"},
    "rich": {"runtime/train/progress.py"},
    "safetensors": {"runtime/train/checkpoint.py"},
    "threadpoolctl": {"runtime/workers.py", "runtime/train/environment.py"},
}


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every module that a file imports, and whether this happens at import time."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {id(node) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(f)}
    typing = {id(node) for f in ast.walk(tree) if isinstance(f, ast.If) and "TYPE_CHECKING" in ast.dump(f.test) for node in ast.walk(f)}
    for node in ast.walk(tree):
        names = (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else []
        )
        if isinstance(node, ast.ImportFrom) and node.module == "dslc":
            names = [f"dslc.{alias.name}" if alias.name in RANKS else "dslc" for alias in node.names]
        if id(node) not in typing:
            yield from ((name, id(node) not in inner) for name in names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_directions(path: Path) -> None:
    package, *rest = path.relative_to(ROOT).with_suffix("").parts
    me = "ir.verify" if rest == ["ir", "verify"] else rest[0] if rest else ""
    joins = package == "dslc" and me in ("api", "exports", "cli")
    for name, early in imports(path):
        top, _, below = name.partition(".")
        if top in ("runtime", "exporters") and top != package:
            assert joins and not early, f"{path.name} imports {name}"
        if package == "dslc" and top == "numpy":
            assert not early, f"{path.name} imports numpy when it is imported"
        if package == "dslc" and top == "dslc" and name not in FREE and me != "__init__":
            other = below.partition(".")[0]
            assert other == rest[0] or RANKS[other] < RANKS[me], f"{path.name} imports {name}"


@pytest.mark.parametrize("library", OPTIONAL)
def test_optional_libraries_have_one_home(library: str) -> None:
    found = {(str(path.relative_to(ROOT)), early) for path in SOURCES for name, early in imports(path) if name.partition(".")[0] == library}
    assert {path for path, _ in found} <= OPTIONAL[library]
    assert not [path for path, early in found if early and library in ("cupy", "llvmlite", "onnxruntime", "torch", "rich")]


def test_import_of_dslc_and_check_load_no_numpy() -> None:
    code = "import sys, dslc; from dslc.cli.main import main; code = main(['check', 'lenet']); sys.exit(code or 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_sources_stand_alone() -> None:
    """No machine's paths, no notes to come back to."""
    words = ("/wo" + "rk/", "TO" + "DO", "FIX" + "ME", "raise NotImplemented" + "Error")
    files = [*SOURCES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "docs").glob("*.md")]
    assert not [(str(path), word) for path in files for word in words if word in path.read_text(encoding="utf-8")]
