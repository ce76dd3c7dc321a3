"""What faults are planted into, and which tests look at it: groups of files, in the order of the design."""

from __future__ import annotations

import ast
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from pathlib import Path

from dslc.ops.table import rows as table
from tests.mutants.mutate import Mutant, mutants

ROOT = Path(__file__).parents[2]
TABLE = ("tests/ops/test_table.py", "tests/ops/test_several_results.py", "tests/onnx/test_rows.py", "tests/runtime/test_kernels.py")
CALLS = ("tests/elaborate/test_refused.py", "tests/elaborate/test_rules.py")  # of operators, by specs
GRAPHS = tuple(
    f"tests/passes/test_{name}.py" for name in ("pairs", "pipeline", "arena", "reach", "plan", "accumulate", "random", "interpret")
)
KERNELS = tuple(f"tests/runtime/test_{name}.py" for name in ("trace", "kernels", "conv", "conv_axes", "depthwise", "joined", "executor"))
SAVING = (
    *(f"tests/train/test_{name}.py" for name in ("checkpoint", "writers", "contents", "lock", "mapped_checkpoint", "places", "run")),
    "tests/train/test_hard_ends.py::test_another_environment_is_said_when_a_run_goes_on",
    "tests/train/test_resume.py",
    "tests/reliability/crash/test_harness.py",
)
LOOPS = tuple(
    f"tests/loops/test_{name}.py"
    for name in (
        *("text", "fuse", "siblings", "checks", "emit", "parts", "expressions", "open", "views", "windows", "transpose", "choose"),
        *("programs", "memory", "rows", "tile"),
    )
)
NATIVE = (
    *("emit", "access", "order", "tile", "row", "roles", "limits", "epilogue", "transpose", "choose", "layout"),
    *("schedule", "sums", "together", "memory", "program"),
)
MANY = 50  # operators
ELSEWHERE = ("document.py", "samples.py", "errors.py", "__init__.py", "table.py", "pipeline.py")


@dataclass(frozen=True)
class Group:
    name: str
    files: tuple[str, ...]  # globs
    tests: tuple[str, ...]
    rule: str | None = None  # of operators: eval or grad

    def paths(self) -> list[Path]:
        found = sorted({path for pattern in self.files for path in ROOT.glob(pattern)})
        return [path for path in found if path.name not in ELSEWHERE]

    def holds(self, mutant: Mutant) -> bool:
        return self.rule is None or (mutant.rule == "grad") == (self.rule == "grad")


GROUPS = (
    Group("operators", ("dslc/ops/*.py",), TABLE, "eval"),
    Group("gradients", ("dslc/ops/*.py",), TABLE, "grad"),
    Group("passes", ("dslc/passes/*.py", "dslc/plan.py"), (*GRAPHS, "tests/gradients/test_expression.py")),
    Group("kernels", ("runtime/kernels/numpy/*.py",), KERNELS),
    Group(
        "saving", tuple(f"runtime/train/{name}.py" for name in ("atomic", "checkpoint", "contents", "lock", "metrics", "resume")), SAVING
    ),
    Group(
        "machine code",
        (
            *(f"runtime/loops/{name}.py" for name in ("lower", "fuse", "siblings", "split", "places", "trim")),
            *(f"runtime/kernels/native/{name}.py" for name in NATIVE),
        ),
        LOOPS,
    ),
)


@dataclass(frozen=True)
class Subject:
    """One planted fault: which, where, and the tests that should see it."""

    group: Group
    path: Path
    mutant: Mutant

    @property
    def module(self) -> str:
        return ".".join(self.path.relative_to(ROOT).with_suffix("").parts)

    def __str__(self) -> str:
        m = self.mutant
        return f"{self.path.relative_to(ROOT)}:{m.line} {m.kind}: `{m.before}` became `{m.after}`"

    def rows(self) -> list[str]:
        """The operators that a fault can change: that of its row, else all of the file; none where it may be any."""
        if self.group.rule is None:
            return registered(self.path)
        return [self.mutant.row] if self.mutant.row else row_names(self.path)

    def tests(self) -> list[str]:
        """First the examples of the module, then the tests of the group, then the files that name one of the operators; of what is no row
        of dslc/ops at last the specs that call operators. Where no operator is known those of all."""
        examples = [self.path.relative_to(ROOT).as_posix()] if ">>>" in self.path.read_text(encoding="utf-8") else []
        if self.group.rule is None and not self.rows():
            return [*examples, *self.group.tests]
        named = naming(tuple(self.rows())) if self.rows() else of_operators()
        calls = CALLS if self.group.rule is not None and not self.mutant.row else ()
        return list(dict.fromkeys((*examples, *self.group.tests, *named, *calls)))


