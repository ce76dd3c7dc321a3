"""Shape patterns in the heads of blocks and in inputs: new names bind dims, everything else is a check (R8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dslc.diagnostics import Label
from dslc.elaborate import errors, names
from dslc.elaborate.evaluation import evaluate
from dslc.elaborate.frame import Frame
from dslc.elaborate.kinds import is_setting, kind_text
from dslc.elaborate.names import DTYPES
from dslc.elaborate.suggest import listed, meant, nearest, only, rename
from dslc.elaborate.values import POISON, Binding, Group, Value, is_int, is_number, is_poison, size, text_of, words_of
from dslc.ir.types import Dim, DType, TensorType
from dslc.source import Span
from dslc.syntax import ast

Labels = Callable[[], tuple[Label, ...]]  # further places, found where they are to be shown
WORDS = ("int", "float", "bool", "string")  # types of arguments without a shape


def dtype_of(frame: Frame, type: ast.Type) -> DType | None:
    """The dtype that a type names; the model's float where it names none. None (reported) for an unknown one."""
    if type.dtype is None or type.dtype.id == "f32":
        return frame.session.precision
    if type.dtype.id in DTYPES:
        return DType(type.dtype.id)
    names = (*DTYPES, *WORDS) if type.dims is None else tuple(DTYPES)
    near = nearest(type.dtype.id, names)
    fix = rename(type.dtype.span, near, names) or only(type.dtype.span, near, names)
    known = "" if fix is not None else f"the dtypes are {listed(DTYPES)}"
    near = near if fix is not None else ""
    frame.report(errors.UnknownType(span=type.dtype.span, name=type.dtype.id, meant=meant(near), known=known, fix=fix))
    return None


def match(frame: Frame, callee: str, name: str, type: ast.Type, found: TensorType, span: Span, labels: Labels = tuple) -> bool:
    """Match a tensor's shape against the pattern of parameter `name`; new names are bound.

    False, with everything reported, if it does not fit.
    """
    pattern = type.dims or ()
    rests = [at for at, item in enumerate(pattern) if isinstance(item, ast.Rest)]
    if len(rests) > 1:
        extra = pattern[rests[1]].span
        frame.report(errors.BadShape(span=extra, found=f"`{extra.text}`: a shape has one group of axes"))
        return False
    fixed = len(pattern) - len(rests)
    if (not rests and found.rank != fixed) or found.rank < fixed:
        return misfit(frame, callee, name, type, found, span, labels)
    if not rests:
        checks = [dim(frame, callee, name, type, found, axis, item, span, labels) for axis, item in enumerate(pattern)]
        return all(checks)
    before = rests[0]
    after = fixed - before
    good = [dim(frame, callee, name, type, found, axis, item, span, labels) for axis, item in enumerate(pattern[:before])]
    stop = found.rank - after
    good.append(group(frame, callee, name, type, found, (before, stop), span, labels))
    good += [
        dim(frame, callee, name, type, found, stop + at, item, span, labels) for at, item in enumerate(pattern[before + 1 :])
    ]  # fmt: skip
    return all(good)


def misfit(
    frame: Frame, callee: str, name: str, type: ast.Type, found: TensorType, span: Span, labels: Labels, detail: str = "",
    extra: tuple[Label, ...] = (),
) -> bool:  # fmt: skip
    """Report that a value does not have the shape that the pattern says."""
    text = f"`{callee}` takes {type.span.text} for `{name}`, and this is {found}{detail}"
    declared = (Label(type.span, f"`{name}` is declared here"),)
    frame.report(
        errors.ShapeMismatch(
            span=span, message_text=text, here=str(found), action=advice(type, found), labels=(*labels(), *extra, *declared)
        )
    )
    return False


def advice(type: ast.Type, found: TensorType) -> str:
    """The one action that probably helps."""
    wanted = len(type.dims or ())
    if any(isinstance(item, ast.Rest) for item in type.dims or ()):
        return ""
    if found.rank > wanted == 2:
        return "flatten it first: `x -> flatten -> …`"
    if found.rank == wanted - 1:
        return "add the missing axis with `_`, for example `x[:, _]`"
    return ""


