"""Data sources of a train body: arguments, and the types of their fields (R17)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dslc.below import Below
from dslc.elaborate import errors, headers
from dslc.elaborate.calls import Site
from dslc.elaborate.frame import Frame
from dslc.elaborate.initialisers import arguments
from dslc.elaborate.suggest import listed, meant, nearest, rename
from dslc.elaborate.values import POISON, DataValue, Poison, is_int
from dslc.elaborate.walk import nodes
from dslc.ir.types import Dim, DType, TensorType
from dslc.program import DataSource
from dslc.source import Span
from dslc.syntax import ast
from dslc.vocabulary import DATASETS, PART, SOURCES, Word

COMPOSED = "pairs"
NAMES = frozenset([*SOURCES, "dataset", COMPOSED])
BATCH = Dim.of("batch")


def is_source(frame: Frame, node: ast.Expr) -> bool:
    """Whether an expression is the call of a data source."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMES):
        return False
    return frame.scope.find(node.func.id) is None and frame.file.find(node.func.id) is None


def data_value(frame: Frame, variable: str, node: ast.Call, span: Span) -> DataValue | Poison:
    """`data = csv("x.csv", …)` with the types of its fields."""
    assert isinstance(node.func, ast.Name)
    kind = node.func.id
    if kind == "dataset":
        return dataset(frame, variable, node, span)
    if kind == COMPOSED:
        return pairs(frame, variable, node, span)
    word = SOURCES[kind]
    bound = arguments(frame, word, site_of(node))
    if bound is None or not split_fits(frame, bound, node):
        return POISON
    types, checked = SCHEMAS[kind](frame, bound, node)
    if isinstance(types, Poison):
        return POISON
    whole = tuple(bound.get("whole") or ())
    source = DataSource(
        variable=variable, kind=kind, args=bound, fields=dict(types or {}), whole=whole, checked=checked and types is not None,
        place=span.place,
    )  # fmt: skip
    return DataValue(source, types, span)


def site_of(node: ast.Call, args: tuple[ast.Arg, ...] | None = None) -> Site:
    assert isinstance(node.func, ast.Name)
    return Site(path=(node.func,), args=node.args if args is None else args, span=node.span, node=node)


def split_fits(frame: Frame, bound: Mapping[str, Any], node: ast.Call) -> bool:
    """`split` is three parts, none negative, of a positive sum."""
    split = bound.get("split")
    if split is None or (len(split) == 3 and all(part >= 0 for part in split) and split[0] > 0 and abs(sum(split) - 1) < 1e-6):
        return True
    wanted = "three parts, train, validation and test, that sum to 1"
    found = ", ".join(f"{part:g}" for part in split)
    where = next((arg.value.span for arg in node.args if arg.name is not None and arg.name.id == "split"), node.span)
    frame.report(errors.WrongKind(span=where, callee=str(node.func.span.text), name="split", wanted=wanted, found=f"[{found}]"))
    return False


# ---- the registry --------------------------------------------------------------------------------------------------------------


def dataset(frame: Frame, variable: str, node: ast.Call, span: Span) -> DataValue | Poison:
    """`dataset("fashion-mnist")`: the schema is known."""
    first = next((arg for arg in node.args if arg.name is None or arg.name.id == "name"), None)
    known = DATASETS.get(first.value.value) if first is not None and isinstance(first.value, ast.String) else None
    extra = f", {known.settings}" if known is not None and known.settings else ""
    word = Word(f"dataset(name: string{extra}, split: list[float] = none)", "a data set of the registry")
    bound = arguments(frame, word, site_of(node))
    if bound is None or first is None or not split_fits(frame, bound, node):
        return POISON
    known = known or DATASETS.get(bound["name"])
    if known is None:
        near = nearest(bound["name"], DATASETS)
        inner = first.value.span
        fix = rename(inner, f'"{near}"') if near and isinstance(first.value, ast.String) else None
        diagnostic = errors.UnknownDataset(span=inner, name=bound["name"], meant=meant(near), known=listed(DATASETS), fix=fix)
        return frame.report(diagnostic)
    if not known.runs:
        frame.session.signature_only.setdefault(f"dataset {known.name}", span.place)
    types = {name: field_type(frame, text, bound) for name, text in known.fields.items()}
    source = DataSource(variable=variable, kind="dataset", args=bound, fields=types, classes=known.classes, place=span.place)
    return DataValue(source, types, span)


