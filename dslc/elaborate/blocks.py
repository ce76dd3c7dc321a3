"""Blocks and layers: a call expands the body, with an address of its own (R4, R6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dslc.diagnostics import Label
from dslc.elaborate import apply, errors, kinds, limits, patterns, warnings
from dslc.elaborate.calls import CALLERS, Given, Site, Slot, bind, number_argument, outside, setting, tensor_argument
from dslc.elaborate.evaluation import evaluate, run_body, tensor
from dslc.elaborate.frame import Frame, is_std
from dslc.elaborate.scope import Scope
from dslc.elaborate.session import EXPANSION, MOST_BLOCKS
from dslc.elaborate.values import (
    POISON,
    Binding,
    BlockValue,
    Poison,
    Several,
    Value,
    is_poison,
    is_scalar,
)
from dslc.elaborate.walk import callee, nodes
from dslc.ir.types import DType, TensorType
from dslc.ops.value import Val
from dslc.program import LayerRow
from dslc.source import Span
from dslc.syntax import ast

FRAMES = 9  # Python frames that one nested call of a block takes


def slots_of(frame: Frame, block: BlockValue) -> tuple[Slot, ...]:
    """The parameters of a block, made once."""
    known = frame.session.library.slots
    found = known.get(id(block.decl))
    if found is None:
        found = known[id(block.decl)] = tuple(slot_of(parm) for parm in block.decl.parms)
    return found


def slot_of(parm: ast.Parm) -> Slot:
    kind = "" if patterns.is_tensor(parm.type) else kinds.kind_text(parm.type)
    default: Value = None
    if isinstance(parm.default, (ast.Int, ast.Float, ast.Bool, ast.String)) and kinds.known(kind):
        default = kinds.convert(kind, parm.default.value)
    return Slot(parm.name.id, kind, parm.default is None, label=None if is_std(parm.span) else parm.span, default=default)


def signature(frame: Frame, block: BlockValue) -> str:
    """The head of a block, on one line, its parameters by the names by which they are given; made once."""
    known = frame.session.heads
    found = known.get(id(block.decl))
    if found is None:
        parms = ", ".join(outside(parm.name.id) + " ".join(parm.span.text.split())[len(parm.name.id) :] for parm in block.decl.parms)
        found = known[id(block.decl)] = f"{block.name}({parms})"
    return found


def address_of(frame: Frame, block: BlockValue, site: Site) -> str:
    """`as` gives the name; otherwise the block's name with its number among the textual calls in this body."""
    if site.alias is not None:
        return frame.at(site.alias.id)
    return frame.at(f"{block.name}{frame.numbers.get(id(site.node), 0)}")


def call_block(frame: Frame, block: BlockValue, site: Site, want: str) -> Value:
    """Expand a block with weights of its own."""
    slots = slots_of(frame, block)
    bound = bind(frame, site, block.name, slots, signature(frame, block))
    if bound is None:
        return POISON
    arguments = evaluated(frame, block.name, slots, bound)
    if not limits.settings_hold(frame, block, arguments, bound):
        return POISON
    address = address_of(frame, block, site)
    if not home(frame, address, site.name_span):
        return POISON
    return expand(frame, block, arguments, bound, address, site)


def evaluated(frame: Frame, callee: str, slots: Sequence[Slot], bound: Mapping[str, list[Given]]) -> dict[str, Value]:
    """The values of all given arguments, in the caller's scope."""
    found: dict[str, Value] = {}
    for slot in slots:
        if slot.name in bound:
            given = bound[slot.name][0]
            found[slot.name] = setting(frame, callee, slot, given) if slot.kind else tensor_argument(frame, given)
    return found


def home(frame: Frame, address: str, span: Span) -> bool:
    """Claim an address in this call of the network; two claims are an error."""
    homes = frame.tape.root.homes
    first = homes.setdefault((frame.call, address), span)
    if first == span and len(homes):
        return True
    if first.source is span.source and (first.start, first.end) == (span.start, span.end):
        return True
    labels = (Label(first, "the first one"),)
    frame.report(errors.DuplicateAddress(span=span, address=address, labels=labels))
    return False


# ---- expansion ----------------------------------------------------------------------------------------------------------------