def dim(
    frame: Frame, callee: str, name: str, type: ast.Type, found: TensorType, axis: int, item: ast.Expr | ast.Rest, span: Span,
    labels: Labels,
) -> bool:  # fmt: skip
    """One size: a new name binds it, `_` takes any, everything else must be equal."""
    given = found.shape[axis]
    if isinstance(item, ast.Name):
        if item.id == "_":
            return True
        binding = frame.scope.find(item.id) or frame.file.find(item.id)
        if binding is None:
            frame.scope.declare(item.id, Binding(size(given), item.span, "dim"))
            return True
    assert not isinstance(item, ast.Rest)  # the group of a pattern is matched apart
    wanted = checked_size(frame, item)
    if wanted is None:
        return True
    if Dim.of(wanted) == given:
        return True
    detail = f": axis {axis} is {given}, not {wanted}"
    extra: tuple[Label, ...] = ()
    if isinstance(item, ast.Name):
        binding = frame.scope.find(item.id)
        if binding is not None and binding.kind == "dim" and binding.span != item.span:
            extra = (Label(binding.span, f"`{item.id}` is {wanted} here"),)
    return misfit(frame, callee, name, type, found, span, labels, detail, extra)


def checked_size(frame: Frame, item: ast.Expr) -> int | Dim | None:
    """The size that an expression in a shape says; None (reported) if it is none."""
    if isinstance(item, ast.Name) and (item.span.source.path, item.id) in frame.session.unknown and frame.scope.find(item.id) is None:
        return None  # reported already
    value = evaluate(frame, item)
    if is_int(value) and value >= 1:
        return int(value)
    if isinstance(value, Dim) and value.sign() != -1 and value.sign() != 0:
        return value
    if value is not POISON:
        frame.report(errors.BadShape(span=item.span, found=text_of(value) if is_number(value) else words_of(value)))
    return None


def group(
    frame: Frame, callee: str, name: str, type: ast.Type, found: TensorType, axes: tuple[int, int], span: Span, labels: Labels
) -> bool:  # fmt: skip
    """`*s`: binds the axes, or checks that they are those that it stands for already."""
    item = next(item for item in type.dims or () if isinstance(item, ast.Rest))
    given = found.shape[axes[0] : axes[1]]
    binding = frame.scope.find(item.name.id)
    if binding is None:
        if item.name.id != "_":
            frame.scope.declare(item.name.id, Binding(Group(given), item.span, "dim"))
        return True
    if not isinstance(binding.value, Group) or binding.value.dims == given:
        return True
    text = ", ".join(str(size) for size in binding.value.dims)
    extra = (Label(binding.span, f"`*{item.name.id}` is [{text}] here"),)
    return misfit(frame, callee, name, type, found, span, labels, "", extra)


def resolve(frame: Frame, type: ast.Type) -> TensorType | None:
    """The type of a weight, state or carry: every size is known. None (reported) where it is not."""
    if type.dims is None:
        frame.report(errors.WrongType(span=type.span, what="this", wanted="a tensor type, `[…]`", found=f"`{type.span.text}`"))
        return None
    dtype = dtype_of(frame, type)
    sizes: list[Dim] = []
    good = dtype is not None
    for item in type.dims:
        if isinstance(item, ast.Rest):
            found = rest(frame, item)
            good = good and found is not None
            sizes += found or ()
            continue
        value = checked_size(frame, item)
        good = good and value is not None
        sizes.append(Dim.of(1 if value is None else value))
    return TensorType.made({"dtype": dtype, "shape": tuple(sizes)}) if good and dtype is not None else None


def rest(frame: Frame, item: ast.Rest) -> Sequence[Dim] | None:
    value: Value = names.value(frame, item.name)
    if isinstance(value, Group):
        return value.dims
    if isinstance(value, tuple) and all((is_int(item) and item >= 1) or isinstance(item, Dim) for item in value):
        return tuple(Dim.of(item) for item in value)
    if not is_poison(value):
        frame.report(errors.WrongType(span=item.span, what=f"`{item.name.id}`", wanted="a group of axes", found=words_of(value)))
    return None


def is_tensor(type: ast.Type | None) -> bool:
    """Whether a parameter of this type is a tensor."""
    return not is_setting(kind_text(type))