def field_type(frame: Frame, text: str, sizes: Mapping[str, Any]) -> TensorType:
    """`u8[batch, 1, 28, 28]` with settings of the data set put in for their names; f32 is the model's float."""
    dtype, _, shape = text.rstrip("]").partition("[")
    dims = []
    for part in shape.split(","):
        name = part.strip()
        value = int(name) if name.isdigit() else sizes.get(name, name)
        dims.append(Dim.of(value if is_int(value) else str(value)))
    return TensorType(dtype=model_float(frame, DType(dtype)), shape=tuple(dims))


def pairs(frame: Frame, variable: str, node: ast.Call, span: Span) -> DataValue | Poison:
    """`pairs(dataset(…), same=0.5)`: fields `left`, `right` and `same`."""
    if not node.args or node.args[0].name is not None or not is_source(frame, node.args[0].value):
        return frame.report(not_paired(node.args[0].span if node.args else node.span))
    inner = node.args[0].value
    assert isinstance(inner, ast.Call)
    base = data_value(frame, variable, inner, span)
    word = Word("pairs(same: float = 0.5)", "pairs of samples, a part of them of the same class", {"same": PART})
    bound = arguments(frame, word, site_of(node, node.args[1:]))
    if bound is None or isinstance(base, Poison) or base.types is None:
        return POISON
    image = base.types.get("image")
    if image is None or "label" not in base.types:
        return frame.report(not_paired(inner.span))
    types = {"left": image, "right": image, "same": TensorType(dtype=frame.session.precision, shape=(BATCH,))}
    args = {"of": base.source.kind, **{f"of.{key}": value for key, value in base.source.args.items()}, **bound}
    return DataValue(DataSource(variable=variable, kind=COMPOSED, args=args, fields=types, place=span.place), types, span)


def not_paired(span: Span) -> errors.WrongType:
    what = f"the first value of `{COMPOSED}`"
    return errors.WrongType(span=span, what=what, wanted="a data source with `image` and `label`", found="this")


# ---- files: field types from arguments and headers ------------------------------------------------------------------------------

Types = Mapping[str, TensorType] | None | Poison


def note(frame: Frame, node: ast.Call, path: str, reason: str) -> None:
    frame.report(errors.SchemaNote(span=node.span, path=path, reason=reason))


def header(frame: Frame, node: ast.Call, name: str, read: Callable[[Below], Any]) -> Any:
    """The header of a file; None where it is not there (a note says so); POISON (reported) where it is wrong."""
    try:
        return read(headers.opened(frame.file.folder, name))
    except headers.Unknown as unknown:
        note(frame, node, name, str(unknown))
        return None
    except headers.Bad as bad:
        where = next((arg.value.span for arg in node.args if isinstance(arg.value, ast.String) and arg.value.value == name), node.span)
        return frame.report(errors.BadDataFile(span=where, path=name, reason=str(bad)))


def csv_schema(frame: Frame, bound: Mapping[str, Any], node: ast.Call) -> tuple[Types, bool]:
    """`input` f32[batch, n], `target` f32[batch] or [batch, m], `label` i64[batch]; the columns exist."""
    columns = header(frame, node, bound["path"], headers.csv_columns)
    if isinstance(columns, Poison) or (columns is not None and not columns_exist(frame, bound, node, columns)):
        return POISON, False
    dtype = frame.session.precision
    types = {"input": TensorType(dtype=dtype, shape=(BATCH, Dim.of(max(1, len(bound["inputs"])))))}
    target = bound["target"]
    if target is not None:
        types["target"] = TensorType(dtype=dtype, shape=(BATCH,) if isinstance(target, str) else (BATCH, Dim.of(max(1, len(target)))))
    if bound["label"] is not None:
        types["label"] = TensorType(dtype=DType.i64, shape=(BATCH,))
    if not bound["inputs"]:
        frame.report(errors.WrongKind(span=node.span, callee="csv", name="inputs", wanted="a list of column names", found="an empty list"))
        return POISON, False
    return types, columns is not None