@cache
def row_names(path: Path) -> list[str]:
    """The operators that have a rule in this file; of a file without any, those of the files beside it that import it."""
    module = f"dslc.ops.{path.stem}"
    own = [
        row.name for row in table() if any(getattr(rule, "__module__", "") == module for rule in (row.eval, row.shape, *row.grad.values()))
    ]
    users = [] if own else [other for other in sorted(path.parent.glob("*.py")) if f"from {module} import" in other.read_text("utf-8")]
    return own or sorted({name for other in users if other.name not in ELSEWHERE for name in row_names(other)})


@cache
def registered(path: Path) -> list[str]:
    """The operators that have a tuned kernel in this file: what `register` and the tables that it reads call them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    places: list[ast.AST] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "register"]
    read = {item.id for place in places for item in ast.walk(place) if isinstance(item, ast.Name)}
    places += [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and targets(node) & read]
    texts = {item.value for place in places for item in ast.walk(place) if isinstance(item, ast.Constant)}
    return [row.name for row in table() if row.name in texts]


def targets(node: ast.Assign | ast.AnnAssign) -> set[str]:
    """The names that are assigned to."""
    return {item.id for item in (node.targets if isinstance(node, ast.Assign) else [node.target]) if isinstance(item, ast.Name)}


@cache
def of_operators() -> list[str]:
    """All test files of tests/ops, those of single families first."""
    found = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "tests" / "ops").glob("test_*.py"))]
    return [path for path in found if path not in TABLE]


@cache
def naming(rows: tuple[str, ...]) -> list[str]:
    """The test files of tests/ops and tests/runtime that call one of these operators, or have its name as a string; of many operators,
    which all have tests in tests/ops, only those there."""
    names = "|".join(rows)
    pattern = re.compile(rf'\b(F|op)\.({names})\b|"({names})"|-> ({names})\b|[ (]({names})\(')
    paths = sorted(path for folder in ("ops", "runtime")[: 1 + (len(rows) < MANY)] for path in (ROOT / "tests" / folder).glob("test_*.py"))
    found = [path.relative_to(ROOT).as_posix() for path in paths if pattern.search(path.read_text(encoding="utf-8"))]
    return [path for path in found if path not in TABLE]


@cache
def drawn(group: Group) -> list[tuple[Path, Mutant]]:
    """All faults of a group, in an order that looks random and in which every kind comes up equally often, as long as there are any.

    The order is that of hashes of the faults, so that a change of one file leaves the others' faults in theirs.
    """
    kinds: dict[str, list[tuple[str, Path, Mutant]]] = {}
    for path in group.paths():
        seen: Counter[str] = Counter()
        for mutant in mutants(path.read_text(encoding="utf-8")):
            if group.holds(mutant):
                text = f"{path.name}, {mutant.function}: {mutant.before} -> {mutant.after}"
                seen[text] += 1
                key = hashlib.sha256(f"{text} {seen[text]}".encode()).hexdigest()
                kinds.setdefault(mutant.kind, []).append((key, path, mutant))
    return list(in_turn([[item[1:] for item in sorted(kinds[kind], key=itemgetter(0))] for kind in sorted(kinds)]))


def in_turn(lists: list[list[tuple[Path, Mutant]]]) -> Iterator[tuple[Path, Mutant]]:
    while any(lists):
        yield from (items.pop() for items in lists if items)


def subject(case: int) -> Subject:
    """The groups in turn."""
    group = GROUPS[case % len(GROUPS)]
    found = drawn(group)
    return Subject(group, *found[case // len(GROUPS) % len(found)])