def expand(
    frame: Frame, block: BlockValue, arguments: Mapping[str, Value], bound: Mapping[str, list[Given]], address: str, site: Site
) -> Value:  # fmt: skip
    """Run the body of a block with its parameters bound."""
    if is_poison(*arguments.values()):
        examine(frame, block, arguments, bound, address, site)
        return POISON
    if not limits.input_holds(frame, block, arguments, bound):
        return POISON
    session = frame.session
    session.expansions[block.name] += 1
    session.step(site.span, EXPANSION)
    depth = frame.depth + 1
    if depth > MOST_BLOCKS:
        session.stop(
            frame.located(errors.ExpansionTooDeep(span=site.span, limit=str(MOST_BLOCKS), chain=f"{frame.chain()} -> {block.name}"))
        )
    inner = inner_frame(frame, block, address, site)
    parms = zip(block.decl.parms, slots_of(frame, block), strict=True)
    good = [parameter(inner, block, parm, slot, arguments, bound, site) for parm, slot in parms]  # all errors, not the first alone
    if not all(good):
        return POISON
    if is_std(block.decl.span):
        warnings.block(frame, block.name, arguments.get("x"), site.name_span)
    layers = frame.tape.root.layers
    at = len(layers)
    std = is_std(block.decl.span)
    place = frame.place(site.span)
    layers.append(
        LayerRow.made({"address": address, "block": block.name, "outputs": (), "depth": depth, "place": place, "std": std})
    )  # fmt: skip
    with session.deeper(FRAMES, site.span):
        result = run_body(inner, block.decl.body)
    value = returned(inner, block, result, site)
    results = value.values if isinstance(value, Several) else (value,)
    types = tuple(item.type for item in results if isinstance(item, Val))
    layers[at] = layers[at].changed(outputs=types)
    return value


def inner_frame(frame: Frame, block: BlockValue, address: str, site: Site) -> Frame:
    """The frame in which the body of a block is run."""
    return Frame(
        session=frame.session, file=block.file, tape=frame.tape, scope=Scope(), kind="block", name=block.name, address=address,
        training=phase(frame, address), call=frame.call, caller=frame, call_span=site.span, depth=frame.depth + 1,
        numbers=frame.session.library.numbers(block.decl.body), frozen=frame.frozen,
    )  # fmt: skip


def examine(
    frame: Frame, block: BlockValue, arguments: Mapping[str, Value], bound: Mapping[str, list[Given]], address: str, site: Site
) -> None:  # fmt: skip
    """Run the body of a block whose tensors failed once, for the errors that do not depend on them."""
    session = frame.session
    if is_std(block.decl.span) or session.expansions[block.name] or frame.depth >= MOST_BLOCKS:
        return
    session.expansions[block.name] += 1
    session.step(site.span, EXPANSION)
    inner = inner_frame(frame, block, address, site)
    inner.call_span = site.span if site.node is not block.decl.name else None
    for parm, slot in zip(block.decl.parms, slots_of(frame, block), strict=True):
        if slot.kind and is_poison(arguments.get(slot.name)):
            inner.scope.declare(parm.name.id, Binding(POISON, parm.name.span, "parameter"))
        elif slot.kind:
            parameter(inner, block, parm, slot, arguments, bound, site)
        else:
            sizes = [item for item in nodes((parm.type,)) if isinstance(item, ast.Name)]
            for name in (parm.name, *(item for item in sizes if block.file.find(item.id) is None)):
                inner.scope.declare(name.id, Binding(POISON, name.span, "parameter"))
    with session.deeper(FRAMES, site.span):
        run_body(inner, block.decl.body)


def examine_rest(frame: Frame) -> None:
    """Run the bodies of the file's blocks that no call has reached, as the calls may be what failed; not of those that nothing calls."""
    tree = frame.file.tree
    called = {callee(node) for node in nodes(tree.statements) if isinstance(node, (ast.Call, ast.Stage))}
    names = {name.id for name in called if name is not None}
    for binding in tuple(frame.file.names.values()):
        block = binding.value
        if isinstance(block, BlockValue) and block.file is frame.file and (block.name in names or not tree.complete):
            name = block.decl.name
            arguments = {parm.name.id: POISON for parm in block.decl.parms}
            examine(frame, block, arguments, {}, block.name, Site(path=(name,), args=(), span=name.span, node=name))


def phase(frame: Frame, address: str) -> bool:
    """A block whose weights are all frozen runs with `training` false (R20)."""
    if not frame.frozen or not frame.training:
        return frame.training
    network = frame.session.networks.get(address.split(".")[0])
    mine = [weight.address for weight in network.weights if weight.address.startswith(f"{address}.")] if network else []
    return not mine or not all(weight in frame.frozen for weight in mine)


