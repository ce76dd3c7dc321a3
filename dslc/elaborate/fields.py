"""Reading `net.logits`, `data.image` and `layer.w`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dslc.elaborate import errors
from dslc.elaborate.frame import Frame
from dslc.elaborate.suggest import listed, meant, nearest, rename
from dslc.elaborate.values import POISON, DataValue, LayerValue, NetworkValue, Poison, Value, words_of
from dslc.syntax import ast


def read(frame: Frame, owner: Value, node: ast.Field) -> Value:
    """The value `owner.name`."""
    for kind, reader in READERS:
        if isinstance(owner, kind):
            return reader(frame, owner, node)
    text = node.value.span.flat
    what = f"`{text}`" if len(text) < 40 else "this"
    return frame.report(errors.WrongType(span=node.span, what=what, wanted="something with fields", found=words_of(owner)))


def unknown(frame: Frame, node: ast.Field, owner: str, known: tuple[str, ...]) -> Poison:
    near = nearest(node.name.id, known)
    fix = rename(node.name.span, near)
    diagnostic = errors.UnknownField(
        span=node.name.span, owner=owner, name=node.name.id, meant=meant(near), known=listed(known), fix=fix
    )  # fmt: skip
    return frame.report(diagnostic)


def of_network(frame: Frame, owner: NetworkValue, node: ast.Field) -> Value:
    found = owner.names.get(node.name.id)
    if found is None:
        known = (*owner.outputs, *(name for name in owner.names if name not in owner.outputs))
        return unknown(frame, node, owner.name, known)
    return found


def of_data(frame: Frame, owner: DataValue, node: ast.Field) -> Value:
    if owner.types is None:
        return POISON
    type = owner.types.get(node.name.id)
    if type is None:
        return unknown(frame, node, owner.source.variable, tuple(owner.types))
    name = f"{owner.source.variable}.{node.name.id}"
    return frame.tape.root.input("data", name, type, frame.place(node.span))


def of_layer(frame: Frame, owner: LayerValue, node: ast.Field) -> Value:
    """A weight of a layer, or a part of it (`f.dense0.b`)."""
    address = f"{owner.address}.{node.name.id}"
    weights = frame.tape.root.weights
    if address in weights:
        return frame.tape.root.weight(weights[address])
    if any(known.startswith(f"{address}.") for known in weights):
        return LayerValue(owner.target, owner.arguments, address, owner.span)
    mine = [known[len(owner.address) + 1 :] for known in weights if known.startswith(f"{owner.address}.")]
    if not mine and owner.address in frame.tape.root.failed:
        return POISON
    if not mine:
        return frame.report(errors.NoWeightYet(span=node.span, layer=node.value.span.flat))
    return unknown(frame, node, node.value.span.text, tuple(dict.fromkeys(name.split(".")[0] for name in mine)))


READERS: tuple[tuple[type, Callable[[Frame, Any, ast.Field], Value]], ...] = (
    (Poison, lambda frame, owner, node: POISON),
    (NetworkValue, of_network),
    (DataValue, of_data),
    (LayerValue, of_layer),
)