def columns_exist(frame: Frame, bound: Mapping[str, Any], node: ast.Call, columns: list[str]) -> bool:
    good = True
    for part in walk_strings(node):
        name = part.value
        if name in columns or name == bound["path"]:
            continue
        near = nearest(name, columns)
        fix = rename(part.span, f'"{near}"') if near else None
        diagnostic = errors.UnknownField(
            span=part.span, owner=bound["path"], name=name, meant=meant(near), known=listed(columns), fix=fix
        )  # fmt: skip
        frame.report(diagnostic)
        good = False
    return good


def walk_strings(node: ast.Call) -> list[ast.String]:
    """The strings among the arguments, in the order of the text."""
    found = [item for item in nodes(node.args) if isinstance(item, ast.String)]
    return sorted(found, key=lambda item: item.span.start)


def npz_schema(frame: Frame, bound: Mapping[str, Any], node: ast.Call) -> tuple[Types, bool]:
    """Each array by its key, with the dtype of its header."""
    found = header(frame, node, bound["path"], headers.npz_fields)
    if found is None or isinstance(found, Poison):
        return found, False
    whole = bound["whole"] or ()
    types: dict[str, TensorType] = {}
    for key, (dtype, shape) in found.items():
        if (shape or key in whole) and all(n >= 1 for n in shape[1:]) and key.isidentifier():
            types[key] = headers.sample_type(model_float(frame, dtype), shape, key in whole)
    return types, True


def model_float(frame: Frame, dtype: DType) -> DType:
    return frame.session.precision if dtype.is_float else dtype


def idx_schema(frame: Frame, bound: Mapping[str, Any], node: ast.Call) -> tuple[Types, bool]:
    """`image` u8[batch, 1, h, w] and `label` u8[batch]."""
    image = header(frame, node, bound["images"], headers.idx_shape)
    label = header(frame, node, bound["labels"], headers.idx_shape)
    if isinstance(image, Poison) or isinstance(label, Poison):
        return POISON, False
    if image is None or label is None:
        return None, False
    sizes = image[1][1:] if len(image[1]) != 3 else (1, *image[1][1:])
    if len(label[1]) != 1 or len(image[1]) < 2 or image[1][0] != label[1][0]:
        reason = f"{bound['images']} and {bound['labels']} are no images and labels of the same samples"
        return frame.report(errors.BadDataFile(span=node.span, path=bound["images"], reason=reason)), False
    return {
        "image": headers.sample_type(model_float(frame, image[0]), (image[1][0], *sizes), False),
        "label": headers.sample_type(label[0], label[1], False),
    }, True


def text_schema(frame: Frame, bound: Mapping[str, Any], node: ast.Call) -> tuple[Types, bool]:
    frame.session.signature_only.setdefault("text", node.span.place)
    window = TensorType(dtype=DType.i64, shape=(BATCH, Dim.of(bound["window"])))
    return {"text": window, "next": window}, True


def images_schema(frame: Frame, bound: Mapping[str, Any], node: ast.Call) -> tuple[Types, bool]:
    size = Dim.of(bound["size"])
    image = TensorType(dtype=DType.u8, shape=(BATCH, Dim.of(bound["channels"]), size, size))
    return {"image": image, "label": TensorType(dtype=DType.i64, shape=(BATCH,))}, True


SCHEMAS: dict[str, Callable[[Frame, Mapping[str, Any], ast.Call], tuple[Types, bool]]] = {
    "csv": csv_schema,
    "npz": npz_schema,
    "idx": idx_schema,
    "text": text_schema,
    "images": images_schema,
}