def returned(frame: Frame, block: BlockValue, result: tuple[Value, ...] | None, site: Site) -> Value:
    if result is None:
        if frame.session.sink.error_count == 0 or not has_return(block.decl):
            frame.report(errors.MissingReturn(span=block.decl.name.span, block=block.name))
        return POISON
    return result[0] if len(result) == 1 else Several(result)


def has_return(decl: ast.Block) -> bool:
    """Whether a `return` stands in it, or what may be a broken one."""
    return any(isinstance(node, (ast.Return, ast.Error)) for node in nodes((decl.body,)))


def parameter(
    frame: Frame, block: BlockValue, parm: ast.Parm, slot: Slot, arguments: Mapping[str, Value], bound: Mapping[str, list[Given]],
    site: Site,
) -> bool:  # fmt: skip
    """Bind one parameter in the new frame: given, or its default."""
    name = parm.name.id
    if not slot.kind:
        given = bound[name][0] if name in bound else Given(site.span)
        value = arguments[name] if name in arguments else tensor(frame, parm.default) if parm.default is not None else POISON
        return tensor_parameter(frame, block, parm, value, given, site)
    if name in arguments:
        value = arguments[name]
    elif slot.default is not None:
        value = slot.default
        frame.session.step(site.span)
    else:
        assert parm.default is not None
        value = evaluate(frame, parm.default, slot.kind)
        converted = kinds.convert(slot.kind, value)
        if converted is None:
            diagnostic = errors.WrongKind(
                span=parm.default.span, callee=block.name, name=name, wanted=kinds.words(slot.kind), found=kinds.described(slot.kind, value)
            )  # fmt: skip
            frame.report(diagnostic)
            return False
        value = converted
    frame.scope.declare(name, Binding(value, parm.name.span, "parameter"))
    return not isinstance(value, Poison)


def tensor_parameter(frame: Frame, block: BlockValue, parm: ast.Parm, value: Value, given: Given, site: Site) -> bool:
    """A tensor parameter: its dtype and its pattern."""
    assert frame.caller is not None
    if isinstance(value, Poison):
        return False
    wanted = DType.f32 if parm.type is None else patterns.dtype_of(frame, parm.type)
    if wanted is None:
        return False
    if parm.type is None:
        wanted = frame.session.precision
    if not isinstance(value, Val):
        if not is_scalar(value):
            return False  # of another parameter with the same name (reported)
        value = number_argument(frame.caller, block.name, parm.name.id, value, wanted, given.span)
        if not isinstance(value, Val):
            return False
    if parm.type is not None:
        if not fits_dtype(wanted, value.type.dtype):
            frame.caller.report(wrong_dtype(block.name, parm.name.id, wanted, value.type, given.span))
            return False
        reported = frame.caller
        if not matched(frame, reported, block, parm, parm.type, value.type, given):
            return False
    frame.scope.declare(parm.name.id, Binding(value, parm.name.span, "parameter"))
    return True


def matched(frame: Frame, caller: Frame, block: BlockValue, parm: ast.Parm, type: ast.Type, found: TensorType, given: Given) -> bool:
    # The words are about the caller's argument, so the call itself is no part of the chain.
    view = frame.inside(scope=frame.scope, caller=caller.caller, call_span=caller.call_span)
    view.kind, view.name = caller.kind, caller.name
    return patterns.match(view, block.name, parm.name.id, type, found, given.span, lambda: origin(caller, given, found))


def origin(caller: Frame, given: Given, found: TensorType) -> tuple[Label, ...]:
    """Where the value comes from: the place that bound its name, or the expression before the arrow."""
    if isinstance(given.expr, ast.Name):
        binding = caller.scope.find(given.expr.id)
        if binding is not None:
            return (Label(binding.span, f"`{given.expr.id}` is {found}"),)
    return (Label(given.written, f"this is {found}"),) if given.written is not None else ()


def fits_dtype(wanted: DType, found: DType) -> bool:
    """`i64` takes any integer type (R10)."""
    return wanted == found or (wanted is DType.i64 and found.is_int)


def wrong_dtype(callee: str, name: str, wanted: DType, found: TensorType, span: Span) -> errors.WrongDtype:
    """A tensor of another dtype than the parameter's."""
    pixels = found.dtype is DType.u8 and wanted.is_float
    text = apply.shown(span)
    text = text if text != callee else "x"
    action = f"scale it, `{text} / 255`, or `cast({text}, f32)`" if pixels else f"cast it: `cast({text}, {wanted})`"
    return errors.WrongDtype(span=span, callee=callee, name=name, wanted=str(wanted), found=str(found), action=action)


CALLERS["block"] = call_block
